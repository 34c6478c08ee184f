package storage

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// sink takes the keys of sealed blocks: a transaction's batch, or the files of a
// load. Key and value are copied.
type sink interface {
	set(k, v []byte) error
}

// blockBuilder gathers the rows of one block. Its memory is reused from block to
// block.
type blockBuilder struct {
	codes codeSink             // nil = vectors get no codes
	over  func(k []byte) error // where a block is written over: told of pages that are left out
	def   *TableDef
	cols  []*value.Column
	n     int
	all   []int32 // 0 to 1,023
	key   []byte
	buf   []byte

	stats []stats // of each column, over the blocks sealed
}

func newBlockBuilder(d *TableDef) *blockBuilder {
	b := &blockBuilder{def: d, stats: make([]stats, len(d.Columns))}
	for range d.Columns {
		b.cols = append(b.cols, new(value.Column))
	}
	for i := range BlockRows {
		b.all = append(b.all, int32(i))
	}
	b.reset()
	return b
}

func (b *blockBuilder) reset() {
	b.n = 0
	for i, c := range b.cols {
		c.Reset(b.def.Columns[i].Type)
	}
}

// add appends rows pos of cols, which are the table's columns; nil is NULL throughout.
func (b *blockBuilder) add(cols []*value.Column, pos []int32) {
	for i, c := range b.cols {
		appendRows(c, b.n, cols[i], pos)
	}
	b.n += len(pos)
}

// appendRows appends rows pos of src to dst, which has n rows.
func appendRows(dst *value.Column, n int, src *value.Column, pos []int32) {
	if src == nil || src.Type.Kind == value.Null {
		for i := range pos {
			dst.Append(n+i, value.Value{})
		}
		return
	}
	for i, p := range pos {
		if src.Null(int(p)) {
			for len(dst.Nulls)*64 <= n+i {
				dst.Nulls = append(dst.Nulls, 0)
			}
			dst.Nulls.Set(n + i)
		}
	}
	if dst.Nulls != nil {
		for len(dst.Nulls)*64 < n+len(pos) {
			dst.Nulls = append(dst.Nulls, 0)
		}
	}
	switch dst.Type.Kind {
	case value.Boolean:
		for _, p := range pos {
			dst.Bools = append(dst.Bools, src.Bools[p])
		}
	case value.Integer, value.Timestamp, value.Date:
		for _, p := range pos {
			dst.Ints = append(dst.Ints, src.Ints[p])
		}
	case value.Real:
		for _, p := range pos {
			dst.Reals = append(dst.Reals, src.Reals[p])
		}
	case value.Vector:
		dim := dst.Type.Dim
		for _, p := range pos {
			if src.Null(int(p)) {
				dst.Vecs = append(dst.Vecs, make([]float32, dim)...)
			} else {
				dst.Vecs = appendVector(dst.Vecs, src.Vecs[int(p)*dim:(int(p)+1)*dim], dst.Type)
			}
		}
	default:
		for _, p := range pos {
			dst.Strs = append(dst.Strs, src.Strs[p])
		}
	}
}

// copyVectors copies v to dst as a column of type t has it. What does not fit a float16 was
// refused before.
func copyVectors(dst, v []float32, t value.Type) {
	if t.Half {
		value.RoundHalf(dst, v)
	} else {
		copy(dst, v)
	}
}

// appendVector appends v to dst as copyVectors would copy it.
func appendVector(dst, v []float32, t value.Type) []float32 {
	dst = append(dst, v...)
	if t.Half {
		end := dst[len(dst)-len(v):]
		value.RoundHalf(end, end)
	}
	return dst
}

// addTail appends the tail rows of t as they are; deleted ones are NULL.
func (b *blockBuilder) addTail(t *Table) error {
	n := t.rowsIn(t.sealedBlocks())
	if n == 0 {
		return nil
	}
	live := firstRows(n)
	dead, err := t.dead(t.sealedBlocks())
	if err != nil {
		return err
	}
	if dead != nil {
		for i := range live {
			live[i] &^= dead[i]
		}
	}
	all := make([]int, len(b.cols))
	for i := range all {
		all[i] = i
	}
	if err := t.readTail(all, b.cols, &live); err != nil {
		return err
	}
	b.n = n
	return nil
}

// seal writes the gathered rows, a full block, as block number n.
func (b *blockBuilder) seal(ctx context.Context, to sink, n uint32) error {
	if b.n != BlockRows {
		return fmt.Errorf("sealing a block of %d rows", b.n)
	}
	d := b.def
	for i, c := range b.cols {
		id := d.Columns[i].ID
		b.key = key.Numbered(b.key[:0], d.ID, key.Columns, id, n)
		b.buf = block.Encode(b.buf[:0], c, BlockRows)
		if err := to.set(b.key, b.buf); err != nil {
			return err
		}
		b.stats[i].add(c, b.all)
		if c.Type.Kind == value.Vector {
			if err := b.sealPages(to, &d.Columns[i], c, n); err != nil {
				return err
			}
			if b.codes != nil {
				if err := b.codes.sealed(ctx, i, n, c.Vecs); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// emptyPage reports whether page p of a column, of rpp rows, holds nothing but NULLs.
func emptyPage(c *value.Column, p, rpp int) bool {
	for i := p * rpp; i < (p+1)*rpp; i++ {
		if !c.Null(i) {
			return false
		}
	}
	return true
}

// sealPages writes the pages of a vector column. A page of nothing but NULLs
// is left out.
func (b *blockBuilder) sealPages(to sink, def *ColumnDef, c *value.Column, n uint32) error {
	dim := c.Type.Dim
	rpp := def.pageRows
	for p := range BlockRows / rpp {
		b.key = key.Numbered(b.key[:0], b.def.ID, key.Pages, def.ID, n*def.pagesPerBlock()+uint32(p))
		if emptyPage(c, p, rpp) {
			if b.over != nil {
				if err := b.over(b.key); err != nil {
					return err
				}
			}
			continue
		}
		b.buf = block.AppendNumbers(b.buf[:0], c.Vecs[p*rpp*dim:(p+1)*rpp*dim], c.Type)
		if err := to.set(b.key, b.buf); err != nil {
			return err
		}
	}
	return nil
}

// sealStats writes the statistics, with what they were in the view, and starts anew.
func (b *blockBuilder) sealStats(v *View, put func(k, v []byte) error) error {
	for i := range b.stats {
		st := new(stats)
		if v != nil {
			var err error
			if st, err = v.readStats(b.def, &b.def.Columns[i]); err != nil {
				return err
			}
		}
		st.merge(&b.stats[i])
		b.stats[i] = stats{}
		if err := put(key.Of(nil, b.def.ID, key.Stats, b.def.Columns[i].ID), st.encode()); err != nil {
			return err
		}
	}
	return nil
}
