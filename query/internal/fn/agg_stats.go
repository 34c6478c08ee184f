package fn

import (
	"errors"
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// fixedArgs is the joint of an aggregate whose arguments are of the given kinds.
func fixedArgs(name, syntax string, kinds []value.Kind, build func(*AggregateCall) Aggregator) func([]ArgType) ([]value.Type, func(*AggregateCall) Aggregator, error) {
	return func(args []ArgType) ([]value.Type, func(*AggregateCall) Aggregator, error) {
		s := sig{args: kinds}
		if _, ok := s.cost(args); !ok {
			return nil, nil, wrongArgs(name, syntax, args)
		}
		params := make([]value.Type, len(kinds))
		for i, k := range kinds {
			params[i] = value.Type{Kind: k}
			if k == anyKind {
				params[i] = args[i].Type
			}
		}
		return params, build, nil
	}
}

// wrongArgs is the error for arguments that an aggregate does not take.
func wrongArgs(name, syntax string, args []ArgType) error {
	f := &Func{Name: name, Syntax: syntax}
	return f.mismatch(args)
}

// momentsAgg computes variances of one argument, and of two what regression needs, as
// PostgreSQL does: by Youngs and Cramer's updates, which lose nothing where values are
// large and close to each other.
type momentsAgg struct {
	pair   bool
	result func(m *moments) (float64, bool) // false for NULL
	groups []moments
}

type moments struct {
	n, sx, sxx, sy, syy, sxy float64
	bad                      bool // out of range
}

func (m *moments) add(x, y float64, pair bool) {
	m.n++
	m.sx += x
	m.sy += y
	if m.n > 1 {
		dx := float64(x*m.n) - m.sx
		if !pair {
			m.sxx += float64(dx*dx) / float64(m.n*(m.n-1))
		} else {
			scale := 1 / float64(m.n*(m.n-1))
			m.sxx += float64(float64(dx*dx) * scale)
			dy := float64(y*m.n) - m.sy
			m.syy += float64(float64(dy*dy) * scale)
			m.sxy += float64(float64(dx*dy) * scale)
		}
		if finite := x-x == 0 && y-y == 0; finite {
			m.bad = m.bad || m.outOfRange()
		}
	} else if x-x != 0 || y-y != 0 {
		m.sxx, m.syy, m.sxy = math.NaN(), math.NaN(), math.NaN()
	}
}

// outOfRange reports whether a sum is infinite; NaN stands for values that were.
func (m *moments) outOfRange() bool {
	for _, s := range [...]float64{m.sx, m.sxx, m.sy, m.syy, m.sxy} {
		if math.IsInf(s, 0) {
			return true
		}
	}
	return false
}

func (m *moments) merge(o moments) {
	if o.n == 0 {
		return
	}
	if m.n == 0 {
		*m = o
		return
	}
	n := m.n + o.n
	dx, dy := m.sx/m.n-o.sx/o.n, m.sy/m.n-o.sy/o.n
	scale := float64(m.n*o.n) / n
	m.sxx += o.sxx + float64(float64(dx*dx)*scale)
	m.syy += o.syy + float64(float64(dy*dy)*scale)
	m.sxy += o.sxy + float64(float64(dx*dy)*scale)
	m.sx, m.sy, m.n = m.sx+o.sx, m.sy+o.sy, n
	m.bad = m.bad || o.bad || m.outOfRange()
}

func (a *momentsAgg) Type() value.Type { return value.Type{Kind: value.Real} }
func (a *momentsAgg) Resize(n int)     { a.groups = extend(a.groups, n) }
func (a *momentsAgg) Bytes() int64     { return int64(56 * cap(a.groups)) }

func (a *momentsAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	return a.AddRows([]Arg{arg}, groups, n, sel)
}

// AddRows takes the dependent value first, as in corr(y, x).
func (a *momentsAgg) AddRows(args []Arg, groups []int32, n int, sel []int32) error {
	if !a.pair {
		eachValue(args[0], groups, n, sel, func(i, g int) { a.groups[g].add(args[0].Reals[i], 0, false) })
		return nil
	}
	y, x := args[0], args[1]
	each(n, sel, func(i int) {
		if x.IsNull(i) || y.IsNull(i) {
			return
		}
		g := 0
		if groups != nil {
			g = int(groups[i])
		}
		a.groups[g].add(x.Reals[i*x.step()], y.Reals[i*y.step()], true)
	})
	return nil
}

func (a *momentsAgg) Merge(other Aggregator, to []int32) error {
	for g, o := range other.(*momentsAgg).groups {
		a.groups[target(to, g)].merge(o)
	}
	return nil
}

func (a *momentsAgg) Result(from, upto int, out *value.Column) error {
	n := upto - from
	resize(out, a.Type(), n)
	for i := range n {
		m := &a.groups[from+i]
		if m.bad {
			return errRealRange
		}
		r, ok := a.result(m)
		if out.Reals[i] = r; !ok {
			setNull(out, i, n)
		}
	}
	return nil
}

func varPop(m *moments) (float64, bool)   { return m.sxx / max(m.n, 1), m.n > 0 }
func varSamp(m *moments) (float64, bool)  { return m.sxx / max(m.n-1, 1), m.n > 1 }
func covarPop(m *moments) (float64, bool) { return m.sxy / max(m.n, 1), m.n > 0 }
func covarSamp(m *moments) (float64, bool) {
	return m.sxy / max(m.n-1, 1), m.n > 1
}

func root(f func(*moments) (float64, bool)) func(*moments) (float64, bool) {
	return func(m *moments) (float64, bool) {
		v, ok := f(m)
		return math.Sqrt(v), ok
	}
}

func correlation(m *moments) (float64, bool) {
	if m.n < 1 || m.sxx == 0 || m.syy == 0 {
		return 0, false
	}
	r := m.sxy / math.Sqrt(float64(m.sxx*m.syy))
	if p := float64(m.sxx * m.syy); p == 0 || math.IsInf(p, 0) {
		r = m.sxy / float64(math.Sqrt(m.sxx)*math.Sqrt(m.syy))
	}
	if r == r {
		r = max(-1, min(1, r))
	}
	return r, true
}

func slope(m *moments) (float64, bool) { return m.sxy / m.sxx, m.n > 0 && m.sxx != 0 }
func intercept(m *moments) (float64, bool) {
	return (m.sy - float64(m.sx*m.sxy)/m.sxx) / m.n, m.n > 0 && m.sxx != 0
}

// momentsOf is the joint of a variance or, of a pair of arguments, a regression.
func momentsOf(name string, result func(*moments) (float64, bool), pair bool) func([]ArgType) ([]value.Type, func(*AggregateCall) Aggregator, error) {
	k, syntax := []value.Kind{value.Real}, name+"(x)"
	if pair {
		k, syntax = []value.Kind{value.Real, value.Real}, name+"(y, x)"
	}
	return fixedArgs(name, syntax, k, func(*AggregateCall) Aggregator { return &momentsAgg{pair: pair, result: result} })
}

// boolAgg is bool_and and, with or set, bool_or.
type boolAgg struct {
	or     bool
	groups []uint8 // 0: no value yet, 1: false, 2: true
}

func (a *boolAgg) Type() value.Type { return value.Type{Kind: value.Boolean} }
func (a *boolAgg) Resize(n int)     { a.groups = extend(a.groups, n) }
func (a *boolAgg) Bytes() int64     { return int64(cap(a.groups)) }

func (a *boolAgg) take(g int, state uint8) {
	if state != 0 && (a.groups[g] == 0 || (state == 2) == a.or) {
		a.groups[g] = state
	}
}

func (a *boolAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	eachValue(arg, groups, n, sel, func(i, g int) {
		state := uint8(1)
		if arg.Bools[i] {
			state = 2
		}
		a.take(g, state)
	})
	return nil
}

func (a *boolAgg) Merge(other Aggregator, to []int32) error {
	for g, state := range other.(*boolAgg).groups {
		a.take(target(to, g), state)
	}
	return nil
}

func (a *boolAgg) Result(from, upto int, out *value.Column) error {
	n := upto - from
	resize(out, a.Type(), n)
	for i := range n {
		if out.Bools[i] = a.groups[from+i] == 2; a.groups[from+i] == 0 {
			setNull(out, i, n)
		}
	}
	return nil
}

// interpolated is the value of sorted numbers at a fraction of their way.
func interpolated(sorted []float64, fraction float64) float64 {
	at := float64(fraction * float64(len(sorted)-1))
	low := math.Floor(at)
	lo, hi := sorted[int(low)], sorted[int(math.Ceil(at))]
	if lo == hi {
		return lo
	}
	return lo + float64((at-low)*(hi-lo))
}

var errFraction = errors.New("a percentile is a fraction from 0 to 1")

func checkFraction(f float64) error {
	if !(f >= 0 && f <= 1) {
		return fmt.Errorf("%w, not %v", errFraction, f)
	}
	return nil
}
