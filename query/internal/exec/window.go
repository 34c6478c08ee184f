package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// WindowCall is one function of a Window. Positions are those of the input's columns.
type WindowCall struct {
	Call      *fn.WindowCall
	Aggregate *fn.AggregateCall // of Kind WindowAggregate
	Args      []int             // none for count(*)
	Filter    int               // of a condition, -1 without one

	Unit               parse.FrameUnit
	StartKind, EndKind parse.BoundKind
	Start, End         fn.Expr // offsets, where the kinds have some
	Exclude            parse.FrameExclude
	Whole              bool // the frame of each row is its partition
	At                 func(error) error
}

// Window gives its input's rows, in their order, with what functions make of the rows of
// the same partition. It holds all rows.
type Window struct {
	input
	Env       *Env
	Ctx       *fn.Ctx
	Partition []int
	Types     []value.Type // of the columns Partition
	Keys      []int
	Orders    []Order
	Calls     []WindowCall
	Text      string

	held int64
	out  *emitter
}

// Input sets what the window reads from.
func (w *Window) Input(in Operator) { w.in = in }

func (w *Window) Next(ctx context.Context) (*value.Batch, error) {
	if w.out == nil {
		if err := w.run(ctx); err != nil {
			return nil, err
		}
	}
	return w.out.next(), nil
}

func (w *Window) Close() error {
	w.Env.Memory.Release(w.held)
	w.held, w.out = 0, &emitter{t: &rowsTable{}}
	return w.input.Close()
}

// Reset implements Resetter.
func (w *Window) Reset() bool {
	w.held, w.out = 0, nil
	return w.reset()
}

func (w *Window) String() string { return "Window " + w.Text }

const windowWork = "window functions"

func (w *Window) reserve(n int64) error {
	w.held += n
	return w.Env.Memory.Reserve(n, windowWork)
}

func (w *Window) run(ctx context.Context) error {
	p, held, err := gatherAll(ctx, w.in, w.Env, windowWork)
	w.held += held
	if err != nil {
		return err
	}
	t, err := p.table(w.Env.Memory, windowWork)
	if err != nil {
		return err
	}
	if t.n == 0 {
		w.out = &emitter{t: &rowsTable{}}
		return nil
	}
	// The order, the peers and partitions of each row, and what the calls give.
	if err := w.reserve(int64(t.n) * int64(24+16*len(w.Calls))); err != nil {
		return err
	}
	s, err := w.sorted(ctx, t)
	if err != nil {
		return err
	}
	for i := range w.Calls {
		c, err := w.compute(ctx, s, &w.Calls[i])
		if err != nil {
			return err
		}
		if err := w.reserve(columnBytes(c, nil, t.n) - 8*int64(t.n)); err != nil {
			return err
		}
		t.cols = append(t.cols, c)
	}
	w.out = &emitter{t: t}
	return nil
}

// windowRows are the rows of a window in their order: partition by partition, and in each
// by the keys.
type windowRows struct {
	t     *rowsTable
	order []int32 // place -> row
	parts []int32 // where partitions begin, and the end
	peers []int32 // where rows that are equal in order begin, and the end
	group []int32 // place -> number of its peers
	part  []int32 // place -> number of its partition
}

func (w *Window) sorted(ctx context.Context, t *rowsTable) (*windowRows, error) {
	s := &windowRows{t: t}
	cols := make([]*value.Column, 0, len(w.Keys)+1)
	orders := make([]Order, 0, len(w.Keys)+1)
	var ids []int32
	if len(w.Partition) > 0 {
		groups := fn.NewGroups(w.Types)
		args := make([]fn.Arg, len(w.Partition))
		for i, k := range w.Partition {
			c := t.cols[k]
			if c == nil {
				c = newColumn(value.Type{})
			}
			args[i] = fn.Arg{Column: c}
		}
		ids = make([]int32, t.n)
		if err := groups.Assign(args, t.n, nil, fn.GroupNull, ids); err != nil {
			return nil, err
		}
		size := groups.Bytes() + 12*int64(t.n)
		if err := w.Env.Memory.Reserve(size, windowWork); err != nil {
			w.Env.Memory.Release(size)
			return nil, err
		}
		defer w.Env.Memory.Release(size)
		c := newColumn(value.Type{Kind: value.Integer})
		c.Ints = make([]int64, t.n)
		for i, g := range ids {
			c.Ints[i] = int64(g)
		}
		cols, orders = append(cols, c), append(orders, Order{})
	}
	var keys []*value.Column
	for _, k := range w.Keys {
		keys = append(keys, t.cols[k])
	}
	cols, orders = append(cols, keys...), append(orders, w.Orders...)
	var err error
	if s.order, err = sortedOrder(ctx, t.n, cols, orders); err != nil {
		return nil, err
	}
	by := compareBy(keys, w.Orders)
	s.group, s.part = make([]int32, t.n), make([]int32, t.n)
	for i, r := range s.order {
		newPart := i == 0 || ids != nil && ids[r] != ids[s.order[i-1]]
		if newPart {
			s.parts = append(s.parts, int32(i))
		}
		if newPart || by(s.order[i-1], r) != 0 {
			s.peers = append(s.peers, int32(i))
		}
		s.group[i], s.part[i] = int32(len(s.peers)-1), int32(len(s.parts)-1)
	}
	s.parts, s.peers = append(s.parts, int32(t.n)), append(s.peers, int32(t.n))
	return s, nil
}

// arg returns the column of an argument.
func (s *windowRows) arg(at int) fn.Arg {
	c := s.t.cols[at]
	if c == nil {
		c = newColumn(value.Type{})
	}
	return fn.Arg{Column: c}
}

// compute returns what a call gives, by row.
func (w *Window) compute(ctx context.Context, s *windowRows, c *WindowCall) (*value.Column, error) {
	n := s.t.n
	out := newColumn(c.Call.Result)
	switch kind := c.Call.Kind; kind {
	case fn.RowNumber, fn.Rank, fn.DenseRank:
		out.Ints = make([]int64, n)
		for i, r := range s.order {
			p := s.part[i]
			switch kind {
			case fn.RowNumber:
				out.Ints[r] = int64(i) - int64(s.parts[p]) + 1
			case fn.Rank:
				out.Ints[r] = int64(s.peers[s.group[i]]-s.parts[p]) + 1
			default:
				out.Ints[r] = int64(s.group[i]-s.group[s.parts[p]]) + 1
			}
		}
	case fn.PercentRank, fn.CumeDist:
		out.Reals = make([]float64, n)
		for i, r := range s.order {
			from, to := s.parts[s.part[i]], s.parts[s.part[i]+1]
			if kind == fn.CumeDist {
				out.Reals[r] = float64(s.peers[s.group[i]+1]-from) / float64(to-from)
			} else if to-from > 1 {
				out.Reals[r] = float64(s.peers[s.group[i]]-from) / float64(to-from-1)
			}
		}
	case fn.Ntile:
		return w.ntile(s, c)
	case fn.Lag, fn.Lead:
		return w.lag(s, c)
	case fn.WindowAggregate:
		return w.aggregate(ctx, s, c)
	default:
		return w.valueOfFrame(ctx, s, c)
	}
	return out, nil
}

func (w *Window) ntile(s *windowRows, c *WindowCall) (*value.Column, error) {
	out, arg := newColumn(c.Call.Result), s.arg(c.Args[0])
	out.Ints = make([]int64, s.t.n)
	for p := range len(s.parts) - 1 {
		from, to := int64(s.parts[p]), int64(s.parts[p+1])
		k := arg.At(int(s.order[from])) // of the partition's first row
		if k.IsNull() {
			for _, r := range s.order[from:to] {
				growNulls(out, s.t.n)
				out.Nulls.Set(int(r))
			}
			continue
		}
		parts := k.Int()
		if parts <= 0 {
			return nil, c.At(errors.New("ntile needs a number of parts above 0"))
		}
		size, larger := (to-from)/parts, (to-from)%parts
		for i := from; i < to; i++ {
			at := i - from
			if at < larger*(size+1) {
				out.Ints[s.order[i]] = at/(size+1) + 1
			} else {
				out.Ints[s.order[i]] = larger + (at-larger*(size+1))/size + 1
			}
		}
	}
	return out, nil
}

// The rows that the value of a row is taken from.
const (
	fromNone    = -1 // NULL
	fromDefault = -2 // the row's own default
)

func (w *Window) lag(s *windowRows, c *WindowCall) (*value.Column, error) {
	src := make([]int32, s.t.n)
	for i, r := range s.order {
		by := int64(1)
		if len(c.Args) > 1 {
			v := s.arg(c.Args[1]).At(int(r))
			if v.IsNull() {
				src[r] = fromNone
				continue
			}
			by = v.Int()
		}
		if c.Call.Kind == fn.Lead {
			by = max(by, -math.MaxInt64)
		} else {
			by = -max(by, -math.MaxInt64)
		}
		from, to := int64(s.parts[s.part[i]]), int64(s.parts[s.part[i]+1])
		src[r] = fromNone
		if len(c.Args) > 2 {
			src[r] = fromDefault
		}
		if by >= from-int64(i) && by < to-int64(i) {
			src[r] = s.order[int64(i)+by]
		}
	}
	return s.take(c, src), nil
}

// take makes a column of values of the first argument.
func (s *windowRows) take(c *WindowCall, src []int32) *value.Column {
	out, arg := newColumn(c.Call.Result), s.arg(c.Args[0])
	if arg.Type.Kind == value.Vector {
		out.Type.Dim = arg.Type.Dim
	}
	for r, from := range src {
		switch {
		case from == fromNone:
			out.Append(r, value.Value{})
		case from == fromDefault:
			out.Append(r, s.arg(c.Args[2]).At(r))
		default:
			out.Append(r, arg.At(int(from)))
		}
	}
	return out
}

// span is a run of places, from up to but without to.
type span struct{ from, to int32 }

// frames tells the frames of rows.
type frames struct {
	s          *windowRows
	c          *WindowCall
	start, end int64 // offsets of rows and groups
	by         *rangeKey
}

// rangeKey is the number that RANGE with a distance compares.
type rangeKey struct {
	col        *value.Column
	desc       bool
	nulls      bool // first
	start, end value.Value
}

func (w *Window) frames(s *windowRows, c *WindowCall) (*frames, error) {
	f := &frames{s: s, c: c}
	offset := func(x fn.Expr, which string) (value.Value, error) {
		if x == nil {
			return value.Value{}, nil
		}
		a, err := x.Eval(w.Ctx, oneRow, nil)
		if err != nil {
			return value.Value{}, c.At(err)
		}
		v := a.At(0)
		switch {
		case v.IsNull():
			return v, c.At(fmt.Errorf("the distance to the %s of a frame can't be NULL", which))
		case v.Kind() == value.Integer && v.Int() < 0, v.Kind() == value.Real && !(v.Float() >= 0):
			return v, c.At(fmt.Errorf("the distance to the %s of a frame can't be negative", which))
		}
		return v, nil
	}
	start, err := offset(c.Start, "start")
	if err != nil {
		return nil, err
	}
	end, err := offset(c.End, "end")
	if err != nil {
		return nil, err
	}
	if c.Unit == parse.FrameRange {
		if c.Start != nil || c.End != nil {
			f.by = &rangeKey{col: s.t.cols[w.Keys[0]], desc: w.Orders[0].Desc, nulls: w.Orders[0].NullsFirst, start: start, end: end}
		}
		return f, nil
	}
	if c.Start != nil {
		f.start = start.Int()
	}
	if c.End != nil {
		f.end = end.Int()
	}
	return f, nil
}

// of returns the frame of the row at place i, before anything is excluded.
func (f *frames) of(i int) span {
	s := f.s
	from, to := s.parts[s.part[i]], s.parts[s.part[i]+1]
	return span{f.bound(i, f.c.StartKind, f.start, from, to, true), f.bound(i, f.c.EndKind, f.end, from, to, false)}
}

func clamp(x int64, from, to int32) int32 { return int32(min(max(x, int64(from)), int64(to))) }

// bound returns where a frame begins, or, with start false, ends.
func (f *frames) bound(i int, kind parse.BoundKind, by int64, from, to int32, start bool) int32 {
	s := f.s
	switch kind {
	case parse.UnboundedPreceding:
		return from
	case parse.UnboundedFollowing:
		return to
	case parse.CurrentRow:
		by = 0
	case parse.Preceding:
		by = -by
	}
	switch {
	case f.c.Unit == parse.FrameRows:
		at := int64(i)
		if !start {
			at++
		}
		if by > 0 && at > math.MaxInt64-by {
			return to
		}
		return clamp(at+by, from, to)
	case f.c.Unit == parse.FrameGroups || kind == parse.CurrentRow:
		g := int64(s.group[i])
		if !start {
			g++
		}
		first, last := int64(s.group[from]), int64(s.group[to-1])+1
		if by > 0 && g > math.MaxInt64-by {
			return to
		}
		return s.peers[min(max(g+by, first), last)]
	}
	return f.distant(i, kind, from, to, start)
}

// distant returns where a frame of RANGE with a distance begins or ends.
func (f *frames) distant(i int, kind parse.BoundKind, from, to int32, start bool) int32 {
	k, s := f.by, f.s
	r := int(s.order[i])
	if k.col == nil || k.col.Type.Kind == value.Null || k.col.Null(r) {
		// NULLs are a distance of nothing from each other only.
		if start {
			return s.peers[s.group[i]]
		}
		return s.peers[s.group[i]+1]
	}
	// Those with a value.
	lo, hi := from, to
	for lo < hi && k.col.Null(int(s.order[lo])) {
		lo++
	}
	for hi > lo && k.col.Null(int(s.order[hi-1])) {
		hi--
	}
	by := k.start
	if !start {
		by = k.end
	}
	// down: the bound is below the row's value.
	down := (kind == parse.Preceding) != k.desc
	beyond := k.compare(r, by, down)
	// Ascending values are at least the bound from some place on, descending at most.
	n := sort.Search(int(hi-lo), func(j int) bool {
		c := beyond(int(s.order[int(lo)+j]))
		if k.desc {
			c = -c
		}
		if start {
			return c >= 0
		}
		return c > 0
	})
	return lo + int32(n)
}

// compare returns a function that compares the value of a row with that of row r less
// by, or with down false plus by.
func (k *rangeKey) compare(r int, by value.Value, down bool) func(row int) int {
	if k.col.Type.Kind == value.Integer {
		x, d := k.col.Ints[r], by.Int()
		if down && x < math.MinInt64+d {
			return func(int) int { return 1 }
		}
		if !down && x > math.MaxInt64-d {
			return func(int) int { return -1 }
		}
		if down {
			x -= d
		} else {
			x += d
		}
		return func(row int) int {
			switch y := k.col.Ints[row]; {
			case y < x:
				return -1
			case y > x:
				return 1
			}
			return 0
		}
	}
	x, d := k.col.Reals[r], by.Float()
	switch {
	case x != x:
	case down && math.IsInf(d, 1) && math.IsInf(x, 1):
		x = math.Inf(-1) // an infinite distance from infinity: as in PostgreSQL everything is within it
	case !down && math.IsInf(d, 1) && math.IsInf(x, -1):
		x = math.Inf(1)
	case down:
		x -= d
	default:
		x += d
	}
	return func(row int) int { return compareReal(k.col.Reals[row], x) }
}

// pieces returns the frame of the row at place i in up to three runs of places.
func (f *frames) pieces(i int, whole span, out []span) []span {
	out = out[:0]
	add := func(from, to int32) {
		from, to = max(from, whole.from), min(to, whole.to)
		if from < to {
			out = append(out, span{from, to})
		}
	}
	peers := span{f.s.peers[f.s.group[i]], f.s.peers[f.s.group[i]+1]}
	switch f.c.Exclude {
	case parse.ExcludeCurrent:
		add(whole.from, int32(i))
		add(int32(i)+1, whole.to)
	case parse.ExcludeGroup:
		add(whole.from, peers.from)
		add(peers.to, whole.to)
	case parse.ExcludeTies:
		add(whole.from, peers.from)
		add(int32(i), int32(i)+1)
		add(peers.to, whole.to)
	default:
		add(whole.from, whole.to)
	}
	return out
}

// valueOfFrame computes first_value, last_value and nth_value.
func (w *Window) valueOfFrame(ctx context.Context, s *windowRows, c *WindowCall) (*value.Column, error) {
	f, err := w.frames(s, c)
	if err != nil {
		return nil, err
	}
	src := make([]int32, s.t.n)
	var pieces []span
	for i, r := range s.order {
		if i&0xffff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pieces = f.pieces(i, f.of(i), pieces)
		src[r] = fromNone
		switch {
		case c.Call.Kind == fn.NthValue:
			v := s.arg(c.Args[1]).At(int(r))
			if v.IsNull() {
				continue
			}
			if v.Int() <= 0 {
				return nil, c.At(errors.New("nth_value counts rows from 1"))
			}
			left := v.Int() - 1
			for _, p := range pieces {
				if left < int64(p.to-p.from) {
					src[r] = s.order[int64(p.from)+left]
					break
				}
				left -= int64(p.to - p.from)
			}
		case len(pieces) == 0:
		case c.Call.Kind == fn.FirstValue:
			src[r] = s.order[pieces[0].from]
		default:
			src[r] = s.order[pieces[len(pieces)-1].to-1]
		}
	}
	return s.take(c, src), nil
}

// aggregate computes an aggregate over the frame of each row.
func (w *Window) aggregate(ctx context.Context, s *windowRows, c *WindowCall) (*value.Column, error) {
	var args []fn.Arg
	for _, at := range c.Args {
		args = append(args, s.arg(at))
	}
	var passes fn.Arg
	if c.Filter >= 0 {
		passes = s.arg(c.Filter)
	}
	counts := func(r int32) bool {
		return c.Filter < 0 || !passes.IsNull(int(r)) && passes.Type.Kind == value.Boolean && passes.At(int(r)).Bool()
	}
	// The rows in their order that count, and how many do before each place.
	order := s.order
	var before []int32
	if c.Filter >= 0 {
		order = make([]int32, 0, s.t.n)
		before = make([]int32, s.t.n+1)
		for i, r := range s.order {
			before[i] = int32(len(order))
			if counts(r) {
				order = append(order, r)
			}
		}
		before[s.t.n] = int32(len(order))
	}
	rows := func(p span) []int32 {
		if before != nil {
			p = span{before[p.from], before[p.to]}
		}
		return order[p.from:p.to]
	}
	res := newColumn(c.Call.Result) // of each different frame
	at := make([]int32, s.t.n)      // of each row, its result
	n := 0
	var one value.Column
	give := func(a fn.Aggregator, g int) error {
		if err := a.Result(g, g+1, &one); err != nil {
			return err
		}
		if one.Type.Kind == value.Vector && res.Type.Dim == 0 {
			res.Type.Dim = one.Type.Dim
		}
		appendColumn(res, n, &one, nil, 1)
		n++
		return nil
	}
	if c.Whole {
		a, err := c.Aggregate.New()
		if err != nil {
			return nil, err
		}
		a.Resize(len(s.parts) - 1)
		groups := make([]int32, s.t.n)
		for i, r := range s.order {
			groups[r], at[r] = s.part[i], s.part[i]
		}
		if len(order) > 0 {
			if err := fn.AddRows(a, args, groups, s.t.n, order); err != nil {
				return nil, err
			}
		}
		if err := a.Result(0, len(s.parts)-1, res); err != nil {
			return nil, err
		}
		return gather(res, at, newColumn(res.Type)), nil
	}
	f, err := w.frames(s, c)
	if err != nil {
		return nil, err
	}
	var a fn.Aggregator
	var have span // what a has; from < 0: nothing
	fresh := func() error {
		var err error
		if a, err = c.Aggregate.New(); err == nil {
			a.Resize(1)
		}
		return err
	}
	add := func(p span) error {
		if sel := rows(p); len(sel) > 0 {
			return fn.AddRows(a, args, nil, s.t.n, sel)
		}
		return nil
	}
	var pieces []span
	var last span
	work := 0
	for i, r := range s.order {
		whole := f.of(i)
		whole.to = max(whole.to, whole.from)
		if work += int(whole.to - whole.from); work > 1<<16 {
			work = 0
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		if c.Exclude != parse.ExcludeNothing {
			if err := fresh(); err != nil {
				return nil, err
			}
			pieces = f.pieces(i, whole, pieces)
			for _, p := range pieces {
				if err := add(p); err != nil {
					return nil, err
				}
			}
			if err := give(a, 0); err != nil {
				return nil, err
			}
			at[r] = int32(n - 1)
			continue
		}
		newPart := int32(i) == s.parts[s.part[i]]
		if !newPart && whole == last {
			at[r] = int32(n - 1)
			continue
		}
		remover, _ := a.(fn.Remover)
		switch {
		case newPart || a == nil || whole.from < have.from || whole.to < have.to,
			whole.from != have.from && (remover == nil || whole.from >= have.to):
			if err := fresh(); err != nil {
				return nil, err
			}
			have = span{whole.from, whole.from}
		case whole.from > have.from:
			if sel := rows(span{have.from, whole.from}); len(sel) > 0 {
				var arg fn.Arg
				if len(args) > 0 {
					arg = args[0]
				}
				if err := remover.Remove(arg, nil, s.t.n, sel); err != nil {
					return nil, err
				}
			}
			have.from = whole.from
		}
		if err := add(span{have.to, whole.to}); err != nil {
			return nil, err
		}
		have, last = whole, whole
		if err := give(a, 0); err != nil {
			return nil, err
		}
		at[r] = int32(n - 1)
	}
	return gather(res, at, newColumn(res.Type)), nil
}
