package storage

import (
	"slices"

	"github.com/lupadb/lupa/storage/value"
)

// keptTails are columns of the rows after the last sealed block, decoded, as a picture has them:
// correlated subqueries, and one statement after the other, read those of small tables again and
// again. The picture's mu guards them.
type keptTails struct {
	of   map[uint32]*keptTail // by the table's id
	size int64
}

type keptTail struct {
	bytes int64                    // of the rows in their stored form
	cols  map[uint32]*value.Column // by id; nil until the table is read a second time
}

// maxKeptTails bounds what a picture keeps, in bytes.
const maxKeptTails = 1 << 20

// keptTail sets cols to copies of columns of the tail, all rows of which are wanted, if they are
// kept.
func (t *Table) keptTail(columns []int, cols []*value.Column) bool {
	p := t.view.picture
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.tails.of[t.def.ID]
	if k == nil {
		return false
	}
	for _, c := range columns {
		if k.cols[t.def.Columns[c].ID] == nil {
			return false
		}
	}
	for i, c := range columns {
		from := k.cols[t.def.Columns[c].ID]
		to := cols[i]
		to.Reset(from.Type)
		to.Nulls = slices.Clone(from.Nulls)
		to.Bools = append(to.Bools, from.Bools...)
		to.Ints = append(to.Ints, from.Ints...)
		to.Reals = append(to.Reals, from.Reals...)
		to.Strs = append(to.Strs, from.Strs...)
	}
	t.view.Reads.RowBytes.Add(k.bytes)
	return true
}

// keepTail keeps copies of columns of the whole tail, n rows, from the second time on that they
// are read: beside a writer a picture is often read once.
func (t *Table) keepTail(columns []int, cols []*value.Column, n int, bytes int64) {
	p := t.view.picture
	if p == nil || n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.tails.of[t.def.ID]
	if k == nil {
		if p.tails.of == nil {
			p.tails.of = map[uint32]*keptTail{}
		}
		p.tails.of[t.def.ID] = &keptTail{bytes: bytes}
		return
	}
	if k.cols == nil {
		k.cols = map[uint32]*value.Column{}
	}
	for i, c := range columns {
		id, from := t.def.Columns[c].ID, cols[i]
		if k.cols[id] != nil || from.Type.Kind == value.Vector {
			continue
		}
		size := int64(8*len(from.Nulls) + len(from.Bools) + 8*len(from.Ints) + 8*len(from.Reals) + 16*len(from.Strs))
		for _, s := range from.Strs {
			size += int64(len(s))
		}
		if p.tails.size+size > maxKeptTails {
			continue
		}
		p.tails.size += size
		k.cols[id] = &value.Column{Type: from.Type, Nulls: slices.Clone(from.Nulls), Bools: slices.Clone(from.Bools),
			Ints: slices.Clone(from.Ints), Reals: slices.Clone(from.Reals), Strs: slices.Clone(from.Strs)}
	}
}
