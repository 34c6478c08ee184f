package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
)

// pushJoinConditions moves the conditions of a join that use one of its inputs
// into that input. It comes before joinKeys, as what is moved may become a key of
// a join further down.
func pushJoinConditions(b *binder, n node) (node, error) {
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

// sides tells which inputs of a join an expression uses.
func (j *joinNode) sides(e *expr) (left, right bool) {
	l, r := j.l.columns(), j.r.columns()
	for c := range columnsOf(e) {
		left = left || contains(l, c)
		right = right || contains(r, c)
	}
	return
}
