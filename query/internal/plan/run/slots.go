package run

import (
	"context"
	"slices"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// findSlots gives the slots of runs their values: first what is computed of arguments,
// then all texts are encoded in one batch, then the rest is found in order.
func findSlots(ctx context.Context, runs []*Run) error {
	for _, r := range runs {
		for _, s := range r.plan.slots {
			if s.What == logical.SlotArg {
				v, err := r.In.Param(s.Param)
				if err != nil {
					return err
				}
				r.slots[s.N].Put(v, s.Type)
			}
		}
		if err := r.cheap(r.plan.block); err != nil {
			return err
		}
		if r.plan.how.Explain {
			continue
		}
	}
	if len(runs) == 0 || runs[0].plan.how.Explain {
		return nil
	}
	if err := encodeSlots(ctx, runs); err != nil {
		return err
	}
	for _, r := range runs {
		if err := r.rest(r.plan.block); err != nil {
			return err
		}
	}
	return nil
}

// found reports whether a slot has its value, or an error that stands for it.
func (r *Run) found(s *logical.Slot) bool {
	x := &r.slots[s.N]
	return x.Arg.Column != nil || x.Err != nil || x.Set != nil
}

// ready reports whether all that a slot is computed from is there.
func (r *Run) ready(s *logical.Slot) bool {
	ok := true
	s.Of.Walk(func(x *logical.Expr) bool {
		if x.Slot != nil {
			ok = ok && r.found(x.Slot)
		}
		return ok && x.Query == nil
	})
	return ok && s.Of.Query == nil
}

// cheap finds the slots that are computed of arguments.
func (r *Run) cheap(k *logical.Block) error {
	for _, s := range k.Steps {
		switch s.What {
		case logical.SlotCast, logical.SlotValue, logical.SlotSet:
			if r.ready(s) {
				if err := r.find(s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rest finds the slots that are left.
func (r *Run) rest(k *logical.Block) error {
	for _, s := range k.Steps {
		if !r.found(s) {
			if err := r.find(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// outer finds the slots of a subquery that depends on the row around it, once more.
func (r *Run) outer(k *logical.Block) error {
	for _, s := range k.Steps {
		x := &r.slots[s.N]
		x.Arg, x.Err, x.Set = fn.Arg{}, nil, nil
	}
	r.Fnctx.Run = runNumber.Add(1)
	return r.rest(k)
}

// find finds the value of one slot.
func (r *Run) find(s *logical.Slot) error {
	at := &r.slots[s.N]
	switch s.What {
	case logical.SlotQuery:
		return r.runSubquery(s)
	case logical.SlotText:
		return encodeSlots(r.Fnctx.Context, []*Run{r}, s)
	case logical.SlotSet:
		set := fn.NewSet(s.Type)
		for _, e := range s.Of.Args {
			v, err := r.value(e)
			if err != nil {
				at.Err = err
				return nil
			}
			if err := set.Add(fn.ConstArg(v, s.Type), 1, nil); err != nil {
				return err
			}
		}
		at.Set = set
		return nil
	}
	var lazy error // of a part that fails when it is used
	for _, a := range s.Of.Args {
		if a.Op == logical.OpSlot && r.slots[a.Slot.N].Err != nil {
			lazy = r.slots[a.Slot.N].Err
		}
	}
	if lazy != nil && s.What != logical.SlotValue {
		at.Err = lazy
		return nil
	}
	x := r.steps[s]
	if x == nil {
		var err error
		if x, err = r.Compile(compile.NewLayout(nil), s.Of); err != nil {
			if s.What == logical.SlotValue {
				at.Err = logical.ErrorAt(s.Pos, err)
				return nil
			}
			return logical.ErrorAt(s.Pos, err)
		}
		if r.steps == nil {
			r.steps = map[*logical.Slot]fn.Expr{}
		}
		r.steps[s] = x
	}
	a, err := x.Eval(&r.Fnctx, OneRow, nil)
	switch {
	case err != nil && s.What == logical.SlotValue && !logical.Cancelled(err):
		at.Err = logical.ErrorAt(s.Pos, err)
		return nil
	case err != nil:
		return logical.ErrorAt(s.Pos, err)
	}
	at.Put(a.At(0), s.Type)
	return nil
}

// OneRow is a batch of one row without columns, to evaluate what needs none.
var OneRow = &value.Batch{Len: 1}

// value returns the value of a fixed expression.
func (r *Run) value(e *logical.Expr) (value.Value, error) {
	if e.Op == logical.OpConst {
		return e.Value, nil
	}
	return r.slots[e.Slot.N].Value()
}

// SlotValue is the value of a slot of a run.
func (r *Run) SlotValue(s *logical.Slot) (value.Value, error) { return r.slots[s.N].Value() }

// FixedValue is the value of an expression that is fixed in a run.
func (r *Run) FixedValue(e *logical.Expr) (value.Value, error) { return r.value(e) }

// encodeSlots encodes the texts of slots, each encoder's in one call: of those given, or of
// all that are ready.
func encodeSlots(ctx context.Context, runs []*Run, only ...*logical.Slot) error {
	type use struct {
		r *Run
		s *logical.Slot
	}
	type batch struct {
		enc   encoder.Encoder
		pos   parse.Pos
		texts []string
		uses  [][]use
		at    map[string]int
	}
	var batches []*batch
	for _, r := range runs {
		steps := only
		if steps == nil {
			steps = r.plan.block.Steps
		}
		for _, s := range steps {
			if s.What != logical.SlotText || !r.ready(s) || r.found(s) {
				continue
			}
			v, err := r.value(s.Of.Args[0])
			if err != nil {
				r.slots[s.N].Err = err
				continue
			}
			if v.IsNull() {
				r.slots[s.N].Put(v, s.Type)
				continue
			}
			enc, err := r.In.OpenEncoder(ctx, s.Of.Encoding, s.Pos)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(batches, func(g *batch) bool { return g.enc == enc })
			if i < 0 {
				i = len(batches)
				batches = append(batches, &batch{enc: enc, pos: s.Pos, at: map[string]int{}})
			}
			g := batches[i]
			text := exec.Prompt(enc, s.Of.Document) + v.Str()
			n, ok := g.at[text]
			if !ok {
				n = len(g.texts)
				g.at[text] = n
				g.texts, g.uses = append(g.texts, text), append(g.uses, nil)
			}
			g.uses[n] = append(g.uses[n], use{r, s})
		}
	}
	for _, g := range batches {
		start := time.Now()
		vecs, err := exec.EncodeTexts(ctx, g.enc, runs[0].In.Texts, g.texts)
		if err != nil {
			return logical.ErrorAt(g.pos, err)
		}
		runs[0].texts, runs[0].encoding = runs[0].texts+len(g.texts), runs[0].encoding+time.Since(start)
		for i, v := range vecs {
			for _, u := range g.uses[i] {
				u.r.slots[u.s.N].Put(value.Vec(v), u.s.Type)
			}
		}
	}
	return nil
}

// runSubquery runs a query that does not depend on the row, once.
func (r *Run) runSubquery(s *logical.Slot) error {
	q, at, ctx := s.Of.Query, &r.slots[s.N], r.Fnctx.Context
	op, err := r.Builder.Subquery(q)
	if err != nil {
		return err
	}
	switch s.Of.Op {
	case logical.OpExists:
		batch, err := op.Next(ctx)
		if err != nil {
			return err
		}
		at.Put(value.Bool(batch != nil), logical.BoolType)
	case logical.OpSubquery:
		v, err := build.OneValue(ctx, op, s.Pos)
		if err != nil {
			return err
		}
		at.Put(v, s.Type)
	case logical.OpInQuery:
		set := exec.NewValueSet(q.Rel.Cols[0].Type, &r.Env)
		if err := r.keep(s, set); err != nil {
			return err
		}
		if err := set.Gather(ctx, op); err != nil {
			return err
		}
		at.Set = set.Set
	}
	return op.Close()
}

// keep holds the set of a slot until the run ends, or another takes its place.
func (r *Run) keep(s *logical.Slot, set *exec.ValueSet) error {
	before := r.sets[s]
	if r.sets == nil {
		r.sets = map[*logical.Slot]*exec.ValueSet{}
	}
	r.sets[s] = set
	if before == nil {
		return nil
	}
	return before.Close()
}
