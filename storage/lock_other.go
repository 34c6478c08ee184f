//go:build !unix

package storage

import (
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockFolder locks a store's lock file. Sharing among readers is not possible
// here: a reader has the store for itself, too.
func lockFolder(name string, shared bool) (io.Closer, error) {
	c, err := vfs.Default.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrLocked, err)
	}
	return c, nil
}
