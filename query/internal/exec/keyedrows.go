package exec

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// keyedRows holds rows by their keys. Those of one key are a chain, in the order
// they came in; rows with a NULL among their keys are in none.
type keyedRows struct {
	pile   *pile // until finish
	rows   *rowsTable
	groups *fn.Groups
	first  []int32 // first row of each key
	next   []int32 // row after a row in its chain, -1 at the end

	last, ids []int32
}

func newKeyedRows(types []value.Type) *keyedRows {
	return &keyedRows{pile: &pile{}, groups: fn.NewGroups(types)}
}

// add takes in the rows of a batch, whose keys are given, and returns the
// memory that takes.
func (k *keyedRows) add(keys []fn.Arg, b *value.Batch) (int64, error) {
	if len(k.ids) < b.Len {
		k.ids = make([]int32, b.Len)
	}
	before := k.groups.Bytes()
	if err := k.groups.Assign(keys, b.Len, b.Sel, fn.SkipNull, k.ids); err != nil {
		return 0, err
	}
	row := int32(k.pile.n)
	c := *b
	c.Rows = nil
	size := batchBytes(&c)
	k.pile.add(&c, size)
	for len(k.first) < k.groups.Len() {
		k.first, k.last = append(k.first, -1), append(k.last, -1)
	}
	for _, i := range b.Selected() {
		k.next = append(k.next, -1)
		if g := k.ids[i]; g >= 0 {
			if k.first[g] < 0 {
				k.first[g] = row
			} else {
				k.next[k.last[g]] = row
			}
			k.last[g] = row
		}
		row++
	}
	return size + 8*int64(b.Count()) + k.groups.Bytes() - before, nil
}

// finish makes a table of the rows, with columns of the types for what has had no value.
func (k *keyedRows) finish(types []value.Type, memory *Budget, what string) (err error) {
	if k.rows, err = k.pile.table(memory, what); err != nil {
		return err
	}
	k.pile = nil
	if k.rows.cols == nil {
		k.rows.cols = make([]*value.Column, len(types))
	}
	for i, t := range types {
		if k.rows.cols[i] == nil {
			k.rows.cols[i] = newColumn(t)
			appendNulls(k.rows.cols[i], 0, k.rows.n)
		}
	}
	k.last, k.ids = nil, nil
	return nil
}
