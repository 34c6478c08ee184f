package exec

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// evaluate computes the sums of rows, ascending, and keeps them.
func (r *fusing) evaluate(ctx context.Context, rows []uint64) error {
	slices.Sort(rows)
	b := &value.Batch{Len: len(rows)}
	for _, t := range r.terms {
		v, err := r.values(ctx, t, rows)
		if err != nil {
			return err
		}
		c := newColumn(realType)
		for i, x := range v {
			switch {
			case math.IsNaN(x):
				c.Append(i, value.Value{})
			case t.Norm != "":
				c.Append(i, value.Float(r.Norms[t.Norm].Of(x)))
			default:
				c.Append(i, value.Float(x))
			}
		}
		b.Cols = append(b.Cols, c)
	}
	a, err := r.Sum.Eval(r.c, b, nil)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if a.Type.Kind == value.Null || a.IsNull(i) {
			continue
		}
		v := numeric(a.At(i))
		if v-v != 0 {
			return errTooMany
		}
		r.sums[row] = v
	}
	r.evaluated += len(rows)
	if r.evaluated > int(r.rows/fusionShare)+8*r.Count {
		return errTooMany
	}
	return nil
}

// reached is the sum that Count rows have, of those that are computed.
func (r *fusing) reached() float64 {
	if len(r.sums) < r.Count {
		return math.Inf(-1)
	}
	all := make([]float64, 0, len(r.sums))
	for _, s := range r.sums {
		all = append(all, s)
	}
	slices.Sort(all)
	return all[len(all)-r.Count]
}

// promising are rows with a bound of their sum.
type promising struct {
	row  uint64
	most float64
}

// sumBounds bounds the sums of rows.
type sumBounds struct {
	terms []*term
	plus  float64
	slack float64 // how far rounding may take a sum beyond its bounds
}

func (r *fusing) newSum() *sumBounds {
	s := &sumBounds{terms: r.terms, plus: r.Rest}
	size := 1 + math.Abs(r.Rest)
	for _, t := range r.terms {
		s.plus += t.plus
		size += math.Abs(t.plus)
	}
	s.slack = float64(1e-9 * (size + r.largest()))
	return s
}

// bounds returns the most that the sum of a row can be, and what it is about.
func (s *sumBounds) bounds(row int) (high, middle float64) {
	high, middle = s.plus, s.plus
	for _, t := range s.terms {
		a, b := float64(t.by*t.low(row)), float64(t.by*t.high(row))
		high += max(a, b)
		middle += (a + b) / 2
	}
	return high, middle
}

// refine brings the bounds of rows nearer, by the second plane of codes.
func (r *fusing) refine(ctx context.Context, rows []uint64) error {
	for _, t := range r.terms {
		if t.bounds == nil {
			continue
		}
		if err := t.bounds.Refine(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// summed finds the rows with the highest sums.
func (r *fusing) summed(ctx context.Context) (*storage.RowSet, error) {
	n := len(r.live)
	if err := r.reserve(8 * n); err != nil {
		return nil, err
	}
	s := r.newSum()
	most := make([]float64, n)
	first := newBest(max(2*r.Count, 128))
	inf := math.Inf(-1)
	size := 0.0
	for row, live := range r.live {
		if !live {
			most[row] = inf
			continue
		}
		high, middle := s.bounds(row)
		most[row] = high
		size = max(size, math.Abs(high))
		first.offer(uint64(row), middle)
	}
	slack := s.slack + float64(1e-9*size)
	if err := r.evaluate(ctx, first.rows()); err != nil {
		return nil, err
	}
	least := r.reached()
	var left []promising
	for row, m := range most {
		if m >= least-slack {
			if _, ok := r.sums[uint64(row)]; !ok && m > inf {
				left = append(left, promising{uint64(row), m})
			}
		}
	}
	r.first = r.rows - uint64(min(len(left)+len(r.sums), int(r.rows)))
	if len(left) > fusionFew {
		rows := make([]uint64, len(left))
		for i, p := range left {
			rows[i] = p.row
		}
		if err := r.refine(ctx, rows); err != nil {
			return nil, err
		}
		next := newBest(max(2*r.Count, 64))
		for i := range left {
			row := int(left[i].row)
			high, middle := s.bounds(row)
			left[i].most = high
			next.offer(left[i].row, middle)
		}
		if err := r.evaluate(ctx, next.rows()); err != nil {
			return nil, err
		}
		least = r.reached()
		left = slices.DeleteFunc(left, func(p promising) bool {
			_, ok := r.sums[p.row]
			return ok || p.most < least-slack
		})
	}
	slices.SortFunc(left, func(a, b promising) int { return cmp.Or(cmp.Compare(b.most, a.most), cmp.Compare(a.row, b.row)) })
	for len(left) > 0 && left[0].most >= least-slack {
		some := left[:min(len(left), 128)]
		left = left[len(some):]
		rows := make([]uint64, 0, len(some))
		for _, p := range some {
			if p.most >= least-slack {
				rows = append(rows, p.row)
			}
		}
		if err := r.evaluate(ctx, rows); err != nil {
			return nil, err
		}
		least = r.reached()
	}
	if len(r.sums) < r.Count {
		return nil, errTooMany // rows without a sum follow
	}
	r.least = least
	set := new(storage.RowSet)
	for row, s := range r.sums {
		if s >= least {
			set.Add(row)
		}
	}
	return set, nil
}

// largest is the size of the numbers that are summed, for their rounding.
func (r *fusing) largest() float64 {
	sum := 0.0
	for _, t := range r.terms {
		if !t.known() {
			sum += math.Abs(float64(2 * t.by))
			continue
		}
		if n := r.rangeOf(t); n.Min <= n.Max {
			sum += float64(math.Abs(t.by) * max(-n.Min, n.Max))
		}
	}
	return sum
}

// best keeps the rows with the highest values, of equal ones the first.
type best struct {
	n    int
	all  []promising
	cut  float64
	full bool
}

func newBest(n int) *best { return &best{n: n} }

func (b *best) offer(row uint64, v float64) {
	if b.full && v <= b.cut {
		return
	}
	if b.all = append(b.all, promising{row, v}); len(b.all) >= 4*b.n {
		b.trim()
	}
}

func (b *best) trim() {
	slices.SortFunc(b.all, func(x, y promising) int { return cmp.Or(cmp.Compare(y.most, x.most), cmp.Compare(x.row, y.row)) })
	if len(b.all) >= b.n {
		b.all, b.full = b.all[:b.n], true
		b.cut = b.all[b.n-1].most
	}
}

func (b *best) rows() []uint64 {
	b.trim()
	rows := make([]uint64, len(b.all))
	for i, p := range b.all {
		rows[i] = p.row
	}
	return rows
}
