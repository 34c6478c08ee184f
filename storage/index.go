package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// maxKey is the largest size of a primary key or of an index's key. Beyond it a
// key costs more than it finds.
const maxKey = 16 << 10

// seekPrefix moves an iterator to the first key that starts with prefix, and reports whether
// there is one. It does not look beyond: where many keys were deleted, finding the next one
// takes as long as reading them all.
func seekPrefix(it iterator, prefix []byte) bool {
	return it.SeekGEWithLimit(prefix, key.End(prefix)) == pebble.IterValid && bytes.HasPrefix(it.Key(), prefix)
}

// Lookup finds the row of a primary key, which is of the key column's kind.
func (t *Table) Lookup(ctx context.Context, pk value.Value) (row uint64, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	if t.def.PrimaryKey < 0 {
		return 0, false, fmt.Errorf("%s has no primary key", t.def.Name)
	}
	if c := &t.def.Columns[t.def.PrimaryKey]; pk.Kind() != c.Type.Kind {
		if pk.IsNull() {
			return 0, false, nil
		}
		return 0, false, &TypeError{t.def.Name, c.Name, pk.Type(), c.Type}
	}
	if p := t.view.picture; p != nil && !t.view.closed.Load() {
		return t.lookupIn(p, pk)
	}
	b := scratches.Get().(*scratch)
	defer scratches.Put(b)
	b.key = key.Append(key.Family(b.key[:0], t.def.ID, key.Primary), pk)
	return t.view.lookupKey(t.def, b.key)
}

// lookupIn is Lookup in a picture that views share.
func (t *Table) lookupIn(p *picture, pk value.Value) (row uint64, ok bool, err error) {
	serial := pk.Kind() == value.Integer
	if serial {
		if row, ok = t.guess(p, pk.Int()); ok {
			return row, true, nil
		}
	}
	c, err := p.cursor()
	if err != nil {
		return 0, false, corrupt(t.def.Name, "", "primary key", err)
	}
	defer p.putCursor(c)
	c.key = key.Append(key.Family(c.key[:0], t.def.ID, key.Primary), pk)
	if ok = c.find(); ok {
		var b []byte
		if b, err = c.it.ValueAndErr(); err == nil {
			t.view.Reads.KeyBytes.Add(int64(len(c.key) + len(b)))
			row, err = decodeRowNumber(b)
		}
		if serial && err == nil {
			p.hot.serials.learn(t.def.ID, pk.Int(), row)
		}
	} else {
		err = c.it.Error()
	}
	return row, ok && err == nil, corrupt(t.def.Name, "", "primary key", err)
}

// scratch is memory for one look-up.
type scratch struct {
	key, end []byte
	opts     pebble.IterOptions
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// AppendRows appends to dst the rows that have a value, which is of the column's kind and not
// NULL, in the first column of an index, in the order of the index.
func (t *Table) AppendRows(ctx context.Context, dst []uint64, x *IndexDef, v value.Value) ([]uint64, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	if c := &t.def.Columns[t.def.ColumnID(x.Columns[0])]; v.Kind() != c.Type.Kind {
		return dst, &TypeError{t.def.Name, c.Name, v.Type(), c.Type}
	}
	if p := t.view.picture; p != nil && !t.view.closed.Load() {
		return t.appendIn(ctx, dst, p, x, v)
	}
	b := scratches.Get().(*scratch)
	defer scratches.Put(b)
	b.key = key.Append(key.Of(b.key[:0], t.def.ID, key.Index, x.ID), v)
	b.end = key.AppendEnd(b.end[:0], b.key)
	view := t.view
	if view.closed.Load() {
		return dst, ErrClosed
	}
	if view.mu != nil {
		view.mu.Lock()
		defer view.mu.Unlock()
	}
	b.opts = pebble.IterOptions{LowerBound: b.key, UpperBound: b.end}
	it, err := view.newIter(&b.opts)
	if err != nil {
		return dst, corrupt(t.def.Name, "", "index "+x.Name, err)
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return dst, err
			}
		}
		view.Reads.KeyBytes.Add(int64(len(it.Key())))
		dst = append(dst, key.RowNumber(it.Key()))
	}
	if err := it.Error(); err != nil {
		return dst, corrupt(t.def.Name, "", "index "+x.Name, err)
	}
	return dst, nil
}

// appendIn is AppendRows in a picture that views share.
func (t *Table) appendIn(ctx context.Context, dst []uint64, p *picture, x *IndexDef, v value.Value) ([]uint64, error) {
	c, err := p.cursor()
	if err != nil {
		return dst, corrupt(t.def.Name, "", "index "+x.Name, err)
	}
	defer p.putCursor(c)
	c.key = key.Append(key.Of(c.key[:0], t.def.ID, key.Index, x.ID), v)
	c.end = key.AppendEnd(c.end[:0], c.key)
	n, one := 0, x.Unique && len(x.Columns) == 1
	for ok := c.seek(c.key, c.end); ok; ok = !one && c.next(c.key, c.end) {
		if n++; n%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return dst, err
			}
		}
		t.view.Reads.KeyBytes.Add(int64(len(c.it.Key())))
		dst = append(dst, key.RowNumber(c.it.Key()))
	}
	return dst, corrupt(t.def.Name, "", "index "+x.Name, c.it.Error())
}

// lookupKey reads an entry of the primary key map.
func (v *View) lookupKey(d *TableDef, k []byte) (row uint64, ok bool, err error) {
	if v.closed.Load() {
		return 0, false, ErrClosed
	}
	if v.mu != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
	}
	b, c, err := v.getFrom(k)
	if err == pebble.ErrNotFound {
		return 0, false, nil
	}
	if err == nil {
		v.Reads.KeyBytes.Add(int64(len(k) + len(b)))
		row, err = decodeRowNumber(b)
		c.Close()
	}
	return row, err == nil, corrupt(d.Name, "", "primary key", err)
}

func decodeRowNumber(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: row number of %d bytes", block.ErrMalformed, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// Range selects a part of an ordered index: keys that start with the values of
// Eq and whose next column lies between Low and High, or starts with Prefix.
// NULLs match only an explicit NULL in Eq, or an index without any bound.
type Range struct {
	Eq       []value.Value // values of the leading columns
	Low      value.Value   // bounds of the next column; NULL = unbounded
	High     value.Value
	LowOpen  bool   // Low itself is outside
	HighOpen bool   // High itself is outside
	Prefix   string // only texts (or blobs) with this prefix, when not empty
	Reverse  bool   // from the end
	Limit    int    // at most this many rows; 0 = all
}

// bounds returns the key range below prefix.
func (r *Range) bounds(prefix []byte) (lower, upper []byte) {
	for _, v := range r.Eq {
		prefix = key.Append(prefix, v)
	}
	lower, upper = prefix, key.End(prefix)
	clone := func() []byte { return append(make([]byte, 0, len(prefix)+32), prefix...) }
	if r.Prefix != "" {
		lower = key.AppendTextPrefix(clone(), r.Prefix)
		return lower, key.End(lower)
	}
	bounded := !r.Low.IsNull() || !r.High.IsNull()
	if bounded { // leave NULLs out
		upper = key.Append(clone(), value.Value{})
	}
	if !r.Low.IsNull() {
		lower = key.Append(clone(), r.Low)
		if r.LowOpen {
			lower = key.End(lower)
		}
	}
	if !r.High.IsNull() {
		upper = key.Append(clone(), r.High)
		if !r.HighOpen {
			upper = key.End(upper)
		}
	}
	return lower, upper
}

// IndexScan returns the row numbers of a range in the order of the index. A nil
// index means the primary key. Values in the range are of the columns' kinds.
func (t *Table) IndexScan(ctx context.Context, index *IndexDef, r Range) ([]uint64, error) {
	var prefix []byte
	where := "primary key"
	var cols []uint32
	if index == nil || index == PrimaryKeyTarget {
		if t.def.PrimaryKey < 0 {
			return nil, fmt.Errorf("%s has no primary key", t.def.Name)
		}
		index = nil
		prefix = key.Family(nil, t.def.ID, key.Primary)
		cols = []uint32{t.def.Columns[t.def.PrimaryKey].ID}
	} else {
		prefix = key.Of(nil, t.def.ID, key.Index, index.ID)
		where = "index " + index.Name
		cols = index.Columns
	}
	if len(r.Eq) > len(cols) {
		return nil, fmt.Errorf("%s has %d columns, not %d", where, len(cols), len(r.Eq))
	}
	for i, v := range append(append([]value.Value{}, r.Eq...), r.Low, r.High) {
		if v.IsNull() {
			continue
		}
		if i >= len(r.Eq) {
			if i = len(r.Eq); i >= len(cols) {
				return nil, fmt.Errorf("%s has %d columns", where, len(cols))
			}
		}
		c := &t.def.Columns[t.def.ColumnID(cols[i])]
		if v.Kind() != c.Type.Kind {
			return nil, &TypeError{t.def.Name, c.Name, v.Type(), c.Type}
		}
	}
	lower, upper := r.bounds(prefix)
	if bytes.Compare(lower, upper) >= 0 {
		return nil, nil
	}
	it, err := t.view.iter(lower, upper)
	if err != nil {
		return nil, corrupt(t.def.Name, "", where, err)
	}
	defer it.Close()
	first, next := it.First, it.Next
	if r.Reverse {
		first, next = it.Last, it.Prev
	}
	var rows []uint64
	read := int64(0)
	for ok := first(); ok; ok = next() {
		if len(rows)%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		row := key.RowNumber(it.Key())
		read += int64(len(it.Key()))
		if index == nil {
			v, err := it.ValueAndErr()
			if err == nil {
				row, err = decodeRowNumber(v)
			}
			if err != nil {
				return nil, corrupt(t.def.Name, "", where, err)
			}
			read += int64(len(v))
		}
		rows = append(rows, row)
		if r.Limit > 0 && len(rows) == r.Limit {
			break
		}
	}
	t.view.Reads.KeyBytes.Add(read)
	return rows, corrupt(t.def.Name, "", where, it.Error())
}
