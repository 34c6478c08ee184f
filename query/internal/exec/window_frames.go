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
