package optimize

import (
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Parts of rows that conditions keep where nothing is known of their columns.
const (
	someEqual = 0.05
	someRange = 0.3
	someLike  = 0.1
	someTrue  = 0.3
)

// estimates are how many rows nodes give, by the statistics of tables. What it takes is read once.
type estimates struct {
	stats map[statsOf]storage.ColumnStats
	rows  map[logical.Node]float64 // until a node below is changed
	tried map[triedOn]float64      // -1: a sample can't tell
	conds [][]*logical.Expr        // that were tried, so that others are not where they are
}

// changed says that estimates of rows have to be made anew.
func (k *estimates) changed() { clear(k.rows) }

type statsOf struct {
	table *storage.Table
	ord   int
}

// stats returns the statistics of a column of a scan; ok is false where there are none.
func (f *Facts) stats(scan *logical.Scan, c *logical.Column) (st storage.ColumnStats, ok bool) {
	at := statsOf{scan.Table, c.Ord}
	if st, ok = f.known.stats[at]; ok {
		return st, st.Rows > 0
	}
	st, err := scan.Table.Stats(f.Ctx, c.Ord)
	if err != nil { // what is damaged is told of by whoever reads it
		st = storage.ColumnStats{}
	}
	if f.known.stats == nil {
		f.known.stats = map[statsOf]storage.ColumnStats{}
	}
	f.known.stats[at] = st
	return st, st.Rows > 0
}

// Expected is how many rows a node of an improved plan is estimated to give.
func (f *Facts) Expected(n logical.Node) float64 {
	f.asked.Lock()
	defer f.asked.Unlock()
	f.known.changed()
	return f.rows(n)
}

// rows estimates how many rows a node gives.
func (f *Facts) rows(n logical.Node) float64 {
	rows, ok := f.known.rows[n]
	if !ok {
		rows = f.rowsOf(n)
		if f.known.rows == nil {
			f.known.rows = map[logical.Node]float64{}
		}
		f.known.rows[n] = rows
	}
	return rows
}

func (f *Facts) rowsOf(n logical.Node) float64 {
	switch n := n.(type) {
	case *logical.Scan:
		return f.scanRows(n)
	case *logical.Filter:
		return float64(f.kept(n.In, n.Conds) * f.rows(n.In))
	case *logical.Join:
		return f.joinRows(n)
	case *logical.Apply:
		return float64(10 * f.rows(n.Left))
	case *logical.Group:
		if len(n.Keys) == 0 {
			return 1
		}
		return f.values(n.In, n.Keys)
	case *logical.Distinct:
		var all []*logical.Expr
		for _, c := range n.In.Columns() {
			all = append(all, logical.ColumnExpr(c, parse.Pos{}))
		}
		return f.values(n.In, all)
	case *logical.Sort:
		rows := f.rows(n.In)
		if len(n.On) > 0 {
			rows = f.values(n.In, n.On)
		}
		return limited(rows, n.Count, n.Offset)
	case *logical.Limit:
		return limited(f.rows(n.In), n.Count, n.Offset)
	case *logical.Union:
		sum := 0.0
		for _, in := range n.Ins {
			sum += f.rows(in)
		}
		return sum
	case *logical.Values:
		return float64(len(n.Rows))
	case *logical.Metadata:
		return 1
	case *logical.Source:
		return n.Rows
	case *logical.Recursive:
		return f.rows(n.Seed) + f.rows(n.Step)
	case *logical.Working:
		if n.Of.Rows > 0 {
			return n.Of.Rows
		}
	case *logical.Shared:
		if n.Query.Rel.Node == nil {
			return 1000
		}
		return f.rows(n.Query.Rel.Node)
	}
	if ins := n.Inputs(); len(ins) == 1 {
		return f.rows(*ins[0])
	}
	return 1000
}

// expectWorking notes how many rows recursions are expected to work on: each of their first rows some
// times.
func (f *Facts) expectWorking(n logical.Node) {
	logical.AnyNode(n, func(n logical.Node) bool {
		if r, ok := n.(*logical.Recursive); ok {
			r.Of.Rows = float64(stepsOfRecursion * max(1, f.rows(r.Seed)))
		}
		return false
	})
}

// stepsOfRecursion is how many rows come of each of the first ones of WITH RECURSIVE, with itself.
const stepsOfRecursion = 3

func limited(rows float64, count, offset int64) float64 {
	rows = max(0, rows-float64(offset))
	if count >= 0 {
		rows = min(rows, float64(count))
	}
	return rows
}

func (f *Facts) scanRows(n *logical.Scan) float64 {
	var rows float64
	switch l := n.Lookup; {
	case l == nil || l.Match == nil && l.Fusion == nil && l.First == 0:
		total := float64(n.Table.Rows())
		rows = float64(total * f.kept(n, n.Filters))
	default:
		rows = n.Rows
		if l.Match != nil {
			rows = float64(rows * f.kept(n, n.Filters))
		}
	}
	if n.Search != nil {
		if n.Search.Among != nil {
			rows = f.rows(n.Search.Among)
		}
		for range n.Search.Within {
			rows = float64(rows * someTrue)
		}
		if n.Search.Count >= 0 {
			rows = min(rows, float64(n.Search.Count))
		}
	}
	return rows
}

func (f *Facts) joinRows(n *logical.Join) float64 {
	l, r := f.rows(n.Left), f.rows(n.Right)
	rows := float64(l * r)
	for i, k := range n.LeftKeys {
		rows = float64(rows * f.equal(n.Left, n.Right, k, n.RightKeys[i]) * f.notNull(n.Left, k) * f.notNull(n.Right, n.RightKeys[i]))
	}
	bounds := 0
	for _, conds := range [][]*logical.Expr{n.On, n.Rest} {
		for _, c := range conds {
			if l, r := n.Sides(c); l && r && c.Op == logical.OpCall && len(c.Args) == 2 && strings.ContainsAny(c.Call.Func.Name, "<>") && c.Call.Func.Name != "<>" {
				// Two of them are a range, as a rule, which is narrow.
				if bounds++; bounds == 2 {
					rows = float64(rows * someRange / 10)
					continue
				}
			}
			rows = float64(rows * f.keptPairs(n, c))
		}
	}
	if n.Kind == parse.LeftJoin {
		return max(l, rows+f.alone(l, rows))
	}
	return rows
}

// alone estimates how many of so many rows have no partner where all have so many partners
// together, each any of them.
func (f *Facts) alone(rows, partners float64) float64 {
	if rows <= 0 {
		return 0
	}
	return float64(rows * math.Exp(-partners/rows))
}

// keptPairs estimates which part of the pairs of a join's inputs a condition keeps.
func (f *Facts) keptPairs(n *logical.Join, c *logical.Expr) float64 {
	if c.Op == logical.OpCall && len(c.Args) == 2 && c.Call.Func.Name == "=" {
		x, y := c.Args[0], c.Args[1]
		xl, xr := n.Sides(x)
		yl, yr := n.Sides(y)
		switch {
		case xl && !xr && yr && !yl:
			return f.equal(n.Left, n.Right, x, y)
		case xr && !xl && yl && !yr:
			return f.equal(n.Left, n.Right, y, x)
		}
	}
	return f.keeps(n, c)
}

// notNull estimates in which part of the rows of a node a key of a join is there.
func (f *Facts) notNull(n logical.Node, k *logical.Expr) float64 {
	if k.Op != logical.OpColumn {
		return 1
	}
	scan, filters := scanOf(n, k.Column)
	if scan == nil {
		return 1
	}
	st, ok := f.stats(scan, k.Column)
	if !ok || st.Nulls == 0 {
		return 1
	}
	for _, x := range filters {
		if c, not := logical.NullTest(x); c == k.Column && !not {
			return 0
		}
		if _, ok := restrictionOf(x, k.Column); ok {
			return 1
		}
	}
	return 1 - float64(st.Nulls)/float64(st.Rows)
}

// equal estimates which part of the pairs of rows of two nodes have equal values.
func (f *Facts) equal(l, r logical.Node, x, y *logical.Expr) float64 {
	return 1 / max(1, f.values(l, []*logical.Expr{x}), f.values(r, []*logical.Expr{y}))
}

// values estimates how many different values expressions have in the rows of a node.
func (f *Facts) values(n logical.Node, es []*logical.Expr) float64 {
	rows := f.rows(n)
	all := 1.0
	for c := range logical.ColumnsOf(es...) {
		all = float64(all * f.distinct(n, c, rows))
	}
	return max(min(1, rows), min(all, rows))
}

// distinct estimates how many values a column has in rows rows of a node.
func (f *Facts) distinct(n logical.Node, c *logical.Column, rows float64) float64 {
	scan, filters := scanOf(n, c)
	if scan == nil {
		return max(1, min(rows, f.distinctMade(n, c, rows)))
	}
	var bounds []*logical.Expr
	for _, x := range filters {
		if null, not := logical.NullTest(x); null == c && !not {
			return 1
		}
		switch r, ok := restrictionOf(x, c); {
		case ok && r.keys != nil:
			return min(float64(max(1, len(r.keys))), max(1, rows))
		case ok:
			bounds = append(bounds, x)
		}
	}
	st, ok := f.stats(scan, c)
	if !ok || st.Distinct == 0 {
		return max(1, rows)
	}
	d := float64(st.Distinct)
	if st.Nulls > 0 {
		d++
	}
	part := f.kept(scan, bounds)
	d = max(1, float64(d*part))
	total := max(rows, float64(float64(scan.Table.Rows())*part))
	if rows < total && total > 0 {
		// Of d values that total/d rows each have, those that some of the rows have.
		d = float64(d * (1 - math.Pow(1-rows/total, total/d)))
	}
	return max(1, min(d, rows))
}

// distinctMade estimates how many values a column has that a node below n makes.
func (f *Facts) distinctMade(n logical.Node, c *logical.Column, rows float64) float64 {
	most := rows
	logical.AnyNode(n, func(n logical.Node) bool {
		var of []*logical.Expr
		var outs []*logical.Column
		in := n
		switch n := n.(type) {
		case *logical.Project:
			of, outs, in = n.Items, n.Outs, n.In
		case *logical.Group:
			of, outs, in = n.Keys, n.KeyCols, n.In
		case *logical.Union:
			i := slices.Index(n.Outs, c)
			if i < 0 {
				return false
			}
			most = 0
			for _, in := range n.Ins {
				most += f.distinct(in, in.Columns()[i], f.rows(in))
			}
			return true
		default:
			return false
		}
		i := slices.Index(outs, c)
		if i >= 0 {
			most = f.values(in, of[i:i+1])
		}
		return i >= 0
	})
	return most
}

// scanOf finds the scan below n that reads c, and the conditions on it.
func scanOf(n logical.Node, c *logical.Column) (*logical.Scan, []*logical.Expr) {
	scan := logical.ScanFor(n, c)
	if scan == nil {
		return nil, nil
	}
	return scan, scan.Filters
}

// kept estimates which part of the rows of a node conditions keep.
func (f *Facts) kept(n logical.Node, conds []*logical.Expr) float64 {
	part, rest := f.sampledKept(n, conds)
	return float64(part * f.keptByStats(n, rest))
}

// keptByStats is kept by the statistics of columns alone.
func (f *Facts) keptByStats(n logical.Node, conds []*logical.Expr) float64 {
	part := 1.0
	ranges := map[*logical.Column]storage.Range{}
	for _, c := range conds {
		if col, op, v, ok := f.bound(c); ok {
			if scan := logical.ScanFor(n, col); scan != nil {
				r := ranges[col]
				exec.Narrow(&r, op, v)
				ranges[col] = r
				continue
			}
		}
		part = float64(part * f.keeps(n, c))
	}
	for col, r := range ranges {
		st, ok := f.stats(logical.ScanFor(n, col), col)
		if !ok {
			part = float64(part * someRange)
			continue
		}
		least := 0.0 // the rows of one value, where that can be within
		if st.Distinct > 0 && !st.Min.IsNull() && (r.Low.IsNull() || value.Compare(r.Low, st.Max) <= 0) && (r.High.IsNull() || value.Compare(r.High, st.Min) >= 0) {
			least = 1 / float64(st.Distinct)
		}
		part = float64(part * min(1, max(least, exec.Fraction(r, st))) * (1 - float64(st.Nulls)/float64(st.Rows)))
	}
	return part
}

// bound reads a condition that a column is beyond a value that is known.
func (f *Facts) bound(e *logical.Expr) (c *logical.Column, op string, v value.Value, ok bool) {
	for set := range logical.ColumnsOf(e) {
		if c != nil {
			return nil, "", v, false
		}
		c = set
	}
	if c == nil {
		return nil, "", v, false
	}
	r, ok := restrictionOf(e, c)
	if !ok || r.keys != nil || r.bound.Op == "like" {
		return nil, "", v, false
	}
	x, ok, err := f.Peek(r.bound.X)
	if err != nil || !ok || x.Value.IsNull() || x.Value.Kind() != c.Type.Kind {
		return nil, "", v, false
	}
	return c, r.bound.Op, x.Value, true
}

// keeps estimates which part of the rows of a node one condition keeps.
func (f *Facts) keeps(n logical.Node, e *logical.Expr) float64 {
	switch e.Op {
	case logical.OpConst:
		if !e.Value.IsNull() && e.Value.Kind() == value.Boolean && e.Value.Bool() {
			return 1
		}
		return 0
	case logical.OpAnd:
		return f.kept(n, logical.Conjuncts(e, nil))
	case logical.OpOr:
		a, b := f.keeps(n, e.Args[0]), f.keeps(n, e.Args[1])
		return a + b - float64(a*b)
	case logical.OpIn:
		if e.Slot != nil && e.Slot.What == logical.SlotQuery { // of what the query gives, all is there
			q := e.Slot.Of.Query.Rel
			part := min(1, float64(f.values(q.Node, []*logical.Expr{logical.ColumnExpr(q.Cols[0], e.Pos)})*f.oneOf(n, e.Args[0])))
			if e.Not {
				return 1 - part
			}
			return part
		}
		part := min(1, float64(float64(max(1, len(e.Args)-1))*f.oneOf(n, e.Args[0])))
		if e.Not {
			return 1 - part
		}
		return part
	case logical.OpInQuery, logical.OpExists:
		return 0.5
	case logical.OpCall:
	default:
		return someTrue
	}
	name := e.Call.Func.Name
	switch name {
	case "not":
		return 1 - f.keeps(n, e.Args[0])
	case "is null", "is not null":
		part := someEqual
		if c, _ := logical.NullTest(e); c != nil {
			if j, ok := n.(*logical.Join); ok && j.Kind == parse.LeftJoin && slices.Contains(j.Right.Columns(), c) {
				l, all := f.rows(j.Left), f.rows(n)
				inner := *j
				inner.Kind = parse.InnerJoin
				part = min(1, f.alone(l, f.joinRows(&inner))/max(1, all))
			} else if scan := logical.ScanFor(n, c); scan != nil {
				if st, ok := f.stats(scan, c); ok {
					part = float64(st.Nulls) / float64(st.Rows)
				}
			}
		}
		if name == "is not null" {
			return 1 - part
		}
		return part
	case "=", "<>", "is distinct from", "is not distinct from":
		x, y := e.Args[0], e.Args[1]
		part := 0.0
		switch {
		case logical.Fixed(y):
			part = f.equalTo(n, x, y)
		case logical.Fixed(x):
			part = f.equalTo(n, y, x)
		default:
			part = min(f.oneOf(n, x), f.oneOf(n, y))
		}
		if name == "<>" || name == "is distinct from" {
			return 1 - part
		}
		return part
	case "<", "<=", ">", ">=":
		if part, ok := f.countKept(n, e); ok {
			return part
		}
		return someRange
	case "like", "ilike":
		return someLike
	case "not like", "not ilike":
		return 1 - someLike
	}
	return someTrue
}

// countKept estimates which part of groups a condition on count(*) keeps.
func (f *Facts) countKept(n logical.Node, e *logical.Expr) (float64, bool) {
	x, to := e.Args[0], e.Args[1]
	more := strings.HasPrefix(e.Call.Func.Name, ">")
	if x.Op != logical.OpColumn {
		x, to, more = to, x, !more
	}
	if x.Op != logical.OpColumn || !logical.Fixed(to) {
		return 0, false
	}
	var of *logical.Group
	logical.AnyNode(n, func(n logical.Node) bool {
		g, ok := n.(*logical.Group)
		if ok {
			if i := slices.Index(g.AggCols, x.Column); i >= 0 && g.Aggs[i].Call.Func.Name == "count" && g.Aggs[i].Arg == nil && len(g.Keys) > 0 {
				of = g
			}
		}
		return of != nil
	})
	if of == nil {
		return 0, false
	}
	v, ok, err := f.Peek(to)
	if err != nil || !ok || v.Value.Kind() != value.Integer {
		return 0, false
	}
	// As many groups of each size as of twice the size, times e: what is usual where values are not even.
	beyond := min(1, math.Exp(-float64(v.Value.Int())/max(1, f.rows(of.In)/max(1, f.rows(of)))))
	if more {
		return beyond, true
	}
	return 1 - beyond, true
}

// oneOf estimates which part of the rows has one value of an expression.
func (f *Facts) oneOf(n logical.Node, e *logical.Expr) float64 {
	if e.Op != logical.OpColumn {
		return someEqual
	}
	scan := logical.ScanFor(n, e.Column)
	if scan == nil {
		return someEqual
	}
	st, ok := f.stats(scan, e.Column)
	if !ok || st.Distinct == 0 {
		return someEqual
	}
	return (1 - float64(st.Nulls)/float64(st.Rows)) / float64(st.Distinct)
}

// equalTo estimates which part of the rows has a value that is known, perhaps.
func (f *Facts) equalTo(n logical.Node, e, to *logical.Expr) float64 {
	part := f.oneOf(n, e)
	if e.Op != logical.OpColumn {
		return part
	}
	scan := logical.ScanFor(n, e.Column)
	if scan == nil {
		return part
	}
	v, ok, err := f.Peek(to)
	if err != nil || !ok {
		return part
	}
	if v.Value.IsNull() {
		return 0
	}
	st, ok := f.stats(scan, e.Column)
	if ok && st.Min.Kind() == v.Value.Kind() && (value.Compare(v.Value, st.Min) < 0 || value.Compare(v.Value, st.Max) > 0) {
		return part / 10
	}
	return part
}
