package exec

import (
	"context"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// FusionGroups are groups of rows of a Fusion: those with the same values.
type FusionGroups struct {
	Of      []fn.Expr // over Columns
	Types   []value.Type
	Columns []int // of the table
}

// openGroups prepares to number the rows' groups, and adds the columns to be read to cols.
func (r *fusing) openGroups(n int, cols *[]int) (*fn.Groups, error) {
	if r.Groups == nil {
		return nil, nil
	}
	if err := r.reserve(4 * n); err != nil {
		return nil, err
	}
	r.group, r.ngroups = make([]int32, n), 1
	if len(r.Groups.Of) == 0 {
		return nil, nil
	}
	r.ngroups = 0
	for _, c := range r.Groups.Columns {
		if !slices.Contains(*cols, c) {
			*cols = append(*cols, c)
		}
	}
	return fn.NewGroups(r.Groups.Types), nil
}

// assign numbers the groups of a batch's rows.
func (r *fusing) assign(groups *fn.Groups, b *value.Batch, cols []int) error {
	some := columnsOf(b, cols, r.Groups.Columns)
	args := make([]fn.Arg, len(r.Groups.Of))
	for i, e := range r.Groups.Of {
		var err error
		if args[i], err = e.Eval(r.c, some, b.Sel); err != nil {
			return errTooMany // left to fail where the rows are read, if it does
		}
	}
	ids := make([]int32, b.Len)
	before := groups.Bytes()
	if err := groups.Assign(args, b.Len, b.Sel, fn.GroupNull, ids); err != nil {
		return err
	}
	for _, i := range b.Selected() {
		r.group[b.Rows[i]] = ids[i]
	}
	r.ngroups = groups.Len()
	return r.reserve(int(groups.Bytes() - before))
}

// grouped finds the rows that can be among the best Count of their group: those whose bound is
// not below what Count rows of the group are at least.
func (r *fusing) grouped(ctx context.Context) (*storage.RowSet, error) {
	r.groups = r.ngroups
	s := r.newSum()
	size := 0.0
	members := make([]int, r.ngroups)
	for row, live := range r.live {
		if live {
			members[r.group[row]]++
			high, middle := s.bounds(row)
			size = max(size, math.Abs(high), math.Abs(float64(2*middle)-high))
		}
	}
	slack := s.slack + float64(1e-9*size)
	kept := 0
	for _, n := range members {
		kept += min(n, r.Count)
	}
	if kept > int(r.rows/2) {
		return nil, errTooMany
	}
	if err := r.reserve(8*kept + 40*r.ngroups); err != nil {
		return nil, err
	}
	// cuts returns what Count rows of each group are at least, of rows; -Inf where there are fewer.
	cuts := func(rows []uint64) []float64 {
		best := make([][]float64, r.ngroups) // the lowest first
		for _, row := range rows {
			g := r.group[row]
			high, middle := s.bounds(int(row))
			low := float64(2*middle) - high
			b := best[g]
			if len(b) == r.Count && low <= b[0] {
				continue
			}
			at, _ := slices.BinarySearch(b, low)
			if len(b) < r.Count {
				best[g] = slices.Insert(b, at, low)
			} else {
				copy(b, b[1:at])
				b[at-1] = low
			}
		}
		out := make([]float64, r.ngroups)
		for g, b := range best {
			out[g] = math.Inf(-1)
			if len(b) == r.Count {
				out[g] = b[0] - slack
			}
		}
		return out
	}
	rows := make([]uint64, 0, r.rows)
	if err := r.reserve(8 * int(r.rows)); err != nil {
		return nil, err
	}
	for row, live := range r.live {
		if live {
			rows = append(rows, uint64(row))
		}
	}
	thin := func() {
		cut := cuts(rows)
		rows = slices.DeleteFunc(rows, func(row uint64) bool {
			high, _ := s.bounds(int(row))
			return high < cut[r.group[row]]
		})
	}
	thin()
	r.first = r.rows - uint64(len(rows))
	if len(rows) > 2*kept+fusionFew {
		if err := r.refine(ctx, rows); err != nil {
			return nil, err
		}
		thin()
	}
	set := new(storage.RowSet)
	for _, row := range rows {
		set.Add(row)
	}
	for row, there := range r.there {
		// Rows without a score stand at the end of groups that have few others.
		if there && !r.live[row] && members[r.group[row]] < r.Count {
			set.Add(uint64(row))
		}
	}
	if set.Len() > int(r.rows/2) {
		return nil, errTooMany
	}
	return set, nil
}
