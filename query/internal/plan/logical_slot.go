package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// A slot is a part of a statement that has one value in every row of a run, but not
// in every run: an argument, a column of the query around a subquery, and what is
// computed of those alone. A plan names slots by their numbers; their values are found
// when it runs, by the steps of the block they belong to.
type slot struct {
	n     int
	what  slotKind
	typ   value.Type
	pos   parse.Pos
	of    *expr   // what the value is computed from: constants and earlier slots
	col   *column // slotOuter
	block *block  // slotOuter
	param *parse.Param
}

type slotKind uint8

const (
	slotArg    slotKind = iota // the value of param
	slotOuter                  // a column of the query around
	slotCast                   // of, converted: where that fails the statement does
	slotValue                  // of, where that fails whoever uses it does
	slotText                   // the vector of a text: those of a statement are encoded together
	slotCostly                 // a picture, a sum of vectors: computed after texts and subqueries
	slotQuery                  // the outcome of a subquery
	slotSet                    // the set of the list of an IN
)

// A block is the part of a statement whose slots are found together: the statement, or
// a subquery that is run for many values of the columns around it.
type block struct {
	up    *block
	outer []*slot // columns of the queries around that it uses
	steps []*slot // in the order in which they are found
}

// fixed reports whether e has one value in a run: a constant, or a slot.
func fixed(e *expr) bool { return e.op == opConst || e.op == opSlot }

func allFixed(es []*expr) bool {
	return !slices.ContainsFunc(es, func(e *expr) bool { return !fixed(e) })
}

// within reports whether a slot depends on a column of a query around block.
func (s *slot) within(k *block) bool {
	if s.what == slotOuter {
		return s.block == k
	}
	return s.of != nil && s.of.usesOuter(k)
}

// usesOuter reports whether e depends on a column of a query around the block.
func (e *expr) usesOuter(k *block) bool {
	found := false
	e.walk(func(x *expr) bool {
		found = found || x.op == opSlot && x.slot.within(k)
		return !found
	})
	return found
}

// expand returns e with slots that depend on columns around the block replaced by
// what they are computed from, and those columns themselves.
func (e *expr) expand(k *block) *expr {
	return e.rewrite(func(x *expr) *expr {
		if x.op != opSlot || !x.slot.within(k) {
			return nil
		}
		var out *expr
		switch s := x.slot; {
		case s.what == slotOuter:
			out = columnExpr(s.col, x.pos)
		default:
			out = s.of.expand(k)
			if out == s.of {
				c := *out
				out = &c
			}
		}
		out.text = x.text
		return out
	})
}

// encodes reports whether e is, or stands for, a text or picture that is encoded.
func (e *expr) encodes() bool {
	if e.op == opSlot && e.slot.of != nil {
		e = e.slot.of
	}
	return e.op == opText || e.op == opImage
}

// deferred reports whether a part of e is a slot of this kind.
func (e *expr) deferred(kinds ...slotKind) bool {
	found := false
	e.walk(func(x *expr) bool {
		if x.op == opSlot {
			found = found || slices.Contains(kinds, x.slot.what) || x.slot.of != nil && x.slot.of.deferred(kinds...)
		}
		return !found
	})
	return found
}
