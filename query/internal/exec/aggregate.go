package exec

import (
	"context"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Aggregate is one aggregate of a HashAggregate.
type Aggregate struct {
	Call     *fn.AggregateCall
	Arg      int // position among the expressions, -1 for count(*)
	Filter   int // position of a condition, -1 without one
	Distinct bool
}

// HashAggregate groups its input by the first expressions and computes
// aggregates for each group, in the order in which groups appear. Its columns
// are the keys, then the aggregates. Without keys there is one group, be the
// input empty.
type HashAggregate struct {
	input
	env   *Env
	ctx   *fn.Ctx
	exprs []fn.Expr
	keys  int
	types []value.Type
	specs []Aggregate
	text  string
	by    string

	groups   *fn.Groups
	aggs     []fn.Aggregator
	distinct []*fn.Groups // of (group, argument), for each DISTINCT aggregate
	held     int64
	at       int
	done     bool
	out      value.Batch
}

// NewHashAggregate returns a HashAggregate: exprs are keys, arguments and
// conditions; keyTypes are those of the keys.
func NewHashAggregate(in Operator, env *Env, c *fn.Ctx, exprs []fn.Expr, keyTypes []value.Type, specs []Aggregate, text, by string) (*HashAggregate, error) {
	h := &HashAggregate{input: input{in}, env: env, ctx: c, exprs: exprs, keys: len(keyTypes), types: keyTypes, specs: specs, text: text, by: by}
	h.groups = fn.NewGroups(keyTypes)
	h.distinct = make([]*fn.Groups, len(specs))
	for i, s := range specs {
		a, err := s.Call.New()
		if err != nil {
			return nil, err
		}
		h.aggs = append(h.aggs, a)
		if s.Distinct && s.Arg >= 0 {
			h.distinct[i] = fn.NewGroups([]value.Type{{Kind: value.Integer}, exprs[s.Arg].Type()})
		}
	}
	return h, nil
}

func (h *HashAggregate) Next(ctx context.Context) (*value.Batch, error) {
	if !h.done {
		if err := h.run(ctx); err != nil {
			return nil, err
		}
		h.done = true
	}
	n := h.groups.Len()
	if h.keys == 0 {
		n = 1
	}
	if h.at >= n {
		return nil, nil
	}
	from, to := h.at, min(h.at+value.BatchSize, n)
	h.at = to
	cols := make([]*value.Column, 0, h.keys+len(h.aggs))
	for i := range h.keys {
		c := newColumn(h.types[i])
		h.groups.Key(i, from, to, c)
		cols = append(cols, c)
	}
	for _, a := range h.aggs {
		c := newColumn(a.Type())
		if err := a.Result(from, to, c); err != nil {
			return nil, err
		}
		cols = append(cols, c)
	}
	h.out = value.Batch{Len: to - from, Cols: cols}
	return &h.out, nil
}

func (h *HashAggregate) run(ctx context.Context) error {
	vals := make([]fn.Arg, len(h.exprs))
	ids := make([]int32, value.BatchSize)
	var sel, fresh []int32
	if h.keys == 0 {
		for _, a := range h.aggs {
			a.Resize(1)
		}
	}
	return Drain(ctx, h.in, func(b *value.Batch) error {
		for i, e := range h.exprs {
			var err error
			if vals[i], err = e.Eval(h.ctx, b, b.Sel); err != nil {
				return err
			}
		}
		if len(ids) < b.Len {
			ids = make([]int32, b.Len)
		}
		groups := ids
		if h.keys == 0 {
			groups = nil
		} else {
			if err := h.groups.Assign(vals[:h.keys], b.Len, b.Sel, fn.GroupNull, ids); err != nil {
				return err
			}
			for _, a := range h.aggs {
				a.Resize(h.groups.Len())
			}
		}
		for i, s := range h.specs {
			rows := b.Sel
			if s.Filter >= 0 {
				sel = keepTrue(vals[s.Filter], b, rows, sel[:0])
				rows = sel
			}
			var arg fn.Arg
			if s.Arg >= 0 {
				arg = vals[s.Arg]
			}
			if h.distinct[i] != nil {
				var err error
				if fresh, err = h.newValues(i, arg, groups, b.Len, rows, fresh[:0]); err != nil {
					return err
				}
				rows = fresh
			}
			if rows != nil && len(rows) == 0 {
				continue
			}
			if err := h.aggs[i].Add(arg, groups, b.Len, rows); err != nil {
				return err
			}
		}
		return h.account()
	})
}

// account reserves what the groups have grown by.
func (h *HashAggregate) account() error {
	size := h.groups.Bytes()
	for i, a := range h.aggs {
		size += a.Bytes()
		if h.distinct[i] != nil {
			size += h.distinct[i].Bytes()
		}
	}
	grown := size - h.held
	h.held = size
	return h.env.Memory.Reserve(grown, "GROUP BY")
}

// newValues appends the rows whose value is the first of its kind in its group.
func (h *HashAggregate) newValues(i int, arg fn.Arg, groups []int32, n int, sel, out []int32) ([]int32, error) {
	key := value.Column{Type: value.Type{Kind: value.Integer}, Ints: make([]int64, n)}
	if groups != nil {
		for k, g := range groups[:n] {
			key.Ints[k] = int64(g)
		}
	}
	d := h.distinct[i]
	before := int32(d.Len())
	ids := make([]int32, n)
	if err := d.Assign([]fn.Arg{{Column: &key}, arg}, n, sel, fn.SkipNull, ids); err != nil {
		return nil, err
	}
	seen := before
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

func (h *HashAggregate) Close() error {
	h.env.Memory.Release(h.held)
	h.held = 0
	return h.input.Close()
}

func (h *HashAggregate) String() string {
	s := "HashAggregate"
	if h.text != "" {
		s += " " + h.text
	}
	if h.by != "" {
		s += " by " + h.by
	}
	return s
}
