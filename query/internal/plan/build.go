package plan

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// builder makes operators of a logical plan.
type builder struct {
	*binder            // of this run: for what encoders and files there are
	run     *Run       // nil: to compile constants only
	leaf    *exec.Scan // the last scan built
	alone   bool       // builds a worker's pipeline
	measure bool       // EXPLAIN ANALYZE: operators count
	single  bool       // something of what was built can't be used again
}

// rel is an operator with what its batches hold.
type rel struct {
	op   exec.Operator
	lay  layout
	scan *scanNode // the batches' row numbers are of this scan's table; nil = none
}

// fetchFirst is the number of rows up to which a sort reads only its keys and
// fetches the other columns for the rows that remain.
const fetchFirst = 20000

// measured wraps an operator for EXPLAIN ANALYZE.
func (b *builder) measured(op exec.Operator) exec.Operator {
	if b.measure {
		return exec.Measure(op, b.run.in.view())
	}
	return op
}

// root builds n so that its batches have exactly the given columns.
func (b *builder) root(n node, cols []*column) (exec.Operator, error) {
	want := make([]*expr, len(cols))
	for i, c := range cols {
		want[i] = columnExpr(c, parse.Pos{})
	}
	r, err := b.build(n, want)
	if err != nil {
		return nil, err
	}
	exact := len(cols) == r.lay.n
	for i, c := range cols {
		exact = exact && r.lay.at[c] == i
	}
	if exact {
		return r.op, nil
	}
	r, err = b.project(r, want, cols)
	return r.op, err
}

// build builds n so that the expressions want can be computed from its batches.
func (b *builder) build(n node, want []*expr) (rel, error) {
	switch n := n.(type) {
	case *scanNode:
		return b.scan(n, want)
	case *filterNode:
		r, err := b.build(n.in, concat(want, n.conds))
		if err != nil {
			return r, err
		}
		return b.filter(r, n.conds)
	case *rowNumberNode:
		r, err := b.build(n.in, want)
		if err != nil {
			return r, err
		}
		lay := newLayout([]*column{n.num})
		lay.n += r.lay.n
		for c, i := range r.lay.at {
			lay.at[c] = i + 1
		}
		for k, c := range r.lay.computed {
			lay.computed[k] = c
		}
		return rel{op: b.measured(exec.NewRowNumbers(r.op)), lay: lay}, nil
	case *projectNode:
		return b.projection(n, want)
	case *joinNode:
		return b.join(n, want)
	case *aggNode:
		return b.aggregate(n)
	case *sortNode:
		return b.sort(n, want)
	case *limitNode:
		// What a search finds is cut before its other columns are fetched.
		scan, ok := n.in.(*scanNode)
		late := ok && scan.search != nil
		need := want
		if late {
			need = nil
		}
		r, err := b.build(n.in, need)
		if err != nil {
			return r, err
		}
		r.op = b.measured(exec.NewLimit(r.op, n.count, n.offset))
		if late {
			return b.fetch(r, want)
		}
		return r, nil
	case *distinctNode:
		cols := n.in.columns()
		op, err := b.root(n.in, cols)
		if err != nil {
			return rel{}, err
		}
		d, err := exec.NewDistinct(op, &b.run.env, typesOf(cols))
		if err != nil {
			return rel{}, err
		}
		return rel{op: b.measured(d), lay: newLayout(cols)}, nil
	case *unionNode:
		u := &exec.UnionAll{}
		for _, in := range n.ins {
			op, err := b.root(in, in.columns())
			if err != nil {
				return rel{}, err
			}
			u.Ins = append(u.Ins, op)
		}
		return rel{op: b.measured(u), lay: newLayout(n.outs)}, nil
	case *valuesNode:
		return b.values(n)
	case *metadataNode:
		return rel{op: b.measured(&exec.Metadata{Table: b.run.table(n.table), Items: n.items}), lay: newLayout(n.outs)}, nil
	case *sourceNode:
		return b.source(n, want)
	}
	return rel{}, fmt.Errorf("internal error: unknown plan node %T", n)
}

func concat(a, b []*expr) []*expr { return append(append([]*expr(nil), a...), b...) }

func typesOf(cols []*column) []value.Type {
	out := make([]value.Type, len(cols))
	for i, c := range cols {
		out[i] = c.typ
	}
	return out
}

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
	s := &exec.Scan{Env: &b.run.env, Ctx: &b.run.fnctx, Table: b.run.table(n.table), Columns: ordsOf(cols)}
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
	if n.lookup != nil || b.run.table(n.table).Blocks() < 16 || b.alone {
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
		w := &builder{binder: b.binder, run: b.run, alone: true} // figures are those of the whole
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
	return rel{op: b.measured(exec.NewParallel(&b.run.env, pipes)), lay: out, scan: n}, true, nil
}

// tableColumns returns those columns of a scan that are in set, in table order.
func tableColumns(n *scanNode, set map[*column]bool) []*column {
	var out []*column
	for _, c := range n.cols {
		if set[c] {
			out = append(out, c)
		}
	}
	return out
}

func ordsOf(cols []*column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.ord
	}
	return out
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
	return rel{op: b.measured(exec.NewFetch(r.op, b.run.table(r.scan.table), ordsOf(cols))), lay: r.lay.with(cols...), scan: r.scan}, nil
}

func (b *builder) filter(r rel, conds []*expr) (rel, error) {
	if len(conds) == 0 {
		return r, nil
	}
	// What runs a query for its rows comes last.
	conds = slices.Clone(conds)
	slices.SortStableFunc(conds, func(x, y *expr) int {
		return cmp.Compare(btoi(x.costly()), btoi(y.costly()))
	})
	cs, err := b.compileAll(r.lay, conds)
	if err != nil {
		return r, err
	}
	r.op = b.measured(exec.NewFilter(r.op, &b.run.fnctx, cs, texts(conds, " AND ")))
	return r, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// project builds columns from expressions.
func (b *builder) project(r rel, items []*expr, outs []*column) (rel, error) {
	es, err := b.compileAll(r.lay, items)
	if err != nil {
		return r, err
	}
	return rel{op: b.measured(exec.NewProject(r.op, &b.run.fnctx, es, false, projectText(items, outs))), lay: newLayout(outs)}, nil
}

func projectText(items []*expr, outs []*column) string {
	all := make([]string, len(items))
	for i, e := range items {
		all[i] = orElse(e.text, outs[i].name)
		if e.text != "" && e.text != outs[i].name && outs[i].name != "" && !strings.HasSuffix(e.text, "."+outs[i].name) {
			if !strings.HasPrefix(e.text, outs[i].name+"(") {
				all[i] += " AS " + outs[i].name
			}
		}
	}
	return strings.Join(all, ", ")
}

func (b *builder) projection(n *projectNode, want []*expr) (rel, error) {
	used := columnsOf(want...)
	var items []*expr
	var outs []*column
	for i, c := range n.outs {
		if used[c] || n.skip != nil {
			items, outs = append(items, n.items[i]), append(outs, c)
		}
	}
	for _, e := range items {
		if e.op == opImage && e.varies() {
			return b.pictures(n, items, outs)
		}
	}
	r, err := b.build(n.in, items)
	if err != nil {
		return r, err
	}
	return b.project(r, items, outs)
}

// pictures builds a projection that encodes pictures: those that can't be read
// are reported and their rows left out.
func (b *builder) pictures(n *projectNode, items []*expr, outs []*column) (rel, error) {
	plain := append([]*expr(nil), items...)
	var jobs []exec.ImageJob
	for i, e := range items {
		if e.op == opImage && e.varies() {
			plain[i] = e.args[0]
			jobs = append(jobs, exec.ImageJob{Column: i, Open: b.opener(e.enc), Dim: e.enc.dim, Fast: fastPictures(n.in, e.args[0]), Pos: at(e.pos)})
		}
	}
	r, err := b.build(n.in, plain)
	if err != nil {
		return r, err
	}
	if r, err = b.project(r, plain, outs); err != nil {
		return r, err
	}
	if n.skip != nil {
		r.op = b.measured(exec.NewSkipExisting(r.op, &b.run.env, b.run.table(n.skip.table), n.skip.key).Changed(n.skip.same, n.skip.report))
	}
	r.op = b.measured(exec.NewEncodeImages(r.op, &b.run.env, jobs, b.readFile, b.in.Images))
	return r, nil
}

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
		r.op = b.measured(exec.NewProject(r.op, &b.run.fnctx, compute, true, "+ "+strings.Join(computedTexts, ", ")))
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
		d, err := exec.NewDistinctOn(r.op, &b.run.env, at[:len(n.on)], types, at[len(n.on):], orders,
			texts(n.on, ", "), text)
		if err != nil {
			return r, err
		}
		r.op = b.measured(d)
		if n.count >= 0 || n.offset > 0 {
			r.op = b.measured(exec.NewLimit(r.op, n.count, n.offset))
		}
	case n.count >= 0:
		r.op = b.measured(exec.NewTopN(r.op, &b.run.env, at, orders, n.count, n.offset, text))
	default:
		r.op = b.measured(exec.NewSort(r.op, &b.run.env, at, orders, text))
		if n.offset > 0 {
			r.op = b.measured(exec.NewLimit(r.op, -1, n.offset))
		}
	}
	if late {
		return b.fetch(r, want)
	}
	return r, nil
}

// nearest builds a search: conditions first, then the vectors of the rows they
// leave, then the other columns of the rows found.
func (b *builder) nearest(n *scanNode, want []*expr) (rel, error) {
	s := n.search
	key := s.score.key()
	var before, after []*expr
	for _, f := range n.filters {
		if _, ok := threshold(f, key); ok {
			after = append(after, f)
		} else {
			before = append(before, f)
		}
	}
	m, to := s.score.measure, s.score.args[1]
	op := &exec.Nearest{
		Measure: b.measure,
		Env:     &b.run.env, Ctx: &b.run.fnctx, Table: b.run.table(n.table), Column: s.score.args[0].col.ord,
		Metric: m.metric, At: at(to.pos),
		Count: s.count, Worst: s.worst, Ranked: s.ranked, Nulls: s.nulls && len(after) == 0,
		Ties: s.ties, Negate: m.negate, FromOne: m.fromOne, Text: s.text,
	}
	var err error
	if op.To, err = b.compile(newLayout(nil), to); err != nil {
		return rel{}, err
	}
	if len(s.within) > 0 {
		if op.Within, err = b.compileAll(newLayout(nil), s.within); err != nil {
			return rel{}, err
		}
		for _, f := range after {
			if f.text != op.Text {
				op.Text += " [" + f.text + "]"
			}
		}
	}
	if len(before) > 0 || n.lookup != nil {
		sub := &scanNode{table: n.table, cols: n.cols, filters: before, lookup: n.lookup, rows: n.rows}
		if n.lookup == nil {
			if _, err := rangeSearch(b.binder, sub); err != nil {
				return rel{}, err
			}
		}
		r, err := b.build(sub, nil)
		if err != nil {
			return rel{}, err
		}
		op.Filter = r.op
		op.Among, op.Depends = amongKey(before)
	}
	sc := &column{name: s.score.text, typ: realType}
	r := rel{op: b.measured(op), lay: newLayout([]*column{sc}), scan: n}
	r.lay.computed[key] = sc
	if r, err = b.filter(r, after); err != nil {
		return r, err
	}
	return b.fetch(r, want)
}

// amongKey is equal for conditions on a table that keep the same rows, in runs of one
// plan whose slots of these numbers have equal values; "" if that is not certain.
func amongKey(conds []*expr) (_ string, slots []int) {
	var key strings.Builder
	for _, e := range conds {
		if e.unstable() || e.costly() {
			return "", nil
		}
		sets := false
		e.walk(func(x *expr) bool {
			sets = sets || x.op == opIn && len(x.args) == 1 // of a subquery
			if x.op == opSlot {
				slots = append(slots, x.slot.n)
			}
			return true
		})
		if sets {
			return "", nil
		}
		named := e.rewrite(func(x *expr) *expr {
			if x.op == opColumn {
				return constant(value.Str("column "+x.col.name), x.pos, "")
			}
			return nil
		})
		key.WriteString(named.key() + "\n")
	}
	return key.String(), slots
}

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
		return r.op, &exec.Aggregation{Ctx: &b.run.fnctx, Exprs: es, Keys: keys, Specs: specs}, err
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
		op = exec.NewParallelAggregate(&b.run.env, pipes, text, by)
	} else {
		in, a, err := what(b)
		if err != nil {
			return rel{}, err
		}
		op = exec.NewHashAggregate(in, &b.run.env, a, text, by)
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
	if !ok || b.alone || scan.search != nil || scan.lookup != nil || b.run.table(scan.table).Blocks() < exec.ParallelFrom {
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
		p, err := build(&builder{binder: b.binder, run: b.run, alone: true}) // figures are those of the whole
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (b *builder) join(n *joinNode, want []*expr) (rel, error) {
	all := concat(want, n.rest)
	part := func(in node, keys []*expr) (rel, []*column, error) {
		cols := in.columns()
		var need []*expr
		for c := range columnsOf(all...) {
			if contains(cols, c) {
				need = append(need, columnExpr(c, parse.Pos{}))
			}
		}
		sort.Slice(need, func(i, j int) bool { return index(cols, need[i].col) < index(cols, need[j].col) })
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
	op, err := exec.NewHashJoin(l.op, r.op, &b.run.env, &b.run.fnctx, lk, rk, keyTypes, rest, n.kind == parse.LeftJoin, l.lay.n, types, strings.Join(conds, " AND "))
	if err != nil {
		return l, err
	}
	return rel{op: b.measured(op), lay: lay}, nil
}

func index(cols []*column, c *column) int {
	for i, x := range cols {
		if x == c {
			return i
		}
	}
	return -1
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

// values builds rows that are written down in the statement.
func (b *builder) values(n *valuesNode) (rel, error) {
	if len(n.outs) == 0 {
		return rel{op: b.measured(exec.OneRow()), lay: newLayout(nil)}, nil
	}
	v := &exec.Rows{Ctx: &b.run.fnctx, Count: len(n.rows)}
	for i, c := range n.outs {
		t := c.typ
		for _, row := range n.rows {
			if t.Kind == value.Vector && t.Dim == 0 {
				t.Dim = row[i].typ.Dim
			}
		}
		v.Types = append(v.Types, t)
	}
	for _, row := range n.rows {
		for i, e := range row {
			item := exec.RowItem{Const: e.val}
			if t := v.Types[i]; !isConst(e) || t.Kind == value.Vector && e.typ.Dim != t.Dim {
				item.At = at(e.pos)
			}
			if !isConst(e) {
				var err error
				if item.X, err = b.compile(newLayout(nil), e); err != nil {
					return rel{}, err
				}
			}
			v.Items = append(v.Items, item)
		}
	}
	return rel{op: b.measured(v), lay: newLayout(n.outs)}, nil
}

func (b *builder) source(n *sourceNode, want []*expr) (rel, error) {
	used := columnsOf(want...)
	var cols []*column
	var ords []int
	for i, c := range n.outs {
		if used[c] {
			cols, ords = append(cols, c), append(ords, i)
		}
	}
	b.run.b.single = true
	op, err := n.open(b, ords)
	if err != nil {
		return rel{}, err
	}
	return rel{op: b.measured(op), lay: newLayout(cols)}, nil
}

// opener opens an encoder when the plan runs.
func (b *binder) opener(e *encoding) func(context.Context) (encoder.Encoder, error) {
	return func(ctx context.Context) (encoder.Encoder, error) { return b.openEncoder(ctx, e, parse.Pos{}) }
}
