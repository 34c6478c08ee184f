package plan

import (
	"slices"
	"sort"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

func (b *builder) join(n *joinNode, want []*expr) (rel, error) {
	all := concat(want, n.rest)
	part := func(in node, keys []*expr) (rel, []*column, error) {
		cols := in.columns()
		var need []*expr
		for c := range columnsOf(all...) {
			if slices.Contains(cols, c) {
				need = append(need, columnExpr(c, parse.Pos{}))
			}
		}
		sort.Slice(need, func(i, j int) bool { return slices.Index(cols, need[i].col) < slices.Index(cols, need[j].col) })
		r, err := b.build(in, concat(need, keys))
		if err != nil {
			return r, nil, err
		}
		return r, cols, nil
	}
	l, _, err := part(n.l, n.lkeys)
	if err != nil {
		return l, err
	}
	r, _, err := part(n.r, n.rkeys)
	if err != nil {
		return r, err
	}
	lk, err := b.compileAll(l.lay, n.lkeys)
	if err != nil {
		return l, err
	}
	rk, err := b.compileAll(r.lay, n.rkeys)
	if err != nil {
		return r, err
	}
	// Columns of the left side, then those of the right.
	lay := l.lay.with()
	for c, i := range r.lay.at {
		lay.at[c] = l.lay.n + i
	}
	for k, c := range r.lay.computed {
		lay.computed[k] = c
	}
	lay.n = l.lay.n + r.lay.n
	if n.kind == parse.LeftJoin {
		// A score of the right side is NULL where there was no partner; as a
		// column it is, so that is fine, and the left side's are as they were.
		lay.computed = l.lay.with().computed
		for k, c := range r.lay.computed {
			lay.computed[k] = c
		}
	}
	rest, err := b.compileAll(lay, n.rest)
	if err != nil {
		return l, err
	}
	types := make([]value.Type, r.lay.n)
	for c, i := range r.lay.at {
		types[i] = c.typ
	}
	keyTypes := make([]value.Type, len(n.lkeys))
	conds := make([]string, 0, len(n.lkeys))
	for i, k := range n.lkeys {
		keyTypes[i] = k.typ
		conds = append(conds, k.text+" = "+n.rkeys[i].text)
	}
	for _, e := range n.rest {
		conds = append(conds, e.text)
	}
	op, err := exec.NewHashJoin(l.op, r.op, &b.env, &b.fnctx, lk, rk, keyTypes, rest, n.kind == parse.LeftJoin, l.lay.n, types, strings.Join(conds, " AND "))
	if err != nil {
		return l, err
	}
	return rel{op: b.measured(op), lay: lay}, nil
}
