package optimize

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// pushJoinConditions moves the conditions of a join that use one of its inputs
// into that input. It comes before joinKeys, as what is moved may become a key of
// a join further down.
func pushJoinConditions(f *Facts, n logical.Node) (logical.Node, error) {
	j, ok := n.(*logical.Join)
	if !ok {
		return n, nil
	}
	var on []*logical.Expr
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
