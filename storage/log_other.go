//go:build !linux

package storage

import "github.com/cockroachdb/pebble/v2/vfs"

// lengthenLog gives a log n more bytes at off, where the file system can.
func lengthenLog(f vfs.File, off, n int64) error { return f.Preallocate(off, n) }
