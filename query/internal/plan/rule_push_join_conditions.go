package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// pushJoinConditions moves the conditions of a join that use one of its inputs
// into that input. It comes before joinKeys, as what is moved may become a key of
// a join further down.
func pushJoinConditions(f *Facts, n Node) (Node, error) {
	j, ok := n.(*Join)
	if !ok {
		return n, nil
	}
	var on []*Expr
	for _, c := range j.On {
		switch inL, inR := j.Sides(c); {
		case inR && !inL:
			pushInto(&j.Right, c)
		case inL && !inR && j.Kind != parse.LeftJoin:
			pushInto(&j.Left, c)
		default:
			on = append(on, c)
		}
	}
	j.On = on
	return j, nil
}
