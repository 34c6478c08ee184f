package plan

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
)

// joinKeys finds the equalities to join by and builds the hash table over the
// smaller input.
func joinKeys(f *facts, n node) (node, error) {
	j, ok := n.(*joinNode)
	if !ok {
		return n, nil
	}
	side := j.sides
	for _, c := range j.on {
		if c.op == opCall && c.call.Func.Name == "=" {
			x, y := c.args[0], c.args[1]
			xl, xr := side(x)
			yl, yr := side(y)
			if xr && !xl && yl && !yr {
				x, y = y, x
				xl, xr, yl, yr = yl, yr, xl, xr
			}
			if xl && !xr && yr && !yl {
				// Both sides as the type they are compared as.
				var err error
				if x, err = castRows(x, c.call.Params[0], fn.Implicit); err != nil {
					return nil, err
				}
				if y, err = castRows(y, c.call.Params[0], fn.Implicit); err != nil {
					return nil, err
				}
				j.lkeys, j.rkeys = append(j.lkeys, x), append(j.rkeys, y)
				continue
			}
		}
		j.rest = append(j.rest, c)
	}
	j.on = nil
	guardKeys(j)
	if j.kind != parse.LeftJoin && estimate(j.l) < estimate(j.r) {
		j.l, j.r, j.lkeys, j.rkeys = j.r, j.l, j.rkeys, j.lkeys
	}
	return j, nil
}

// guardKeys lets keys of the left be computed only for the rows that may have a partner by
// the conditions on the left alone: for others they may fail.
func guardKeys(j *joinNode) {
	var guard *expr
	for _, c := range j.rest {
		if l, r := j.sides(c); !l || r || c.costly() {
			continue
		}
		if guard == nil {
			guard = c
		} else {
			guard = &expr{op: opAnd, typ: boolType, pos: c.pos, args: []*expr{guard, c}}
		}
	}
	if guard == nil || j.kind != parse.LeftJoin {
		return
	}
	for i, k := range j.lkeys {
		if k.op != opColumn && !fixed(k) {
			j.lkeys[i] = &expr{op: opCase, typ: k.typ, pos: k.pos, enc: k.enc, text: k.text,
				args: []*expr{guard, k, {op: opConst, typ: k.typ, pos: k.pos}}}
		}
	}
}
