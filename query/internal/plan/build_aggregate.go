package plan

import (
	"runtime"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage/value"
)

func (b *builder) aggregate(n *aggNode) (rel, error) {
	var items []*expr
	var names []string
	add := func(e *expr) int {
		items = append(items, e)
		return len(items) - 1
	}
	for _, k := range n.keys {
		add(k)
		names = append(names, k.text)
	}
	specs := make([]exec.Aggregate, len(n.aggs))
	var calls []string
	for i, a := range n.aggs {
		specs[i] = exec.Aggregate{Call: a.call, Arg: -1, Filter: -1, Distinct: a.distinct}
		if a.arg != nil {
			specs[i].Arg = add(a.arg)
		}
		for _, x := range a.more {
			specs[i].More = append(specs[i].More, add(x))
		}
		if a.filter != nil {
			specs[i].Filter = add(a.filter)
		}
		calls = append(calls, n.aggCols[i].name)
	}
	what := func(b *builder) (exec.Operator, *exec.Aggregation, error) {
		r, err := b.build(n.in, items)
		if err != nil {
			return nil, nil, err
		}
		es, err := b.compileAll(r.lay, items)
		keys := make([]value.Type, len(n.keys))
		for i, k := range n.keys {
			keys[i] = k.typ
		}
		return r.op, &exec.Aggregation{Ctx: &b.fnctx, Exprs: es, Keys: keys, Specs: specs}, err
	}
	text, by := strings.Join(calls, ", "), strings.Join(names, ", ")
	var op exec.Operator
	if b.inParts(n, items) {
		pipes, err := b.copies(func(w *builder) (exec.AggregatePipe, error) {
			root, a, err := what(w)
			if err == nil {
				w.leaf.Transient = exec.Transient(root)
			}
			return exec.AggregatePipe{Pipe: exec.Pipe{Root: root, Scan: w.leaf}, What: a}, err
		})
		if err != nil {
			return rel{}, err
		}
		op = exec.NewParallelAggregate(&b.env, pipes, text, by)
	} else {
		in, a, err := what(b)
		if err != nil {
			return rel{}, err
		}
		op = exec.NewHashAggregate(in, &b.env, a, text, by)
	}
	return rel{op: b.measured(op), lay: newLayout(n.columns())}, nil
}

// inParts reports whether groups are made of parts of one table: there is
// nothing but conditions between, and any part of an expression may be computed
// by any worker.
func (b *builder) inParts(n *aggNode, items []*expr) bool {
	in := n.in
	all := items
	for {
		f, ok := in.(*filterNode)
		if !ok {
			break
		}
		all = concat(all, f.conds)
		in = f.in
	}
	scan, ok := in.(*scanNode)
	if !ok || b.alone || scan.search != nil || scan.lookup != nil || b.table(scan.table).Blocks() < exec.ParallelFrom {
		return false
	}
	for _, a := range n.aggs {
		if a.distinct || a.call.Result.Kind == value.Vector {
			return false
		}
	}
	for _, e := range concat(all, scan.filters) {
		// Scores have workers of their own.
		if e.unstable() || e.costly() || e.uses(opScore) || e.uses(opText) || e.uses(opImage) {
			return false
		}
	}
	return true
}

// copies builds a pipeline for each worker.
func (b *builder) copies(build func(w *builder) (exec.AggregatePipe, error)) ([]exec.AggregatePipe, error) {
	workers := b.in.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var out []exec.AggregatePipe
	for range workers {
		p, err := build(&builder{state: b.state, alone: true}) // figures are those of the whole
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
