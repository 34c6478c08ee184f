package build

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// overScan reports whether a window's rows are those of a table, so that columns that it
// does not need itself can be fetched after it.
func overScan(n *logical.Window) bool {
	_, ok := n.In.(*logical.Scan)
	return ok
}

// window builds the functions of a window: what they are computed from is put beside the
// columns that are wanted.
func (b *Builder) window(n *logical.Window, want []*logical.Expr) (rel, error) {
	var need []*logical.Expr
	at := map[string]int{}
	add := func(e *logical.Expr) int {
		k := e.Key()
		i, ok := at[k]
		if !ok || logical.Fixed(e) {
			i = len(need)
			at[k], need = i, append(need, e)
		}
		return i
	}
	op := &exec.Window{Env: &b.Env, Ctx: &b.Fnctx}
	var keyTypes []value.Type
	for _, e := range n.Partition {
		op.Partition = append(op.Partition, add(e))
		keyTypes = append(keyTypes, e.Type)
	}
	for _, k := range n.Order {
		op.Keys, op.Orders = append(op.Keys, add(k.Expr)), append(op.Orders, k.Order)
	}
	var texts []string
	for _, c := range n.Calls {
		call := exec.WindowCall{Call: c.Call, Filter: -1, Exclude: c.Frame.Exclude, Unit: c.Frame.Unit,
			StartKind: c.Frame.StartKind, EndKind: c.Frame.EndKind, Whole: c.Frame.WholePartition(len(n.Order) > 0), At: logical.At(c.Frame.Pos)}
		for _, a := range c.Args {
			call.Args = append(call.Args, add(a))
		}
		if a := c.Aggregate; a != nil {
			call.Aggregate = a.Call
			if a.Arg != nil {
				call.Args = append(call.Args, add(a.Arg))
			}
			for _, x := range a.More {
				call.Args = append(call.Args, add(x))
			}
			if a.Filter != nil {
				call.Filter = add(a.Filter)
			}
		}
		var err error
		for _, o := range []struct {
			from *logical.Expr
			to   *fn.Expr
		}{{c.Frame.Start, &call.Start}, {c.Frame.End, &call.End}} {
			if o.from != nil {
				if *o.to, err = b.Compile(compile.NewLayout(nil), o.from); err != nil {
					return rel{}, err
				}
			}
		}
		op.Calls = append(op.Calls, call)
		texts = append(texts, c.Text)
	}
	op.Text = strings.Join(texts, ", ")

	late := overScan(n)
	below := need
	if !late {
		outs := map[*logical.Column]bool{}
		for _, c := range n.Outs {
			outs[c] = true
		}
		for c := range logical.ColumnsOf(want...) {
			if !outs[c] {
				below = append(below[:len(below):len(below)], logical.ColumnExpr(c, n.Calls[0].Frame.Pos))
			}
		}
	}
	r, err := b.build(n.In, below)
	if err != nil {
		return r, err
	}
	place, lay, err := b.beside(&r, need)
	if err != nil {
		return r, err
	}
	r.lay = lay
	for _, list := range [][]int{op.Partition, op.Keys} {
		for i := range list {
			list[i] = place[list[i]]
		}
	}
	for i := range op.Calls {
		c := &op.Calls[i]
		for k := range c.Args {
			c.Args[k] = place[c.Args[k]]
		}
		if c.Filter >= 0 {
			c.Filter = place[c.Filter]
		}
	}
	op.Types = keyTypes
	op.Input(r.op)
	r.op, r.lay = b.Analyzed(op), r.lay.With(n.Outs...)
	if late {
		return b.fetch(r, want)
	}
	return r, nil
}

// beside computes expressions beside the columns of a relation, those that are none. place
// is where each of them is.
func (b *Builder) beside(r *rel, es []*logical.Expr) (place []int, lay compile.Layout, err error) {
	place, lay = make([]int, len(es)), r.lay
	var compute []fn.Expr
	var texts []string
	for i, k := range es {
		x := r.lay.Reduce(k)
		if x.Op == logical.OpColumn {
			place[i] = r.lay.At[x.Column]
			continue
		}
		if c := lay.Computed[k.Key()]; c != nil {
			place[i] = lay.At[c]
			continue
		}
		e, err := b.Compile(r.lay, k)
		if err != nil {
			return nil, lay, err
		}
		c := &logical.Column{Name: k.Text, Type: k.Type, Encoding: k.Encoding}
		lay = lay.With(c)
		if !logical.Fixed(k) {
			lay.Computed[k.Key()] = c
		}
		place[i] = lay.At[c]
		compute, texts = append(compute, e), append(texts, k.Text)
	}
	if len(compute) > 0 {
		r.op = b.Analyzed(exec.NewProject(r.op, &b.Fnctx, compute, true, "+ "+strings.Join(texts, ", ")))
	}
	return place, lay, nil
}
