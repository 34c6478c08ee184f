//go:build !linux

package storage

import "github.com/cockroachdb/pebble/v2/vfs"

func holdFile(vfs.File)    {}
func isHeld(vfs.File) bool { return false }
