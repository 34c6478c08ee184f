package build

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// nearest builds a search: the vectors of its candidates first, then the other columns
// of the rows found.
func (b *Builder) nearest(n *logical.Scan, want []*logical.Expr) (rel, error) {
	s, after := n.Search, n.Filters
	m, to := s.Score.Measure, s.Score.Args[1]
	op := &exec.Nearest{
		Measure: b.Measure,
		Env:     &b.Env, Ctx: &b.Fnctx, Table: b.Table(n.Table), Column: s.Score.Args[0].Column.Ord,
		Metric: m.Metric, At: logical.At(to.Pos),
		Count: s.Count, Worst: s.Worst, Ranked: s.Ranked, Nulls: s.Nulls && len(after) == 0,
		Ties: s.Ties, Negate: m.Negate, FromOne: m.FromOne, Text: s.Text,
	}
	var err error
	if op.To, err = b.Compile(compile.NewLayout(nil), to); err != nil {
		return rel{}, err
	}
	if len(s.Within) > 0 {
		if op.Within, err = b.compileAll(compile.NewLayout(nil), s.Within); err != nil {
			return rel{}, err
		}
		for _, f := range after {
			if f.Text != op.Text {
				op.Text += " [" + f.Text + "]"
			}
		}
	}
	if s.Among != nil {
		r, err := b.build(s.Among, nil)
		if err != nil {
			return rel{}, err
		}
		op.Filter = r.op
		op.Among, op.Depends = amongKey(conditions(s.Among, nil))
	}
	sc := &logical.Column{Name: s.Score.Text, Type: logical.RealType}
	r := rel{op: b.Measured(op), lay: compile.NewLayout([]*logical.Column{sc}), scan: n}
	r.lay.Computed[s.Score.Key()] = sc
	if r, err = b.filter(r, after); err != nil {
		return r, err
	}
	return b.fetch(r, want)
}

// conditions are those that the rows of a scan pass.
func conditions(n logical.Node, out []*logical.Expr) []*logical.Expr {
	if s, ok := n.(*logical.Scan); ok {
		out = append(out, s.Filters...)
	}
	for _, in := range n.Inputs() {
		out = conditions(*in, out)
	}
	return out
}

// amongKey is equal for conditions on a table that keep the same rows, in runs of one
// plan whose slots of these numbers have equal values; "" if that is not certain.
func amongKey(conds []*logical.Expr) (_ string, slots []int) {
	var key strings.Builder
	for _, e := range conds {
		if e.Unstable() || e.Costly() {
			return "", nil
		}
		sets := false
		e.Walk(func(x *logical.Expr) bool {
			sets = sets || x.Op == logical.OpIn && len(x.Args) == 1 // of a subquery
			if x.Op == logical.OpSlot {
				slots = append(slots, x.Slot.N)
			}
			return true
		})
		if sets {
			return "", nil
		}
		named := e.Rewrite(func(x *logical.Expr) *logical.Expr {
			if x.Op == logical.OpColumn {
				return logical.Constant(value.Str("column "+x.Column.Name), x.Pos, "")
			}
			return nil
		})
		key.WriteString(named.Key() + "\n")
	}
	return key.String(), slots
}
