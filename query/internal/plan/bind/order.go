package bind

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// ordinalOr binds e, or takes the item whose number it is.
func (b *Binder) ordinalOr(s *Scope, e parse.Expr, item func(int) (*logical.Expr, error), n int, aliasFirst bool) (*logical.Expr, error) {
	switch x := e.(type) {
	case *parse.Literal:
		if x.Value.Kind() == value.Integer {
			k := x.Value.Int()
			if k < 1 || k > int64(n) {
				return nil, parse.Errorf(x.Pos, "%d is not the number of a column: the select list has %s", k, logical.Counted(n, "column"))
			}
			return item(int(k) - 1)
		}
	case *parse.ColumnRef:
		return b.name(s, x, aliasFirst)
	}
	return b.Expr(s, e)
}

func (b *Binder) orderExpr(s *Scope, e parse.Expr, item func(int) (*logical.Expr, error), n int) (*logical.Expr, error) {
	x, err := b.ordinalOr(s, e, item, n, true)
	if err != nil {
		return nil, err
	}
	if lit, ok := e.(*parse.Literal); ok && lit.Value.Kind() == value.Text {
		return nil, parse.Errorf(parse.Start(e), "ORDER BY %s orders nothing: a text in quotes is the same for every row", e).WithHint("a column's name is written without quotes, or in double quotes")
	}
	return x, nil
}

// sortKeyOf gives an ORDER BY item its direction: a score with none is best
// first, anything else ascending, and a mixture has to say.
func (b *Binder) sortKeyOf(it *parse.OrderItem, e *logical.Expr) (logical.SortKey, error) {
	k := logical.SortKey{Expr: e}
	r := b.rankOf(e)
	what := ""
	switch it.Direction {
	case parse.Asc:
		what = "ascending"
	case parse.Desc:
		k.Order.Desc = true
		what = "descending"
	default:
		switch r {
		case logical.Mixed:
			return k, parse.Errorf(it.Pos, "ORDER BY %s is made from a score but is not one itself: write ASC or DESC after it", it.Expr)
		case logical.BestFirst:
			k.Order.Desc = true
			what = "best first"
		default:
			what = "ascending"
		}
	}
	switch it.Nulls {
	case parse.NullsFirst:
		k.Order.NullsFirst = true
		what += ", nulls first"
	case parse.NullsLast:
		if k.Order.Desc && r == logical.Ascending && !e.Uses(logical.OpScore) {
			what += ", nulls last"
		}
	default:
		// As in PostgreSQL NULL is above every value; but a row without a vector
		// comes last in any order of scores and distances.
		k.Order.NullsFirst = k.Order.Desc && r == logical.Ascending && !e.Uses(logical.OpScore)
	}
	k.Text = it.Expr.String() + " (" + what + ")"
	return k, nil
}
