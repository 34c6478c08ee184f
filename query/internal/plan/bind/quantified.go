package bind

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// quantified binds x op ANY (array) and x op ALL (array). An equality with an array that
// is known is IN, which finds rows by an index.
func (b *Binder) quantified(s *Scope, e *parse.Quantified) (*logical.Expr, error) {
	op := strings.ToLower(string(e.Op))
	in := e.Op == parse.OpEq && !e.All || e.Op == parse.OpNe && e.All
	if a, ok := e.Y.(*parse.Array); ok && in && len(a.List) > 0 && !slices.ContainsFunc(a.List, func(x parse.Expr) bool { _, within := x.(*parse.Array); return within }) {
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
	if y, err = b.flat(y); err != nil {
		return nil, err
	}
	if in && logical.Fixed(y) && !logical.Fixed(x) && x.Type.Kind != value.Vector {
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
	call, err := fn.Quantified(op, e.Not, e.All, logical.ArgType(x), logical.ArgType(y))
	if err != nil {
		return nil, logical.ErrorAt(e.Pos, err)
	}
	return b.folded(&logical.Expr{Op: logical.OpCall, Type: logical.BoolType, Pos: e.Pos, Call: call, Args: []*logical.Expr{x, y}})
}
