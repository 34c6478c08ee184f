package optimize

import (
	"math"
	"math/bits"
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// orderJoins puts inner joins that follow on each other into the order which is the least work
// by the statistics of their tables. Up to dynamicMost inputs all orders are compared, beyond
// that the two inputs are joined first that give the fewest rows, and so on. Without conditions
// between them inputs are joined last.
//
// A condition that may fail stays above all that stands before it in the statement: it is tried
// for no row for which it was not tried as written.
func orderJoins(f *Facts, n logical.Node) (logical.Node, error) {
	j, ok := n.(*logical.Join)
	if !ok || j.Kind == parse.LeftJoin {
		return n, logical.MapInputs(n, func(in logical.Node) (logical.Node, error) { return orderJoins(f, in) })
	}
	o := &joinOrder{f: f, made: map[inputs]*joined{}}
	if err := o.collect(n); err != nil {
		return nil, err
	}
	if len(o.leaves) < 3 || len(o.leaves) > mostInputs || o.fixed {
		return o.asWritten(n), nil
	}
	o.prepare()
	written := o.written(n)
	if !slices.ContainsFunc(o.near, func(s inputs) bool { return s != 0 }) {
		return o.asWritten(n), nil // nothing speaks for another order
	}
	best := o.best()
	if best == nil || best.cost > 0.8*written.cost {
		return o.asWritten(n), nil
	}
	o.f.known.changed()
	top := o.build(best).(*logical.Join)
	for _, c := range o.conds {
		if c.last {
			top.Rest = append(top.Rest, c.e)
		}
	}
	return top, nil
}

const (
	dynamicMost = 12
	mostInputs  = 64
)

// inputs is a set of the inputs of a tree of joins, a bit for each.
type inputs uint64

func (s inputs) has(all inputs) bool { return s&all == all }

// joinOrder is a tree of inner joins to be ordered.
type joinOrder struct {
	f      *Facts
	leaves []logical.Node
	at     map[*logical.Column]int
	conds  []*joinCond
	equals []*equalClass
	near   []inputs // the inputs that a condition connects an input with
	made   map[inputs]*joined
	fixed  bool // the order must stay
}

// joinCond is a condition of a join.
type joinCond struct {
	e      *logical.Expr
	uses   inputs
	part   float64 // of pairs that it keeps
	class  *equalClass
	x, y   inputs // what the sides of an equality use; 0 = it is no key
	fails  bool   // it may fail, or runs a query: see orderJoins
	last   bool   // it is about one input, or none, and could not be moved there
	l, r   inputs // where it stands: the inputs of that join
	xFails bool
	yFails bool
}

// equalClass are columns that are equal to each other.
type equalClass struct {
	cols []*logical.Column
	uses inputs
	pos  parse.Pos
	each map[inputs]float64 // how many values the column of an input has
}

// joined is a way to join a set of inputs.
type joined struct {
	set         inputs
	rows, cost  float64
	left, right *joined // nil for one input
	seek        bool    // the right one is looked up by an index
}

// collect finds the inputs and conditions of the tree, and orders what is below.
func (o *joinOrder) collect(n logical.Node) error {
	o.at = map[*logical.Column]int{}
	_, err := o.collectBelow(n)
	return err
}

func (o *joinOrder) collectBelow(n logical.Node) (inputs, error) {
	j, ok := n.(*logical.Join)
	if !ok || j.Kind == parse.LeftJoin {
		n, err := orderJoins(o.f, n)
		if err != nil {
			return 0, err
		}
		i := len(o.leaves)
		for _, c := range n.Columns() {
			o.at[c] = i
		}
		o.leaves = append(o.leaves, n)
		if i >= mostInputs {
			return 0, nil
		}
		return 1 << i, nil
	}
	l, err := o.collectBelow(j.Left)
	if err != nil {
		return 0, err
	}
	r, err := o.collectBelow(j.Right)
	if err != nil {
		return 0, err
	}
	for _, e := range j.On {
		o.conds = append(o.conds, &joinCond{e: e, l: l, r: r})
		o.fixed = o.fixed || e.Unstable()
	}
	return l | r, nil
}

// asWritten is the tree in its own order, over inputs that are ordered.
func (o *joinOrder) asWritten(n logical.Node) logical.Node {
	i := 0
	var again func(n logical.Node) logical.Node
	again = func(n logical.Node) logical.Node {
		j, ok := n.(*logical.Join)
		if !ok || j.Kind == parse.LeftJoin {
			i++
			return o.leaves[i-1]
		}
		j.Left = again(j.Left)
		j.Right = again(j.Right)
		return j
	}
	return again(n)
}

func (o *joinOrder) usedBy(e *logical.Expr) (s inputs) {
	for c := range logical.ColumnsOf(e) {
		if i, ok := o.at[c]; ok {
			s |= 1 << i
		}
	}
	return s
}

// prepare finds what the conditions compare.
func (o *joinOrder) prepare() {
	o.near = make([]inputs, len(o.leaves))
	for _, c := range o.conds {
		c.uses = o.usedBy(c.e)
		c.fails = mayFail(c.e) || c.e.Costly()
		if c.last = bits.OnesCount64(uint64(c.uses)) < 2; c.last {
			c.part = someTrue
			continue
		}
		if x, y, ok := columnsEqual(c.e); ok && bits.OnesCount64(uint64(c.uses)) == 2 {
			o.equal(c, x, y)
		} else if c.e.Op == logical.OpCall && c.e.Call.Func.Name == "=" {
			x, y := o.usedBy(c.e.Args[0]), o.usedBy(c.e.Args[1])
			if x != 0 && y != 0 && x&y == 0 {
				c.x, c.y = x, y
				c.xFails = mayFail(c.e.Args[0]) || c.e.Args[0].Costly() || o.casts(c, 0)
				c.yFails = mayFail(c.e.Args[1]) || c.e.Args[1].Costly() || o.casts(c, 1)
			}
		}
		c.part = o.part(c)
		for s := c.uses; s != 0; s &= s - 1 {
			o.near[bits.TrailingZeros64(uint64(s))] |= c.uses
		}
	}
	// Two columns of one input that equal the same one of another are equal.
	for _, k := range o.equals {
		first := map[int]*logical.Column{}
		for _, c := range k.cols {
			i := o.at[c]
			if first[i] == nil {
				first[i] = c
			} else {
				pushInto(&o.leaves[i], equalityOf(first[i], c, k.pos))
				o.f.known.changed()
			}
		}
		for s := k.uses; s != 0; s &= s - 1 {
			o.near[bits.TrailingZeros64(uint64(s))] |= k.uses
		}
	}
}

// casts reports whether a side of an equality is converted in a way that may fail.
func (o *joinOrder) casts(c *joinCond, side int) bool {
	return c.e.Args[side].Type.Kind != c.e.Call.Params[side].Kind
}

// equal puts the columns of an equality into one class.
func (o *joinOrder) equal(c *joinCond, x, y *logical.Column) {
	find := func(c *logical.Column) *equalClass {
		for _, k := range o.equals {
			if slices.Contains(k.cols, c) {
				return k
			}
		}
		k := &equalClass{cols: []*logical.Column{c}, uses: 1 << o.at[c]}
		o.equals = append(o.equals, k)
		return k
	}
	a, b := find(x), find(y)
	if a != b {
		a.cols, a.uses = append(a.cols, b.cols...), a.uses|b.uses
		o.equals = slices.DeleteFunc(o.equals, func(k *equalClass) bool { return k == b })
		for _, d := range o.conds {
			if d.class == b {
				d.class = a
			}
		}
	}
	a.pos, c.class = c.e.Pos, a
}

// equalityOf says that two columns are equal.
func equalityOf(x, y *logical.Column, pos parse.Pos) *logical.Expr {
	named := func(c *logical.Column) *logical.Expr {
		e := logical.ColumnExpr(c, pos)
		e.Text = fullName(c)
		return e
	}
	e, err := logical.CallRows("=", pos, named(x), named(y))
	if err != nil {
		panic(err) // they were compared with another column of their type
	}
	e.Text = fullName(x) + " = " + fullName(y)
	return e
}

// part estimates which part of all combinations of rows a condition keeps.
func (o *joinOrder) part(c *joinCond) float64 {
	if c.x == 0 || bits.OnesCount64(uint64(c.x)) != 1 || bits.OnesCount64(uint64(c.y)) != 1 {
		if c.e.Op == logical.OpCall && c.e.Call.Func.Name == "=" {
			return someEqual
		}
		return someTrue
	}
	return o.f.equal(o.leaf(c.x), o.leaf(c.y), c.e.Args[0], c.e.Args[1])
}

func (o *joinOrder) leaf(s inputs) logical.Node { return o.leaves[bits.TrailingZeros64(uint64(s))] }

// applies reports whether a condition can be tried where these inputs are joined.
func (c *joinCond) applies(s inputs) bool {
	return s.has(c.uses) && (!c.fails || s.has(c.l|c.r))
}

// key reports whether it can be a key of a join of two sets.
func (c *joinCond) key(l, r inputs) bool {
	if c.x == 0 {
		return false
	}
	x, y := l, r
	if !x.has(c.x) {
		x, y = r, l
	}
	// A side that may fail is computed for rows that it was computed for as written.
	as := func(s, uses inputs) bool {
		if c.l.has(uses) {
			return s.has(c.l)
		}
		return c.r.has(uses) && s.has(c.r)
	}
	return x.has(c.x) && y.has(c.y) && (!c.xFails || as(x, c.x)) && (!c.yFails || as(y, c.y))
}

// rows estimates how many rows a set of inputs gives, in whichever order it is joined.
func (o *joinOrder) rows(s inputs) float64 {
	rows := 1.0
	for r := s; r != 0; r &= r - 1 {
		rows = float64(rows * o.one(r&-r).rows)
	}
	for _, c := range o.conds {
		if c.class == nil && !c.last && c.applies(s) {
			rows = float64(rows * c.part)
		}
	}
	for _, k := range o.equals {
		least, n := math.Inf(1), 0
		for r := s & k.uses; r != 0; r &= r - 1 {
			d := o.distinct(k, r&-r)
			rows = rows / d
			least = min(least, d)
			n++
		}
		if n > 0 {
			rows = float64(rows * least)
		}
	}
	return rows
}

// distinct is how many values the column of a class has in one input.
func (o *joinOrder) distinct(k *equalClass, s inputs) float64 {
	if d, ok := k.each[s]; ok {
		return d
	}
	if k.each == nil {
		k.each = map[inputs]float64{}
	}
	d := 1.0
	for _, c := range k.cols {
		if s == 1<<o.at[c] {
			d = max(d, o.f.values(o.leaf(s), []*logical.Expr{logical.ColumnExpr(c, parse.Pos{})}))
		}
	}
	k.each[s] = d
	return d
}

// one is an input alone.
func (o *joinOrder) one(s inputs) *joined {
	if j := o.made[s]; j != nil {
		return j
	}
	n := o.leaf(s)
	j := &joined{set: s, rows: max(o.f.rows(n), 0.01), cost: o.f.work(n)}
	o.made[s] = j
	return j
}

// The work of a join, in units of a row that is read: of one that is put into a hash table, of
// one that is looked up there, of one that is looked up by an index or by the primary key, of a block
// of which rows are read that were found so, of a pair that is tried.
const (
	hashWork  = 2
	probeWork = 1
	seekWork  = 60
	keyWork   = 30
	blockWork = 100
	pairWork  = 0.3
)

// seeks estimates the work of looking up the partners of so many rows in a table, by the index of a
// column. They are looked up a batch at a time, and its partners may lie anywhere: each batch but the
// first, whose blocks are part of the look-ups, reads blocks that were read before.
func (f *Facts) seeks(scan *logical.Scan, c *logical.Column, outer float64) float64 {
	table, blocks := float64(scan.Table.Rows()), float64(scan.Table.Blocks())
	partners := 1.0
	if st, ok := f.stats(scan, c); ok && st.Distinct > 0 {
		partners = max(1, table/float64(st.Distinct))
	}
	batches := max(1, outer/value.BatchSize)
	found := float64(outer*partners) / batches
	read := float64(blocks*found) / (blocks + found) // of the blocks, by the rows of a batch
	work := float64(float64((batches-1)*read) * blockWork)
	if scan.Table.Def().PrimaryKey == c.Ord {
		return float64(keyWork*outer) + work
	}
	return float64(seekWork*outer) + work
}

// join is the best way to join two sets.
func (o *joinOrder) join(l, r *joined) *joined {
	set := l.set | r.set
	out := &joined{set: set, left: l, right: r}
	if have := o.made[set]; have != nil {
		out.rows = have.rows
	} else {
		out.rows = o.rows(set)
	}
	keyed := o.keyed(l.set, r.set)
	switch {
	case keyed:
		out.cost = l.cost + r.cost + float64(probeWork*max(l.rows, r.rows)) + float64(hashWork*min(l.rows, r.rows))
	default:
		out.cost = l.cost + r.cost + float64(pairWork*l.rows*r.rows) + l.rows + r.rows
	}
	if keyed {
		for _, side := range [][2]*joined{{l, r}, {r, l}} {
			outer, in := side[0], side[1]
			if in.left != nil {
				continue
			}
			if c := o.seekable(outer.set, in.set); c != nil {
				if cost := outer.cost + o.f.seeks(o.leaf(in.set).(*logical.Scan), c, outer.rows); cost < out.cost {
					out.cost, out.left, out.right, out.seek = cost, outer, in, true
				}
			}
		}
	}
	out.cost += out.rows
	return out
}

// keyed reports whether two sets can be joined by keys.
func (o *joinOrder) keyed(l, r inputs) bool {
	for _, k := range o.equals {
		if k.uses&l != 0 && k.uses&r != 0 {
			return true
		}
	}
	for _, c := range o.conds {
		if c.class == nil && c.key(l, r) && c.applies(l|r) {
			return true
		}
	}
	return false
}

// seekable returns a column of an input that has an index and is a key by which it is joined with a
// set, nil if there is none.
func (o *joinOrder) seekable(outer, in inputs) *logical.Column {
	scan, ok := o.leaf(in).(*logical.Scan)
	if !ok {
		return nil
	}
	for _, k := range o.equals {
		if k.uses&outer == 0 || k.uses&in == 0 {
			continue
		}
		for _, c := range k.cols {
			if in == 1<<o.at[c] {
				if _, ok := seekIndex(scan, c); ok {
					return c
				}
			}
		}
	}
	return nil
}

// written is the order of the statement.
func (o *joinOrder) written(n logical.Node) *joined {
	i := 0
	var again func(n logical.Node) *joined
	again = func(n logical.Node) *joined {
		j, ok := n.(*logical.Join)
		if !ok || j.Kind == parse.LeftJoin {
			i++
			return o.one(1 << (i - 1))
		}
		l := again(j.Left)
		return o.join(l, again(j.Right))
	}
	return again(n)
}

// connected reports whether a condition connects two sets.
func (o *joinOrder) connected(l, r inputs) bool {
	near := inputs(0)
	for s := l; s != 0; s &= s - 1 {
		near |= o.near[bits.TrailingZeros64(uint64(s))]
	}
	if near&r == 0 {
		return false
	}
	for _, k := range o.equals {
		if k.uses&l != 0 && k.uses&r != 0 {
			return true
		}
	}
	for _, c := range o.conds {
		if c.class == nil && !c.last && c.uses&l != 0 && c.uses&r != 0 && c.applies(l|r) {
			return true
		}
	}
	return false
}

// build makes joins of an order.
func (o *joinOrder) build(j *joined) logical.Node {
	if j.left == nil {
		return o.leaf(j.set)
	}
	l, r := j.left.set, j.right.set
	out := &logical.Join{Kind: parse.InnerJoin, Left: o.build(j.left), Right: o.build(j.right)}
	for _, c := range o.conds {
		if c.class != nil || c.last || !c.applies(j.set) || c.applies(l) || c.applies(r) {
			continue
		}
		if c.x != 0 && !c.key(l, r) {
			out.Rest = append(out.Rest, c.e) // no key of this join
			continue
		}
		out.On = append(out.On, c.e)
	}
	for _, k := range o.equals {
		if k.uses&l == 0 || k.uses&r == 0 {
			continue
		}
		if e := o.writtenOf(k, l, r); e != nil {
			out.On = append(out.On, e)
			continue
		}
		var x, y *logical.Column
		for _, c := range k.cols {
			if s := inputs(1) << o.at[c]; x == nil && l.has(s) {
				x = c
			} else if y == nil && r.has(s) {
				y = c
			}
		}
		out.On = append(out.On, equalityOf(x, y, k.pos))
	}
	return out
}

// writtenOf is the equality of a class between two sets that the statement has, or nil.
func (o *joinOrder) writtenOf(k *equalClass, l, r inputs) *logical.Expr {
	for _, c := range o.conds {
		if c.class != k {
			continue
		}
		x, y := inputs(1)<<o.at[c.e.Args[0].Column], inputs(1)<<o.at[c.e.Args[1].Column]
		if l.has(x) && r.has(y) || l.has(y) && r.has(x) {
			return c.e
		}
	}
	return nil
}

// work estimates what it takes to compute the rows of a node, in rows that are read.
func (f *Facts) work(n logical.Node) float64 {
	scan, ok := n.(*logical.Scan)
	if !ok {
		work := f.rows(n)
		for _, in := range n.Inputs() {
			work += f.work(*in)
		}
		return work
	}
	all := float64(scan.Table.Rows())
	for _, x := range scan.Filters {
		for c := range logical.ColumnsOf(x) {
			if r, ok := restrictionOf(x, c); ok && r.keys != nil {
				if _, ok := seekIndex(scan, c); ok {
					all = min(all, float64(seekWork*max(1, float64(all*f.keeps(scan, x)))))
				}
			}
		}
	}
	return all
}
