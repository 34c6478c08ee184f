package plan

import (
	"math"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// lookups finds the rows of a scan by the primary key or an index, where that
// is less work than reading the columns.
func lookups(f *facts, n node) (node, error) {
	scan, ok := n.(*scanNode)
	if !ok || len(scan.filters) == 0 || scan.lookup != nil {
		return n, nil
	}
	def := scan.table.Def()
	type candidate struct {
		lookup *lookup
		rows   float64
	}
	var best *candidate
	offer := func(l *lookup, rows float64) {
		if best == nil || rows < best.rows {
			best = &candidate{l, rows}
		}
	}
	for ord := range def.Columns {
		var conds []restriction
		for _, x := range scan.filters {
			if r, ok := restrictionOf(x, scan.cols[ord]); ok {
				conds = append(conds, r)
			}
		}
		if len(conds) == 0 {
			continue
		}
		for k := -1; k < len(def.Indexes); k++ {
			l, unique := &lookup{ord: ord}, false
			if k < 0 {
				if def.PrimaryKey != ord {
					continue
				}
				unique = true
			} else {
				l.index = &def.Indexes[k]
				if def.ColumnID(l.index.Columns[0]) != ord {
					continue
				}
				unique = l.index.Unique && len(l.index.Columns) == 1
			}
			rows, err := f.lookup(scan, l, conds, unique)
			if err != nil {
				return nil, err
			}
			if rows >= 0 {
				offer(l, rows)
			}
		}
	}
	if best != nil {
		scan.lookup, scan.rows = best.lookup, best.rows
	}
	return scan, nil
}

// lookup fills in what a look-up by the conditions on its column compares, and returns
// about how many rows it finds; -1 where it is not worth it.
func (f *facts) lookup(scan *scanNode, l *lookup, conds []restriction, unique bool) (rows float64, err error) {
	total := float64(scan.table.Rows())
	var texts []string
	for _, c := range conds {
		if c.keys != nil {
			if l.keys == nil || len(c.keys) < len(l.keys) {
				l.keys, texts = c.keys, []string{c.text}
			}
		} else if l.bounds = append(l.bounds, c.bound); l.keys == nil {
			texts = append(texts, c.text)
		}
	}
	l.text = strings.Join(texts, " AND ")
	if l.keys != nil && unique {
		l.bounds = nil
		if rows = float64(len(l.keys)); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	st, err := scan.table.Stats(f.ctx, l.ord)
	if err != nil {
		return 0, err
	}
	if l.keys != nil {
		l.bounds = nil
		if rows = float64(float64(len(l.keys)) * max(1, total/max(1, float64(st.Distinct)))); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	// How many rows a range has is seen from its bounds. Those that differ from run to run
	// are looked at by the run.
	most := max(64, total*0.05)
	var r storage.Range
	for _, x := range l.bounds {
		c, ok, err := f.peek(x.x)
		if err != nil {
			return 0, err
		}
		if !ok {
			l.most, rows = most, most
			continue
		}
		if x.x.op == opSlot {
			l.most = most
		}
		if !c.val.IsNull() {
			exec.Narrow(&r, x.op, c.val)
		}
	}
	switch est := float64(total * exec.Fraction(r, st)); {
	case l.most == 0 || f.explain:
		rows = est
	case rows == 0:
		rows = min(est, most)
	}
	if rows > most {
		return -1, nil
	}
	return rows, nil
}

// indexOn finds an index whose first and only column is at ord; nil stands for
// the primary key.
func indexOn(def *storage.TableDef, ord int) (*storage.IndexDef, bool) {
	if def.PrimaryKey == ord {
		return nil, true
	}
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if len(x.Columns) == 1 && def.ColumnID(x.Columns[0]) == ord {
			return x, true
		}
	}
	return nil, false
}

// restriction is what a condition says about one column: it is one of keys, or within
// a bound.
type restriction struct {
	keys  []*expr
	bound bound
	text  string
}

// restrictionOf reads a condition that compares column c with fixed values of its own
// type.
func restrictionOf(f *expr, c *column) (restriction, bool) {
	is := func(e *expr) bool { return e.op == opColumn && e.col == c }
	fits := func(e *expr) bool {
		return fixed(e) && !(isConst(e) && e.val.IsNull()) && e.typ.Kind == c.typ.Kind && e.typ.Kind != value.Vector
	}
	r := restriction{text: f.text}
	switch f.op {
	case opIn:
		if f.not || !is(f.args[0]) || len(f.args) < 2 {
			return r, false
		}
		r.keys = []*expr{}
		for _, a := range f.args[1:] {
			if isConst(a) && a.val.IsNull() {
				continue
			}
			if !fits(a) {
				return r, false
			}
			r.keys = append(r.keys, a)
		}
		return r, true
	case opCall:
		if len(f.args) != 2 {
			return r, false
		}
		x, y, name := f.args[0], f.args[1], f.call.Func.Name
		if is(y) {
			x, y = y, x
			name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[name]
		}
		if !is(x) || !fits(y) {
			return r, false
		}
		if isConst(y) && c.typ.Kind == value.Real && math.IsNaN(y.val.Float()) {
			return r, false
		}
		switch name {
		case "=":
			r.keys = []*expr{y}
			return r, true
		case "<", "<=", ">", ">=":
			r.bound = bound{name, y}
			return r, true
		case "like":
			if c.typ.Kind == value.Text && (!isConst(y) || exec.LikePrefix(y.val.Str()) != "") {
				r.bound = bound{name, y}
				return r, true
			}
		}
	}
	return r, false
}
