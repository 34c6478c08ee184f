package build

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// recursive builds a query of WITH RECURSIVE, whose steps are built one after the other.
func (b *Builder) recursive(n *logical.Recursive) (rel, error) {
	b.Single = true
	seed, err := b.Root(n.Seed, n.Seed.Columns())
	if err != nil {
		return rel{}, err
	}
	work := &exec.WorkTable{}
	again := func() (exec.Operator, error) {
		if b.work == nil {
			b.work = map[*logical.Recursion]*exec.WorkTable{}
		}
		b.work[n.Of] = work
		return (&Builder{State: b.State, Analyze: b.Analyze}).Root(n.Step, n.Step.Columns())
	}
	step, err := again()
	if err != nil {
		return rel{}, err
	}
	op := exec.NewRecursive(seed, step, again, work, typesOf(n.Outs), !n.All, &b.Env, n.Of.Name)
	return rel{op: b.Analyzed(op), lay: compile.NewLayout(n.Outs)}, nil
}

// working builds what reads the rows that a step starts from.
func (b *Builder) working(n *logical.Working, want []*logical.Expr) (rel, error) {
	return b.source(n.Outs, want, func(ords []int) (exec.Operator, error) {
		return &exec.Work{Of: b.work[n.Of], Want: ords, Name: n.Of.Name}, nil
	})
}
