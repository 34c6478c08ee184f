package exec

import (
	"context"
	"sort"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// JoinBound bounds a column of a join's right side: Op is <, <=, > or >=, By is over the left.
type JoinBound struct {
	Op string
	By fn.Expr
}

// Between makes a join without keys look for the partners of a row among those of the right
// side alone whose column at that position is within bounds, by the order of that column. The
// conditions of the join hold still.
func (j *HashJoin) Between(column int, bounds []JoinBound) {
	j.between = &between{column: column, bounds: bounds}
}

// between are the rows of the right side of a join in the order of a column.
type between struct {
	column int
	bounds []JoinBound
	values *value.Column
	order  []int32 // rows, without those of which it is NULL

	by  []fn.Arg // bounds of the batch at hand; none where they could not be computed
	end int32    // of the partners of a row
}

func (b *between) build(ctx context.Context, t *rowsTable) error {
	b.values = t.cols[b.column]
	all, err := sortedOrder(ctx, t.n, []*value.Column{b.values}, []Order{{}})
	if err != nil {
		return err
	}
	if b.values.Type.Kind == value.Null {
		all = nil
	}
	for len(all) > 0 && b.values.Null(int(all[len(all)-1])) {
		all = all[:len(all)-1]
	}
	b.order = all
	return nil
}

// start computes the bounds for a batch. Where that fails every row is tried: the conditions
// decide whether it is an error.
func (b *between) start(c *fn.Ctx, batch *value.Batch) {
	b.by = b.by[:0]
	for _, x := range b.bounds {
		v, err := x.By.Eval(c, batch, batch.Sel)
		if err != nil {
			b.by = b.by[:0]
			return
		}
		b.by = append(b.by, v)
	}
}

// first returns the position of the first partner of a row of the batch, -1 without any.
func (b *between) first(row int32) int32 {
	from, to := 0, len(b.order)
	for k, v := range b.by {
		if v.IsNull(int(row)) {
			return -1
		}
		i := int(row)
		if v.Const {
			i = 0
		}
		compare := b.compare(v.Column, i)
		find := func(least int) int {
			return sort.Search(len(b.order), func(p int) bool { return compare(b.order[p]) >= least })
		}
		switch b.bounds[k].Op {
		case ">=":
			from = max(from, find(0))
		case ">":
			from = max(from, find(1))
		case "<=":
			to = min(to, find(1))
		case "<":
			to = min(to, find(0))
		}
	}
	if from >= to {
		return -1
	}
	b.end = int32(to)
	return int32(from)
}

// next returns the position after one, -1 at the end.
func (b *between) next(at int32) int32 {
	if at++; at == b.end {
		return -1
	}
	return at
}

// compare compares rows of the right with a value.
func (b *between) compare(v *value.Column, i int) func(row int32) int {
	c := b.values
	switch c.Type.Kind {
	case value.Real:
		x := v.Reals[i]
		return func(row int32) int { return compareReal(c.Reals[row], x) }
	case value.Text:
		x := v.Strs[i]
		return func(row int32) int { return strings.Compare(c.Strs[row], x) }
	}
	x := v.Ints[i]
	return func(row int32) int {
		switch y := c.Ints[row]; {
		case y < x:
			return -1
		case y > x:
			return 1
		}
		return 0
	}
}
