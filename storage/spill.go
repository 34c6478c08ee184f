package storage

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// largeTransaction is the size from which on a transaction's changes are kept in an
	// overlay, and long values in a file.
	largeTransaction = 16 << 20
	// spillValue is the size of a value from which on it goes into the file.
	spillValue = 4 << 10
	spillChunk = 1 << 20
)

// spill is a file of values that a transaction has written. Values are only added, and read
// back by their place; what is written over stays until the transaction ends. Reading is
// safe for concurrent use while nobody adds.
type spill struct {
	fs    vfs.FS
	dir   string
	least int      // size of a value that goes there: see spillValue
	file  vfs.File // nil until there is something to write
	chunk []byte   // what is not in the file yet
	at    int64    // where it goes
}

// append adds a value and returns its place.
func (s *spill) append(v []byte) (int64, error) {
	if len(s.chunk)+len(v) > spillChunk {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	off := s.at + int64(len(s.chunk))
	if len(v) >= spillChunk { // nothing waits any more
		return off, s.write(v)
	}
	s.chunk = append(s.chunk, v...)
	return off, nil
}

func (s *spill) flush() error {
	err := s.write(s.chunk)
	if err == nil {
		s.chunk = s.chunk[:0]
	}
	return err
}

// write adds bytes to the file. What is there of them after an error is written over.
func (s *spill) write(b []byte) (err error) {
	if s.file == nil {
		s.file, err = s.fs.Create(s.fs.PathJoin(s.dir, "values"), vfs.WriteCategoryUnspecified)
		if err != nil {
			return fullOr(err)
		}
	}
	if _, err := s.file.WriteAt(b, s.at); err != nil {
		return fullOr(err)
	}
	s.at += int64(len(b))
	return nil
}

// read fills dst with what was added at off.
func (s *spill) read(dst []byte, off int64) error {
	if off >= s.at {
		copy(dst, s.chunk[off-s.at:])
		return nil
	}
	_, err := s.file.ReadAt(dst, off)
	return err
}

func (s *spill) close() {
	if s != nil && s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
