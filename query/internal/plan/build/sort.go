package build

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// mostTop is the number of rows up to which the first ones of an order are kept in memory; all
// that is sorted may go to files.
const mostTop = 1 << 20

func (b *Builder) sort(n *logical.Sort, want []*logical.Expr) (rel, error) {
	keys := make([]*logical.Expr, 0, len(n.On)+len(n.Keys))
	keys = append(keys, n.On...)
	var keyTexts []string
	for _, k := range n.Keys {
		keys = append(keys, k.Expr)
		keyTexts = append(keyTexts, k.Text)
	}
	in := n.In
	if x, ok := in.(*logical.Ranks); ok {
		in = x.In
	}
	_, late := in.(*logical.Scan)
	late = late && (len(n.On) > 0 || n.Count >= 0 && n.Count+n.Offset <= logical.FetchFirst)
	need := keys
	if !late {
		need = concat(keys, want)
	}
	if x, ok := n.In.(*logical.Ranks); ok && x.Fused() != nil {
		used := logical.ColumnsOf(want...)
		loose := true
		for _, c := range x.Outs {
			loose = loose && !used[c]
		}
		if b.loose == nil {
			b.loose = map[*logical.Fusion]bool{}
		}
		b.loose[x.Fused()] = loose
	}
	r, err := b.build(n.In, need)
	if err != nil {
		return r, err
	}
	at, lay, err := b.beside(&r, keys)
	if err != nil {
		return r, err
	}
	r.lay = lay
	var orders []exec.Order
	for _, k := range n.Keys {
		orders = append(orders, k.Order)
	}
	text := strings.Join(keyTexts, ", ")
	switch {
	case len(n.On) > 0:
		types := make([]value.Type, len(n.On))
		for i, e := range n.On {
			types[i] = e.Type
		}
		d, err := exec.NewDistinctOn(r.op, &b.Env, at[:len(n.On)], types, at[len(n.On):], orders,
			logical.Texts(n.On, ", "), text)
		if err != nil {
			return r, err
		}
		r.op = b.Analyzed(d)
		if n.Count >= 0 || n.Offset > 0 {
			r.op = b.Analyzed(exec.NewLimit(r.op, n.Count, n.Offset))
		}
	case n.Count >= 0 && n.Count+n.Offset <= mostTop:
		r.op = b.Analyzed(exec.NewTopN(r.op, &b.Env, at, orders, n.Count, n.Offset, text))
	default:
		r.op = b.Analyzed(exec.NewSort(r.op, &b.Env, at, orders, text))
		if n.Count >= 0 || n.Offset > 0 {
			r.op = b.Analyzed(exec.NewLimit(r.op, n.Count, n.Offset))
		}
	}
	if late {
		return b.fetch(r, want)
	}
	return r, nil
}
