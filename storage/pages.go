package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// numbered reads the blocks, pages or codes of one column. Ascending numbers that
// follow each other are the quick way. It belongs to one goroutine.
type numbered struct {
	t       *Table
	family  byte
	column  int // position in the definition
	it      iterator
	at      uint32 // number under the iterator
	valid   bool
	counted bool   // among what was read
	key     []byte // prefix of the keys, then room for the number
	copied  []byte // a value that was read alone
}

// numbers opens a reader over numbers [from, to) of a family of a column's keys.
func (t *Table) numbers(family byte, column int, from, to uint32) (*numbered, error) {
	return t.numbersOf(key.Of(nil, t.def.ID, family, t.def.Columns[column].ID), column, from, to)
}

func (t *Table) numbersOf(prefix []byte, column int, from, to uint32) (*numbered, error) {
	r := &numbered{t: t, family: prefix[4], column: column, key: prefix}
	lower := binary.BigEndian.AppendUint32(slices.Clone(prefix), from)
	upper := binary.BigEndian.AppendUint32(slices.Clone(prefix), to)
	var err error
	if r.it, err = t.view.iter(lower, upper); err != nil {
		return nil, t.corruptNumber(r.family, column, from, err)
	}
	return r, nil
}

func (t *Table) corruptNumber(family byte, column int, n uint32, err error) error {
	if err == nil {
		return nil
	}
	what := map[byte]string{key.Columns: "block", key.Pages: "page", key.Codes: "codes of block", key.Index: "index: chunk"}[family]
	c := &t.def.Columns[column]
	rows := uint64(BlockRows)
	if family == key.Pages {
		rows = uint64(c.pageRows)
	}
	first := uint64(n) * rows
	last := max(first, min(first+rows, t.counters.next)-1) // of the rows there are
	return corrupt(t.def.Name, c.Name, fmt.Sprintf("%s %d (rows %d to %d)", what, n, first, last), err)
}

// Get returns the value of number n, nil when there is none. It is Pebble's own
// memory, valid until the next call.
func (r *numbered) Get(n uint32) ([]byte, error) {
	switch {
	case r.valid && r.at == n:
	case r.valid && r.at+1 == n:
		r.valid, r.counted = r.it.Next(), false
	default:
		r.counted = false
		k := binary.BigEndian.AppendUint32(r.key, n)
		r.valid = r.it.SeekGE(k)
		r.key = k[:len(k)-4]
	}
	if !r.valid {
		if err := r.it.Error(); err != nil {
			return r.alone(n, err)
		}
		return nil, nil
	}
	r.at = key.Number(r.it.Key())
	if r.at != n {
		return nil, nil
	}
	v, err := r.it.ValueAndErr()
	if err != nil {
		return nil, r.t.corruptNumber(r.family, r.column, n, err)
	}
	if !r.counted { // however often it is asked for
		r.count(v)
		r.counted = true
	}
	return v, nil
}

// alone reads a number after an iterator has failed with err: to find a key it reads in
// every level the block where it would be, and one of those may be damaged which does not
// hold it.
func (r *numbered) alone(n uint32, err error) ([]byte, error) {
	if !errors.Is(err, pebble.ErrCorruption) {
		return nil, r.t.corruptNumber(r.family, r.column, n, err)
	}
	k := binary.BigEndian.AppendUint32(slices.Clone(r.key), n)
	var v []byte
	ok, err := r.t.view.get(k, func(b []byte) error {
		v = append(r.copied[:0], b...)
		r.copied = v
		return nil
	})
	if err != nil || !ok {
		return nil, r.t.corruptNumber(r.family, r.column, n, err)
	}
	r.count(v)
	return v, nil
}

// count notes that a value was read.
func (r *numbered) count(v []byte) {
	reads := &r.t.view.Reads
	switch r.family {
	case key.Pages:
		reads.PageBytes.Add(int64(len(v)))
		reads.Pages.Add(1)
	case key.Codes:
		reads.CodeBytes.Add(int64(len(v)))
	default:
		reads.ScalarBytes.Add(int64(len(v)))
	}
}

// Close releases the reader; nil is fine.
func (r *numbered) Close() error {
	if r == nil || r.it == nil {
		return nil
	}
	it := r.it
	r.it, r.valid = nil, false
	_ = it.Close() // which repeats what Get has said, or has read in another way
	return nil
}

// pageReader reads the pages of a vector column.
type pageReader struct {
	numbered
	rowsPerPage int
	rowBytes    int
	typ         value.Type
}

// pages opens a reader over the pages of blocks [from, to). A page is as many rows as
// the column's definition says, of little endian float32, or float16 of HALFVEC; rows that
// are NULL are zeros.
// A page is missing when its rows are all deleted, or from before the column was added.
func (t *Table) pages(column int, from, to uint32) (*pageReader, error) {
	c := &t.def.Columns[column]
	perBlock := c.pagesPerBlock()
	n, err := t.numbers(key.Pages, column, from*perBlock, to*perBlock)
	if err != nil {
		return nil, err
	}
	return &pageReader{numbered: *n, rowsPerPage: c.pageRows, rowBytes: block.NumberBytes(c.Type) * c.Type.Dim, typ: c.Type}, nil
}

// Page returns a page, nil when it is missing; valid until the next call.
func (r *pageReader) Page(n uint32) ([]byte, error) {
	b, err := r.Get(n)
	if err == nil && b != nil && len(b) != r.rowsPerPage*r.rowBytes {
		err = r.t.corruptNumber(key.Pages, r.column, n, fmt.Errorf("%w: %d bytes, want %d", block.ErrMalformed, len(b), r.rowsPerPage*r.rowBytes))
	}
	return b, err
}

// floats decodes stored vectors into dst.
func (r *pageReader) floats(dst []float32, src []byte) { block.Numbers(dst, src, r.typ) }

// Row returns the bytes of one row's vector, nil when its page is missing.
func (r *pageReader) Row(row uint64) ([]byte, error) {
	b, err := r.Page(uint32(row / uint64(r.rowsPerPage)))
	if err != nil || b == nil {
		return nil, err
	}
	at := int(row%uint64(r.rowsPerPage)) * r.rowBytes
	return b[at : at+r.rowBytes], nil
}

// codes opens a reader over one plane, 0 or 1, of the codes of blocks [from, to).
func (t *Table) codes(column int, tr *transform, plane int, from, to uint32) (*numbered, error) {
	return t.numbersOf(key.Plane(nil, t.def.ID, t.def.Columns[column].ID, tr.base+byte(plane+1)), column, from, to)
}
