package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

func (b *builder) sort(n *sortNode, want []*expr) (rel, error) {
	keys := make([]*expr, 0, len(n.on)+len(n.keys))
	keys = append(keys, n.on...)
	var keyTexts []string
	for _, k := range n.keys {
		keys = append(keys, k.expr)
		keyTexts = append(keyTexts, k.text)
	}
	_, late := n.in.(*scanNode)
	late = late && (len(n.on) > 0 || n.count >= 0 && n.count+n.offset <= fetchFirst)
	need := keys
	if !late {
		need = concat(keys, want)
	}
	r, err := b.build(n.in, need)
	if err != nil {
		return r, err
	}
	at := make([]int, len(keys))
	var compute []fn.Expr
	var computed []*column
	lay := r.lay
	var computedTexts []string
	for i, k := range keys {
		x := r.lay.reduce(k)
		if x.op == opColumn {
			at[i] = r.lay.at[x.col]
			continue
		}
		if c := lay.computed[k.key()]; c != nil {
			at[i] = lay.at[c]
			continue
		}
		e, err := b.compile(r.lay, k)
		if err != nil {
			return r, err
		}
		c := &column{name: k.text, typ: k.typ, enc: k.enc}
		lay = lay.with(c)
		if !fixed(k) {
			lay.computed[k.key()] = c
		}
		at[i] = lay.at[c]
		compute, computed = append(compute, e), append(computed, c)
		computedTexts = append(computedTexts, k.text)
	}
	if len(compute) > 0 {
		r.op = b.measured(exec.NewProject(r.op, &b.fnctx, compute, true, "+ "+strings.Join(computedTexts, ", ")))
		r.lay = lay
	}
	var orders []exec.Order
	for _, k := range n.keys {
		orders = append(orders, k.order)
	}
	text := strings.Join(keyTexts, ", ")
	switch {
	case len(n.on) > 0:
		types := make([]value.Type, len(n.on))
		for i, e := range n.on {
			types[i] = e.typ
		}
		d, err := exec.NewDistinctOn(r.op, &b.env, at[:len(n.on)], types, at[len(n.on):], orders,
			texts(n.on, ", "), text)
		if err != nil {
			return r, err
		}
		r.op = b.measured(d)
		if n.count >= 0 || n.offset > 0 {
			r.op = b.measured(exec.NewLimit(r.op, n.count, n.offset))
		}
	case n.count >= 0:
		r.op = b.measured(exec.NewTopN(r.op, &b.env, at, orders, n.count, n.offset, text))
	default:
		r.op = b.measured(exec.NewSort(r.op, &b.env, at, orders, text))
		if n.offset > 0 {
			r.op = b.measured(exec.NewLimit(r.op, -1, n.offset))
		}
	}
	if late {
		return b.fetch(r, want)
	}
	return r, nil
}
