package build

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
)

// nearest builds a search: the vectors of its candidates first, then the other columns
// of the rows found.
func (b *Builder) nearest(n *logical.Scan, want []*logical.Expr) (rel, error) {
	s, after := n.Search, n.Filters
	if s.Score.Op == logical.OpWords {
		return b.textTop(n, want)
	}
	m, to := s.Score.Measure, s.Score.Args[1]
	op := &exec.Nearest{
		Analyze: b.Analyze,
		Env:     &b.Env, Ctx: &b.Fnctx, Table: b.Table(n.Table), Column: s.Score.Args[0].Column.Ord,
		Metric: m.Metric, At: logical.At(to.Pos),
		Count: s.Count, Recall: s.Recall, Worst: s.Worst, Ranked: s.Ranked, Nulls: s.Nulls && len(after) == 0,
		Ties: s.Ties, Negate: m.Negate, FromOne: m.FromOne, Text: s.Text,
	}
	op.Ahead = b.aheadOfSearch[s]
	op.Top, op.Offset = s.Top, s.Offset
	if s.Time != nil {
		op.Time = &s.Time.Most
	}
	var err error
	if op.To, err = b.Compile(compile.NewLayout(nil), to); err != nil {
		return rel{}, err
	}
	if len(s.Within) > 0 {
		if op.Within, err = b.CompileAll(compile.NewLayout(nil), s.Within); err != nil {
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
		op.Among, op.Depends = s.AmongKey()
	}
	sc := &logical.Column{Name: s.Score.Text, Type: logical.RealType}
	r := rel{op: b.Analyzed(op), lay: compile.NewLayout([]*logical.Column{sc}), scan: n}
	r.lay.Computed[s.Score.Key()] = sc
	if r, err = b.filter(r, after); err != nil {
		return r, err
	}
	if len(s.Again) > 0 {
		if r, err = b.fetch(r, s.Again); err == nil {
			r, err = b.filter(r, s.Again)
		}
		if err != nil {
			return r, err
		}
	}
	return b.fetch(r, want)
}
