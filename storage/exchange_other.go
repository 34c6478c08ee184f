//go:build !linux

package storage

import "github.com/cockroachdb/pebble/v2/vfs"

func exchange(vfs.FS, string, string) bool { return false }
