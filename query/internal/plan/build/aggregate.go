package build

import (
	"runtime"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

func (b *Builder) aggregate(n *logical.Group) (rel, error) {
	var items []*logical.Expr
	var names []string
	add := func(e *logical.Expr) int {
		items = append(items, e)
		return len(items) - 1
	}
	for _, k := range n.Keys {
		add(k)
		names = append(names, k.Text)
	}
	specs := make([]exec.Aggregate, len(n.Aggs))
	var calls []string
	for i, a := range n.Aggs {
		specs[i] = exec.Aggregate{Call: a.Call, Arg: -1, Filter: -1, Distinct: a.Distinct}
		if a.Arg != nil {
			specs[i].Arg = add(a.Arg)
		}
		for _, x := range a.More {
			specs[i].More = append(specs[i].More, add(x))
		}
		if a.Filter != nil {
			specs[i].Filter = add(a.Filter)
		}
		calls = append(calls, n.AggCols[i].Name)
	}
	what := func(b *Builder) (exec.Operator, *exec.Aggregation, error) {
		r, err := b.build(n.In, items)
		if err != nil {
			return nil, nil, err
		}
		es, err := b.CompileAll(r.lay, items)
		keys := make([]value.Type, len(n.Keys))
		for i, k := range n.Keys {
			keys[i] = k.Type
		}
		return r.op, &exec.Aggregation{Ctx: &b.Fnctx, Exprs: es, Keys: keys, Specs: specs, Once: slices.ContainsFunc(items, (*logical.Expr).Unstable)}, err
	}
	text, by := strings.Join(calls, ", "), strings.Join(names, ", ")
	var op exec.Operator
	if b.inParts(n, items) {
		pipes, err := b.copies(func(w *Builder) (exec.AggregatePipe, error) {
			root, a, err := what(w)
			if err == nil {
				w.leaf.Transient = exec.Transient(root)
			}
			return exec.AggregatePipe{Pipe: exec.Pipe{Root: root, Scan: w.leaf}, What: a}, err
		})
		if err != nil {
			return rel{}, err
		}
		op = exec.NewParallelAggregate(&b.Env, pipes, text, by)
	} else {
		in, a, err := what(b)
		if err != nil {
			return rel{}, err
		}
		op = exec.NewHashAggregate(in, &b.Env, a, text, by)
	}
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Columns())}, nil
}

// inParts reports whether groups are made of parts of one table: there is
// nothing but conditions, and joins with what all workers share, between, and any part of an
// expression may be computed by any worker.
func (b *Builder) inParts(n *logical.Group, items []*logical.Expr) bool {
	in := n.In
	all := items
	for {
		if f, ok := in.(*logical.Filter); ok {
			all = concat(all, f.Conds)
			in = f.In
			continue
		}
		j, ok := in.(*logical.Join)
		if !ok {
			break
		}
		if j.Pairs != nil || !shareable(j.Right) {
			return false
		}
		all = append(concat(concat(all, j.LeftKeys), j.RightKeys), concat(j.On, j.Rest)...)
		in = j.Left
	}
	scan, ok := in.(*logical.Scan)
	if !ok || b.alone || scan.Search != nil || scan.Lookup != nil || b.Table(scan.Table).Blocks() < exec.ParallelFrom {
		return false
	}
	for _, a := range n.Aggs {
		if a.Distinct || a.Call.Result.Kind == value.Vector {
			return false
		}
	}
	for _, e := range concat(all, scan.Filters) {
		// Scores have workers of their own.
		if e.Unstable() || e.Costly() || e.Uses(logical.OpScore) || e.Uses(logical.OpText) || e.Uses(logical.OpImage) {
			return false
		}
	}
	return true
}

// shareable reports whether the right side of a join is read once, from tables of the store.
func shareable(n logical.Node) bool {
	if scan, ok := n.(*logical.Scan); ok && scan.Lookup != nil && scan.Lookup.Joins {
		return false
	}
	return !logical.AnyNode(n, func(n logical.Node) bool {
		switch n := n.(type) {
		case *logical.Scan:
			return n.Search != nil
		case *logical.Filter, *logical.Project, *logical.Join, *logical.Group, *logical.Distinct, *logical.Sort, *logical.Limit, *logical.Union, *logical.Values:
			return slices.ContainsFunc(n.Exprs(), func(e *logical.Expr) bool { return e.Unstable() || e.Costly() })
		}
		return true
	})
}

// copies builds a pipeline for each worker.
func (b *Builder) copies(build func(w *Builder) (exec.AggregatePipe, error)) ([]exec.AggregatePipe, error) {
	workers := b.In.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var out []exec.AggregatePipe
	for range workers {
		p, err := build(&Builder{State: b.State, alone: true, Analyze: b.Analyze})
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
