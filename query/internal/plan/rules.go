package plan

import (
	"fmt"
	"math"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// rule is one improvement of a logical plan. apply gets a node whose inputs are
// improved already and returns what takes its place.
type rule struct {
	name  string
	apply func(b *binder, n node) (node, error)
}

// rules are applied in this order, each to the whole plan from the bottom up,
// after flatten has removed projections in between.
var rules = []rule{
	{"push filters down", pushFilters},
	{"push join conditions down", pushJoinConditions},
	{"find join keys", joinKeys},
	{"look up by key or index", lookups},
	{"order by index", orderByIndex},
	{"top-k search", topKSearch},
	{"range search", rangeSearch},
	{"count from metadata", countFromMetadata},
}

// optimize applies flatten and the rules to a plan.
func (b *binder) optimize(n node) (node, error) {
	cols := n.columns()
	n, m := flatten(n)
	if len(m) > 0 {
		// The plan's columns have to remain.
		p := &projectNode{in: n, outs: cols}
		for _, c := range cols {
			p.items = append(p.items, substitute(columnExpr(c, parse.Pos{}), m))
		}
		n = p
	}
	for _, r := range rules {
		var err error
		if n, err = b.applyRule(r, n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (b *binder) applyRule(r rule, n node) (node, error) {
	if err := mapInputs(n, func(in node) (node, error) { return b.applyRule(r, in) }); err != nil {
		return nil, err
	}
	return r.apply(b, n)
}

// substitute replaces columns by expressions.
func substitute(e *expr, m map[*column]*expr) *expr {
	if len(m) == 0 || e == nil {
		return e
	}
	return e.rewrite(func(x *expr) *expr {
		if x.op == opColumn {
			if r := m[x.col]; r != nil {
				c := *r
				c.text = x.text
				return &c
			}
			return x
		}
		return nil
	})
}

func substituteAll(es []*expr, m map[*column]*expr) []*expr {
	if es == nil {
		return nil
	}
	out := make([]*expr, len(es))
	for i, e := range es {
		out[i] = substitute(e, m)
	}
	return out
}

// flatten removes projections and renamings between other nodes, so that a
// search in a subquery is seen by the rules: what is above computes from the
// columns below. The map says what to put for columns that are no more.
func flatten(n node) (node, map[*column]*expr) {
	switch n := n.(type) {
	case *aliasNode:
		in, m := pull(n.in, false, false)
		out := map[*column]*expr{}
		for i, c := range n.outs {
			out[c] = substitute(columnExpr(n.from[i], parse.Pos{}), m)
			out[c].text = c.name
		}
		return in, out
	case *filterNode:
		in, m := pull(n.in, false, false)
		n.in, n.conds = in, substituteAll(n.conds, m)
		return n, m
	case *projectNode:
		in, m := pull(n.in, false, n.stores)
		n.in, n.items = in, substituteAll(n.items, m)
		return n, nil
	case *joinNode:
		l, ml := pull(n.l, false, false)
		r, mr := pull(n.r, n.kind == parse.LeftJoin, false)
		for c, e := range mr {
			if ml == nil {
				ml = map[*column]*expr{}
			}
			ml[c] = e
		}
		n.l, n.r, n.on = l, r, substituteAll(n.on, ml)
		return n, ml
	case *aggNode:
		in, m := pull(n.in, false, false)
		n.in, n.keys = in, substituteAll(n.keys, m)
		for i, a := range n.aggs {
			c := *a
			c.arg, c.filter = substitute(a.arg, m), substitute(a.filter, m)
			n.aggs[i] = &c
		}
		return n, nil
	case *sortNode:
		in, m := pull(n.in, false, false)
		n.in, n.on = in, substituteAll(n.on, m)
		for i := range n.keys {
			n.keys[i].expr = substitute(n.keys[i].expr, m)
		}
		return n, m
	case *limitNode:
		in, m := pull(n.in, false, false)
		n.in = in
		return n, m
	case *distinctNode:
		in, m := flatten(n.in)
		n.in = keepColumns(in, n.in.columns(), m)
		return n, nil
	case *unionNode:
		for i := range n.ins {
			cols := n.ins[i].columns()
			in, m := flatten(n.ins[i])
			n.ins[i] = keepColumns(in, cols, m)
		}
		return n, nil
	}
	return n, nil
}

// keepColumns gives n the columns cols again, in their order.
func keepColumns(n node, cols []*column, m map[*column]*expr) node {
	if len(m) == 0 {
		return n
	}
	p := &projectNode{in: n, outs: cols}
	for _, c := range cols {
		p.items = append(p.items, substitute(columnExpr(c, parse.Pos{}), m))
	}
	return p
}

// pull flattens n and takes a projection off its top. With columnsOnly it takes
// off none that computes something: above a LEFT JOIN that would not be NULL.
// once says that each column is used once, so that costly ones may move too.
func pull(n node, columnsOnly, once bool) (node, map[*column]*expr) {
	in, m := flatten(n)
	if columnsOnly {
		for _, e := range m {
			if e.op != opColumn {
				// Compute below the join.
				cols := n.columns()
				return keepColumns(in, cols, m), nil
			}
		}
	}
	p, ok := in.(*projectNode)
	if !ok || p.skip != nil {
		return in, m
	}
	for _, e := range p.items {
		if columnsOnly && e.op != opColumn || !once && (e.uses(opImage) || e.uses(opText) && e.varies() || e.unstable()) {
			return in, m
		}
	}
	out := map[*column]*expr{}
	for i, c := range p.outs {
		out[c] = p.items[i]
	}
	for c, e := range m {
		out[c] = substitute(e, out)
	}
	return p.in, out
}

// unstable reports whether e may have another value when computed again.
func (e *expr) unstable() bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.op == opCall && x.call.Func.Stable && x.call.Func.Name != "now"
		return !found
	})
	return found
}

// pushFilters moves conditions towards the scans.
func pushFilters(b *binder, n node) (node, error) {
	f, ok := n.(*filterNode)
	if !ok {
		return n, nil
	}
	var rest []*expr
	in := f.in
	for _, c := range f.conds {
		if !push(in, c) {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		return in, nil
	}
	return &filterNode{in, rest}, nil
}

// push moves a condition into n or below; false if it has to stay above.
func push(n node, c *expr) bool {
	set := columnsOf(c)
	within := func(cols []*column) bool {
		for x := range set {
			if !contains(cols, x) {
				return false
			}
		}
		return true
	}
	switch n := n.(type) {
	case *scanNode:
		if !within(n.cols) {
			return false
		}
		n.filters = append(n.filters, c)
		return true
	case *filterNode:
		if push(n.in, c) {
			return true
		}
		n.conds = append(n.conds, c)
		return true
	case *rowNumberNode:
		return push(n.in, c)
	case *joinNode:
		if len(set) > 0 && within(n.l.columns()) {
			if !push(n.l, c) {
				n.l = &filterNode{n.l, []*expr{c}}
			}
			return true
		}
		if n.kind == parse.LeftJoin {
			return false
		}
		if len(set) > 0 && within(n.r.columns()) {
			if !push(n.r, c) {
				n.r = &filterNode{n.r, []*expr{c}}
			}
			return true
		}
		n.on = append(n.on, c)
		return true
	case *aggNode:
		if len(n.keys) == 0 || len(set) == 0 || !within(n.keyCols) {
			return false
		}
		m := map[*column]*expr{}
		for i, k := range n.keyCols {
			m[k] = n.keys[i]
		}
		c = substitute(c, m)
		if !push(n.in, c) {
			n.in = &filterNode{n.in, []*expr{c}}
		}
		return true
	case *sortNode:
		return n.count < 0 && n.offset == 0 && len(n.on) == 0 && push(n.in, c)
	case *distinctNode:
		return push(n.in, c)
	case *projectNode:
		if n.skip != nil || !within(n.outs) {
			return false
		}
		m := map[*column]*expr{}
		for i, k := range n.outs {
			m[k] = n.items[i]
		}
		c = substitute(c, m)
		if !push(n.in, c) {
			n.in = &filterNode{n.in, []*expr{c}}
		}
		return true
	case *unionNode:
		for i, in := range n.ins {
			m := map[*column]*expr{}
			cols := in.columns()
			for k, o := range n.outs {
				m[o] = columnExpr(cols[k], parse.Pos{})
			}
			x := substitute(c, m)
			if !push(in, x) {
				n.ins[i] = &filterNode{in, []*expr{x}}
			}
		}
		return true
	}
	return false
}

// sides tells which inputs of a join an expression uses.
func (j *joinNode) sides(e *expr) (left, right bool) {
	l, r := j.l.columns(), j.r.columns()
	for c := range columnsOf(e) {
		left = left || contains(l, c)
		right = right || contains(r, c)
	}
	return
}

// pushJoinConditions moves the conditions of a join that use one of its inputs
// into that input. It comes before joinKeys, as what is moved may become a key of
// a join further down.
func pushJoinConditions(b *binder, n node) (node, error) {
	j, ok := n.(*joinNode)
	if !ok {
		return n, nil
	}
	var on []*expr
	for _, c := range j.on {
		switch inL, inR := j.sides(c); {
		case inR && !inL:
			if !push(j.r, c) {
				j.r = &filterNode{j.r, []*expr{c}}
			}
		case inL && !inR && j.kind != parse.LeftJoin:
			if !push(j.l, c) {
				j.l = &filterNode{j.l, []*expr{c}}
			}
		default:
			on = append(on, c)
		}
	}
	j.on = on
	return j, nil
}

// joinKeys finds the equalities to join by and builds the hash table over the
// smaller input.
func joinKeys(b *binder, n node) (node, error) {
	j, ok := n.(*joinNode)
	if !ok {
		return n, nil
	}
	side := j.sides
	for _, c := range j.on {
		if c.op == opCall && c.call.Func.Name == "=" {
			x, y := c.args[0], c.args[1]
			xl, xr := side(x)
			yl, yr := side(y)
			if xr && !xl && yl && !yr {
				x, y = y, x
				xl, xr, yl, yr = yl, yr, xl, xr
			}
			if xl && !xr && yr && !yl {
				// Both sides as the type they are compared as.
				var err error
				if x, err = b.castTo(x, c.call.Params[0], 0); err != nil {
					return nil, err
				}
				if y, err = b.castTo(y, c.call.Params[0], 0); err != nil {
					return nil, err
				}
				j.lkeys, j.rkeys = append(j.lkeys, x), append(j.rkeys, y)
				continue
			}
		}
		j.rest = append(j.rest, c)
	}
	j.on = nil
	j.guardKeys()
	if j.kind != parse.LeftJoin && estimate(j.l) < estimate(j.r) {
		j.l, j.r, j.lkeys, j.rkeys = j.r, j.l, j.rkeys, j.lkeys
	}
	return j, nil
}

// guardKeys lets keys of the left be computed only for the rows that may have a partner by
// the conditions on the left alone: for others they may fail.
func (j *joinNode) guardKeys() {
	var guard *expr
	for _, c := range j.rest {
		if l, r := j.sides(c); !l || r || c.costly() {
			continue
		}
		if guard == nil {
			guard = c
		} else {
			guard = &expr{op: opAnd, typ: boolType, pos: c.pos, args: []*expr{guard, c}}
		}
	}
	if guard == nil || j.kind != parse.LeftJoin {
		return
	}
	for i, k := range j.lkeys {
		if k.op != opColumn && !fixed(k) {
			j.lkeys[i] = &expr{op: opCase, typ: k.typ, pos: k.pos, enc: k.enc, text: k.text,
				args: []*expr{guard, k, {op: opConst, typ: k.typ, pos: k.pos}}}
		}
	}
}

// estimate guesses how many rows a node gives.
func estimate(n node) float64 {
	switch n := n.(type) {
	case *scanNode:
		rows := n.rows
		if n.lookup == nil {
			for range n.filters {
				rows = float64(rows * 0.3)
			}
		}
		if n.search != nil && n.search.count >= 0 {
			rows = min(rows, float64(n.search.count))
		}
		return rows
	case *filterNode:
		return float64(0.3 * estimate(n.in))
	case *joinNode:
		return max(estimate(n.l), estimate(n.r))
	case *aggNode:
		if len(n.keys) == 0 {
			return 1
		}
		return float64(0.1 * estimate(n.in))
	case *sortNode:
		if n.count >= 0 {
			return min(float64(n.count), estimate(n.in))
		}
		return estimate(n.in)
	case *limitNode:
		if n.count >= 0 {
			return min(float64(n.count), estimate(n.in))
		}
		return estimate(n.in)
	case *unionNode:
		sum := 0.0
		for _, in := range n.ins {
			sum += estimate(in)
		}
		return sum
	case *valuesNode:
		return float64(len(n.rows))
	case *metadataNode:
		return 1
	case *sourceNode:
		return n.rows
	}
	if ins := n.inputs(); len(ins) == 1 {
		return estimate(ins[0])
	}
	return 1000
}

// orderByIndex takes the first rows of an order from an index, where no
// condition but bounds of that column leaves out any. They are sorted still.
func orderByIndex(b *binder, n node) (node, error) {
	s, ok := n.(*sortNode)
	if !ok || s.count < 0 || len(s.on) > 0 || len(s.keys) != 1 || s.keys[0].expr.op != opColumn {
		return n, nil
	}
	scan, ok := s.in.(*scanNode)
	if !ok || scan.search != nil || scan.lookup != nil && scan.lookup.keys != nil {
		return n, nil
	}
	key := s.keys[0]
	index, ok := indexOn(scan.table.Def(), key.expr.col.ord)
	want := s.count + s.offset
	if !ok || want == 0 || want > fetchFirst || float64(want) > 0.1*float64(scan.table.Rows()) {
		return n, nil
	}
	if key.order.Desc != key.order.NullsFirst && !scan.table.Def().Columns[key.expr.col.ord].NotNull && len(scan.filters) == 0 {
		return n, nil // the index has its NULLs at the other end
	}
	l := &lookup{index: index, ord: key.expr.col.ord, last: key.order.Desc, first: int(want)}
	what := fmt.Sprintf("first %d by %s", want, key.text)
	for _, f := range scan.filters {
		c, ok := restrictionOf(f, key.expr.col)
		if !ok || c.keys != nil || c.bound.op == "like" { // LIKE may ask for more than how a text begins
			return n, nil
		}
		l.bounds = append(l.bounds, c.bound)
		what = c.text + ", " + what
	}
	l.text, scan.lookup = what, l
	scan.rows = float64(want)
	return n, nil
}

// topKSearch turns Sort + Limit by a score of a scan into a search.
func topKSearch(b *binder, n node) (node, error) {
	s, ok := n.(*sortNode)
	if !ok || s.count < 0 || len(s.on) > 0 || len(s.keys) == 0 || s.keys[0].order.NullsFirst {
		return n, nil
	}
	scan, ok := s.in.(*scanNode)
	e := s.keys[0].expr
	if !ok || scan.search != nil || !searchable(scan, e) {
		return n, nil
	}
	worst := e.measure.higherIsBetter() != s.keys[0].order.Desc
	if worst && e.measure.fromOne {
		for _, f := range scan.filters {
			if _, ok := threshold(f, e.key()); ok {
				return n, nil // the bound would not be exact
			}
		}
	}
	if len(s.keys) > 1 {
		if worst || s.count+s.offset > fetchFirst {
			return n, nil
		}
		scan.search = &search{score: e, count: s.count + s.offset, ranked: true, nulls: true, ties: true, text: s.keys[0].text}
		return s, nil
	}
	scan.search = &search{score: e, count: s.count + s.offset, worst: worst, ranked: true, nulls: true, text: s.keys[0].text}
	if s.offset > 0 {
		return &limitNode{scan, s.count, s.offset}, nil
	}
	return scan, nil
}

// searchable reports whether e compares a vector column of the scan with one
// vector.
func searchable(scan *scanNode, e *expr) bool {
	if e.op != opScore || e.args[0].op != opColumn || !contains(scan.cols, e.args[0].col) || e.args[1].varies() {
		return false
	}
	q := e.args[1]
	return !isConst(q) || !q.val.IsNull()
}

// threshold returns the fixed bound that a condition sets to the score of the
// given key, on the side of the better scores.
func threshold(c *expr, key string) (bound *expr, ok bool) {
	if c.op != opCall || len(c.args) != 2 {
		return nil, false
	}
	x, y, name := c.args[0], c.args[1], c.call.Func.Name
	if fixed(x) {
		x, y = y, x
		name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[name]
	}
	if x.op != opScore || !fixed(y) || isConst(y) && y.val.IsNull() || key != "" && x.key() != key {
		return nil, false
	}
	if better := x.measure.higherIsBetter(); better && (name == ">" || name == ">=") || !better && (name == "<" || name == "<=") {
		if y.typ.Kind == value.Integer || y.typ.Kind == value.Real {
			return y, true
		}
	}
	return nil, false
}

// rangeSearch gives a condition like score > 0.25 to the search, so that not
// every row is scored from its floats.
func rangeSearch(b *binder, n node) (node, error) {
	scan, ok := n.(*scanNode)
	if !ok {
		return n, nil
	}
	if scan.search != nil {
		for _, f := range scan.filters {
			if bound, ok := threshold(f, scan.search.score.key()); ok {
				scan.search.within = append(scan.search.within, bound)
			}
		}
		return scan, nil
	}
	if scan.lookup != nil {
		return scan, nil
	}
	for _, f := range scan.filters {
		if _, ok := threshold(f, ""); !ok {
			continue
		}
		e := f.args[0]
		if e.op != opScore {
			e = f.args[1]
		}
		if searchable(scan, e) {
			scan.search = &search{score: e, count: -1, text: f.text}
			for _, g := range scan.filters {
				if bound, ok := threshold(g, e.key()); ok {
					scan.search.within = append(scan.search.within, bound)
				}
			}
			break
		}
	}
	return scan, nil
}

// countFromMetadata answers count(*), and min and max of an indexed column,
// without a scan.
func countFromMetadata(b *binder, n node) (node, error) {
	a, ok := n.(*aggNode)
	if !ok || len(a.keys) > 0 || len(a.aggs) == 0 {
		return n, nil
	}
	scan, ok := a.in.(*scanNode)
	if !ok || len(scan.filters) > 0 || scan.lookup != nil || scan.search != nil {
		return n, nil
	}
	node := &metadataNode{table: scan.table, outs: a.aggCols}
	for _, g := range a.aggs {
		if g.filter != nil {
			return n, nil
		}
		item := exec.MetadataItem{Type: g.call.Result}
		switch name := g.call.Func.Name; {
		case name == "count" && (g.arg == nil || !g.distinct && g.arg.op == opColumn && scan.table.Def().Columns[g.arg.col.ord].NotNull):
			item.Count = true
		case (name == "min" || name == "max") && g.arg != nil && g.arg.op == opColumn:
			index, ok := indexOn(scan.table.Def(), g.arg.col.ord)
			if !ok || name == "max" && exec.Least(g.arg.typ.Kind).IsNull() {
				return n, nil
			}
			item.Index, item.Column, item.Last = index, g.arg.col.ord, name == "max"
		default:
			return n, nil
		}
		node.items = append(node.items, item)
	}
	return node, nil
}

// metadataNode is a row that is known without a scan.
type metadataNode struct {
	table *storage.Table
	items []exec.MetadataItem
	outs  []*column
}

func (n *metadataNode) columns() []*column { return n.outs }
func (n *metadataNode) inputs() []node     { return nil }

// indexOn finds an index whose first and only column is at ord; nil stands for
// the primary key.
func indexOn(def *storage.TableDef, ord int) (*storage.IndexDef, bool) {
	if def.PrimaryKey == ord {
		return nil, true
	}
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if len(x.Columns) == 1 && def.ColumnID(x.Columns[0]) == ord {
			return x, true
		}
	}
	return nil, false
}

// lookups finds the rows of a scan by the primary key or an index, where that
// is less work than reading the columns.
func lookups(b *binder, n node) (node, error) {
	scan, ok := n.(*scanNode)
	if !ok || len(scan.filters) == 0 || scan.lookup != nil {
		return n, nil
	}
	def := scan.table.Def()
	type candidate struct {
		lookup *lookup
		rows   float64
	}
	var best *candidate
	offer := func(l *lookup, rows float64) {
		if best == nil || rows < best.rows {
			best = &candidate{l, rows}
		}
	}
	for ord := range def.Columns {
		var conds []restriction
		for _, f := range scan.filters {
			if r, ok := restrictionOf(f, scan.cols[ord]); ok {
				conds = append(conds, r)
			}
		}
		if len(conds) == 0 {
			continue
		}
		for k := -1; k < len(def.Indexes); k++ {
			l, unique := &lookup{ord: ord}, false
			if k < 0 {
				if def.PrimaryKey != ord {
					continue
				}
				unique = true
			} else {
				l.index = &def.Indexes[k]
				if def.ColumnID(l.index.Columns[0]) != ord {
					continue
				}
				unique = l.index.Unique && len(l.index.Columns) == 1
			}
			rows, err := b.lookup(scan, l, conds, unique)
			if err != nil {
				return nil, err
			}
			if rows >= 0 {
				offer(l, rows)
			}
		}
	}
	if best != nil {
		scan.lookup, scan.rows = best.lookup, best.rows
	}
	return scan, nil
}

// lookup fills in what a look-up by the conditions on its column compares, and returns
// about how many rows it finds; -1 where it is not worth it.
func (b *binder) lookup(scan *scanNode, l *lookup, conds []restriction, unique bool) (rows float64, err error) {
	total := float64(scan.table.Rows())
	var texts []string
	for _, c := range conds {
		if c.keys != nil {
			if l.keys == nil || len(c.keys) < len(l.keys) {
				l.keys, texts = c.keys, []string{c.text}
			}
		} else if l.bounds = append(l.bounds, c.bound); l.keys == nil {
			texts = append(texts, c.text)
		}
	}
	l.text = strings.Join(texts, " AND ")
	if l.keys != nil && unique {
		l.bounds = nil
		if rows = float64(len(l.keys)); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	st, err := scan.table.Stats(b.ctx, l.ord)
	if err != nil {
		return 0, err
	}
	if l.keys != nil {
		l.bounds = nil
		if rows = float64(float64(len(l.keys)) * max(1, total/max(1, float64(st.Distinct)))); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	// How many rows a range has is seen from its bounds. Those that differ from run to run
	// are looked at by the run.
	most := max(64, total*0.05)
	var r storage.Range
	for _, x := range l.bounds {
		c, ok, err := b.peek(x.x)
		if err != nil {
			return 0, err
		}
		if !ok {
			l.most, rows = most, most
			continue
		}
		if x.x.op == opSlot {
			l.most = most
		}
		if !c.val.IsNull() {
			exec.Narrow(&r, x.op, c.val)
		}
	}
	switch est := float64(total * exec.Fraction(r, st)); {
	case l.most == 0 || b.explain:
		rows = est
	case rows == 0:
		rows = min(est, most)
	}
	if rows > most {
		return -1, nil
	}
	return rows, nil
}

// peek is constOf for estimates: it does not tie the plan to the values of arguments.
func (b *binder) peek(e *expr) (*expr, bool, error) {
	defer func(n int) { b.looked = b.looked[:n] }(len(b.looked))
	return b.constOf(e)
}

// restriction is what a condition says about one column: it is one of keys, or within
// a bound.
type restriction struct {
	keys  []*expr
	bound bound
	text  string
}

// restrictionOf reads a condition that compares column c with fixed values of its own
// type.
func restrictionOf(f *expr, c *column) (restriction, bool) {
	is := func(e *expr) bool { return e.op == opColumn && e.col == c }
	fits := func(e *expr) bool {
		return fixed(e) && !(isConst(e) && e.val.IsNull()) && e.typ.Kind == c.typ.Kind && e.typ.Kind != value.Vector
	}
	r := restriction{text: f.text}
	switch f.op {
	case opIn:
		if f.not || !is(f.args[0]) || len(f.args) < 2 {
			return r, false
		}
		r.keys = []*expr{}
		for _, a := range f.args[1:] {
			if isConst(a) && a.val.IsNull() {
				continue
			}
			if !fits(a) {
				return r, false
			}
			r.keys = append(r.keys, a)
		}
		return r, true
	case opCall:
		if len(f.args) != 2 {
			return r, false
		}
		x, y, name := f.args[0], f.args[1], f.call.Func.Name
		if is(y) {
			x, y = y, x
			name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[name]
		}
		if !is(x) || !fits(y) {
			return r, false
		}
		if isConst(y) && c.typ.Kind == value.Real && math.IsNaN(y.val.Float()) {
			return r, false
		}
		switch name {
		case "=":
			r.keys = []*expr{y}
			return r, true
		case "<", "<=", ">", ">=":
			r.bound = bound{name, y}
			return r, true
		case "like":
			if c.typ.Kind == value.Text && (!isConst(y) || exec.LikePrefix(y.val.Str()) != "") {
				r.bound = bound{name, y}
				return r, true
			}
		}
	}
	return r, false
}
