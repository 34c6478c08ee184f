package build

import (
	"runtime"
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// scan builds the reading of a table.
func (b *Builder) scan(n *logical.Scan, want []*logical.Expr) (rel, error) {
	if n.Search != nil {
		return b.nearest(n, want)
	}
	if r, ok, err := b.scores(n, want); ok || err != nil {
		return r, err
	}
	tested := nullTested(n, want)
	need := valuesOf(n.Filters...)
	wanted := valuesOf(want...)
	// A vector that only the survivors of a filter need is fetched for them.
	if len(n.Filters) > 0 {
		for c := range wanted {
			if !need[c] && c.Type.Kind != value.Vector {
				need[c] = true
			}
		}
	} else {
		need = wanted
	}
	cols := tableColumns(n, need)
	s := &exec.Scan{Env: &b.Env, Ctx: &b.Fnctx, Table: b.Table(n.Table)}
	if c := unread(n, wanted); c != nil {
		at := slices.Index(cols, c)
		cols = append(slices.Delete(cols, at, at+1), c)
		s.Unread = 1
	}
	s.Columns = ordsOf(cols)
	lay := compile.NewLayout(cols)
	for c := range need {
		delete(tested, c)
	}
	s.Nulls = addNulls(n, tested, &lay)
	if n.Lookup != nil {
		var err error
		if s.Within, err = b.lookupOf(n.Lookup, s.Table); err != nil {
			return rel{}, err
		}
	}
	b.leaf = s
	r := rel{op: b.Analyzed(s), lay: lay, scan: n}
	if len(n.Filters) > 0 {
		f, conds, err := b.filterOf(r, n.Filters)
		if err != nil {
			return r, err
		}
		f.Lenient = n.Lenient
		if n.Lookup != nil {
			if at := slices.Index(conds, n.Lookup.Met); at >= 0 {
				f.Met(s, at)
			}
		}
		r.op = b.Analyzed(f)
	}
	return b.fetch(r, want)
}

// unread returns the column that only the condition asks for which the rows that a look-up
// finds meet, or nil.
func unread(n *logical.Scan, wanted map[*logical.Column]bool) *logical.Column {
	if n.Lookup == nil || n.Lookup.Met == nil || !slices.Contains(n.Filters, n.Lookup.Met) {
		return nil
	}
	c := n.Cols[n.Lookup.Ord]
	if wanted[c] {
		return nil
	}
	for _, f := range n.Filters {
		if f != n.Lookup.Met && logical.ColumnsOf(f)[c] {
			return nil
		}
	}
	return c
}

// scores builds a scan whose rows are scored, all of them, by several workers:
// what goes on is the scores, not the vectors. ok is false where there is nothing
// to score, or too little to share.
func (b *Builder) scores(n *logical.Scan, want []*logical.Expr) (r rel, ok bool, err error) {
	workers := b.In.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if n.Lookup != nil || b.Table(n.Table).Blocks() < 16 || b.alone {
		return r, false, nil
	}
	// The scores, and what else is asked for once they are there.
	lay := compile.NewLayout(nil)
	var items []*logical.Expr
	var outs []*logical.Column
	for _, e := range want {
		e.Walk(func(x *logical.Expr) bool {
			if !logical.Searchable(n, x) || !logical.Fixed(x.Args[1]) {
				return true
			}
			if k := x.Key(); lay.Computed[k] == nil {
				c := &logical.Column{Name: x.Text, Type: logical.RealType}
				lay.Computed[k] = c
				items, outs = append(items, x), append(outs, c)
			}
			return false
		})
	}
	if len(items) == 0 {
		return r, false, nil
	}
	rest := map[*logical.Column]bool{}
	for _, e := range want {
		lay.Reduce(e).Columns(rest)
	}
	for _, c := range outs {
		delete(rest, c)
	}
	for _, c := range tableColumns(n, rest) {
		if c.Type.Kind == value.Vector {
			return r, false, nil // the vectors themselves are wanted
		}
		items, outs = append(items, logical.ColumnExpr(c, parse.Pos{})), append(outs, c)
	}
	var pipes []exec.Pipe
	for range workers {
		w := &Builder{State: b.State, alone: true} // figures are those of the whole
		in, err := w.scan(n, items)
		if err == nil {
			in, err = w.project(in, items, outs)
		}
		if err != nil {
			return r, true, err
		}
		pipes = append(pipes, exec.Pipe{Root: in.op, Scan: w.leaf})
	}
	out := compile.NewLayout(outs)
	out.Computed = lay.Computed
	return rel{op: b.Analyzed(exec.NewParallel(&b.Env, pipes)), lay: out, scan: n}, true, nil
}

// fetch adds the columns of the table that want still lacks.
func (b *Builder) fetch(r rel, want []*logical.Expr) (rel, error) {
	if r.scan == nil {
		return r, nil
	}
	missing := map[*logical.Column]bool{}
	for _, e := range want {
		r.lay.Reduce(e).Columns(missing)
	}
	for c := range missing {
		if _, ok := r.lay.At[c]; ok {
			delete(missing, c)
		}
	}
	cols := tableColumns(r.scan, missing)
	if len(cols) == 0 {
		return r, nil
	}
	return rel{op: b.Analyzed(exec.NewFetch(r.op, b.Table(r.scan.Table), ordsOf(cols))), lay: r.lay.With(cols...), scan: r.scan}, nil
}

// lookupOf compiles what a look-up compares.
func (b *Builder) lookupOf(l *logical.Lookup, table *storage.Table) (*exec.Lookup, error) {
	if l.Joins {
		return &exec.Lookup{Index: l.Index, Column: l.Ord, Joins: true, Most: l.Most, Text: l.Text}, nil
	}
	if l.Match != nil {
		find := b.match
		if l.Match.Op != logical.OpWords {
			find = func(e *logical.Expr) (*exec.WordsQuery, error) { return b.like(l, table) }
		}
		q, err := find(l.Match)
		return &exec.Lookup{Match: q, Text: l.Text}, err
	}
	if l.Fusion != nil {
		x, err := b.fusion(l.Fusion)
		if b.fused == nil {
			b.fused = map[*logical.Fusion]*exec.Fusion{}
		}
		b.fused[l.Fusion] = x
		return &exec.Lookup{Fusion: x, Text: l.Text}, err
	}
	out := &exec.Lookup{Index: l.Index, Column: l.Ord, First: l.First, Last: l.Last, Most: l.Most, Text: l.Text}
	var err error
	if l.Keys != nil {
		out.Keys, err = b.CompileAll(compile.NewLayout(nil), l.Keys)
		return out, err
	}
	out.Ties = l.Ties
	if out.Eq, err = b.CompileAll(compile.NewLayout(nil), l.Eq); err != nil {
		return nil, err
	}
	for _, x := range l.Bounds {
		c, err := b.Compile(compile.NewLayout(nil), x.X)
		if err != nil {
			return nil, err
		}
		out.Bounds = append(out.Bounds, exec.Bound{Op: x.Op, X: c})
	}
	return out, nil
}
