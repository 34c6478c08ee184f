package query

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/lupadb/lupa/query/internal/plan"
)

// plans keeps the plans of a statement: one for each kinds of arguments, and for the
// values of those few that a plan depends on (LIMIT, the name of a file). The most
// recently used come first.
type plans struct {
	mu   sync.Mutex
	kept []*plan.Plan
}

// maxPlans bounds the plans of one statement.
const maxPlans = 8

// find returns a plan for the arguments, or nil.
func (p *plans) find(args Args) *plan.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.kept {
		if x.Serves(args.Pos, args.Named) {
			if i > 0 {
				copy(p.kept[1:i+1], p.kept[:i])
				p.kept[0] = x
			}
			return x
		}
	}
	return nil
}

// keep adds a plan; instead of old, if that is there.
func (p *plans) keep(x, old *plan.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.kept, old); i >= 0 {
		p.kept = slices.Delete(p.kept, i, i+1)
	}
	if x != nil && x.Reusable() {
		p.kept = slices.Insert(p.kept[:min(len(p.kept), maxPlans-1)], 0, x)
	}
}

// start starts a run of the statement, by a plan that is there or a new one.
func (s *Stmt) start(ctx context.Context, in *plan.Input, args Args) (*plan.Run, error) {
	old := s.plans.find(args)
	if old != nil {
		if r, ok, err := old.Start(ctx, in); ok || err != nil {
			return r, err
		}
	}
	p, err := plan.Make(ctx, in, s.tree)
	if err != nil {
		return nil, err
	}
	s.plans.keep(p, old)
	r, _, err := p.Start(ctx, in)
	return r, err
}

// planned returns the plan that is there for the arguments, or a new one.
func (s *Stmt) planned(ctx context.Context, in *plan.Input, args Args) (*plan.Plan, error) {
	if p := s.plans.find(args); p != nil {
		return p, nil
	}
	in.Spell = true
	p, err := plan.Make(ctx, in, s.tree)
	if err == nil {
		s.plans.keep(p, nil)
	}
	return p, err
}

// startMany starts a run of each statement with its arguments.
func startMany(ctx context.Context, stmts []*Stmt, ins []*plan.Input, args []Args) ([]*plan.Run, error) {
	for range 2 {
		all := make([]*plan.Plan, len(args))
		for i, s := range stmts {
			// Lists of equal kinds have one plan.
			for k, p := range all[:i] {
				if all[i] == nil && stmts[k] == s && p.Serves(args[i].Pos, args[i].Named) {
					all[i] = p
				}
			}
			if all[i] == nil {
				var err error
				if all[i], err = s.planned(ctx, ins[i], args[i]); err != nil {
					return nil, err
				}
			}
		}
		runs, ok, err := plan.StartMany(ctx, all, ins)
		if ok || err != nil {
			return runs, err
		}
		for i, p := range all {
			stmts[i].plans.keep(nil, p)
		}
	}
	return nil, errors.New("internal error: new plans don't fit the tables")
}

// statements keeps the statements of a store by their texts, so that a text that comes
// again is neither parsed nor planned again. It is safe for concurrent use.
type statements struct {
	mu     sync.Mutex
	byText map[string]*list.Element // of *Stmt
	recent list.List                // the most recent first
	size   int                      // of the texts
}

// Bounds of the statements that are kept: of their texts in bytes, of one of those, and of
// their number.
const (
	maxTexts = 1 << 20
	maxText  = 16 << 10
	maxStmts = 1000
)

func (c *statements) get(text string) *Stmt {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byText[text]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*Stmt)
}

func (c *statements) put(s *Stmt) {
	if len(s.text) > maxText {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byText[s.text] != nil {
		return
	}
	if c.byText == nil {
		c.byText = map[string]*list.Element{}
	}
	c.byText[s.text] = c.recent.PushFront(s)
	for c.size += len(s.text); c.size > maxTexts || c.recent.Len() > maxStmts; {
		last := c.recent.Remove(c.recent.Back()).(*Stmt)
		delete(c.byText, last.text)
		c.size -= len(last.text)
	}
}
