package bind

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// Expr binds an expression.
func (b *Binder) Expr(s *Scope, e parse.Expr) (*logical.Expr, error) {
	// The whole before its parts, whose texts are parts of it.
	text := b.texts.Of(e)
	if b.bound++; b.bound%64 == 0 {
		if err := b.Ctx.Err(); err != nil {
			return nil, err
		}
	}
	out, err := b.bind(s, e)
	if err != nil {
		return nil, err
	}
	if out.Op == logical.OpColumn || out.Text == text {
		return out, nil
	}
	if _, name := e.(*parse.ColumnRef); out.Text == "" && !name { // made just now, for e
		out.Text = text
		return out, nil
	}
	c := *out
	c.Text = text
	return &c, nil
}

// Exprs binds expressions.
func (b *Binder) Exprs(s *Scope, es []parse.Expr) ([]*logical.Expr, error) {
	out := make([]*logical.Expr, len(es))
	for i, e := range es {
		x, err := b.Expr(s, e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// condition binds an expression that has to be true or false.
func (b *Binder) condition(s *Scope, e parse.Expr, clause string) (*logical.Expr, error) {
	if e == nil {
		return nil, nil
	}
	e, err := b.trueOnly(s, e)
	if err != nil {
		return nil, err
	}
	x, err := b.Expr(s, e)
	if err != nil {
		return nil, err
	}
	if x.Type.Kind != value.Boolean && x.Type.Kind != value.Null {
		return nil, parse.Errorf(parse.Start(e), "%s needs a condition, but %s is %v", clause, e, x.Type)
	}
	return x, nil
}

func (b *Binder) bind(s *Scope, e parse.Expr) (*logical.Expr, error) {
	if x, err := b.withoutRows(s, e); err != nil {
		return nil, err
	} else if x != nil {
		return b.Expr(s, x)
	}
	switch e := e.(type) {
	case *parse.Literal:
		c := logical.Constant(e.Value, e.Pos, b.texts.Of(e))
		if e.Digits != "" {
			c.Exact, _ = value.ParseNumeric(e.Digits) // what is beyond NUMERIC is REAL alone
		}
		return c, nil
	case *parse.Param:
		return b.argument(e)
	case *parse.ColumnRef:
		return b.name(s, e, false)
	case *parse.Unary:
		return b.unary(s, e)
	case *parse.Binary:
		return b.binary(s, e)
	case *parse.Like:
		return b.like(s, e)
	case *parse.InList:
		return b.inList(s, e)
	case *parse.InQuery:
		return b.inQuery(s, e)
	case *parse.Between:
		return b.between(s, e)
	case *parse.IsNull:
		x, err := b.Expr(s, e.X)
		if err != nil {
			return nil, err
		}
		is, err := b.apply(pick(e.Not, "is not null", "is null"), e.Pos, x)
		if err != nil {
			return nil, err
		}
		is.Text = b.texts.Of(e)
		return logical.NullOfParts(is), nil
	case *parse.IsBool:
		x, err := b.Expr(s, e.X)
		if err != nil {
			return nil, err
		}
		// IS TRUE never gives NULL: it is IS NOT DISTINCT FROM TRUE.
		return b.apply(pick(e.Not, "is distinct from", "is not distinct from"), e.Pos, x, logical.Constant(value.Bool(e.Value), e.Pos, ""))
	case *parse.Case:
		return b.bindCase(s, e)
	case *parse.Cast:
		return b.cast(s, e)
	case *parse.Array:
		return b.array(s, e)
	case *parse.Row:
		return nil, notAValue(e)
	case *parse.AllOf:
		return nil, parse.Errorf(e.Pos, "%s stands for columns, not for a value", e).WithHint("it goes into a select list by itself; to_jsonb(%s) is JSON of a row", e)
	case *parse.Subscript:
		return b.subscript(s, e)
	case *parse.Quantified:
		return b.quantified(s, e)
	case *parse.Call:
		return b.call(s, e)
	case *parse.Exists:
		return b.exists(s, e)
	case *parse.Subquery:
		return b.scalar(s, e)
	case *parse.Default:
		return nil, parse.Errorf(e.Pos, "DEFAULT can only stand for a whole value in INSERT or UPDATE")
	}
	return nil, parse.Errorf(e.Position(), "internal error: unknown expression %T", e)
}

func pick(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}
