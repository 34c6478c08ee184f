package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// A slot is a part of a statement that has one value in every row of a run, but not
// in every run: an argument, a column of the query around a subquery, and what is
// computed of those alone. A plan names slots by their numbers; their values are found
// when it runs, by the steps of the block they belong to.
type Slot struct {
	N      int
	What   SlotKind
	Type   value.Type
	Pos    parse.Pos
	Of     *Expr   // what the value is computed from: constants and earlier slots
	Column *Column // SlotOuter
	Block  *Block  // SlotOuter
	Param  *parse.Param
}

// SlotKind says what the value of a slot is, and when it is found.
type SlotKind uint8

const (
	SlotArg    SlotKind = iota // the value of param
	SlotOuter                  // a column of the query around
	SlotCast                   // of, converted: where that fails the statement does
	SlotValue                  // of, where that fails whoever uses it does
	SlotText                   // the vector of a text: those of a statement are encoded together
	SlotCostly                 // a picture, a sum of vectors: computed after texts and subqueries
	SlotQuery                  // the outcome of a subquery
	SlotSet                    // the set of the list of an IN
)

// A block is the part of a statement whose slots are found together: the statement, or
// a subquery that is run for many values of the columns around it.
type Block struct {
	Up    *Block
	Outer []*Slot // columns of the queries around that it uses
	Steps []*Slot // in the order in which they are found
}

// Fixed reports whether e has one value in a run: a constant, or a slot.
func Fixed(e *Expr) bool { return e.Op == OpConst || e.Op == OpSlot }

// AllFixed reports whether all of es are fixed.
func AllFixed(es []*Expr) bool {
	return !slices.ContainsFunc(es, func(e *Expr) bool { return !Fixed(e) })
}

// within reports whether a slot depends on a column of a query around block.
func (s *Slot) within(k *Block) bool {
	if s.What == SlotOuter {
		return s.Block == k
	}
	return s.Of != nil && s.Of.UsesOuter(k)
}

// UsesOuter reports whether e depends on a column of a query around the block.
func (e *Expr) UsesOuter(k *Block) bool {
	found := false
	e.Walk(func(x *Expr) bool {
		found = found || x.Op == OpSlot && x.Slot.within(k)
		return !found
	})
	return found
}

// Expand returns e with slots that depend on columns around the block replaced by
// what they are computed from, and those columns themselves.
func (e *Expr) Expand(k *Block) *Expr {
	return e.Rewrite(func(x *Expr) *Expr {
		if x.Op != OpSlot || !x.Slot.within(k) {
			return nil
		}
		var out *Expr
		switch s := x.Slot; {
		case s.What == SlotOuter:
			out = ColumnExpr(s.Column, x.Pos)
		default:
			out = s.Of.Expand(k)
			if out == s.Of {
				c := *out
				out = &c
			}
		}
		out.Text = x.Text
		return out
	})
}

// Encodes reports whether e is, or stands for, a text or picture that is encoded.
func (e *Expr) Encodes() bool {
	if e.Op == OpSlot && e.Slot.Of != nil {
		e = e.Slot.Of
	}
	return e.Op == OpText || e.Op == OpImage
}

// Deferred reports whether a part of e is a slot of this kind.
func (e *Expr) Deferred(kinds ...SlotKind) bool {
	found := false
	e.Walk(func(x *Expr) bool {
		if x.Op == OpSlot {
			found = found || slices.Contains(kinds, x.Slot.What) || x.Slot.Of != nil && x.Slot.Of.Deferred(kinds...)
		}
		return !found
	})
	return found
}
