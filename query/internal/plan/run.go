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

	make   Makes
	slots  []*Slot
	block  *Block
	subs   []*Subquery
	how    How
	Shows  bool // its rows are those of EXPLAIN
	Cached bool // it may be used again

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

// Makes makes the operators of a run, and what counts the rows written, nil for
// statements that write none.
type Makes func(b *Builder) (exec.Operator, func() int64, error)

// NewPlan finishes the plan of a statement that has been bound.
func NewPlan(b *Binder, cols []Column, make Makes) *Plan {
	p := &Plan{
		Columns: cols, make: make, slots: b.Slots, block: b.Block, subs: b.Subs, how: b.How,
		Cached: !b.Once && b.How == How{},
	}
	for _, t := range b.Tables {
		p.tables = append(p.tables, t)
	}
	for _, v := range b.In.Pos {
		p.kinds = append(p.kinds, KindOf(v))
	}
	for n, v := range b.In.Named {
		p.names = append(p.names, n)
		p.kinds = append(p.kinds, KindOf(v))
	}
	for _, x := range b.Looked {
		v, _ := b.Param(x)
		p.looked = append(p.looked, lookedAt{x, v})
	}
	return p
}

// Reusable reports whether the plan may serve further runs.
func (p *Plan) Reusable() bool { return p.Cached }

// Serves reports whether the plan is for arguments of these kinds, and of these values
// as far as it depends on them.
func (p *Plan) Serves(pos []value.Value, named map[string]value.Value) bool {
	if len(pos)+len(named) != len(p.kinds) || len(named) != len(p.names) {
		return false
	}
	for i, v := range pos {
		if KindOf(v) != p.kinds[i] {
			return false
		}
	}
	for i, n := range p.names {
		if v, ok := named[n]; !ok || KindOf(v) != p.kinds[len(pos)+i] {
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

	*Builder
	plan  *Plan
	slots []fn.Slot
	body  exec.Operator // what EXPLAIN explains: Root without that
	steps map[*Slot]fn.Expr
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
	if !p.how.Describe {
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
	if p.Cached {
		if r, _ = p.idle.Get().(*Run); r != nil {
			if ok, err := r.again(ctx, in); err != nil || ok {
				return r, err
			}
			r = nil
		}
	}
	view := in.Snapshot()
	r = &Run{Columns: p.Columns, plan: p, slots: make([]fn.Slot, len(p.slots))}
	r.Builder = &Builder{State: &State{In: in, Env: in.Env, Planned: p.tables, Find: r.outer}, Measure: p.how.Measure}
	for _, t := range p.tables {
		own := *t
		if p.Cached {
			if ok, err := refresh(view, &own, t); err != nil || !ok {
				return nil, err
			}
		}
		r.Tables = append(r.Tables, &own)
	}
	r.Fnctx = fn.Ctx{Context: ctx, Now: in.Now, Slots: r.slots, Run: runNumber.Add(1)}
	if p.how.Describe {
		return r, nil
	}
	if r.Root, r.Affected, err = p.make(r.Builder); err != nil {
		return nil, err
	}
	r.body = r.Root
	if p.Shows {
		r.Root = &exec.Analyze{Root: r.body, Run: p.how.Measure, Lines: r.lines}
	}
	return r, nil
}

// again makes a run that was closed ready for the next one.
func (r *Run) again(ctx context.Context, in *Input) (bool, error) {
	view := in.Snapshot()
	for i, t := range r.Tables {
		if ok, err := refresh(view, t, r.plan.tables[i]); err != nil || !ok {
			return false, err
		}
	}
	r.In = in
	r.Env = in.Env
	r.Fnctx.Context, r.Fnctx.Now, r.Fnctx.Run = ctx, in.Now, runNumber.Add(1)
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
	for _, op := range r.Ops {
		if e := op.Close(); err == nil {
			err = e
		}
	}
	if r.plan.Cached && err == nil && !r.Single && exec.Reset(r.Root) {
		for i := range r.slots {
			s := &r.slots[i]
			s.Arg, s.Err, s.Set = fn.Arg{}, nil, nil
		}
		r.In, r.Fnctx.Context, r.Env = nil, nil, exec.Env{}
		r.plan.idle.Put(r)
		return nil
	}
	return err
}

// LastKey returns the INTEGER primary key of the last row inserted.
func (r *Run) LastKey() value.Value { return r.Env.LastKey }

// Tally returns what was read of the files of the statement, or nil.
func (r *Run) Tally() *exec.Tally { return r.Env.Tally }

// findSlots gives the slots of runs their values: first what is computed of arguments,
// then all texts are encoded in one batch, then the rest is found in order.
func findSlots(ctx context.Context, runs []*Run) error {
	for _, r := range runs {
		for _, s := range r.plan.slots {
			if s.What == SlotArg {
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
func (r *Run) found(s *Slot) bool {
	x := &r.slots[s.N]
	return x.Arg.Column != nil || x.Err != nil || x.Set != nil
}

// ready reports whether all that a slot is computed from is there.
func (r *Run) ready(s *Slot) bool {
	ok := true
	s.Of.Walk(func(x *Expr) bool {
		if x.Slot != nil {
			ok = ok && r.found(x.Slot)
		}
		return ok && x.Query == nil
	})
	return ok && s.Of.Query == nil
}

// cheap finds the slots that are computed of arguments.
func (r *Run) cheap(k *Block) error {
	for _, s := range k.Steps {
		switch s.What {
		case SlotCast, SlotValue, SlotSet:
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
func (r *Run) rest(k *Block) error {
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
func (r *Run) outer(k *Block) error {
	for _, s := range k.Steps {
		x := &r.slots[s.N]
		x.Arg, x.Err, x.Set = fn.Arg{}, nil, nil
	}
	r.Fnctx.Run = runNumber.Add(1)
	return r.rest(k)
}

// find finds the value of one slot.
func (r *Run) find(s *Slot) error {
	at := &r.slots[s.N]
	switch s.What {
	case SlotQuery:
		return r.runSubquery(s)
	case SlotText:
		return encodeSlots(r.Fnctx.Context, []*Run{r}, s)
	case SlotSet:
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
		if a.Op == OpSlot && r.slots[a.Slot.N].Err != nil {
			lazy = r.slots[a.Slot.N].Err
		}
	}
	if lazy != nil && s.What != SlotValue {
		at.Err = lazy
		return nil
	}
	x := r.steps[s]
	if x == nil {
		var err error
		if x, err = r.Compile(NewLayout(nil), s.Of); err != nil {
			if s.What == SlotValue {
				at.Err = ErrorAt(s.Pos, err)
				return nil
			}
			return ErrorAt(s.Pos, err)
		}
		if r.steps == nil {
			r.steps = map[*Slot]fn.Expr{}
		}
		r.steps[s] = x
	}
	a, err := x.Eval(&r.Fnctx, OneRow, nil)
	switch {
	case err != nil && s.What == SlotValue && !Cancelled(err):
		at.Err = ErrorAt(s.Pos, err)
		return nil
	case err != nil:
		return ErrorAt(s.Pos, err)
	}
	at.Put(a.At(0), s.Type)
	return nil
}

var OneRow = &value.Batch{Len: 1}

// value returns the value of a fixed expression.
func (r *Run) value(e *Expr) (value.Value, error) {
	if e.Op == OpConst {
		return e.Value, nil
	}
	return r.slots[e.Slot.N].Value()
}

// encodeSlots encodes the texts of slots, each encoder's in one call: of those given, or of
// all that are ready.
func encodeSlots(ctx context.Context, runs []*Run, only ...*Slot) error {
	type use struct {
		r *Run
		s *Slot
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
			if s.What != SlotText || !r.ready(s) {
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
			return ErrorAt(g.pos, err)
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
func (r *Run) runSubquery(s *Slot) error {
	q, at, ctx := s.Of.Query, &r.slots[s.N], r.Fnctx.Context
	op, err := r.Builder.Subquery(q)
	if err != nil {
		return err
	}
	switch s.Of.Op {
	case OpExists:
		batch, err := op.Next(ctx)
		if err != nil {
			return err
		}
		at.Put(value.Bool(batch != nil), BoolType)
	case OpSubquery:
		v, err := OneValue(ctx, op, s.Pos)
		if err != nil {
			return err
		}
		at.Put(v, s.Type)
	case OpInQuery:
		set := fn.NewSet(q.Rel.Cols[0].Type)
		before := int64(0)
		err := exec.Drain(ctx, op, func(batch *value.Batch) error {
			if err := set.Add(fn.Arg{Column: batch.Cols[0]}, batch.Len, batch.Sel); err != nil {
				return err
			}
			grown := set.Bytes() - before
			before += grown
			return r.Env.Memory.Reserve(grown, "IN (SELECT ...)")
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

func ColumnsOfPlan(cols []*column) []Column {
	out := make([]Column, len(cols))
	for i, c := range cols {
		out[i] = Column{c.Name, c.Type}
	}
	return out
}
