package fn

import (
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// collectAgg keeps the values of each group, in the order in which they come or, with
// keys, in theirs, and makes the result of them at the end.
type collectAgg struct {
	call   *AggregateCall
	t      value.Type
	args   int  // arguments; the others are keys
	nulls  bool // NULLs are kept
	sorted bool // by the first argument where no order is given
	finish func(rows []*collected, t value.Type) (value.Value, error)

	groups []collectedRows
	bytes  int64
}

// collected is what is kept of a row: its arguments and the key that orders it.
type collected struct {
	v, more value.Value
	key     string
}

// collectedRows are the rows of a group, in pieces: a group may have very many, and one list of
// them would be copied to grow, with the old one beside the new one in memory.
type collectedRows struct {
	full [][]collected
	last []collected
}

// pieceRows is how many rows a piece has.
const pieceRows = 1024

func (r *collectedRows) add(c collected) {
	if len(r.last) == pieceRows {
		r.full = append(r.full, r.last)
		r.last = make([]collected, 0, pieceRows)
	}
	r.last = append(r.last, c)
}

// all are the rows, in their order.
func (r *collectedRows) all() []*collected {
	n := len(r.last)
	for _, p := range r.full {
		n += len(p)
	}
	out := make([]*collected, 0, n)
	for _, p := range append(r.full, r.last) {
		for i := range p {
			out = append(out, &p[i])
		}
	}
	return out
}

func (a *collectAgg) Type() value.Type { return a.t }
func (a *collectAgg) Resize(n int)     { a.groups = extend(a.groups, n) }
func (a *collectAgg) Bytes() int64     { return int64(48*cap(a.groups)) + a.bytes }

func (a *collectAgg) Add(arg Arg, groups []int32, n int, sel []int32) error {
	return a.AddRows([]Arg{arg}, groups, n, sel)
}

// kept returns a value that outlives the batch it is from.
func kept(v value.Value) value.Value {
	switch v.Kind() {
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		return value.WithBody(v.Kind(), strings.Clone(v.Str()))
	}
	return cloneVec(v)
}

func (a *collectAgg) AddRows(args []Arg, groups []int32, n int, sel []int32) error {
	keys, orders := args[a.args:], a.call.Orders
	if len(orders) > len(keys) { // of the argument itself
		keys = args[:1]
	}
	if len(orders) == 0 && a.sorted {
		keys, orders = args[:1], []SortOrder{{}}
	}
	var buf []byte
	each(n, sel, func(i int) {
		c := collected{v: args[0].At(i)}
		if c.v.IsNull() && !a.nulls {
			return
		}
		c.v = kept(c.v)
		if a.args > 1 {
			c.more = kept(args[1].At(i))
		}
		buf = buf[:0]
		for k, o := range orders {
			buf = AppendSortKey(buf, keys[k], i, o)
		}
		c.key = string(buf)
		g := 0
		if groups != nil {
			g = int(groups[i])
		}
		a.groups[g].add(c)
		a.bytes += 168 + int64(len(c.key)+len(c.v.Str())+4*len(c.v.Vec())+len(c.more.Str()))
	})
	return nil
}

func (a *collectAgg) Merge(other Aggregator, to []int32) error {
	o := other.(*collectAgg)
	for g, rows := range o.groups {
		into := &a.groups[target(to, g)]
		if len(rows.full) == 0 {
			for _, c := range rows.last {
				into.add(c)
			}
			continue
		}
		if len(into.last) > 0 {
			into.full = append(into.full, into.last)
		}
		into.full, into.last = append(into.full, rows.full...), rows.last
	}
	a.bytes += o.bytes
	return nil
}

func (a *collectAgg) Result(from, upto int, out *value.Column) error {
	out.Reset(a.t)
	for i := range a.groups[from:upto] {
		rows := a.groups[from+i].all()
		if len(a.call.Orders) > 0 || a.sorted {
			slices.SortStableFunc(rows, func(x, y *collected) int { return strings.Compare(x.key, y.key) })
		}
		var v value.Value
		if len(rows) > 0 {
			var err error
			if v, err = a.finish(rows, a.t); err != nil {
				return err
			}
		}
		out.Append(i, v)
	}
	return nil
}

// finishText is string_agg: the separator of a row stands before its text.
func finishText(rows []*collected, _ value.Type) (value.Value, error) {
	var b strings.Builder
	for i, r := range rows {
		if i > 0 {
			b.WriteString(r.more.Str())
		}
		b.WriteString(r.v.Str())
		if b.Len() > maxText {
			return value.Value{}, tooLong("string_agg")
		}
	}
	return value.WithBody(rows[0].v.Kind(), b.String()), nil
}

// finishArray is array_agg and json_agg.
func finishArray(rows []*collected, _ value.Type) (value.Value, error) {
	b := []byte{'['}
	for i, r := range rows {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = appendAsJSON(b, r.v); err != nil {
			return value.Value{}, err
		}
		if len(b) > maxText {
			return value.Value{}, tooLong("the array")
		}
	}
	return value.RawJSON(string(append(b, ']'))), nil
}

// finishObject is json_object_agg.
func finishObject(rows []*collected, _ value.Type) (value.Value, error) {
	pairs := make([]value.Value, 0, 2*len(rows))
	for _, r := range rows {
		pairs = append(pairs, r.v, r.more)
	}
	s, err := buildObject(pairs)
	return value.RawJSON(s), err
}

// finishObjectB is jsonb_object_agg.
func finishObjectB(rows []*collected, t value.Type) (value.Value, error) {
	v, err := finishObject(rows, t)
	if err != nil {
		return v, err
	}
	s, err := normalized(v.Str())
	return value.RawJSON(s), err
}

func numbersOf(rows []*collected) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = r.v.Float()
	}
	return out
}

func finishMedian(rows []*collected, _ value.Type) (value.Value, error) {
	return value.Float(interpolated(numbersOf(rows), 0.5)), nil
}

func finishPercentile(rows []*collected, _ value.Type) (value.Value, error) {
	f := rows[0].more
	if f.IsNull() {
		return value.Value{}, nil
	}
	if err := checkFraction(f.Float()); err != nil {
		return value.Value{}, err
	}
	return value.Float(interpolated(numbersOf(rows), f.Float())), nil
}

func finishDiscrete(rows []*collected, _ value.Type) (value.Value, error) {
	f := rows[0].more
	if f.IsNull() {
		return value.Value{}, nil
	}
	if err := checkFraction(f.Float()); err != nil {
		return value.Value{}, err
	}
	at := int(math.Ceil(float64(f.Float()*float64(len(rows))))) - 1
	return rows[max(at, 0)].v, nil
}

// finishMode is the value that comes most often, the first one of several.
func finishMode(rows []*collected, _ value.Type) (value.Value, error) {
	best, most := 0, 0
	for i := 0; i < len(rows); {
		k := i
		for k < len(rows) && rows[k].key == rows[i].key {
			k++
		}
		if k-i > most {
			best, most = i, k-i
		}
		i = k
	}
	return rows[best].v, nil
}

// collector returns an aggregate's joint: its arguments are of the given kinds, its
// result of kind result, or with anyKind that of the first argument.
func collector(name, syntax string, kinds []value.Kind, result value.Kind, sorted bool, finish func([]*collected, value.Type) (value.Value, error)) func([]ArgType) ([]value.Type, func(*AggregateCall) Aggregator, error) {
	return fixedArgs(name, syntax, kinds, func(c *AggregateCall) Aggregator {
		t := value.Type{Kind: result}
		if result == anyKind {
			t = c.Param
		}
		return &collectAgg{call: c, t: t, args: len(kinds), nulls: c.Func.takesNull, sorted: sorted, finish: finish}
	})
}
