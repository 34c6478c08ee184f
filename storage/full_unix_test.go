//go:build unix

package storage_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// diskUsed returns the bytes that a directory takes on the disk.
func diskUsed(t *testing.T, dir string) (n int64) {
	t.Helper()
	check(t, filepath.Walk(dir, func(_ string, fi os.FileInfo, err error) error {
		if err == nil {
			n += fi.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	}))
	return n
}
