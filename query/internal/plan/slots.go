package plan

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// newSlot adds a slot to the block being bound.
func (b *binder) newSlot(what slotKind, of *expr, typ value.Type, pos parse.Pos, text string) *expr {
	var key string
	var s *slot
	if of != nil {
		// What is written twice is found once, and known to be the same.
		key = fmt.Sprintf("%d:%v:%s", what, typ, of.key())
		s = b.known[key]
	}
	if s == nil {
		s = &slot{n: len(b.slots), what: what, typ: typ, pos: pos, of: of}
		b.addSlot(s, key)
	}
	computed := false // a text made of a column is no literal
	if of != nil {
		of.walk(func(x *expr) bool {
			computed = computed || x.op == opSlot && x.computed
			return !computed
		})
	}
	return &expr{op: opSlot, typ: typ, pos: pos, slot: s, text: text, computed: computed}
}

func (b *binder) addSlot(s *slot, key string) {
	b.slots = append(b.slots, s)
	if key != "" {
		if b.known == nil {
			b.known = map[string]*slot{}
		}
		b.known[key] = s
	}
	if s.what != slotArg && s.what != slotOuter {
		b.block.steps = append(b.block.steps, s)
	}
}

// argument returns the slot of a parameter.
func (b *binder) argument(p *parse.Param) (*expr, error) {
	v, err := b.param(p)
	if err != nil {
		return nil, err
	}
	if v.IsNull() { // which every plan for this kind of argument has
		return constant(v, p.Pos, p.String()), nil
	}
	for _, s := range b.slots {
		if s.what == slotArg && s.param.Name == p.Name && s.param.Index == p.Index {
			return &expr{op: opSlot, typ: s.typ, pos: p.Pos, slot: s, text: p.String()}, nil
		}
	}
	e := b.newSlot(slotArg, nil, v.Type(), p.Pos, p.String())
	e.slot.param = p
	return e, nil
}

// later returns a slot for e, if its parts are fixed, or else e itself.
func (b *binder) later(what slotKind, e *expr) *expr {
	if !allFixed(e.args) {
		return e
	}
	s := b.newSlot(what, e, e.typ, e.pos, e.text)
	s.enc = e.enc
	return s
}

// outerSlot returns the slot of a column of a query around the block being bound.
func (b *binder) outerSlot(c *column, pos parse.Pos, text string) *expr {
	for _, s := range b.block.outer {
		if s.col == c {
			return &expr{op: opSlot, typ: c.typ, pos: pos, slot: s, enc: c.enc, computed: true, text: text}
		}
	}
	e := b.newSlot(slotOuter, nil, c.typ, pos, text)
	e.slot.col, e.slot.block = c, b.block
	e.enc, e.computed = c.enc, true
	b.block.outer = append(b.block.outer, e.slot)
	return e
}

// constOf returns a fixed expression as a constant, looking at the values of
// arguments: the plan is then one for these values only. ok is false where there is
// none before the statement runs.
func (b *binder) constOf(e *expr) (_ *expr, ok bool, err error) {
	if e.op == opConst {
		return e, true, nil
	}
	if e.op != opSlot {
		return e, false, nil
	}
	s := e.slot
	switch s.what {
	case slotArg:
		v, err := b.param(s.param)
		if err != nil {
			return nil, false, err
		}
		b.look(s.param)
		c := constant(v, e.pos, e.text)
		return c, true, nil
	case slotCast, slotValue:
		known := true
		of := s.of.rewrite(func(x *expr) *expr {
			if x.op != opSlot {
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
		if err != nil || !isConst(c) {
			return e, false, err
		}
		out := *c
		out.pos, out.text, out.enc = e.pos, e.text, e.enc
		return &out, true, nil
	}
	return e, false, nil
}

// look notes that the plan depends on the value of a parameter.
func (b *binder) look(p *parse.Param) {
	for _, have := range b.looked {
		if have.Name == p.Name && have.Index == p.Index {
			return
		}
	}
	b.looked = append(b.looked, p)
}

// checked returns a vector whose numbers are checked when they are known.
func (b *binder) checked(x *expr) (*expr, error) {
	switch {
	case x.op == opConst && len(x.val.Vec()) > 0:
		if err := vector.Check(x.val.Vec()); err != nil {
			return nil, errorAt(x.pos, err)
		}
	}
	return x, nil
}

// setSlot is the set of the fixed items of an IN.
func (b *binder) setSlot(items []*expr, t value.Type, pos parse.Pos) *slot {
	e := b.newSlot(slotSet, &expr{op: opIn, typ: t, pos: pos, args: items}, t, pos, "")
	return e.slot
}

// looksLikeVector reports whether a text is one that is written as a vector.
func looksLikeVector(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "[") }

// kindOf is what a plan depends on of an argument.
func kindOf(v value.Value) value.Type { return v.Type() }

// peek is constOf for estimates: it does not tie the plan to the values of arguments.
func (b *binder) peek(e *expr) (*expr, bool, error) {
	defer func(n int) { b.looked = b.looked[:n] }(len(b.looked))
	return b.constOf(e)
}
