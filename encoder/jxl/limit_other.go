//go:build !linux

package jxl

import "os"

// restrict does nothing where a process can't bound another.
func restrict(pid int, memory uint64) bool { return false }

func killed(s *os.ProcessState) bool { return false }
