package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// pushJoinConditions moves the conditions of a join that use one of its inputs
// into that input. It comes before joinKeys, as what is moved may become a key of
// a join further down.
func pushJoinConditions(f *facts, n node) (node, error) {
	j, ok := n.(*joinNode)
	if !ok {
		return n, nil
	}
	var on []*expr
	for _, c := range j.on {
		switch inL, inR := j.sides(c); {
		case inR && !inL:
			pushInto(&j.r, c)
		case inL && !inR && j.kind != parse.LeftJoin:
			pushInto(&j.l, c)
		default:
			on = append(on, c)
		}
	}
	j.on = on
	return j, nil
}
