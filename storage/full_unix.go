//go:build unix

package storage

import (
	"errors"

	"golang.org/x/sys/unix"
)

// isFull reports whether an error tells of a lack of space.
func isFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
