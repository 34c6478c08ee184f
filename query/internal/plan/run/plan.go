package run

import (
	"context"
	"sync"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Column is a column of a statement's rows.
type Column struct {
	Name string
	Type value.Type
}

// ColumnsOfPlan are the columns of a statement whose rows have these.
func ColumnsOfPlan(cols []*logical.Column) []Column {
	out := make([]Column, len(cols))
	for i, c := range cols {
		out[i] = Column{c.Name, c.Type}
	}
	return out
}

// Plan is how a statement is done. It is immutable and safe for concurrent use: Start
// makes a Run of it.
type Plan struct {
	Columns []Column // of the rows; none for a statement without rows
	// Search is equal for plans whose runs StartMany may do in one pass, "" for others:
	// see logical.SearchKey.
	Search string

	make   Makes
	slots  []*logical.Slot
	block  *logical.Block
	subs   []*logical.Subquery
	how    bind.How
	Shows  bool                         // its rows are those of EXPLAIN
	JSON   bool                         // as one JSON value
	Rows   func(n logical.Node) float64 // for EXPLAIN ANALYZE: how many rows are expected of a node
	Cached bool                         // it may be used again

	kinds  []value.Type // of the arguments it is for
	names  []string
	looked []lookedAt       // values of arguments it is for
	tables []*storage.Table // as they were when it was made
	views  []*storage.ViewDef
	remote []bind.RemoteTable
	idle   sync.Pool // of *Run
	files  bool      // it was made where statements may name files
}

// lookedAt is the value of a parameter that a plan depends on.
type lookedAt struct {
	param *parse.Param
	value value.Value
}

// Makes makes the operators of a run, and what counts the rows written, nil for
// statements that write none.
type Makes func(b *build.Builder) (exec.Operator, func() int64, error)

// NewPlan finishes the plan of a statement that has been bound.
func NewPlan(b *bind.Binder, cols []Column, make Makes) *Plan {
	p := &Plan{
		Columns: cols, make: make, slots: b.Slots, block: b.Block, subs: b.Subs, how: b.How,
		Cached: !b.Once && b.How == bind.How{}, remote: b.Remotes, views: b.Views,
	}
	p.files = !b.In.NoFiles
	for _, t := range b.Tables {
		p.tables = append(p.tables, t)
	}
	if p.Cached && p.hidden(b.In) { // within a view
		p.Cached = false
	}
	for _, v := range b.In.Pos {
		p.kinds = append(p.kinds, bind.KindOf(v))
	}
	for n, v := range b.In.Named {
		p.names = append(p.names, n)
		p.kinds = append(p.kinds, bind.KindOf(v))
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
		if bind.KindOf(v) != p.kinds[i] {
			return false
		}
	}
	for i, n := range p.names {
		if v, ok := named[n]; !ok || bind.KindOf(v) != p.kinds[len(pos)+i] {
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

// Start makes a run of the plan, on the snapshot or transaction of in: what operators
// there are is built, and what has one value for the whole run is found. ok is false
// where the plan no longer fits the tables.
func (p *Plan) Start(ctx context.Context, in *bind.Input) (_ *Run, ok bool, err error) {
	return p.start(ctx, in, nil)
}

// StartWith is Start for a plan that is new, where some slots have values that are known.
func (p *Plan) StartWith(ctx context.Context, in *bind.Input, known func(s *logical.Slot) (value.Value, bool)) (*Run, error) {
	r, _, err := p.start(ctx, in, known)
	return r, err
}

func (p *Plan) start(ctx context.Context, in *bind.Input, known func(s *logical.Slot) (value.Value, bool)) (_ *Run, ok bool, err error) {
	r, err := p.open(ctx, in)
	if r == nil || err != nil {
		return nil, err != nil, err
	}
	if !p.how.Describe {
		r.self[0] = r
		for _, s := range p.slots {
			if known == nil {
				break
			}
			if v, ok := known(s); ok {
				r.slots[s.N].Put(v, s.Type)
			}
		}
		if err := findSlots(ctx, r.self[:]); err != nil {
			r.Close()
			return nil, true, err
		}
	}
	return r, true, nil
}

// open makes a run without values; nil where the plan no longer fits the tables.
func (p *Plan) open(ctx context.Context, in *bind.Input) (r *Run, err error) {
	for _, t := range p.remote {
		if p.Cached && !t.Current() {
			return nil, nil
		}
	}
	if p.Cached && (p.hidden(in) || p.files && in.NoFiles) { // planned anew, what names a file is refused
		return nil, nil
	}
	view := in.Snapshot()
	for _, d := range p.views {
		if p.Cached && view.ViewDef(d.Name) != d {
			return nil, nil
		}
	}
	if p.Cached {
		if r, _ = p.idle.Get().(*Run); r != nil {
			if ok, err := r.again(ctx, in); err != nil || ok {
				return r, err
			}
			r = nil
		}
	}
	r = &Run{Columns: p.Columns, plan: p, slots: make([]fn.Slot, len(p.slots))}
	r.Builder = &build.Builder{State: &build.State{In: in, Env: in.Env, Planned: p.tables, Find: r.outer, Rows: p.Rows}, Analyze: p.how.Analyze}
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
		r.Root = &exec.Analyze{Root: r.body, Run: p.how.Analyze, Lines: r.lines}
	}
	return r, nil
}

// hidden reports whether names that the plan has found in the store mean temporary tables now.
func (p *Plan) hidden(in *bind.Input) bool {
	if in.Temp == nil {
		return false
	}
	for _, t := range p.tables {
		if in.Hides(t.Def().Name) {
			return true
		}
	}
	for _, d := range p.views {
		if in.Hides(d.Name) {
			return true
		}
	}
	return false
}

// again makes a run that was closed ready for the next one.
func (r *Run) again(ctx context.Context, in *bind.Input) (bool, error) {
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
