package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// quantified binds x op ANY (array) and x op ALL (array). An equality with an array that
// is known is IN, which finds rows by an index.
func (b *Binder) quantified(s *Scope, e *parse.Quantified) (*Expr, error) {
	op := strings.ToLower(string(e.Op))
	in := e.Op == parse.OpEq && !e.All || e.Op == parse.OpNe && e.All
	if a, ok := e.Y.(*parse.Array); ok && in && len(a.List) > 0 {
		return b.inList(s, &parse.InList{Pos: e.Pos, X: e.X, Not: e.All, List: a.List})
	}
	x, err := b.Expr(s, e.X)
	if err != nil {
		return nil, err
	}
	y, err := b.Expr(s, e.Y)
	if err != nil {
		return nil, err
	}
	if in && Fixed(y) && !Fixed(x) && x.Type.Kind != value.Vector {
		c, ok, err := b.constOf(y)
		if err != nil {
			return nil, err
		}
		if elements, array := fn.Elements(c.Value); ok && array && len(elements) > 0 {
			list := &parse.InList{Pos: e.Pos, X: e.X, Not: e.All}
			for _, v := range elements {
				list.List = append(list.List, &parse.Literal{Pos: e.Pos, Value: v})
			}
			return b.inList(s, list)
		}
	}
	call, err := fn.Quantified(op, e.Not, e.All, ArgType(x), ArgType(y))
	if err != nil {
		return nil, ErrorAt(e.Pos, err)
	}
	return b.folded(&Expr{Op: OpCall, Type: BoolType, Pos: e.Pos, Call: call, Args: []*Expr{x, y}})
}
