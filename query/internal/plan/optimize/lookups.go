package optimize

import (
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// lookups finds the rows of a scan by the primary key or an index, where that
// is less work than reading the columns.
func lookups(f *Facts, n logical.Node) (logical.Node, error) {
	scan, ok := n.(*logical.Scan)
	if !ok || len(scan.Filters) == 0 || scan.Lookup != nil {
		return n, nil
	}
	def := scan.Table.Def()
	type candidate struct {
		lookup *logical.Lookup
		rows   float64
	}
	var best *candidate
	offer := func(l *logical.Lookup, rows float64) {
		if best == nil || rows < best.rows {
			best = &candidate{l, rows}
		}
	}
	for ord := range def.Columns {
		var conds []restriction
		for _, x := range scan.Filters {
			if r, ok := restrictionOf(x, scan.Cols[ord]); ok {
				conds = append(conds, r)
			}
		}
		if len(conds) == 0 {
			continue
		}
		for k := -1; k < len(def.Indexes); k++ {
			l, unique := &logical.Lookup{Ord: ord}, false
			if k < 0 {
				if def.PrimaryKey != ord {
					continue
				}
				unique = true
			} else {
				l.Index = &def.Indexes[k]
				if l.Index.Kind != storage.OrderedIndex || def.ColumnID(l.Index.Columns[0]) != ord || !covers(scan, l.Index) {
					continue
				}
				unique = l.Index.Unique && len(l.Index.Columns) == 1
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
		scan.Lookup, scan.Rows = best.lookup, best.rows
	}
	if best == nil || best.rows > fewRows {
		if !lookupWords(scan) && best == nil {
			lookupLike(scan)
		}
	}
	return scan, nil
}

// covers reports whether all rows that meet the conditions of a scan are in an index.
func covers(scan *logical.Scan, x *storage.IndexDef) bool {
	def := scan.Table.Def()
	for i := range x.Where {
		t := &x.Where[i]
		if !slices.ContainsFunc(scan.Filters, func(f *logical.Expr) bool {
			if g, ok := logical.TermOf(f, def, scan.Cols); ok {
				return g.Implies(t)
			}
			_, compared := restrictionOf(f, scan.Cols[def.ColumnID(t.Column)])
			return compared && t.Op == storage.TermNotNull
		}) {
			return false
		}
	}
	return true
}

// fewRows are so few that it is not worth asking a full-text index for fewer.
const fewRows = 64

// lookupWords finds the rows of a condition on words by its index, which knows them exactly.
func lookupWords(scan *logical.Scan) bool {
	for i, f := range scan.Filters {
		if logical.WordsOf(scan, f, "match") {
			scan.Filters = append(scan.Filters[:i:i], scan.Filters[i+1:]...)
			scan.Lookup = &logical.Lookup{Match: f, Text: f.Text}
			scan.Rows = float64(float64(scan.Table.Rows()) * 0.05)
			return true
		}
	}
	return false
}

// lookupLike finds the rows of a LIKE or ILIKE by an index of trigrams: some that do not match
// are among them, so the condition stays.
func lookupLike(scan *logical.Scan) {
	def := scan.Table.Def()
	var best *logical.Lookup
	most := 0
	for _, f := range scan.Filters {
		if f.Op != logical.OpCall || f.Call.Func.Name != "like" && f.Call.Func.Name != "ilike" || f.Args[0].Op != logical.OpColumn || !logical.AllFixed(f.Args[1:]) {
			continue
		}
		c := f.Args[0].Column
		ord := slices.Index(scan.Cols, c)
		if ord < 0 {
			continue
		}
		length := 3 // of a pattern that is not known yet
		if p := f.Args[1]; logical.IsConst(p) {
			length = 0
			escape := `\`
			if len(f.Args) > 2 {
				if escape = ""; logical.IsConst(f.Args[2]) {
					escape = f.Args[2].Value.Str()
				}
			}
			for _, s := range fn.LikeTexts(p.Value.Str(), escape, f.Call.Func.Name == "ilike") {
				if text.Containing(s) != nil {
					length = max(length, len(s))
				}
			}
		}
		if length <= most {
			continue
		}
		for i := range def.Indexes {
			x := &def.Indexes[i]
			if x.Kind == storage.FullText && x.Options["language"] == text.Trigram && slices.Contains(x.Columns, def.Columns[ord].ID) {
				best, most = &logical.Lookup{Match: f, Index: x, Ord: ord, Text: f.Text}, length
			}
		}
	}
	if best != nil {
		scan.Lookup = best
		scan.Rows = float64(float64(scan.Table.Rows()) * 0.05)
	}
}

// lookup fills in what a look-up by the conditions on its column compares, and returns
// about how many rows it finds; -1 where it is not worth it.
func (f *Facts) lookup(scan *logical.Scan, l *logical.Lookup, conds []restriction, unique bool) (rows float64, err error) {
	total := float64(scan.Table.Rows())
	var texts []string
	for _, c := range conds {
		if c.keys != nil {
			if l.Keys == nil || len(c.keys) < len(l.Keys) {
				l.Keys, l.Met, texts = c.keys, c.met, []string{c.text}
			}
		} else if l.Bounds = append(l.Bounds, c.bound); l.Keys == nil {
			texts = append(texts, c.text)
		}
	}
	l.Text = strings.Join(texts, " AND ")
	if l.Keys != nil && unique {
		l.Bounds = nil
		if rows = float64(len(l.Keys)); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	st, err := scan.Table.Stats(f.Ctx, l.Ord)
	if err != nil {
		return 0, err
	}
	if l.Keys != nil {
		l.Bounds = nil
		if rows = float64(float64(len(l.Keys)) * max(1, total/max(1, float64(st.Distinct)))); rows > max(64, total*0.1) {
			return -1, nil
		}
		return rows, nil
	}
	// How many rows a range has is seen from its bounds. Those that differ from run to run
	// are looked at by the run.
	most := max(64, total*0.05)
	var r storage.Range
	for _, x := range l.Bounds {
		c, ok, err := f.Peek(x.X)
		if err != nil {
			return 0, err
		}
		if !ok {
			l.Most, rows = most, most
			continue
		}
		if x.X.Op == logical.OpSlot {
			l.Most = most
		}
		if !c.Value.IsNull() {
			exec.Narrow(&r, x.Op, c.Value)
		}
	}
	switch est := float64(total * exec.Fraction(r, st)); {
	case l.Most == 0 || f.Explain:
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
		if x.Ordered() && len(x.Columns) == 1 && def.ColumnID(x.Columns[0]) == ord {
			return x, true
		}
	}
	return nil, false
}

// restriction is what a condition says about one column: it is one of keys, or within
// a bound.
type restriction struct {
	keys  []*logical.Expr
	met   *logical.Expr // the condition, if a key is found just where it is equal
	bound logical.Bound
	text  string
}

// restrictionOf reads a condition that compares column c with fixed values of its own
// type.
func restrictionOf(f *logical.Expr, c *logical.Column) (restriction, bool) {
	is := func(e *logical.Expr) bool { return e.Op == logical.OpColumn && e.Column == c }
	fits := func(e *logical.Expr) bool {
		return logical.Fixed(e) && !(logical.IsConst(e) && e.Value.IsNull()) && e.Type.Kind == c.Type.Kind && e.Type.Kind != value.Vector
	}
	r := restriction{text: f.Text}
	switch c.Type.Kind {
	case value.Integer, value.Text, value.Timestamp, value.Date:
		r.met = f
	}
	switch f.Op {
	case logical.OpIn:
		if f.Not || !is(f.Args[0]) || len(f.Args) < 2 {
			return r, false
		}
		r.keys = []*logical.Expr{}
		for _, a := range f.Args[1:] {
			if logical.IsConst(a) && a.Value.IsNull() {
				continue
			}
			if !fits(a) {
				return r, false
			}
			r.keys = append(r.keys, a)
		}
		return r, true
	case logical.OpCall:
		if len(f.Args) != 2 {
			return r, false
		}
		x, y, name := f.Args[0], f.Args[1], f.Call.Func.Name
		if is(y) {
			x, y = y, x
			name = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}[name]
		}
		if !is(x) || !fits(y) {
			return r, false
		}
		if logical.IsConst(y) && c.Type.Kind == value.Real && math.IsNaN(y.Value.Float()) {
			return r, false
		}
		switch name {
		case "=":
			r.keys = []*logical.Expr{y}
			return r, true
		case "<", "<=", ">", ">=":
			r.bound = logical.Bound{Op: name, X: y}
			return r, true
		case "like":
			if c.Type.Kind == value.Text && (!logical.IsConst(y) || exec.LikePrefix(y.Value.Str()) != "") {
				r.bound = logical.Bound{Op: name, X: y}
				return r, true
			}
		}
	}
	return r, false
}
