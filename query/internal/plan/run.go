package plan

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Plan is how a statement is done. It is immutable and safe for concurrent use: Start
// makes a Run of it.
type Plan struct {
	Columns []Column // of the rows; none for a statement without rows

	make   makes
	slots  []*slot
	block  *block
	subs   []*subquery
	how    how
	shows  bool // its rows are those of EXPLAIN
	cached bool // it may be used again

	kinds  []value.Type // of the arguments it is for
	names  []string
	looked []lookedAt       // values of arguments it is for
	tables []*storage.Table // as they were when it was made
	idle   sync.Pool        // of *Run
}

// lookedAt is the value of a parameter that a plan depends on.
type lookedAt struct {
	param *parse.Param
	value value.Value
}

// makes makes the operators of a run, and what counts the rows written, nil for
// statements that write none.
type makes func(b *builder) (exec.Operator, func() int64, error)

// newPlan finishes the plan of a statement that has been bound.
func newPlan(b *binder, cols []Column, make makes) *Plan {
	p := &Plan{
		Columns: cols, make: make, slots: b.slots, block: b.block, subs: b.subs, how: b.how,
		cached: !b.once && b.how == how{},
	}
	for _, t := range b.tables {
		p.tables = append(p.tables, t)
	}
	for _, v := range b.in.Pos {
		p.kinds = append(p.kinds, kindOf(v))
	}
	for n, v := range b.in.Named {
		p.names = append(p.names, n)
		p.kinds = append(p.kinds, kindOf(v))
	}
	for _, x := range b.looked {
		v, _ := b.param(x)
		p.looked = append(p.looked, lookedAt{x, v})
	}
	return p
}

// Reusable reports whether the plan may serve further runs.
func (p *Plan) Reusable() bool { return p.cached }

// Serves reports whether the plan is for arguments of these kinds, and of these values
// as far as it depends on them.
func (p *Plan) Serves(pos []value.Value, named map[string]value.Value) bool {
	if len(pos)+len(named) != len(p.kinds) || len(named) != len(p.names) {
		return false
	}
	for i, v := range pos {
		if kindOf(v) != p.kinds[i] {
			return false
		}
	}
	for i, n := range p.names {
		if v, ok := named[n]; !ok || kindOf(v) != p.kinds[len(pos)+i] {
			return false
		}
	}
	for _, l := range p.looked {
		v := named[l.param.Name]
		if l.param.Name == "" {
			v = pos[l.param.Index-1]
		}
		if value.Compare(v, l.value) != 0 {
			return false
		}
	}
	return true
}

// Run is one run of a plan. It belongs to one goroutine.
type Run struct {
	Columns  []Column
	Root     exec.Operator // to be read to the end
	Affected func() int64  // counts the rows written, once Root is at its end; nil for statements that write none

	*builder
	plan  *Plan
	slots []fn.Slot
	body  exec.Operator // what EXPLAIN explains: Root without that
	steps map[*slot]fn.Expr
	self  [1]*Run

	texts    int           // encoded so far
	encoding time.Duration // in this time
}

var runNumber atomic.Uint64

// Start makes a run of the plan, on the snapshot or transaction of in: what operators
// there are is built, and what has one value for the whole run is found. ok is false
// where the plan no longer fits the tables.
func (p *Plan) Start(ctx context.Context, in *Input) (_ *Run, ok bool, err error) {
	r, err := p.open(ctx, in)
	if r == nil || err != nil {
		return nil, err != nil, err
	}
	if !p.how.describe {
		r.self[0] = r
		if err := findSlots(ctx, r.self[:]); err != nil {
			r.Close()
			return nil, true, err
		}
	}
	return r, true, nil
}

// open makes a run without values; nil where the plan no longer fits the tables.
func (p *Plan) open(ctx context.Context, in *Input) (r *Run, err error) {
	if p.cached {
		if r, _ = p.idle.Get().(*Run); r != nil {
			if ok, err := r.again(ctx, in); err != nil || ok {
				return r, err
			}
			r = nil
		}
	}
	view := in.view()
	r = &Run{Columns: p.Columns, plan: p, slots: make([]fn.Slot, len(p.slots))}
	r.builder = &builder{state: &state{in: in, env: in.Env, planned: p.tables, find: r.outer}, measure: p.how.measure}
	for _, t := range p.tables {
		own := *t
		if p.cached {
			if ok, err := refresh(view, &own, t); err != nil || !ok {
				return nil, err
			}
		}
		r.tables = append(r.tables, &own)
	}
	r.fnctx = fn.Ctx{Context: ctx, Now: in.Now, Slots: r.slots, Run: runNumber.Add(1)}
	if p.how.describe {
		return r, nil
	}
	if r.Root, r.Affected, err = p.make(r.builder); err != nil {
		return nil, err
	}
	r.body = r.Root
	if p.shows {
		r.Root = &exec.Analyze{Root: r.body, Run: p.how.measure, Lines: r.lines}
	}
	return r, nil
}

// again makes a run that was closed ready for the next one.
func (r *Run) again(ctx context.Context, in *Input) (bool, error) {
	view := in.view()
	for i, t := range r.tables {
		if ok, err := refresh(view, t, r.plan.tables[i]); err != nil || !ok {
			return false, err
		}
	}
	r.in = in
	r.env = in.Env
	r.fnctx.Context, r.fnctx.Now, r.fnctx.Run = ctx, in.Now, runNumber.Add(1)
	return true, nil
}

// refresh makes t, a table as it was when a plan was made, the table as the view has it.
// It reports false where its definition has changed, or its size so much that another
// plan may be better.
func refresh(view *storage.View, t, planned *storage.Table) (bool, error) {
	if ok, err := view.Refresh(t); err != nil || !ok {
		return false, err
	}
	was, is := planned.Rows(), t.Rows()
	return is <= 2*was+1000 && was <= 2*is+1000 && (is > 0) == (was > 0), nil
}

// Close ends the run. A run of a plan that is used again is kept for the next one.
func (r *Run) Close() error {
	if r.Root == nil {
		return nil
	}
	err := r.Root.Close()
	for _, op := range r.ops {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	if r.plan.cached && err == nil && !r.single && exec.Reset(r.Root) {
		for i := range r.slots {
			s := &r.slots[i]
			s.Arg, s.Err, s.Set = fn.Arg{}, nil, nil
		}
		r.in, r.fnctx.Context, r.env = nil, nil, exec.Env{}
		r.plan.idle.Put(r)
		return nil
	}
	return err
}

// LastKey returns the INTEGER primary key of the last row inserted.
func (r *Run) LastKey() value.Value { return r.env.LastKey }

// Tally returns what was read of the files of the statement, or nil.
func (r *Run) Tally() *exec.Tally { return r.env.Tally }

// findSlots gives the slots of runs their values: first what is computed of arguments,
// then all texts are encoded in one batch, then the rest is found in order.
func findSlots(ctx context.Context, runs []*Run) error {
	for _, r := range runs {
		for _, s := range r.plan.slots {
			if s.what == slotArg {
				v, err := r.in.param(s.param)
				if err != nil {
					return err
				}
				r.slots[s.n].Put(v, s.typ)
			}
		}
		if err := r.cheap(r.plan.block); err != nil {
			return err
		}
		if r.plan.how.explain {
			continue
		}
	}
	if len(runs) == 0 || runs[0].plan.how.explain {
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
func (r *Run) found(s *slot) bool {
	x := &r.slots[s.n]
	return x.Arg.Column != nil || x.Err != nil || x.Set != nil
}

// ready reports whether all that a slot is computed from is there.
func (r *Run) ready(s *slot) bool {
	ok := true
	s.of.walk(func(x *expr) bool {
		if x.slot != nil {
			ok = ok && r.found(x.slot)
		}
		return ok && x.query == nil
	})
	return ok && s.of.query == nil
}

// cheap finds the slots that are computed of arguments.
func (r *Run) cheap(k *block) error {
	for _, s := range k.steps {
		switch s.what {
		case slotCast, slotValue, slotSet:
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
func (r *Run) rest(k *block) error {
	for _, s := range k.steps {
		if !r.found(s) {
			if err := r.find(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// outer finds the slots of a subquery that depends on the row around it, once more.
func (r *Run) outer(k *block) error {
	for _, s := range k.steps {
		x := &r.slots[s.n]
		x.Arg, x.Err, x.Set = fn.Arg{}, nil, nil
	}
	r.fnctx.Run = runNumber.Add(1)
	return r.rest(k)
}

// find finds the value of one slot.
func (r *Run) find(s *slot) error {
	at := &r.slots[s.n]
	switch s.what {
	case slotQuery:
		return r.runSubquery(s)
	case slotText:
		return encodeSlots(r.fnctx.Context, []*Run{r}, s)
	case slotSet:
		set := fn.NewSet(s.typ)
		for _, e := range s.of.args {
			v, err := r.value(e)
			if err != nil {
				at.Err = err
				return nil
			}
			if err := set.Add(fn.ConstArg(v, s.typ), 1, nil); err != nil {
				return err
			}
		}
		at.Set = set
		return nil
	}
	var lazy error // of a part that fails when it is used
	for _, a := range s.of.args {
		if a.op == opSlot && r.slots[a.slot.n].Err != nil {
			lazy = r.slots[a.slot.n].Err
		}
	}
	if lazy != nil && s.what != slotValue {
		at.Err = lazy
		return nil
	}
	x := r.steps[s]
	if x == nil {
		var err error
		if x, err = r.compile(newLayout(nil), s.of); err != nil {
			if s.what == slotValue {
				at.Err = errorAt(s.pos, err)
				return nil
			}
			return errorAt(s.pos, err)
		}
		if r.steps == nil {
			r.steps = map[*slot]fn.Expr{}
		}
		r.steps[s] = x
	}
	a, err := x.Eval(&r.fnctx, oneRow, nil)
	switch {
	case err != nil && s.what == slotValue && !cancelled(err):
		at.Err = errorAt(s.pos, err)
		return nil
	case err != nil:
		return errorAt(s.pos, err)
	}
	at.Put(a.At(0), s.typ)
	return nil
}

var oneRow = &value.Batch{Len: 1}

// value returns the value of a fixed expression.
func (r *Run) value(e *expr) (value.Value, error) {
	if e.op == opConst {
		return e.val, nil
	}
	return r.slots[e.slot.n].Value()
}

// encodeSlots encodes the texts of slots, each encoder's in one call: of those given, or of
// all that are ready.
func encodeSlots(ctx context.Context, runs []*Run, only ...*slot) error {
	type use struct {
		r *Run
		s *slot
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
			steps = r.plan.block.steps
		}
		for _, s := range steps {
			if s.what != slotText || !r.ready(s) {
				continue
			}
			v, err := r.value(s.of.args[0])
			if err != nil {
				r.slots[s.n].Err = err
				continue
			}
			if v.IsNull() {
				r.slots[s.n].Put(v, s.typ)
				continue
			}
			enc, err := r.in.openEncoder(ctx, s.of.enc, s.pos)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(batches, func(g *batch) bool { return g.enc == enc })
			if i < 0 {
				i = len(batches)
				batches = append(batches, &batch{enc: enc, pos: s.pos, at: map[string]int{}})
			}
			g := batches[i]
			text := exec.Prompt(enc, s.of.document) + v.Str()
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
		vecs, err := exec.EncodeTexts(ctx, g.enc, runs[0].in.Texts, g.texts)
		if err != nil {
			return errorAt(g.pos, err)
		}
		runs[0].texts, runs[0].encoding = runs[0].texts+len(g.texts), runs[0].encoding+time.Since(start)
		for i, v := range vecs {
			for _, u := range g.uses[i] {
				u.r.slots[u.s.n].Put(value.Vec(v), u.s.typ)
			}
		}
	}
	return nil
}

// runSubquery runs a query that does not depend on the row, once.
func (r *Run) runSubquery(s *slot) error {
	q, at, ctx := s.of.query, &r.slots[s.n], r.fnctx.Context
	op, err := r.builder.subquery(q)
	if err != nil {
		return err
	}
	switch s.of.op {
	case opExists:
		batch, err := op.Next(ctx)
		if err != nil {
			return err
		}
		at.Put(value.Bool(batch != nil), boolType)
	case opSubquery:
		v, err := oneValue(ctx, op, s.pos)
		if err != nil {
			return err
		}
		at.Put(v, s.typ)
	case opInQuery:
		set := fn.NewSet(q.rel.cols[0].typ)
		before := int64(0)
		err := exec.Drain(ctx, op, func(batch *value.Batch) error {
			if err := set.Add(fn.Arg{Column: batch.Cols[0]}, batch.Len, batch.Sel); err != nil {
				return err
			}
			grown := set.Bytes() - before
			before += grown
			return r.env.Memory.Reserve(grown, "IN (SELECT ...)")
		})
		if err != nil {
			return err
		}
		at.Set = set
	}
	return op.Close()
}

// Column is a column of a statement's rows.
type Column struct {
	Name string
	Type value.Type
}

func columnsOfPlan(cols []*column) []Column {
	out := make([]Column, len(cols))
	for i, c := range cols {
		out[i] = Column{c.name, c.typ}
	}
	return out
}
