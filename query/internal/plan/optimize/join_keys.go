package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// joinKeys finds the equalities to join by, and which side looks for its partners in the other.
func joinKeys(f *Facts, n logical.Node) (logical.Node, error) {
	j, ok := n.(*logical.Join)
	if !ok {
		return n, nil
	}
	side := j.Sides
	for _, c := range j.On {
		if c.Op == logical.OpCall && c.Call.Func.Name == "=" {
			x, y := c.Args[0], c.Args[1]
			xl, xr := side(x)
			yl, yr := side(y)
			if xr && !xl && yl && !yr {
				x, y = y, x
				xl, xr, yl, yr = yl, yr, xl, xr
			}
			if xl && !xr && yr && !yl {
				// Both sides as the type they are compared as.
				var err error
				if x, err = logical.CastRows(x, c.Call.Params[0], fn.Implicit); err != nil {
					return nil, err
				}
				if y, err = logical.CastRows(y, c.Call.Params[0], fn.Implicit); err != nil {
					return nil, err
				}
				j.LeftKeys, j.RightKeys = append(j.LeftKeys, x), append(j.RightKeys, y)
				continue
			}
		}
		j.Rest = append(j.Rest, c)
	}
	j.On = nil
	guardKeys(j)
	f.chooseSides(j)
	return j, nil
}

// chooseSides lets the larger side of a join ask for its rows in a hash table of the smaller
// one, or the smaller one in an index of the larger one, whichever is less work.
func (f *Facts) chooseSides(j *logical.Join) {
	if len(j.LeftKeys) == 0 && f.findRanges(j) {
		return
	}
	swap := func() {
		j.Left, j.Right, j.LeftKeys, j.RightKeys = j.Right, j.Left, j.RightKeys, j.LeftKeys
	}
	l, r := f.rows(j.Left), f.rows(j.Right)
	inner := j.Kind != parse.LeftJoin
	best := f.work(j.Left) + f.work(j.Right) + float64(probeWork*l) + float64(hashWork*r)
	if inner {
		best = f.work(j.Left) + f.work(j.Right) + float64(probeWork*max(l, r)) + float64(hashWork*min(l, r))
	}
	var lookup *logical.Lookup
	if x := seekOf(j.Right, j.RightKeys, j.LeftKeys); x != nil {
		if work := f.work(j.Left) + f.seeks(j.Right.(*logical.Scan), j.RightKeys[x.Key].Column, l); work < best {
			lookup, best = x, work
		}
	}
	swapped := inner && l < r
	if x := seekOf(j.Left, j.LeftKeys, j.RightKeys); x != nil && inner {
		if work := f.work(j.Right) + f.seeks(j.Left.(*logical.Scan), j.LeftKeys[x.Key].Column, r); work < best {
			lookup, swapped = x, true
		} else if lookup != nil {
			swapped = false
		}
	} else if lookup != nil {
		swapped = false
	}
	if swapped {
		swap()
	}
	if lookup != nil {
		scan := j.Right.(*logical.Scan)
		lookup.Most = max(256, float64(2*float64(scan.Table.Rows())/seekWork))
		scan.Lookup = lookup
	}
}

// findRanges finds the conditions that bound a column of one side by what the other one has, so
// that the partners of a row lie together in the order of that column. That becomes the right
// side.
func (f *Facts) findRanges(j *logical.Join) bool {
	ranges := rangesOf(j, j.Right, j.Left)
	swapped := false
	if j.Kind != parse.LeftJoin {
		other := rangesOf(j, j.Left, j.Right)
		swapped = len(other) > len(ranges) || len(other) == len(ranges) && f.rows(j.Left) < f.rows(j.Right)
		if swapped {
			ranges = other
		}
	}
	if len(ranges) == 0 {
		return false
	}
	if swapped {
		j.Left, j.Right = j.Right, j.Left
	}
	j.Ranges = ranges
	return true
}

// rangesOf are the bounds of one column of a side of a join: one from below and one from above,
// if there are such.
func rangesOf(j *logical.Join, side, other logical.Node) (best []logical.Range) {
	of, by := side.Columns(), other.Columns()
	found := map[*logical.Column][]logical.Range{}
	for _, e := range j.Rest {
		if e.Op != logical.OpCall || len(e.Args) != 2 || e.Costly() || e.Unstable() {
			continue
		}
		x, y, op := e.Args[0], e.Args[1], e.Call.Func.Name
		turned := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
		if turned == "" {
			continue
		}
		for _, r := range []logical.Range{{Column: x.Column, Op: op, By: y}, {Column: y.Column, Op: turned, By: x}} {
			if r.Column == nil || !slices.Contains(of, r.Column) || r.By.Type.Kind != r.Column.Type.Kind {
				continue
			}
			switch r.Column.Type.Kind {
			case value.Integer, value.Text, value.Timestamp, value.Date, value.Real:
			default:
				continue
			}
			used := logical.ColumnsOf(r.By)
			ok := len(used) > 0
			for c := range used {
				ok = ok && slices.Contains(by, c)
			}
			same := func(have logical.Range) bool { return have.Op[0] == r.Op[0] }
			if !ok || slices.ContainsFunc(found[r.Column], same) {
				continue
			}
			found[r.Column] = append(found[r.Column], r)
			if len(found[r.Column]) > len(best) {
				best = found[r.Column]
			}
		}
	}
	return best
}

// seekOf returns a look-up of the rows of a scan by one of its keys in a join, nil if there is
// no index for that.
func seekOf(n logical.Node, keys, others []*logical.Expr) *logical.Lookup {
	scan, ok := n.(*logical.Scan)
	if !ok || scan.Lookup != nil || scan.Search != nil {
		return nil
	}
	var out *logical.Lookup
	for i, k := range keys {
		if k.Op != logical.OpColumn || k.Type.Kind != others[i].Type.Kind {
			continue
		}
		index, ok := seekIndex(scan, k.Column)
		if !ok {
			continue
		}
		one := index == nil || index.Unique && len(index.Columns) == 1
		if out == nil || one {
			out = &logical.Lookup{Index: index, Ord: k.Column.Ord, Joins: true, Key: i, Text: k.Text + " = " + others[i].Text}
		}
		if one {
			break
		}
	}
	return out
}

// seekIndex finds an index of which a column is the first one; nil stands for the primary key.
func seekIndex(scan *logical.Scan, c *logical.Column) (*storage.IndexDef, bool) {
	switch c.Type.Kind {
	case value.Integer, value.Text, value.Timestamp, value.Date:
	default:
		return nil, false
	}
	if !slices.Contains(scan.Cols, c) {
		return nil, false
	}
	def := scan.Table.Def()
	if def.PrimaryKey == c.Ord {
		return nil, true
	}
	var found *storage.IndexDef
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if x.Ordered() && def.ColumnID(x.Columns[0]) == c.Ord && (found == nil || x.Unique && len(x.Columns) == 1) {
			found = x
		}
	}
	return found, found != nil
}

// guardKeys lets keys of the left be computed only for the rows that may have a partner by
// the conditions on the left alone: for others they may fail.
func guardKeys(j *logical.Join) {
	var guard *logical.Expr
	for _, c := range j.Rest {
		if l, r := j.Sides(c); !l || r || c.Costly() {
			continue
		}
		if guard == nil {
			guard = c
		} else {
			guard = &logical.Expr{Op: logical.OpAnd, Type: logical.BoolType, Pos: c.Pos, Args: []*logical.Expr{guard, c}}
		}
	}
	if guard == nil || j.Kind != parse.LeftJoin {
		return
	}
	for i, k := range j.LeftKeys {
		if k.Op != logical.OpColumn && !logical.Fixed(k) {
			j.LeftKeys[i] = &logical.Expr{Op: logical.OpCase, Type: k.Type, Pos: k.Pos, Encoding: k.Encoding, Text: k.Text,
				Args: []*logical.Expr{guard, k, {Op: logical.OpConst, Type: k.Type, Pos: k.Pos}}}
		}
	}
}
