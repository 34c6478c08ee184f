package storage

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// lengthenLog gives a log n more bytes at off and makes it as long: a sync of a file that
// does not get longer by it spares the file system a commit of its own journal. The log's
// reader takes zeros for its end.
func lengthenLog(f vfs.File, off, n int64) error {
	fd := f.Fd()
	if fd == vfs.InvalidFd {
		return f.Preallocate(off, n)
	}
	for {
		if err := unix.Fallocate(int(fd), 0, off, n); err != unix.EINTR {
			return err
		}
	}
}
