package storage

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sorter puts keys and the rows they belong to in order. Beyond a limit of memory
// it writes sorted runs to files.
type sorter struct {
	fs    vfs.FS
	path  string // of the runs, a number is appended
	limit int    // bytes of memory
	arena []byte
	items []sortItem
	runs  []string
	total uint64
}

type sortItem struct {
	off, len uint32 // of the key in the arena
	row      uint64
}

func (s *sorter) key(i sortItem) []byte { return s.arena[i.off : i.off+i.len] }

const itemSize = 16

// add copies k.
func (s *sorter) add(k []byte, row uint64) error {
	if len(s.arena)+len(k)+(len(s.items)+1)*itemSize > s.limit && len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.items = append(s.items, sortItem{uint32(len(s.arena)), uint32(len(k)), row})
	s.arena = append(s.arena, k...)
	s.total++
	return nil
}

func (s *sorter) compare(a, b sortItem) int {
	if c := bytes.Compare(s.key(a), s.key(b)); c != 0 {
		return c
	}
	switch {
	case a.row < b.row:
		return -1
	case a.row > b.row:
		return 1
	}
	return 0
}

func (s *sorter) sort() {
	if !slices.IsSortedFunc(s.items, s.compare) {
		slices.SortFunc(s.items, s.compare)
	}
}

func (s *sorter) spill() (err error) {
	s.sort()
	name := fmt.Sprintf("%s.%d", s.path, len(s.runs))
	f, err := s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, name)
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	var head []byte
	for _, it := range s.items {
		head = binary.AppendUvarint(head[:0], uint64(it.len))
		head = binary.LittleEndian.AppendUint64(head, it.row)
		if _, err := w.Write(head); err != nil {
			return err
		}
		if _, err := w.Write(s.key(it)); err != nil {
			return err
		}
	}
	s.arena, s.items = s.arena[:0], s.items[:0]
	return w.Flush()
}

// each calls f for all keys in ascending order, equal keys by row. The key is valid
// during the call.
func (s *sorter) each(ctx context.Context, f func(k []byte, row uint64) error) error {
	n := 0
	visit := func(k []byte, row uint64) error {
		if n++; n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return f(k, row)
	}
	if len(s.runs) == 0 {
		s.sort()
		for _, it := range s.items {
			if err := visit(s.key(it), it.row); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	s.arena, s.items = nil, nil
	return mergeRuns(s.fs, s.runs, 128<<10, compareSorted, func(r *sorted) error { return visit(r.key, r.row) })
}

// sorted is an entry of a run.
type sorted struct {
	key []byte
	row uint64
}

func compareSorted(x, y *sorted) int {
	return cmp.Or(bytes.Compare(x.key, y.key), cmp.Compare(x.row, y.row))
}

func (s *sorted) next(r *bufio.Reader) (bool, error) {
	n, err := binary.ReadUvarint(r)
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var row [8]byte
	if _, err := io.ReadFull(r, row[:]); err != nil {
		return false, err
	}
	s.row = binary.LittleEndian.Uint64(row[:])
	s.key = slices.Grow(s.key[:0], int(n))[:n]
	_, err = io.ReadFull(r, s.key)
	return true, err
}
