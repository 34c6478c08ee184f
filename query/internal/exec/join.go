package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// HashJoin joins two inputs on equal keys. The right one is held in a hash
// table, the left one streams: its rows keep their order. With outer, rows of
// the left without partner come once, with NULLs. Without keys every pair is
// tried.
type HashJoin struct {
	left, right  Operator
	env          *Env
	ctx          *fn.Ctx
	lkeys, rkeys []fn.Expr
	types        []value.Type // of the keys
	rest         []fn.Expr    // further conditions on a pair
	outer        bool
	leftCols     int
	rightTypes   []value.Type
	text         string

	built bool
	table *keyedRows
	probe *fn.Probe
	held  int64

	sought  *Scan // see Seek
	seekKey int
	seen    int // rows of the left
	rows    []uint64

	between *between // see Between

	Once    bool // a key may have another value when computed again
	level   int
	matched *matchedRows   // notes the rows of the left that have a partner, unless nil
	parts   [2]*partitions // of the left and the right side, which has no room in memory
	turn    inTurn         // of parts

	batch *value.Batch // of the left
	ids   []int32
	pos   int   // position within the batch's selection
	chain int32 // next partner of that row; -2 = not begun
	found bool  // the row has had a partner
	sel   []int32

	li, ri []int32
	narrowing
	out value.Batch
}

// NewHashJoin returns a HashJoin; leftCols is the number of columns of the left,
// rightTypes are the types of the right's.
func NewHashJoin(l, r Operator, env *Env, c *fn.Ctx, lkeys, rkeys []fn.Expr, types []value.Type, rest []fn.Expr, outer bool, leftCols int, rightTypes []value.Type, text string) (*HashJoin, error) {
	return &HashJoin{left: l, right: r, env: env, ctx: c, lkeys: lkeys, rkeys: rkeys, types: types, rest: rest,
		outer: outer, leftCols: leftCols, rightTypes: rightTypes, text: text, chain: -2}, nil
}

// Seek makes the join read from the right side, whose scan is given, only the partners of each
// batch of the left, which it finds by an index on its key of that number. Once the left has
// had more rows than the scan's look-up is for, it reads all of the right side.
func (j *HashJoin) Seek(s *Scan, key int) { j.sought, j.seekKey = s, key }

// seek holds the partners of a batch of the left.
func (j *HashJoin) seek(ctx context.Context, b *value.Batch) error {
	l := j.sought.Within
	if j.seen += b.Count(); float64(j.seen) > l.Most {
		j.built = true
		if err := j.sought.seek(nil, true); err != nil {
			return err
		}
		return j.build(ctx)
	}
	keys, err := j.lkeys[j.seekKey].Eval(j.ctx, b, b.Sel)
	if err != nil {
		return err
	}
	groups := fn.NewGroups(j.types[j.seekKey : j.seekKey+1])
	ids := make([]int32, b.Len)
	if err := groups.Assign([]fn.Arg{keys}, b.Len, b.Sel, fn.SkipNull, ids); err != nil {
		return err
	}
	j.rows = j.rows[:0]
	next := int32(0)
	for _, i := range b.Selected() {
		if ids[i] != next { // NULL, or sought already
			continue
		}
		next++
		if l.Index == nil {
			row, ok, err := j.sought.Table.Lookup(ctx, keys.At(int(i)))
			if err != nil {
				return err
			}
			if ok {
				j.rows = append(j.rows, row)
			}
		} else if j.rows, err = j.sought.Table.AppendRows(ctx, j.rows, l.Index, keys.At(int(i))); err != nil {
			return err
		}
	}
	if !slices.IsSorted(j.rows) {
		slices.Sort(j.rows)
	}
	if err := j.sought.seek(j.rows, false); err != nil {
		return err
	}
	return j.build(ctx)
}

// Prepare reads the right side, before anything is asked for. It reports false where that has no room in
// memory: its rows are in a file then, and those of the left have to go there, too.
func (j *HashJoin) Prepare(ctx context.Context) (bool, error) {
	if j.built {
		return j.parts[1] == nil, nil
	}
	err := j.gather(ctx)
	return j.parts[1] == nil, err
}

// ShareFrom makes the join look for partners in the table that another one like it has prepared.
func (j *HashJoin) ShareFrom(o *HashJoin) {
	j.table, j.built = o.table, true
	j.probe = j.table.groups.NewProbe()
	if j.between != nil {
		j.between.values, j.between.order = o.between.values, o.between.order
	}
}

// preparedJoins are the joins of a pipeline whose left side, at its bottom, is a scan.
func preparedJoins(op Operator) (out []*HashJoin) {
	for {
		if m, ok := op.(*Analyzed); ok {
			op = m.Operator
		}
		if j, ok := op.(*HashJoin); ok {
			out = append(out, j)
		}
		ins := op.Inputs()
		if len(ins) == 0 {
			return out
		}
		op = ins[0]
	}
}

func (j *HashJoin) build(ctx context.Context) error {
	if err := j.gather(ctx); err != nil || j.parts[1] == nil {
		return err
	}
	return j.divide(ctx)
}

// gather reads the right side, into memory or a file.
func (j *HashJoin) gather(ctx context.Context) error {
	j.env.Memory.Release(j.held)
	j.held = 0
	j.table = newKeyedRows(j.types)
	err := Drain(ctx, j.right, j.hold)
	if err != nil {
		return err
	}
	if j.parts[1] != nil {
		j.built = true
		return j.parts[1].done()
	}
	if err := j.table.finish(j.rightTypes, j.env.Memory, "a join"); err != nil {
		return err
	}
	if j.between != nil {
		size := orderBytes * int64(j.table.rows.n)
		j.held += size
		if err := j.env.Memory.Reserve(size, "a join"); err != nil {
			return err
		}
		if err := j.between.build(ctx, j.table.rows); err != nil {
			return err
		}
	}
	j.probe = j.table.groups.NewProbe()
	j.built = j.built || j.sought == nil
	return nil
}

// keys computes keys for a batch.
func (j *HashJoin) keys(keys []fn.Expr, b *value.Batch) ([]fn.Arg, error) {
	args := make([]fn.Arg, len(keys))
	for i, k := range keys {
		var err error
		if args[i], err = k.Eval(j.ctx, b, b.Sel); err != nil {
			return nil, err
		}
	}
	return args, nil
}

// hold takes in a batch of the right.
func (j *HashJoin) hold(b *value.Batch) error {
	args, err := j.keys(j.rkeys, b)
	if err != nil {
		return err
	}
	if p := j.parts[1]; p != nil {
		return p.add(args, b, b.Selected())
	}
	size, err := j.table.add(args, b)
	if err != nil {
		return err
	}
	j.held += size
	err = j.env.Memory.Reserve(size, "a join")
	if err == nil && !j.env.Memory.tight(j.held) || j.Once || j.level >= mostLevels || j.sought != nil && !j.built {
		return err
	}
	p, err := newPartitions(j.env, err)
	if p == nil {
		j.level = mostLevels
		return err
	}
	j.parts[1] = p
	rows := j.table.pile.rows(nil)
	j.table = nil
	for b := rows.next(); b != nil; b = rows.next() {
		if err := j.hold(b); err != nil {
			return err
		}
	}
	j.env.Memory.Release(j.held)
	j.held = 0
	return nil
}

// divide writes the left side to a file, too, in partitions like those of the right.
func (j *HashJoin) divide(ctx context.Context) error {
	var err error
	if j.parts[0], err = newPartitions(j.env, nil); err != nil {
		return err
	}
	j.parts[0].seed = j.parts[1].seed
	write := func(b *value.Batch) error {
		args, err := j.keys(j.lkeys, b)
		if err != nil {
			return err
		}
		return j.parts[0].add(args, b, b.Selected())
	}
	if j.batch != nil { // the first one, where partners were sought at first
		if err := write(j.batch); err != nil {
			return err
		}
		j.batch = nil
	}
	if err := Drain(ctx, j.left, write); err != nil {
		return err
	}
	return j.parts[0].done()
}

// divided gives the pairs of one partition after the other.
func (j *HashJoin) divided(ctx context.Context) (*value.Batch, error) {
	all := 0
	for i := range j.parts[1].runs {
		all += j.parts[1].runs[i].rows
	}
	return j.turn.next(ctx, len(j.parts[0].runs), func(part int) (Operator, error) {
		l, r := &j.parts[0].runs[part], &j.parts[1].runs[part]
		if l.rows == 0 || r.rows == 0 && !j.outer {
			return nil, nil
		}
		if 4*r.rows > 3*all || j.level+1 == mostLevels {
			return newBlockJoin(j, l, r)
		}
		sub := j.like(&spilled{j.parts[0].spill.reader(l)}, &spilled{j.parts[1].spill.reader(r)})
		sub.level = j.level + 1
		return sub, nil
	})
}

// like returns a join that does the same with other inputs.
func (j *HashJoin) like(l, r Operator) *HashJoin {
	sub := &HashJoin{left: l, right: r, env: j.env, ctx: j.ctx, lkeys: j.lkeys, rkeys: j.rkeys, types: j.types, rest: j.rest,
		outer: j.outer, leftCols: j.leftCols, rightTypes: j.rightTypes, text: j.text, chain: -2}
	if j.between != nil {
		sub.Between(j.between.column, j.between.bounds)
	}
	return sub
}

func (j *HashJoin) Next(ctx context.Context) (*value.Batch, error) {
	if !j.built && j.sought == nil {
		if err := j.build(ctx); err != nil {
			return nil, err
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if j.parts[1] != nil {
			if j.parts[0] == nil { // they were prepared
				if err := j.divide(ctx); err != nil {
					return nil, err
				}
			}
			return j.divided(ctx)
		}
		if j.batch == nil {
			b, err := j.left.Next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			if !j.built {
				j.batch = b
				if err := j.seek(ctx, b); err != nil {
					return nil, err
				}
				if j.parts[1] != nil {
					continue
				}
			}
			if err := j.start(b); err != nil {
				return nil, err
			}
		}
		out, err := j.pairs()
		if err != nil {
			return nil, err
		}
		if out != nil {
			return out, nil
		}
	}
}

// start looks up the partners of a batch of the left.
func (j *HashJoin) start(b *value.Batch) error {
	args := make([]fn.Arg, len(j.lkeys))
	for i, k := range j.lkeys {
		var err error
		if args[i], err = k.Eval(j.ctx, b, b.Sel); err != nil {
			return err
		}
	}
	if len(j.ids) < b.Len {
		j.ids = make([]int32, b.Len)
	}
	if len(j.lkeys) > 0 || j.table.groups.Len() > 0 {
		if err := j.probe.Find(args, b.Len, b.Sel, fn.SkipNull, j.ids); err != nil {
			return err
		}
	} else {
		for i := range j.ids[:b.Len] {
			j.ids[i] = -1
		}
	}
	if j.between != nil {
		j.between.start(j.ctx, b)
	}
	if j.matched != nil {
		j.matched.begin(b)
	}
	j.batch, j.sel, j.pos, j.chain, j.found = b, b.Selected(), 0, -2, false
	return nil
}

// pairs returns the next pairs of the batch, nil when they are all done.
func (j *HashJoin) pairs() (*value.Batch, error) {
	// A row of the left whose pairs did not fit into one round is found to be
	// without partner only at its last.
	j.li, j.ri = j.li[:0], j.ri[:0]
	var ends []int // for each row finished in this round, the number of pairs up to then
	var endRows []int32
	for j.pos < len(j.sel) && len(j.li) < value.BatchSize {
		i := j.sel[j.pos]
		if j.chain == -2 {
			j.chain = -1
			if j.between != nil {
				j.chain = j.between.first(i)
			} else if g := j.ids[i]; g >= 0 {
				j.chain = j.table.first[g]
			}
		}
		for j.chain >= 0 && len(j.li) < value.BatchSize {
			j.li = append(j.li, i)
			if j.between != nil {
				j.ri = append(j.ri, j.between.order[j.chain])
				j.chain = j.between.next(j.chain)
				continue
			}
			j.ri = append(j.ri, j.chain)
			j.chain = j.table.next[j.chain]
		}
		if j.chain < 0 {
			ends, endRows = append(ends, len(j.li)), append(endRows, i)
			j.pos++
			j.chain = -2
		}
	}
	if len(j.rest) == 0 && !j.outer {
		var out *value.Batch
		if len(j.li) > 0 {
			j.matched.note(j.li)
			out = j.assemble(j.li, j.ri)
		}
		if j.pos >= len(j.sel) {
			j.batch = nil
		}
		return out, nil
	}
	keep := make([]bool, len(j.li))
	for i := range keep {
		keep[i] = true
	}
	if len(j.rest) > 0 && len(j.li) > 0 {
		b := j.assemble(j.li, j.ri)
		for i := range keep {
			keep[i] = false
		}
		if err := j.narrow(j.ctx, j.rest, b); err != nil {
			return nil, err
		}
		for _, i := range b.Selected() {
			keep[i] = true
		}
	}
	li, ri := make([]int32, 0, len(j.li)), make([]int32, 0, len(j.li))
	k := 0
	flush := func(to int) {
		for ; k < to; k++ {
			if keep[k] {
				li, ri = append(li, j.li[k]), append(ri, j.ri[k])
				j.found = true
			}
		}
	}
	for r, end := range ends {
		flush(end)
		if !j.found && j.outer {
			li, ri = append(li, endRows[r]), append(ri, -1)
		}
		j.found = false
	}
	flush(len(j.li))
	var out *value.Batch
	if len(li) > 0 {
		j.matched.note(li)
		out = j.assemble(li, ri)
	}
	if j.pos >= len(j.sel) {
		j.batch = nil
	}
	return out, nil
}

// assemble makes a batch of pairs of rows; -1 on the right is a row of NULLs.
func (j *HashJoin) assemble(li, ri []int32) *value.Batch {
	cols := make([]*value.Column, 0, j.leftCols+len(j.rightTypes))
	for _, c := range j.batch.Cols[:j.leftCols] {
		if c == nil {
			cols = append(cols, nil)
			continue
		}
		out := newColumn(c.Type)
		appendColumn(out, 0, c, li, 0)
		cols = append(cols, out)
	}
	missing := false
	for _, r := range ri {
		missing = missing || r < 0
	}
	for _, c := range j.table.rows.cols {
		out := newColumn(c.Type)
		if !missing {
			appendColumn(out, 0, c, ri, 0)
		} else {
			for n, r := range ri {
				if r < 0 {
					appendNulls(out, n, 1)
				} else {
					appendColumn(out, n, c, ri[n:n+1], 0)
				}
			}
		}
		cols = append(cols, out)
	}
	j.out = value.Batch{Len: len(li), Cols: cols}
	return &j.out
}

func (j *HashJoin) Close() error {
	j.env.Memory.Release(j.held)
	j.held = 0
	err := errors.Join(j.parts[0].close(), j.parts[1].close(), j.turn.close(), j.left.Close())
	if err2 := j.right.Close(); err == nil {
		err = err2
	}
	return err
}

func (j *HashJoin) Inputs() []Operator { return []Operator{j.left, j.right} }

func (j *HashJoin) String() string {
	s := "HashJoin"
	switch {
	case j.sought != nil:
		s = "IndexJoin"
	case j.between != nil:
		s = "RangeJoin"
	case len(j.lkeys) == 0:
		s = "NestedLoopJoin"
	}
	if j.outer {
		s = "Left" + s
	}
	if j.text != "" {
		s += " on " + j.text
	}
	return s
}
