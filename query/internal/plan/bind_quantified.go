package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// quantified binds x op ANY (array) and x op ALL (array). An equality with an array that
// is known is IN, which finds rows by an index.
func (b *binder) quantified(s *scope, e *parse.Quantified) (*expr, error) {
	op := strings.ToLower(string(e.Op))
	in := e.Op == parse.OpEq && !e.All || e.Op == parse.OpNe && e.All
	if a, ok := e.Y.(*parse.Array); ok && in && len(a.List) > 0 {
		return b.inList(s, &parse.InList{Pos: e.Pos, X: e.X, Not: e.All, List: a.List})
	}
	x, err := b.expr(s, e.X)
	if err != nil {
		return nil, err
	}
	y, err := b.expr(s, e.Y)
	if err != nil {
		return nil, err
	}
	if in && fixed(y) && !fixed(x) && x.typ.Kind != value.Vector {
		c, ok, err := b.constOf(y)
		if err != nil {
			return nil, err
		}
		if elements, array := fn.Elements(c.val); ok && array && len(elements) > 0 {
			list := &parse.InList{Pos: e.Pos, X: e.X, Not: e.All}
			for _, v := range elements {
				list.List = append(list.List, &parse.Literal{Pos: e.Pos, Value: v})
			}
			return b.inList(s, list)
		}
	}
	call, err := fn.Quantified(op, e.Not, e.All, argType(x), argType(y))
	if err != nil {
		return nil, errorAt(e.Pos, err)
	}
	return b.folded(&expr{op: opCall, typ: boolType, pos: e.Pos, call: call, args: []*expr{x, y}})
}
