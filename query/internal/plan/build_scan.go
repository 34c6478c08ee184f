package plan

import (
	"runtime"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// scan builds the reading of a table.
func (b *builder) scan(n *scanNode, want []*expr) (rel, error) {
	if n.search != nil {
		return b.nearest(n, want)
	}
	if r, ok, err := b.scores(n, want); ok || err != nil {
		return r, err
	}
	need := columnsOf(n.filters...)
	wanted := columnsOf(want...)
	// A vector that only the survivors of a filter need is fetched for them.
	if len(n.filters) > 0 {
		for c := range wanted {
			if !need[c] && c.typ.Kind != value.Vector {
				need[c] = true
			}
		}
	} else {
		need = wanted
	}
	cols := tableColumns(n, need)
	s := &exec.Scan{Env: &b.env, Ctx: &b.fnctx, Table: b.table(n.table), Columns: ordsOf(cols)}
	if n.lookup != nil {
		var err error
		if s.Within, err = b.lookupOf(n.lookup); err != nil {
			return rel{}, err
		}
	}
	b.leaf = s
	r := rel{op: b.measured(s), lay: newLayout(cols), scan: n}
	if len(n.filters) > 0 {
		var err error
		if r, err = b.filter(r, n.filters); err != nil {
			return r, err
		}
	}
	return b.fetch(r, want)
}

// scores builds a scan whose rows are scored, all of them, by several workers:
// what goes on is the scores, not the vectors. ok is false where there is nothing
// to score, or too little to share.
func (b *builder) scores(n *scanNode, want []*expr) (r rel, ok bool, err error) {
	workers := b.in.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if n.lookup != nil || b.table(n.table).Blocks() < 16 || b.alone {
		return r, false, nil
	}
	// The scores, and what else is asked for once they are there.
	lay := newLayout(nil)
	var items []*expr
	var outs []*column
	for _, e := range want {
		e.walk(func(x *expr) bool {
			if !searchable(n, x) || !fixed(x.args[1]) {
				return true
			}
			if k := x.key(); lay.computed[k] == nil {
				c := &column{name: x.text, typ: realType}
				lay.computed[k] = c
				items, outs = append(items, x), append(outs, c)
			}
			return false
		})
	}
	if len(items) == 0 {
		return r, false, nil
	}
	rest := map[*column]bool{}
	for _, e := range want {
		lay.reduce(e).columns(rest)
	}
	for _, c := range outs {
		delete(rest, c)
	}
	for _, c := range tableColumns(n, rest) {
		if c.typ.Kind == value.Vector {
			return r, false, nil // the vectors themselves are wanted
		}
		items, outs = append(items, columnExpr(c, parse.Pos{})), append(outs, c)
	}
	var pipes []exec.Pipe
	for range workers {
		w := &builder{state: b.state, alone: true} // figures are those of the whole
		in, err := w.scan(n, items)
		if err == nil {
			in, err = w.project(in, items, outs)
		}
		if err != nil {
			return r, true, err
		}
		pipes = append(pipes, exec.Pipe{Root: in.op, Scan: w.leaf})
	}
	out := newLayout(outs)
	out.computed = lay.computed
	return rel{op: b.measured(exec.NewParallel(&b.env, pipes)), lay: out, scan: n}, true, nil
}

// fetch adds the columns of the table that want still lacks.
func (b *builder) fetch(r rel, want []*expr) (rel, error) {
	if r.scan == nil {
		return r, nil
	}
	missing := map[*column]bool{}
	for _, e := range want {
		r.lay.reduce(e).columns(missing)
	}
	for c := range missing {
		if _, ok := r.lay.at[c]; ok {
			delete(missing, c)
		}
	}
	cols := tableColumns(r.scan, missing)
	if len(cols) == 0 {
		return r, nil
	}
	return rel{op: b.measured(exec.NewFetch(r.op, b.table(r.scan.table), ordsOf(cols))), lay: r.lay.with(cols...), scan: r.scan}, nil
}

// lookupOf compiles what a look-up compares.
func (b *builder) lookupOf(l *lookup) (*exec.Lookup, error) {
	out := &exec.Lookup{Index: l.index, Column: l.ord, First: l.first, Last: l.last, Most: l.most, Text: l.text}
	var err error
	if l.keys != nil {
		out.Keys, err = b.compileAll(newLayout(nil), l.keys)
		return out, err
	}
	for _, x := range l.bounds {
		c, err := b.compile(newLayout(nil), x.x)
		if err != nil {
			return nil, err
		}
		out.Bounds = append(out.Bounds, exec.Bound{Op: x.op, X: c})
	}
	return out, nil
}
