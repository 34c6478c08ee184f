package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage/value"
)

// nearest builds a search: the vectors of its candidates first, then the other columns
// of the rows found.
func (b *builder) nearest(n *scanNode, want []*expr) (rel, error) {
	s, after := n.search, n.filters
	m, to := s.score.measure, s.score.args[1]
	op := &exec.Nearest{
		Measure: b.measure,
		Env:     &b.env, Ctx: &b.fnctx, Table: b.table(n.table), Column: s.score.args[0].col.ord,
		Metric: m.Metric, At: at(to.pos),
		Count: s.count, Worst: s.worst, Ranked: s.ranked, Nulls: s.nulls && len(after) == 0,
		Ties: s.ties, Negate: m.Negate, FromOne: m.FromOne, Text: s.text,
	}
	var err error
	if op.To, err = b.compile(newLayout(nil), to); err != nil {
		return rel{}, err
	}
	if len(s.within) > 0 {
		if op.Within, err = b.compileAll(newLayout(nil), s.within); err != nil {
			return rel{}, err
		}
		for _, f := range after {
			if f.text != op.Text {
				op.Text += " [" + f.text + "]"
			}
		}
	}
	if s.among != nil {
		r, err := b.build(s.among, nil)
		if err != nil {
			return rel{}, err
		}
		op.Filter = r.op
		op.Among, op.Depends = amongKey(conditions(s.among, nil))
	}
	sc := &column{name: s.score.text, typ: realType}
	r := rel{op: b.measured(op), lay: newLayout([]*column{sc}), scan: n}
	r.lay.computed[s.score.key()] = sc
	if r, err = b.filter(r, after); err != nil {
		return r, err
	}
	return b.fetch(r, want)
}

// conditions are those that the rows of a scan pass.
func conditions(n node, out []*expr) []*expr {
	if s, ok := n.(*scanNode); ok {
		out = append(out, s.filters...)
	}
	for _, in := range n.inputs() {
		out = conditions(*in, out)
	}
	return out
}

// amongKey is equal for conditions on a table that keep the same rows, in runs of one
// plan whose slots of these numbers have equal values; "" if that is not certain.
func amongKey(conds []*expr) (_ string, slots []int) {
	var key strings.Builder
	for _, e := range conds {
		if e.unstable() || e.costly() {
			return "", nil
		}
		sets := false
		e.walk(func(x *expr) bool {
			sets = sets || x.op == opIn && len(x.args) == 1 // of a subquery
			if x.op == opSlot {
				slots = append(slots, x.slot.n)
			}
			return true
		})
		if sets {
			return "", nil
		}
		named := e.rewrite(func(x *expr) *expr {
			if x.op == opColumn {
				return constant(value.Str("column "+x.col.name), x.pos, "")
			}
			return nil
		})
		key.WriteString(named.key() + "\n")
	}
	return key.String(), slots
}
