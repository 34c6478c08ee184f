package storage

import (
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// holdFile puts a second lock on a file that the store has open, which tells Repair of a
// process whose LOCK was removed. That it can't be is no error. Unlike the lock of LOCK it
// belongs to the open file, not to the process.
func holdFile(f vfs.File) {
	if fd := f.Fd(); fd != vfs.InvalidFd {
		spec := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
		_ = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &spec)
	}
}

// isHeld reports whether another process, or another opening here, has put that lock on
// a file.
func isHeld(f vfs.File) bool {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return false
	}
	spec := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	return unix.FcntlFlock(fd, unix.F_OFD_GETLK, &spec) == nil && spec.Type != unix.F_UNLCK
}
