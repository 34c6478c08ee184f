package plan

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// joinKeys finds the equalities to join by and builds the hash table over the
// smaller input.
func joinKeys(f *Facts, n Node) (Node, error) {
	j, ok := n.(*Join)
	if !ok {
		return n, nil
	}
	side := j.Sides
	for _, c := range j.On {
		if c.Op == OpCall && c.Call.Func.Name == "=" {
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
				if x, err = CastRows(x, c.Call.Params[0], fn.Implicit); err != nil {
					return nil, err
				}
				if y, err = CastRows(y, c.Call.Params[0], fn.Implicit); err != nil {
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
	if j.Kind != parse.LeftJoin && estimate(j.Left) < estimate(j.Right) {
		j.Left, j.Right, j.LeftKeys, j.RightKeys = j.Right, j.Left, j.RightKeys, j.LeftKeys
	}
	return j, nil
}

// guardKeys lets keys of the left be computed only for the rows that may have a partner by
// the conditions on the left alone: for others they may fail.
func guardKeys(j *Join) {
	var guard *Expr
	for _, c := range j.Rest {
		if l, r := j.Sides(c); !l || r || c.Costly() {
			continue
		}
		if guard == nil {
			guard = c
		} else {
			guard = &Expr{Op: OpAnd, Type: BoolType, Pos: c.Pos, Args: []*Expr{guard, c}}
		}
	}
	if guard == nil || j.Kind != parse.LeftJoin {
		return
	}
	for i, k := range j.LeftKeys {
		if k.Op != OpColumn && !Fixed(k) {
			j.LeftKeys[i] = &Expr{Op: OpCase, Type: k.Type, Pos: k.Pos, Encoding: k.Encoding, Text: k.Text,
				Args: []*Expr{guard, k, {Op: OpConst, Type: k.Type, Pos: k.Pos}}}
		}
	}
}
