package build

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

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
	r, err := b.build(n.In, need)
	if err != nil {
		return r, err
	}
	at := make([]int, len(keys))
	var compute []fn.Expr
	var computed []*logical.Column
	lay := r.lay
	var computedTexts []string
	for i, k := range keys {
		x := r.lay.Reduce(k)
		if x.Op == logical.OpColumn {
			at[i] = r.lay.At[x.Column]
			continue
		}
		if c := lay.Computed[k.Key()]; c != nil {
			at[i] = lay.At[c]
			continue
		}
		e, err := b.Compile(r.lay, k)
		if err != nil {
			return r, err
		}
		c := &logical.Column{Name: k.Text, Type: k.Type, Encoding: k.Encoding}
		lay = lay.With(c)
		if !logical.Fixed(k) {
			lay.Computed[k.Key()] = c
		}
		at[i] = lay.At[c]
		compute, computed = append(compute, e), append(computed, c)
		computedTexts = append(computedTexts, k.Text)
	}
	if len(compute) > 0 {
		r.op = b.Measured(exec.NewProject(r.op, &b.Fnctx, compute, true, "+ "+strings.Join(computedTexts, ", ")))
		r.lay = lay
	}
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
		r.op = b.Measured(d)
		if n.Count >= 0 || n.Offset > 0 {
			r.op = b.Measured(exec.NewLimit(r.op, n.Count, n.Offset))
		}
	case n.Count >= 0:
		r.op = b.Measured(exec.NewTopN(r.op, &b.Env, at, orders, n.Count, n.Offset, text))
	default:
		r.op = b.Measured(exec.NewSort(r.op, &b.Env, at, orders, text))
		if n.Offset > 0 {
			r.op = b.Measured(exec.NewLimit(r.op, -1, n.Offset))
		}
	}
	if late {
		return b.fetch(r, want)
	}
	return r, nil
}
