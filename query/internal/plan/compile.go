package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// layout tells where the columns are in the batches an operator gives, and
// which expressions it has computed already.
type layout struct {
	at       map[*column]int
	computed map[string]*column // by key of the expression
	n        int
}

func newLayout(cols []*column) layout {
	l := layout{at: map[*column]int{}, computed: map[string]*column{}}
	for _, c := range cols {
		l.add(c)
	}
	return l
}

// add gives a column the next place.
func (l *layout) add(c *column) {
	l.at[c] = l.n
	l.n++
}

// with returns a copy that has more columns.
func (l layout) with(cols ...*column) layout {
	out := layout{at: map[*column]int{}, computed: map[string]*column{}, n: l.n}
	for c, i := range l.at {
		out.at[c] = i
	}
	for k, c := range l.computed {
		out.computed[k] = c
	}
	for _, c := range cols {
		out.add(c)
	}
	return out
}

// reduce returns e with the parts that are computed already replaced by their
// columns.
func (l layout) reduce(e *expr) *expr {
	if len(l.computed) == 0 {
		return e
	}
	return e.rewrite(func(x *expr) *expr {
		if x.op == opColumn || fixed(x) {
			return x
		}
		if c := l.computed[x.key()]; c != nil {
			r := columnExpr(c, x.pos)
			r.text = x.text
			return r
		}
		return nil
	})
}

// compile makes e executable over batches of the layout.
func (b *builder) compile(l layout, e *expr) (fn.Expr, error) {
	return b.compileExpr(l, l.reduce(e))
}

func (b *builder) compileAll(l layout, es []*expr) ([]fn.Expr, error) {
	out := make([]fn.Expr, len(es))
	for i, e := range es {
		c, err := b.compile(l, e)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// at gives an error a place in the source, unless it has one.
func at(pos parse.Pos) func(error) error {
	return func(err error) error { return errorAt(pos, err) }
}

func errorAt(pos parse.Pos, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*parse.Error); ok || pos.Line == 0 || stops(err) {
		return err
	}
	return &PlacedError{Pos: pos, Err: err}
}

func (b *builder) compileExpr(l layout, e *expr) (fn.Expr, error) {
	args := make([]fn.Expr, len(e.args))
	for i, a := range e.args {
		var err error
		if args[i], err = b.compileExpr(l, a); err != nil {
			return nil, err
		}
	}
	out, err := b.compileNode(l, e, args)
	return out, errorAt(e.pos, err)
}

func (b *builder) compileNode(l layout, e *expr, args []fn.Expr) (fn.Expr, error) {
	switch e.op {
	case opColumn:
		i, ok := l.at[e.col]
		if !ok {
			return nil, parse.Errorf(e.pos, "internal error: column %s is not read", e.col.name)
		}
		return fn.Column(i, e.col.typ), nil
	case opConst:
		return typedConst(e.val, e.typ)
	case opSlot:
		return fn.SlotValue(e.slot.n, e.typ), nil
	case opCall:
		return fn.Apply(e.call, args, at(e.pos))
	case opAnd:
		return fn.And(args[0], args[1])
	case opOr:
		return fn.Or(args[0], args[1])
	case opCase:
		var whens []fn.When
		for i := 0; i+1 < len(args); i += 2 {
			whens = append(whens, fn.When{Cond: args[i], Then: args[i+1]})
		}
		return fn.Case(whens, args[len(args)-1])
	case opCoalesce:
		return fn.Coalesce(args)
	case opCast:
		return fn.CastTo(args[0], e.typ, fn.Explicit, at(e.pos))
	case opIn:
		if e.slot != nil {
			return fn.InSlot(args[0], e.slot.n, e.not), nil
		}
		return fn.In(args[0], e.set, e.not), nil
	case opScore:
		if to := e.args[1]; fixed(to) {
			if isConst(to) {
				if to.val.IsNull() {
					return typedConst(value.Value{}, realType)
				}
				if _, err := vector.NewQuery(e.measure.Metric, to.val.Vec()); err != nil {
					return nil, err
				}
			}
			return exec.NewScore(args[0], args[1], e.measure.Metric, e.measure.Negate, e.measure.FromOne, at(e.pos)), nil
		}
		return exec.NewPairScore(args[0], args[1], e.measure.Metric, e.measure.Negate, e.measure.FromOne, at(e.pos)), nil
	case opText:
		return &exec.EncodeText{X: args[0], Open: b.opener(e.enc), Texts: b.in.Texts, Dim: e.enc.dim, Vectors: e.vectors, Document: e.document}, nil
	case opImage:
		return &exec.EncodeImage{X: args[0], Open: b.opener(e.enc), Dim: e.enc.dim, Read: b.readFile}, nil
	case opSum:
		return exec.NewVectorSum(args, e.weights, e.unit, e.typ.Dim, at(e.pos)), nil
	case opSubquery, opExists, opInQuery:
		return b.compileCorrelated(l, e, args)
	}
	return nil, parse.Errorf(e.pos, "internal error: expression %d can't be computed here", e.op)
}

var (
	realType = value.Type{Kind: value.Real}
	boolType = value.Type{Kind: value.Boolean}
	intType  = value.Type{Kind: value.Integer}
	textType = value.Type{Kind: value.Text}
)
