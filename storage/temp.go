package storage

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNoTemp says that a store has no room for temporary files: it is in memory, or read-only.
var ErrNoTemp = errors.New("a store in memory, or one that is read-only, has no temporary files")

// TempFile is a file in the store's directory for what a statement does not hold in memory. It is
// removed when it is closed; one that a crash leaves over is removed at the next Open. It is
// written by one goroutine; what was written may be read by several.
type TempFile struct {
	fs   vfs.FS
	name string
	file vfs.File
	size int64
}

var tempNumber atomic.Uint64

// HasTemp reports whether there may be temporary files.
func (s *Store) HasTemp() bool { return !s.inMemory && !s.readOnly }

// Temp creates a temporary file.
func (s *Store) Temp() (*TempFile, error) {
	if !s.HasTemp() {
		return nil, ErrNoTemp
	}
	dir, err := s.newLoadDir()
	if err != nil {
		return nil, fullOr(err)
	}
	f := &TempFile{fs: s.fs, name: dir}
	f.file, err = s.fs.Create(s.fs.PathJoin(dir, fmt.Sprintf("rows%d", tempNumber.Add(1))), vfs.WriteCategoryUnspecified)
	if err != nil {
		_ = s.fs.RemoveAll(dir)
		return nil, fullOr(err)
	}
	return f, nil
}

// Append writes b at the end and returns its place.
func (f *TempFile) Append(b []byte) (at int64, err error) {
	if _, err := f.file.WriteAt(b, f.size); err != nil {
		return 0, fullOr(err)
	}
	at = f.size
	f.size += int64(len(b))
	return at, nil
}

// ReadAt fills b with what was written at a place.
func (f *TempFile) ReadAt(b []byte, at int64) error {
	_, err := f.file.ReadAt(b, at)
	return err
}

// Size is the number of bytes written.
func (f *TempFile) Size() int64 { return f.size }

// Close removes the file.
func (f *TempFile) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return errors.Join(err, f.fs.RemoveAll(f.name))
}
