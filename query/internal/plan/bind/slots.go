package bind

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// newSlot adds a slot to the block being bound.
func (b *Binder) newSlot(what logical.SlotKind, of *logical.Expr, typ value.Type, pos parse.Pos, text string) *logical.Expr {
	var key string
	var s *logical.Slot
	if of != nil {
		// What is written twice is found once, and known to be the same.
		key = fmt.Sprintf("%d:%v:%s", what, typ, of.Key())
		s = b.known[key]
	}
	if s == nil {
		s = &logical.Slot{N: len(b.Slots), What: what, Type: typ, Pos: pos, Of: of}
		b.addSlot(s, key)
	}
	computed := false // a text made of a column is no literal
	if of != nil {
		of.Walk(func(x *logical.Expr) bool {
			computed = computed || x.Op == logical.OpSlot && x.Computed
			return !computed
		})
	}
	return &logical.Expr{Op: logical.OpSlot, Type: typ, Pos: pos, Slot: s, Text: text, Computed: computed}
}

func (b *Binder) addSlot(s *logical.Slot, key string) {
	b.Slots = append(b.Slots, s)
	if key != "" {
		if b.known == nil {
			b.known = map[string]*logical.Slot{}
		}
		b.known[key] = s
	}
	if s.What != logical.SlotArg && s.What != logical.SlotOuter {
		b.Block.Steps = append(b.Block.Steps, s)
	}
}

// argument returns the slot of a parameter.
func (b *Binder) argument(p *parse.Param) (*logical.Expr, error) {
	v, err := b.Param(p)
	if err != nil {
		return nil, err
	}
	if v.IsNull() { // which every plan for this kind of argument has
		return logical.Constant(v, p.Pos, p.String()), nil
	}
	for _, s := range b.Slots {
		if s.What == logical.SlotArg && s.Param.Name == p.Name && s.Param.Index == p.Index {
			return &logical.Expr{Op: logical.OpSlot, Type: s.Type, Pos: p.Pos, Slot: s, Text: p.String()}, nil
		}
	}
	e := b.newSlot(logical.SlotArg, nil, v.Type(), p.Pos, p.String())
	e.Slot.Param = p
	return e, nil
}

// later returns a slot for e, if its parts are fixed, or else e itself.
func (b *Binder) later(what logical.SlotKind, e *logical.Expr) *logical.Expr {
	if !logical.AllFixed(e.Args) {
		return e
	}
	s := b.newSlot(what, e, e.Type, e.Pos, e.Text)
	s.Encoding, s.Array = e.Encoding, e.Array
	return s
}

// outerSlot returns the slot of a column of a query around the block being bound.
func (b *Binder) outerSlot(c *logical.Column, pos parse.Pos, text string) *logical.Expr {
	for _, s := range b.Block.Outer {
		if s.Column == c {
			return &logical.Expr{Op: logical.OpSlot, Type: c.Type, Pos: pos, Slot: s, Encoding: c.Encoding, Array: c.Array, Computed: true, Text: text}
		}
	}
	e := b.newSlot(logical.SlotOuter, nil, c.Type, pos, text)
	e.Slot.Column, e.Slot.Block = c, b.Block
	e.Encoding, e.Array, e.Computed = c.Encoding, c.Array, true
	b.Block.Outer = append(b.Block.Outer, e.Slot)
	return e
}

// constOf returns a fixed expression as a constant, looking at the values of
// arguments: the plan is then one for these values only. ok is false where there is
// none before the statement runs.
func (b *Binder) constOf(e *logical.Expr) (_ *logical.Expr, ok bool, err error) {
	if e.Op == logical.OpConst {
		return e, true, nil
	}
	if e.Op != logical.OpSlot {
		return e, false, nil
	}
	s := e.Slot
	switch s.What {
	case logical.SlotArg:
		v, err := b.Param(s.Param)
		if err != nil {
			return nil, false, err
		}
		b.look(s.Param)
		c := logical.Constant(v, e.Pos, e.Text)
		return c, true, nil
	case logical.SlotCast, logical.SlotValue:
		known := true
		of := s.Of.Rewrite(func(x *logical.Expr) *logical.Expr {
			if x.Op != logical.OpSlot {
				return nil
			}
			c, ok, err2 := b.constOf(x)
			if err2 != nil {
				err = err2
			}
			known = known && ok
			return c
		})
		if err != nil || !known {
			return e, false, err
		}
		c, err := b.fold(of)
		if err != nil || !logical.IsConst(c) {
			return e, false, err
		}
		out := *c
		out.Pos, out.Text, out.Encoding, out.Array = e.Pos, e.Text, e.Encoding, e.Array
		return &out, true, nil
	}
	return e, false, nil
}

// look notes that the plan depends on the value of a parameter.
func (b *Binder) look(p *parse.Param) {
	for _, have := range b.Looked {
		if have.Name == p.Name && have.Index == p.Index {
			return
		}
	}
	b.Looked = append(b.Looked, p)
}

// checked returns a vector whose numbers are checked when they are known.
func (b *Binder) checked(x *logical.Expr) (*logical.Expr, error) {
	switch {
	case x.Op == logical.OpConst && len(x.Value.Vec()) > 0:
		if err := vector.Check(x.Value.Vec()); err != nil {
			return nil, logical.ErrorAt(x.Pos, err)
		}
	}
	return x, nil
}

// setSlot is the set of the fixed items of an IN.
func (b *Binder) setSlot(items []*logical.Expr, t value.Type, pos parse.Pos) *logical.Slot {
	e := b.newSlot(logical.SlotSet, &logical.Expr{Op: logical.OpIn, Type: t, Pos: pos, Args: items}, t, pos, "")
	return e.Slot
}

// looksLikeVector reports whether a text is one that is written as a vector.
func looksLikeVector(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "[") }

// KindOf is what a plan depends on of an argument.
func KindOf(v value.Value) value.Type { return v.Type() }

// Peek is constOf for estimates: it does not tie the plan to the values of arguments.
func (b *Binder) Peek(e *logical.Expr) (*logical.Expr, bool, error) {
	defer func(n int) { b.Looked = b.Looked[:n] }(len(b.Looked))
	return b.constOf(e)
}
