package storage

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// exchange lets two directories change places at once, and reports whether it could.
func exchange(fs vfs.FS, a, b string) bool {
	return unguarded(fs) == nil && unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) == nil
}
