package optimize

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// joinKeys finds the equalities to join by and builds the hash table over the
// smaller input.
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
	if j.Kind != parse.LeftJoin && estimate(j.Left) < estimate(j.Right) {
		j.Left, j.Right, j.LeftKeys, j.RightKeys = j.Right, j.Left, j.RightKeys, j.LeftKeys
	}
	return j, nil
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
