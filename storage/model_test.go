package storage_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// model is what a store should hold, kept in plain slices.
type model struct {
	tables map[string]*modelTable
}

type modelTable struct {
	name    string
	cols    []modelColumn
	pk      int // position, -1
	indexes []modelIndex
	next    uint64
	rows    []modelRow // live, ascending
}

type modelColumn struct {
	name    string
	typ     value.Type
	notNull bool
}

type modelIndex struct {
	name   string
	cols   []string
	unique bool
	words  bool // it is a full-text index
	where  *storage.IndexTerm
	of     string // the column of where
}

// takes reports whether a row is in the index.
func (x *modelIndex) takes(t *modelTable, vals []value.Value) bool {
	if x.where == nil {
		return true
	}
	v := vals[t.col(x.of)]
	switch x.where.Op {
	case storage.TermIsNull:
		return v.IsNull()
	case storage.TermNotNull:
		return !v.IsNull()
	case storage.TermGreater:
		return !v.IsNull() && value.Compare(v, x.where.Values[0]) > 0
	default: // equal to none, or some
		return !v.IsNull() && modelKey(v) == modelKey(x.where.Values[0])
	}
}

type modelRow struct {
	number uint64
	vals   []value.Value // shared between clones, replaced and not changed
}

func newModel() *model { return &model{tables: map[string]*modelTable{}} }

func (m *model) clone() *model {
	c := newModel()
	for n, t := range m.tables {
		c.tables[n] = t.clone()
	}
	return c
}

func (t *modelTable) clone() *modelTable {
	c := *t
	c.cols, c.indexes, c.rows = slices.Clone(t.cols), slices.Clone(t.indexes), slices.Clone(t.rows)
	for i := range c.indexes {
		c.indexes[i].cols = slices.Clone(c.indexes[i].cols)
	}
	return &c
}

func (m *model) names() []string { return slices.Sorted(maps.Keys(m.tables)) }

func (t *modelTable) col(name string) int {
	return slices.IndexFunc(t.cols, func(c modelColumn) bool { return c.name == name })
}

// keys returns the unique keys of a row as texts, "" where a NULL makes it no key.
func (t *modelTable) keys(vals []value.Value) []string {
	var out []string
	if t.pk >= 0 {
		out = append(out, modelKey(vals[t.pk]))
	}
	for _, x := range t.indexes {
		if !x.unique {
			continue
		}
		k := ""
		for _, c := range x.cols {
			v := vals[t.col(c)]
			if !x.takes(t, vals) {
				break
			}
			if v.IsNull() {
				k = ""
				break
			}
			k += modelKey(v)
		}
		out = append(out, k)
	}
	return out
}

func modelKey(v value.Value) string {
	if v.Kind() == value.Real && v.Float() == 0 {
		v = value.Float(0)
	}
	if s := v.String(); v.Kind() == value.Numeric && strings.Contains(s, ".") { // 452 and 452.0 are one key
		return fmt.Sprintf("%v %q;", v.Kind(), strings.TrimRight(strings.TrimRight(s, "0"), "."))
	}
	return fmt.Sprintf("%v %q;", v.Kind(), v.String())
}

// taken maps every unique key to its row.
func (t *modelTable) taken() []map[string]uint64 {
	n := len(t.keys(make([]value.Value, len(t.cols))))
	out := make([]map[string]uint64, n)
	for i := range out {
		out[i] = map[string]uint64{}
	}
	for _, r := range t.rows {
		for i, k := range t.keys(r.vals) {
			if k != "" {
				out[i][k] = r.number
			}
		}
	}
	return out
}

// insert adds rows. It returns their numbers and whether a key was there twice; then,
// unless skip is set, nothing is added.
func (t *modelTable) insert(rows [][]value.Value, skip bool) (numbers []uint64, conflict bool) {
	taken := t.taken()
	next, added := t.next, []modelRow(nil)
	for _, vals := range rows {
		ks := t.keys(vals)
		hit := false
		for i, k := range ks {
			if _, ok := taken[i][k]; ok && k != "" {
				hit = true
			}
		}
		if hit {
			if !skip {
				return nil, true
			}
			conflict = true
			numbers = append(numbers, storage.NoRow)
			continue
		}
		for i, k := range ks {
			if k != "" {
				taken[i][k] = next
			}
		}
		added = append(added, modelRow{next, vals})
		numbers = append(numbers, next)
		next++
	}
	t.rows, t.next = append(t.rows, added...), next
	return numbers, conflict
}

// update gives rows new values and, where they were moved, new numbers. It returns whether
// a key would be there twice; then nothing is changed.
func (t *modelTable) update(h *history, numbers []uint64, vals [][]value.Value, got []uint64, ok bool) (conflict bool) {
	at := map[uint64]int{}
	for i, n := range numbers {
		at[n] = i
	}
	fresh := t.clone()
	fresh.rows = nil
	for _, r := range t.rows {
		if i, hit := at[r.number]; hit {
			r.vals = vals[i]
		}
		fresh.rows = append(fresh.rows, r)
	}
	keys := fresh.taken()
	for n := range keys {
		used := 0
		for _, r := range fresh.rows {
			if fresh.keys(r.vals)[n] != "" {
				used++
			}
		}
		conflict = conflict || used != len(keys[n])
	}
	if conflict || !ok {
		return conflict
	}
	if len(got) != len(numbers) {
		h.fail("%d numbers for %d updated rows", len(got), len(numbers))
	}
	var kept, moved []modelRow
	for _, r := range fresh.rows {
		if i, hit := at[r.number]; hit && got[i] != r.number {
			moved = append(moved, modelRow{got[i], r.vals})
		} else {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(moved, func(a, b modelRow) int { return cmp.Compare(a.number, b.number) })
	for _, r := range moved {
		if r.number != t.next {
			h.fail("an updated row was moved to %d, want %d", r.number, t.next)
		}
		t.next++
	}
	t.rows = append(kept, moved...)
	return false
}

func (t *modelTable) remove(numbers []uint64) {
	gone := map[uint64]bool{}
	for _, n := range numbers {
		gone[n] = true
	}
	t.rows = slices.DeleteFunc(slices.Clone(t.rows), func(r modelRow) bool { return gone[r.number] })
}

func (t *modelTable) vacuum() {
	if uint64(len(t.rows)) == t.next {
		return
	}
	t.rows = slices.Clone(t.rows)
	for i := range t.rows {
		t.rows[i].number = uint64(i)
	}
	t.next = uint64(len(t.rows))
}

// randomKind draws a type for a column.
func randomType(r *rand.Rand) value.Type {
	k := []value.Kind{value.Boolean, value.Integer, value.Real, value.Text, value.Timestamp, value.Blob, value.JSON, value.Vector, value.Vector, value.Date, value.Interval, value.Numeric}[r.IntN(12)]
	if k == value.Vector {
		return value.Type{Kind: k, Dim: []int{1, 2, 3, 7, 100}[r.IntN(5)], Half: r.IntN(3) == 0}
	}
	return value.Type{Kind: k}
}

// randomValue draws a value of a type from a range that makes repeats likely.
func randomValue(r *rand.Rand, t value.Type, span int, notNull bool) value.Value {
	if !notNull && r.IntN(6) == 0 {
		return value.Value{}
	}
	n := r.IntN(span)
	switch t.Kind {
	case value.Boolean:
		return value.Bool(n%2 == 0)
	case value.Integer:
		return value.Int(int64(n) - int64(span/2))
	case value.Timestamp:
		return value.Micros(1.7e15 + int64(n)*1e6)
	case value.Date:
		return value.Days(int64(n) - int64(span/2))
	case value.Interval:
		return value.SpanValue(value.Span{Days: int32(n), Micros: -1})
	case value.Real:
		return value.Float(float64(n) / 4)
	case value.Numeric: // 1.50 and 1.5 are one key
		v, _ := value.ParseNumeric(fmt.Sprintf("%d.%0*d", n/10-span/20, 1+n%2, n%10*(1+9*(n%2))))
		return v
	case value.Text:
		return value.Str(fmt.Sprintf("t%d", n))
	case value.Blob:
		return value.Bytes(bytes.Repeat([]byte{byte(n), 0}, n%5))
	case value.JSON:
		return value.RawJSON(fmt.Sprintf(`{"n":%d}`, n))
	}
	v := make([]float32, t.Dim)
	for i := range v {
		v[i] = r.Float32() - 0.5
	}
	if t.Half {
		return halved(value.Vec(v))
	}
	return value.Vec(v)
}

// halved rounds a vector to float16.
func halved(v value.Value) value.Value {
	if v.IsNull() {
		return v
	}
	h := make([]float32, len(v.Vec()))
	value.RoundHalf(h, v.Vec())
	return value.Vec(h)
}

// beside returns a vector of float16 before it was rounded.
func beside(r *rand.Rand, v value.Value) value.Value {
	if v.IsNull() || r.IntN(2) == 0 {
		return v
	}
	w := slices.Clone(v.Vec())
	for i := range w {
		w[i] *= 1 + (r.Float32()-0.5)/4096
	}
	return value.Vec(w)
}

// batchOf puts rows into columns, at random with a selection.
func batchOf(r *rand.Rand, types []value.Type, rows [][]value.Value) *value.Batch {
	b := &value.Batch{}
	gaps := r.IntN(3) == 0
	cols := make([]*value.Column, len(types))
	for i, t := range types {
		cols[i] = &value.Column{Type: t}
	}
	for _, vals := range rows {
		for gaps && r.IntN(3) == 0 {
			for _, c := range cols {
				c.Append(b.Len, value.Value{})
			}
			b.Len++
		}
		for i, c := range cols {
			if v := vals[i]; types[i].Half {
				c.Append(b.Len, beside(r, v))
			} else {
				c.Append(b.Len, v)
			}
		}
		if gaps {
			b.Sel = append(b.Sel, int32(b.Len))
		}
		b.Len++
	}
	if gaps && b.Sel == nil {
		b.Sel = []int32{}
	}
	b.Cols = cols
	return b
}
