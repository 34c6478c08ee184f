package exec

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Aggregate is one aggregate of a HashAggregate.
type Aggregate struct {
	Call     *fn.AggregateCall
	Arg      int   // position among the expressions, -1 for count(*)
	More     []int // of further arguments
	Filter   int   // position of a condition, -1 without one
	Distinct bool
}

// Aggregation says what a HashAggregate computes: Exprs are keys, then arguments
// and conditions; Keys are the types of the keys.
type Aggregation struct {
	Ctx   *fn.Ctx
	Once  bool // an expression may have another value when computed again
	Exprs []fn.Expr
	Keys  []value.Type
	Specs []Aggregate
}

// args are the positions of the arguments.
func (a *Aggregate) args() []int {
	if a.Arg < 0 {
		return nil
	}
	return append([]int{a.Arg}, a.More...)
}

// aggregation is the state of an Aggregation: groups and what is known of each.
type aggregation struct {
	*Aggregation
	groups   *fn.Groups
	aggs     []fn.Aggregator
	distinct []*fn.Groups // of (group, argument), for each DISTINCT aggregate
	rows     int          // rows seen

	vals       []fn.Arg
	guarded    []bool // see guardedArgs
	args       []fn.Arg
	ids        []int32
	sel, fresh []int32
}

func (a *Aggregation) start() (*aggregation, error) {
	s := &aggregation{Aggregation: a, groups: fn.NewGroups(a.Keys), distinct: make([]*fn.Groups, len(a.Specs)),
		vals:    make([]fn.Arg, len(a.Exprs)),
		guarded: guardedArgs(len(a.Exprs), len(a.Keys), a.Specs)}
	for i, spec := range a.Specs {
		g, err := spec.Call.New()
		if err != nil {
			return nil, err
		}
		if len(a.Keys) == 0 {
			g.Resize(1)
		}
		s.aggs = append(s.aggs, g)
		if spec.Distinct && spec.Arg >= 0 {
			types := []value.Type{{Kind: value.Integer}, a.Exprs[spec.Arg].Type()}
			for _, m := range spec.More {
				types = append(types, a.Exprs[m].Type())
			}
			s.distinct[i] = fn.NewGroups(types)
		}
	}
	return s, nil
}

// guardedArgs are the expressions that are nothing but arguments of aggregates with a
// FILTER: they are computed for the rows that pass it, and may fail for others.
func guardedArgs(exprs, keys int, specs []Aggregate) []bool {
	guarded := make([]bool, exprs)
	for _, s := range specs {
		for _, a := range s.args() {
			if a >= keys && s.Filter >= 0 {
				guarded[a] = true
			}
		}
	}
	for _, s := range specs {
		for _, a := range s.args() {
			if s.Filter < 0 {
				guarded[a] = false
			}
		}
		if s.Filter >= 0 {
			guarded[s.Filter] = false
		}
	}
	return guarded
}

// len returns the number of groups; without keys there is one, if there is no row.
func (s *aggregation) len() int {
	if len(s.Keys) == 0 {
		return 1
	}
	return s.groups.Len()
}

// bytes estimates the memory held.
func (s *aggregation) bytes() int64 {
	size := s.groups.Bytes()
	for i, a := range s.aggs {
		size += a.Bytes()
		if s.distinct[i] != nil {
			size += s.distinct[i].Bytes()
		}
	}
	return size
}

// settled estimates the memory held by groups to which no more come.
func (s *aggregation) settled() int64 {
	return s.bytes() - s.groups.Bytes() + s.groups.Settled()
}

// add takes in the rows of a batch.
func (s *aggregation) add(b *value.Batch) error {
	s.rows += b.Count()
	for i, e := range s.Exprs {
		if s.guarded[i] {
			continue
		}
		var err error
		if s.vals[i], err = e.Eval(s.Ctx, b, b.Sel); err != nil {
			return err
		}
	}
	if len(s.ids) < b.Len {
		s.ids = make([]int32, b.Len)
	}
	groups := s.ids
	if len(s.Keys) == 0 {
		groups = nil
	} else {
		if err := s.groups.Assign(s.vals[:len(s.Keys)], b.Len, b.Sel, fn.GroupNull, s.ids); err != nil {
			return err
		}
		for _, a := range s.aggs {
			a.Resize(s.groups.Len())
		}
	}
	for i, spec := range s.Specs {
		rows := b.Sel
		if spec.Filter >= 0 {
			s.sel = keepTrue(s.vals[spec.Filter], b, rows, s.sel[:0])
			rows = s.sel
		}
		if rows != nil && len(rows) == 0 {
			continue
		}
		s.args = s.args[:0]
		for _, at := range spec.args() {
			if s.guarded[at] {
				var err error
				if s.vals[at], err = s.Exprs[at].Eval(s.Ctx, b, rows); err != nil {
					return err
				}
			}
			s.args = append(s.args, s.vals[at])
		}
		if s.distinct[i] != nil {
			var err error
			if s.fresh, err = s.newValues(i, s.args, groups, b.Len, rows, s.fresh[:0]); err != nil {
				return err
			}
			if rows = s.fresh; len(rows) == 0 {
				continue
			}
		}
		if err := fn.AddRows(s.aggs[i], s.args, groups, b.Len, rows); err != nil {
			return err
		}
	}
	return nil
}

// merge takes in what another aggregation has found in rows that come after
// those seen here. Neither has DISTINCT aggregates.
func (s *aggregation) merge(o *aggregation) error {
	s.rows += o.rows
	var to []int32
	if len(s.Keys) > 0 {
		n := o.groups.Len()
		to = make([]int32, n)
		cols := make([]value.Column, len(s.Keys))
		args := make([]fn.Arg, len(s.Keys))
		for from := 0; from < n; from += value.BatchSize {
			upto := min(from+value.BatchSize, n)
			for i := range cols {
				o.groups.Key(i, from, upto, &cols[i])
				args[i] = fn.Arg{Column: &cols[i]}
			}
			if err := s.groups.Assign(args, upto-from, nil, fn.GroupNull, to[from:upto]); err != nil {
				return err
			}
		}
		for _, a := range s.aggs {
			a.Resize(s.groups.Len())
		}
	}
	for i, a := range s.aggs {
		if err := a.Merge(o.aggs[i], to); err != nil {
			return err
		}
	}
	return nil
}

// result returns groups from to upto-1: the keys, then the aggregates.
func (s *aggregation) result(from, upto int) (*value.Batch, error) {
	cols := make([]*value.Column, 0, len(s.Keys)+len(s.aggs))
	for i, t := range s.Keys {
		c := newColumn(t)
		s.groups.Key(i, from, upto, c)
		cols = append(cols, c)
	}
	for _, a := range s.aggs {
		c := newColumn(a.Type())
		if err := a.Result(from, upto, c); err != nil {
			return nil, err
		}
		cols = append(cols, c)
	}
	return &value.Batch{Len: upto - from, Cols: cols}, nil
}

// newValues appends the rows whose value is the first of its kind in its group.
func (s *aggregation) newValues(i int, args []fn.Arg, groups []int32, n int, sel, out []int32) ([]int32, error) {
	key := value.Column{Type: value.Type{Kind: value.Integer}, Ints: make([]int64, n)}
	if groups != nil {
		for k, g := range groups[:n] {
			key.Ints[k] = int64(g)
		}
	}
	d := s.distinct[i]
	ids := make([]int32, n)
	seen := int32(d.Len())
	mode := fn.SkipNull
	if s.Specs[i].Call.TakesNull() {
		mode = fn.GroupNull
	}
	if err := d.Assign(append([]fn.Arg{{Column: &key}}, args...), n, sel, mode, ids); err != nil {
		return nil, err
	}
	take := func(k int32) {
		if ids[k] >= seen {
			seen = ids[k] + 1
			out = append(out, k)
		}
	}
	if sel == nil {
		for k := range int32(n) {
			take(k)
		}
	} else {
		for _, k := range sel {
			take(k)
		}
	}
	if out == nil {
		out = []int32{}
	}
	return out, nil
}

// keepTrue appends the selected rows where a is true.
func keepTrue(a fn.Arg, b *value.Batch, sel, out []int32) []int32 {
	if out == nil {
		out = []int32{}
	}
	test := func(i int32) {
		if !a.IsNull(int(i)) && a.At(int(i)).Bool() {
			out = append(out, i)
		}
	}
	if sel == nil {
		for i := range int32(b.Len) {
			test(i)
		}
	} else {
		for _, i := range sel {
			test(i)
		}
	}
	return out
}
