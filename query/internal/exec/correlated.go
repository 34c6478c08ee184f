package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Correlated is the value of a subquery that depends on the row around it. Run
// answers it for one set of arguments, and its answers are kept; once that has
// been done for more than Alone sets, Keyed answers for whole batches.
type Correlated struct {
	Args   []fn.Expr
	Result value.Type
	Not    bool // a BOOLEAN result is negated
	Memory *Budget
	Run    func(ctx context.Context, args []value.Value) (value.Value, error)
	Keyed  *Keyed // nil = there is only Run
	Ahead  *Ahead // of a search in the query, nil = none
	Alone  int

	groups *fn.Groups // of arguments that Run has answered
	known  value.Column
	ids    []int32
	vals   []fn.Arg
	held   int64
	failed bool // Keyed could not be built; Run may still answer
	out    value.Column
}

func (e *Correlated) Type() value.Type { return e.Result }

func (e *Correlated) Clone() fn.Expr {
	c := &Correlated{Result: e.Result, Not: e.Not, Memory: e.Memory, Run: e.Run, Ahead: e.Ahead, Alone: e.Alone}
	for _, a := range e.Args {
		c.Args = append(c.Args, a.Clone())
	}
	if e.Keyed != nil {
		c.Keyed = e.Keyed.clone()
	}
	return c
}

func (e *Correlated) Eval(c *fn.Ctx, b *value.Batch, sel []int32) (fn.Arg, error) {
	rows := sel
	if rows == nil {
		rows = value.Positions(b.Len)
	}
	e.out.Reset(e.Result)
	if e.groups != nil && e.groups.Len() > e.Alone && e.Keyed != nil && !e.failed {
		return e.keyed(c, b, rows)
	}
	e.vals = e.vals[:0]
	for _, a := range e.Args {
		v, err := a.Eval(c, b, sel)
		if err != nil {
			return fn.Arg{}, err
		}
		e.vals = append(e.vals, v)
	}
	if e.groups == nil {
		types := make([]value.Type, len(e.Args))
		for i, a := range e.Args {
			types[i] = a.Type()
		}
		e.groups = fn.NewGroups(types)
		e.known.Reset(e.Result)
	}
	if len(e.ids) < b.Len {
		e.ids = make([]int32, b.Len)
	}
	before := e.groups.Len()
	if err := e.groups.Assign(e.vals, b.Len, sel, fn.GroupNull, e.ids); err != nil {
		return fn.Arg{}, err
	}
	if e.groups.Len() > e.Alone && e.Keyed != nil && !e.failed {
		return e.keyed(c, b, rows)
	}
	if e.Ahead != nil {
		var first []int32 // of each group that is new
		for next, k := before, 0; k < len(rows); k++ {
			if int(e.ids[rows[k]]) == next {
				first = append(first, rows[k])
				next++
			}
		}
		if err := e.Ahead.Prepare(c.Context, e.vals, first); err != nil {
			return fn.Arg{}, err
		}
	}
	done := before
	for _, i := range rows {
		if int(e.ids[i]) < done {
			continue
		}
		args := make([]value.Value, len(e.vals))
		for k, a := range e.vals {
			args[k] = ownValue(a.At(int(i)))
		}
		v, err := e.Run(c.Context, args)
		if err != nil {
			return fn.Arg{}, err
		}
		if v.Kind() == value.Vector && e.known.Type.Dim == 0 {
			e.known.Type.Dim = len(v.Vec())
		}
		e.known.Append(done, v)
		done++
	}
	if grown := e.groups.Bytes() + columnBytes(&e.known, nil, done) - e.held; grown > 0 {
		e.held += grown
		if err := e.Memory.Reserve(grown, "a subquery that depends on the row"); err != nil {
			return fn.Arg{}, err
		}
	}
	out := e.blank(b.Len)
	for _, i := range rows {
		e.set(out, int(i), e.known.Value(int(e.ids[i])))
	}
	return fn.Arg{Column: out}, nil
}

// ownValue returns v in memory of its own, where it is a vector.
func ownValue(v value.Value) value.Value {
	if v.Kind() == value.Vector {
		return value.Vec(append([]float32(nil), v.Vec()...))
	}
	return v
}

// blank returns the result column with n rows.
func (e *Correlated) blank(n int) *value.Column {
	t := e.Result
	if e.known.Type.Dim > 0 {
		t = e.known.Type
	}
	e.out.Reset(t)
	if t.Kind != value.Null {
		appendNulls(&e.out, 0, n)
	}
	return &e.out
}

// set puts v into row i of the result.
func (e *Correlated) set(out *value.Column, i int, v value.Value) {
	if v.IsNull() {
		return
	}
	switch out.Type.Kind {
	case value.Boolean:
		out.Bools[i] = v.Bool() != e.Not
	case value.Integer, value.Timestamp, value.Date:
		out.Ints[i] = v.Int()
	case value.Real:
		out.Reals[i] = v.Float()
	case value.Vector:
		copy(out.Vec(i), v.Vec())
	case value.Null:
		return
	default:
		out.Strs[i] = v.Str()
	}
	out.Nulls.Clear(i)
}

// keyed answers for the rows of a batch by key.
func (e *Correlated) keyed(c *fn.Ctx, b *value.Batch, rows []int32) (fn.Arg, error) {
	if err := e.Keyed.Table.build(c); err != nil {
		var memory *MemoryError
		if c.Context.Err() != nil || errors.As(err, &memory) && len(e.Keyed.Table.Types) > 0 {
			return fn.Arg{}, err
		}
		// What fails may be a row that no row of the outer query asks for.
		e.failed = true
		e.groups = nil
		return e.Eval(c, b, rows)
	}
	if t := e.Keyed.valueType(); t.Kind == value.Vector && e.known.Type.Dim == 0 {
		e.known.Type = t
	}
	out := e.blank(b.Len)
	err := e.Keyed.answer(c, b, rows, func(i int32, v value.Value) { e.set(out, int(i), v) })
	return fn.Arg{Column: out}, err
}

// InRows tells whether v is among the values of op's first column, with IN's
// meaning of NULL.
func InRows(ctx context.Context, op Operator, v value.Value) (value.Value, error) {
	found, unknown := false, false
	err := Drain(ctx, op, func(b *value.Batch) error {
		for _, i := range b.Selected() {
			switch x := b.Cols[0].Value(int(i)); {
			case x.IsNull() || v.IsNull():
				unknown = true
			case fn.Compare(x, v) == 0:
				found = true
				return errFound
			}
		}
		return nil
	})
	switch {
	case found:
		return value.Bool(true), nil
	case err != nil:
		return value.Value{}, err
	case unknown:
		return value.Value{}, nil
	}
	return value.Bool(false), nil
}

var errFound = errors.New("found")
