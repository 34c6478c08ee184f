package bind

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// relevance binds relevance(vector, what is looked for): relevance_at(similarity(vector, x), curve)
// where the curve is found once for each x.
func (b *Binder) relevance(s *Scope, e *parse.Call) (*logical.Expr, error) {
	if len(e.Args) != 2 {
		return nil, parse.Errorf(e.Pos, "relevance takes a vector column and what is looked for; got %s", logical.Counted(len(e.Args), "argument")).WithHint("relevance(clip, 'a wolf')")
	}
	x, err := b.vector(s, e.Args[0], target{call: "relevance"})
	if err != nil {
		return nil, err
	}
	if x.Op != logical.OpColumn && (x.Op != logical.OpSlot || x.Slot.What != logical.SlotOuter) {
		return nil, parse.Errorf(parse.Start(e.Args[0]), "relevance compares with what is known of a vector column, which %s is not", e.Args[0])
	}
	c := x.Column
	if c == nil {
		c = x.Slot.Column
	}
	if c.Stored == nil {
		if c.Source != "" {
			return nil, parse.Errorf(parse.Start(e.Args[0]), "relevance compares with what is known of a column of this store, and %s is in an attached database", e.Args[0]).WithHint("similarity(...) is there for those")
		}
		return nil, parse.Errorf(parse.Start(e.Args[0]), "relevance compares with what is known of a table's column, and %s is computed", e.Args[0]).WithHint("write relevance in the subquery, where the column is")
	}
	to, err := b.vector(s, e.Args[1], targetOf(x, "relevance"))
	if err != nil {
		return nil, err
	}
	m, _ := fn.MeasureOf("similarity")
	score := &logical.Expr{Op: logical.OpScore, Type: logical.RealType, Pos: e.Pos, Args: []*logical.Expr{x, to}, Measure: m}
	if dx, dy := x.Type.Dim, to.Type.Dim; dx > 0 && dy > 0 && dx != dy {
		return nil, parse.Errorf(parse.Start(e.Args[1]), "relevance: vector has %s, %s has %d", value.Dimensions(dy), x.Text, dx).Because(&storage.DimensionError{Column: x.Text, Got: dy, Want: dx})
	}
	curve := b.later(logical.SlotCostly, &logical.Expr{Op: logical.OpCurve, Type: value.Type{Kind: value.Vector, Dim: 2}, Pos: e.Pos, Args: []*logical.Expr{to},
		Stored: c.Stored, Encoding: EncodingOf(c.Stored.Table.Def(), c.Stored.Ord), Text: "the curve of " + e.String()})
	out, err := logical.CallRows("relevance_at", e.Pos, score, curve)
	if err != nil {
		return nil, err
	}
	out.Text = b.texts.Of(e)
	return out, nil
}
