package plan

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage/value"
)

// nearest builds a search: conditions first, then the vectors of the rows they
// leave, then the other columns of the rows found.
func (b *builder) nearest(n *scanNode, want []*expr) (rel, error) {
	s := n.search
	key := s.score.key()
	var before, after []*expr
	for _, f := range n.filters {
		if _, ok := threshold(f, key); ok {
			after = append(after, f)
		} else {
			before = append(before, f)
		}
	}
	m, to := s.score.measure, s.score.args[1]
	op := &exec.Nearest{
		Measure: b.measure,
		Env:     &b.run.env, Ctx: &b.run.fnctx, Table: b.run.table(n.table), Column: s.score.args[0].col.ord,
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
	if len(before) > 0 || n.lookup != nil {
		sub := &scanNode{table: n.table, cols: n.cols, filters: before, lookup: n.lookup, rows: n.rows}
		if n.lookup == nil {
			if _, err := rangeSearch(b.binder, sub); err != nil {
				return rel{}, err
			}
		}
		r, err := b.build(sub, nil)
		if err != nil {
			return rel{}, err
		}
		op.Filter = r.op
		op.Among, op.Depends = amongKey(before)
	}
	sc := &column{name: s.score.text, typ: realType}
	r := rel{op: b.measured(op), lay: newLayout([]*column{sc}), scan: n}
	r.lay.computed[key] = sc
	if r, err = b.filter(r, after); err != nil {
		return r, err
	}
	return b.fetch(r, want)
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
