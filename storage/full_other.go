//go:build !unix

package storage

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// isFull reports whether an error tells of a lack of space.
func isFull(err error) bool { return errors.Is(err, ErrFull) || vfs.IsNoSpaceError(err) }
