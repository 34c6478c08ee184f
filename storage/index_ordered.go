package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// orderedIndex is an index over scalar columns, or the primary key. An entry of the first has
// the row's number at the end of its key, one of the primary key has it as its value.
type orderedIndex struct {
	d   *TableDef
	x   *IndexDef
	at  []int
	pre []byte

	tested []int // positions of the columns of x.Where
	reads  []int // at and tested
}

func openOrdered(d *TableDef, x *IndexDef) index {
	o := &orderedIndex{d: d, x: x, at: d.columnsOf(x), pre: key.Of(nil, d.ID, key.Index, x.ID)}
	o.reads = slices.Clone(o.at)
	for _, t := range x.Where {
		at := d.ColumnID(t.Column)
		o.tested = append(o.tested, at)
		if !slices.Contains(o.reads, at) {
			o.reads = append(o.reads, at)
		}
	}
	return o
}

func openPrimary(d *TableDef) index {
	x := &IndexDef{Name: PrimaryKeyTarget.Name, Columns: []uint32{d.Columns[d.PrimaryKey].ID}, Unique: true, primary: true}
	at := []int{d.PrimaryKey}
	return &orderedIndex{d: d, x: x, at: at, pre: key.Family(nil, d.ID, key.Primary), reads: at}
}

func checkOrdered(d *TableDef, x *IndexDef) error {
	for _, at := range d.columnsOf(x) {
		if c := &d.Columns[at]; !key.Indexable(c.Type.Kind) {
			return &DefinitionError{fmt.Sprintf("index %s: column %s has no order (%s)", x.Name, c.Name, c.Type.Kind)}
		}
	}
	for name := range x.Options {
		return &DefinitionError{fmt.Sprintf("index %s: an ordered index has no option %s", x.Name, name)}
	}
	return nil
}

func (o *orderedIndex) def() *IndexDef { return o.x }
func (o *orderedIndex) columns() []int { return o.reads }
func (o *orderedIndex) prefix() []byte { return o.pre }

func (o *orderedIndex) where() string {
	if o.x.primary {
		return o.x.Name
	}
	return "index " + o.x.Name
}

// appendKey appends the values of row i. null reports whether one of them is NULL.
func (o *orderedIndex) appendKey(dst []byte, cols []*value.Column, i int) (k []byte, null bool) {
	for _, at := range o.at {
		var v value.Value
		if c := cols[at]; c != nil {
			v = c.Value(i)
		}
		null = null || v.IsNull()
		dst = key.Append(dst, v)
	}
	return dst, null
}

// appendEntry appends the key of a row's entry.
func (o *orderedIndex) appendEntry(dst []byte, cols []*value.Column, i int, row uint64) []byte {
	dst, _ = o.appendKey(append(dst, o.pre...), cols, i)
	if !o.x.primary {
		dst = binary.BigEndian.AppendUint64(dst, row)
	}
	return dst
}

func (o *orderedIndex) differs(old, fresh []*value.Column, i int) bool {
	if was, is := o.takes(old, i), o.takes(fresh, i); !was || !is {
		return was != is
	}
	before, _ := o.appendKey(nil, old, i)
	after, _ := o.appendKey(nil, fresh, i)
	return !bytes.Equal(before, after)
}

// hasNull reports whether one of the values of a key is NULL.
func (o *orderedIndex) hasNull(k []byte) bool {
	for _, at := range o.at {
		v, rest, err := key.Decode(k, o.d.Columns[at].Type.Kind)
		if err != nil || v.IsNull() {
			return err == nil
		}
		k = rest
	}
	return false
}

func (o *orderedIndex) checkSize(k []byte) error {
	if len(k) <= maxKey {
		return nil
	}
	what := "the primary key"
	if !o.x.primary {
		what = o.where()
	}
	return &DefinitionError{fmt.Sprintf("a key of %d bytes is too long for %s of %s, at most %d are possible", len(k), what, o.d.Name, maxKey)}
}

func (o *orderedIndex) duplicate(cols []*value.Column, i int, row int64) error {
	k, _ := o.appendKey(nil, cols, i)
	return o.uniqueError(k, row)
}

// uniqueError describes a key that is there already.
func (o *orderedIndex) uniqueError(k []byte, row int64) error {
	d := o.d
	e := &UniqueError{Table: d.Name, Row: row}
	if !o.x.primary {
		e.Index = o.x.Name
	}
	var parts []string
	for _, at := range o.at {
		c := &d.Columns[at]
		e.Columns = append(e.Columns, c.Name)
		v, rest, err := key.Decode(k, c.Type.Kind)
		if err != nil {
			parts = append(parts, fmt.Sprintf("%x", k))
			break
		}
		k = rest
		if v.Kind() == value.Text {
			parts = append(parts, value.Quote(v.Str()))
		} else {
			parts = append(parts, v.String())
		}
	}
	e.Key = strings.Join(parts, ", ")
	if len(parts) > 1 {
		e.Key = "(" + e.Key + ")"
	}
	return e
}

// orderedEditor changes entries one by one.
type orderedEditor struct {
	*orderedIndex
	v    *View
	to   editor
	it   iterator          // of a unique index, as it was at the start
	seen map[string]uint64 // what was added to it since
	key  []byte
}

func (o *orderedIndex) edit(v *View, to editor) (indexEditor, error) {
	return &orderedEditor{orderedIndex: o, v: v, to: to}, nil
}

func (e *orderedEditor) close() {
	if e.it != nil {
		_ = e.it.Close()
	}
}

func (e *orderedEditor) conflict(cols []*value.Column, i int) (row uint64, found bool, err error) {
	if !e.takes(cols, i) {
		return 0, false, nil
	}
	var null bool
	e.key, null = e.appendKey(append(e.key[:0], e.pre...), cols, i)
	k := e.key[len(e.pre):]
	if err := e.checkSize(k); err != nil {
		return 0, false, err
	}
	if e.x.primary {
		return e.v.lookupKey(e.d, e.key)
	}
	if !e.x.Unique || null {
		return 0, false, nil
	}
	if row, ok := e.seen[string(k)]; ok {
		return row, true, nil
	}
	if e.it == nil {
		if e.it, err = e.v.prefixIter(e.pre); err != nil {
			return 0, false, err
		}
	}
	if seekPrefix(e.it, e.key) && len(e.it.Key()) == len(e.key)+8 {
		return key.RowNumber(e.it.Key()), true, nil
	}
	return 0, false, corrupt(e.d.Name, "", e.where(), e.it.Error())
}

func (e *orderedEditor) add(cols []*value.Column, i int, row uint64) error {
	if !e.takes(cols, i) {
		return nil
	}
	if e.x.primary {
		e.key = e.appendEntry(e.key[:0], cols, i, row)
		return e.to.set(e.key, binary.BigEndian.AppendUint64(nil, row))
	}
	var null bool
	e.key, null = e.appendKey(append(e.key[:0], e.pre...), cols, i)
	if e.x.Unique && !null {
		if e.seen == nil {
			e.seen = map[string]uint64{}
		}
		e.seen[string(e.key[len(e.pre):])] = row
	}
	e.key = binary.BigEndian.AppendUint64(e.key, row)
	return e.to.set(e.key, nil)
}

func (e *orderedEditor) remove(cols []*value.Column, i int, row uint64) error {
	if !e.takes(cols, i) {
		return nil
	}
	e.key = e.appendEntry(e.key[:0], cols, i, row)
	return e.to.deleteKey(e.key)
}

func (e *orderedEditor) forget(cols []*value.Column, i int, row uint64) error {
	if e.x.primary {
		e.key = e.appendEntry(e.key[:0], cols, i, row)
		if row, found, err := e.v.lookupKey(e.d, e.key); err != nil || found {
			return firstError(err, e.to.set(e.key, binary.BigEndian.AppendUint64(nil, row)))
		}
	}
	return e.remove(cols, i, row)
}

func (e *orderedEditor) finish(context.Context) error { return nil }

// orderedBuild gathers what is removed and added, and writes it in the order of the keys.
type orderedBuild struct {
	*orderedIndex
	f       *indexFiles
	entries *sorter // of a row number and whether it is added
	key     []byte
}

func (o *orderedIndex) build(f *indexFiles) indexEditor {
	name := fmt.Sprintf("keys%d", o.x.ID)
	return &orderedBuild{orderedIndex: o, f: f, entries: &sorter{fs: f.s.fs, path: f.s.fs.PathJoin(f.dir, name), limit: f.s.sortMemory}}
}

func (b *orderedBuild) close() {}

// conflict tells of none: what is unique is verified by finish.
func (b *orderedBuild) conflict([]*value.Column, int) (uint64, bool, error) { return 0, false, nil }

func (b *orderedBuild) add(cols []*value.Column, i int, row uint64) error {
	if !b.takes(cols, i) {
		return nil
	}
	b.key, _ = b.appendKey(b.key[:0], cols, i)
	if err := b.checkSize(b.key); err != nil {
		return err
	}
	return b.entries.add(b.key, row<<1|1)
}

func (b *orderedBuild) remove(cols []*value.Column, i int, row uint64) error {
	if !b.takes(cols, i) {
		return nil
	}
	b.key, _ = b.appendKey(b.key[:0], cols, i)
	return b.entries.add(b.key, row<<1)
}

func (b *orderedBuild) forget(cols []*value.Column, i int, row uint64) error {
	return b.remove(cols, i, row)
}

// finish writes the entries, and makes sure that what is unique stays so.
func (b *orderedBuild) finish(ctx context.Context) error {
	s := b.entries
	if s.total == 0 {
		return nil
	}
	var there iterator
	if b.f.view != nil && b.x.Unique {
		var err error
		if there, err = b.f.view.prefixIter(b.pre); err != nil {
			return err
		}
		defer there.Close()
	}
	stage := "writing " + b.where()
	if b.x.primary {
		stage = "writing the primary key"
	}
	var (
		cur     []byte // key under way
		any     bool   // there is one
		unique  bool   // it must be
		entry   = append([]byte(nil), b.pre...)
		removed int
		added   int
		rows    [2]uint64 // the first two added
		done    uint64
		put     = b.f.sst
	)
	end := func() error {
		if !any {
			return nil
		}
		entry = append(entry[:len(b.pre)], cur...)
		if added > 0 && unique {
			before := -removed
			if there != nil {
				n, err := b.entriesOf(there, entry)
				if err != nil {
					return corrupt(b.d.Name, "", b.where(), err)
				}
				before += n
			}
			if before = max(before, 0); before+added > 1 {
				row := int64(-1)
				if b.f.inputRow != nil {
					row = b.f.inputRow(rows[min(1, 1-min(before, 1))])
				}
				return b.uniqueError(cur, row)
			}
		}
		if !b.x.primary {
			return nil
		}
		if added > 0 {
			return put.put(b.pre, entry, binary.BigEndian.AppendUint64(nil, rows[0]))
		}
		return put.remove(b.pre, entry)
	}
	err := s.each(ctx, func(k []byte, r uint64) error {
		if !any || !bytes.Equal(k, cur) {
			if err := end(); err != nil {
				return err
			}
			cur, any, removed, added = append(cur[:0], k...), true, 0, 0
			unique = b.x.primary || b.x.Unique && !b.hasNull(k)
		}
		isNew := r&1 == 1
		r >>= 1
		if isNew {
			if added < len(rows) {
				rows[added] = r
			}
			added++
			if unique && added > 1 {
				return end() // an error
			}
		} else {
			removed++
		}
		if done++; done%65536 == 0 {
			b.f.report(stage, done, s.total)
		}
		if b.x.primary {
			return nil
		}
		entry = binary.BigEndian.AppendUint64(append(entry[:len(b.pre)], k...), r)
		if isNew {
			return put.put(b.pre, entry, nil)
		}
		return put.remove(b.pre, entry)
	})
	return firstError(err, end())
}

// entriesOf counts the entries of a key, at most two.
func (o *orderedIndex) entriesOf(it iterator, k []byte) (n int, err error) {
	want := len(k) + 8
	if o.x.primary {
		want = len(k)
	}
	end := key.End(k)
	for at := it.SeekGEWithLimit(k, end); at == pebble.IterValid && n < 2 && bytes.HasPrefix(it.Key(), k); at = it.NextWithLimit(end) {
		if len(it.Key()) == want {
			n++
		}
	}
	return n, it.Error()
}

// orderedCheck checks an ordered index.
type orderedCheck struct {
	*orderedIndex
	c   *checker
	t   *Table
	key []byte
	bad bool   // it can't be read: that is reported once, as Pebble takes long over a damaged block
	out uint64 // live rows that are not in it
}

func (o *orderedIndex) check(c *checker, t *Table) indexCheck {
	return &orderedCheck{orderedIndex: o, c: c, t: t}
}

// row looks a live row up.
func (k *orderedCheck) row(cols []*value.Column, i int, row uint64) {
	if !k.takes(cols, i) {
		k.out++
		return
	}
	if k.bad {
		return
	}
	k.key = k.appendEntry(k.key[:0], cols, i, row)
	got, ok, err := row, false, error(nil)
	if k.x.primary {
		got, ok, err = k.t.view.lookupKey(k.d, k.key)
	} else {
		ok, err = k.t.view.get(k.key, func([]byte) error { return nil })
	}
	switch {
	case err != nil:
		k.bad = true
		k.c.found(k.d.Name, "", k.where(), err)
	case !ok:
		k.c.badf(k.t, "", k.where(), "row %d is missing", row)
	case got != row:
		k.c.badf(k.t, "", k.where(), "the key of row %d leads to row %d", row, got)
	}
}

// finish counts the entries, and looks for two rows with the same key in a unique index.
func (k *orderedCheck) finish() error {
	it, err := k.t.view.prefixIter(k.pre)
	if err != nil {
		k.c.found(k.d.Name, "", k.where(), err)
		return nil
	}
	defer it.Close()
	var last []byte
	n := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%4096 == 0 {
			if err := k.c.ctx.Err(); err != nil {
				return err
			}
		}
		if k.x.primary || !k.x.Unique {
			continue
		}
		entry := it.Key()
		if len(entry) < len(k.pre)+8 {
			k.c.badf(k.t, "", k.where(), "key %x is too short", entry)
			continue
		}
		entry = entry[len(k.pre) : len(entry)-8]
		if last != nil && bytes.Equal(entry, last) && !k.hasNull(entry) {
			k.c.report(Problem{k.d.Name, "", k.where(), k.uniqueError(entry, -1).Error()})
		}
		last = append(last[:0], entry...)
	}
	if err := it.Error(); err != nil {
		k.c.found(k.d.Name, "", k.where(), err)
	} else if n != k.t.counters.live-k.out {
		k.c.badf(k.t, "", k.where(), "%d entries for %d live rows", n, k.t.counters.live-k.out)
	}
	return nil
}
