package jxl

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// restrict bounds the memory of a process that has just begun.
func restrict(pid int, memory uint64) bool {
	return unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: memory, Max: memory}, nil) == nil
}

// killed reports whether a process was ended by a signal, as djxl is where it gets no memory.
func killed(s *os.ProcessState) bool {
	w, ok := s.Sys().(syscall.WaitStatus)
	return ok && w.Signaled()
}
