package exec

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Lookup finds rows by the primary key or an index, whose first column is compared with
// values that are known when the statement runs.
type Lookup struct {
	Index  *storage.IndexDef // nil = the primary key
	Column int               // of the table: what is compared
	Keys   []fn.Expr         // rows whose key is one of these; nil: Bounds
	Bounds []Bound           // rows within all of these
	Eq     []fn.Expr         // values of the index's columns before Column
	First  int               // if not 0, only the first rows of the index,
	Ties   []int             // and those equal to the last one in these columns, which follow Eq in the index
	Last   bool              // from the end of the index
	// Most is the number of rows beyond which all are read instead, if they are
	// estimated to be more; 0 = any number.
	Most   float64
	Match  *WordsQuery // the rows that match, by a full-text index
	Fusion *Fusion     // the rows that can be among the best by a sum of scores
	Text   string      // the condition, for EXPLAIN
	Joins  bool        // the keys are those of the rows that a HashJoin has: see HashJoin.Seek

	keys []value.Value
	rows []uint64
}

// Bound is one end of a range.
type Bound struct {
	Op string // <, <=, >, >= or like, with a pattern of which the beginning counts
	X  fn.Expr
}

// LikePrefix returns what every text that matches a LIKE pattern starts with.
func LikePrefix(pattern string) string {
	for i := range len(pattern) {
		switch pattern[i] {
		case '%', '_', '\\':
			return pattern[:i]
		}
	}
	return pattern
}

// Narrow makes the range keep to a bound. ok is false where it can't.
func Narrow(r *storage.Range, op string, v value.Value) (ok bool) {
	if v.Kind() == value.Real && math.IsNaN(v.Float()) {
		return false
	}
	switch op {
	case "<", "<=":
		if r.High.IsNull() || value.Compare(v, r.High) < 0 || value.Compare(v, r.High) == 0 && op == "<" {
			r.High, r.HighOpen = v, op == "<"
		}
	case ">", ">=":
		if r.Low.IsNull() || value.Compare(v, r.Low) > 0 || value.Compare(v, r.Low) == 0 && op == ">" {
			r.Low, r.LowOpen = v, op == ">"
		}
	case "like":
		p := LikePrefix(v.Str())
		if p == "" {
			return false
		}
		if len(p) > len(r.Prefix) {
			r.Prefix = p
		}
	}
	return true
}

var oneRow = &value.Batch{Len: 1}

// valueOf evaluates an expression that is the same for all rows. ok is false where it
// fails: then the condition is left to fail where, and if, a row meets it.
func valueOf(c *fn.Ctx, e fn.Expr) (v value.Value, ok bool) {
	a, err := e.Eval(c, oneRow, nil)
	if err != nil {
		return v, false
	}
	return a.At(0), true
}

// find returns the rows found: few as a list, in row order, else as a set. usable is
// false where all rows have to be read.
func (l *Lookup) find(ctx context.Context, c *fn.Ctx, t *storage.Table) (few []uint64, set *storage.RowSet, usable bool, err error) {
	if l.Match != nil {
		var q *storage.TextQuery
		if l.Match.Like != nil {
			if q, usable, err = l.Match.like(ctx, c); err != nil || !usable {
				return nil, nil, false, err
			}
		} else if q, err = l.Match.Prepare(ctx, c); err != nil {
			return nil, nil, false, err
		}
		if q == nil {
			return nil, nil, true, nil
		}
		if set, err = q.Match(ctx); err != nil {
			return nil, nil, false, err
		}
		if set.Len() > fetchLimit {
			return nil, set, true, nil
		}
		return slices.Collect(set.All()), nil, true, nil
	}
	if l.Fusion != nil {
		if set, err = l.Fusion.find(ctx, c, t); err != nil || set == nil {
			return nil, nil, false, err
		}
		return nil, set, true, nil
	}
	if l.Keys != nil {
		l.keys = l.keys[:0]
		for _, k := range l.Keys {
			v, ok := valueOf(c, k)
			if !ok || v.Kind() == value.Real && math.IsNaN(v.Float()) {
				return nil, nil, false, nil
			}
			if !v.IsNull() {
				l.keys = append(l.keys, v)
			}
		}
		if len(l.keys) <= fetchLimit {
			return l.few(ctx, t)
		}
	}
	set = new(storage.RowSet)
	if l.Keys != nil {
		for _, k := range l.keys {
			if l.Index == nil {
				row, ok, err := t.Lookup(ctx, k)
				if err != nil {
					return nil, nil, false, err
				}
				if ok {
					set.Add(row)
				}
			} else if err := l.scan(ctx, t, storage.Range{Eq: []value.Value{k}}, set); err != nil {
				return nil, nil, false, err
			}
		}
	} else {
		r, none, ok := l.within(c)
		if !ok {
			return nil, nil, false, nil
		}
		if none {
			return nil, nil, true, nil
		}
		if l.Most > 0 {
			st, err := t.Stats(ctx, l.Column)
			if err != nil {
				return nil, nil, false, err
			}
			if float64(float64(t.Rows())*Fraction(r, st)) > l.Most {
				return nil, nil, false, nil
			}
		}
		if err := l.scan(ctx, t, r, set); err != nil {
			return nil, nil, false, err
		}
	}
	if set.Len() > fetchLimit {
		return nil, set, true, nil
	}
	for r := range set.All() {
		few = append(few, r)
	}
	return few, nil, true, nil
}

// few finds the rows of not many keys.
func (l *Lookup) few(ctx context.Context, t *storage.Table) (few []uint64, set *storage.RowSet, usable bool, err error) {
	few = l.rows[:0]
	defer func() { l.rows = few }()
	for _, k := range l.keys {
		if l.Index == nil {
			row, ok, err := t.Lookup(ctx, k)
			if err != nil {
				return nil, nil, false, err
			}
			if ok {
				few = append(few, row)
			}
			continue
		}
		if few, err = t.AppendRows(ctx, few, l.Index, k); err != nil {
			return nil, nil, false, err
		}
	}
	if !slices.IsSorted(few) {
		slices.Sort(few)
	}
	few = slices.Compact(few)
	if len(few) <= fetchLimit {
		return few, nil, true, nil
	}
	return nil, storage.RowsOf(few), true, nil
}

// within returns the range of the bounds; none says that no row can be in it.
func (l *Lookup) within(c *fn.Ctx) (r storage.Range, none, ok bool) {
	r.Reverse = l.Last
	for _, x := range l.Eq {
		v, ok := valueOf(c, x)
		if !ok {
			return r, false, false
		}
		if v.IsNull() {
			return r, true, true
		}
		r.Eq = append(r.Eq, v)
	}
	for _, b := range l.Bounds {
		v, ok := valueOf(c, b.X)
		if !ok {
			return r, false, false
		}
		if v.IsNull() {
			return r, true, true
		}
		if !Narrow(&r, b.Op, v) {
			if b.Op != "like" {
				return r, false, false
			}
		}
	}
	if len(l.Bounds) > 0 && r.Low.IsNull() && r.High.IsNull() && r.Prefix == "" {
		return r, false, false
	}
	return r, false, true
}

// scan adds the rows of a range.
func (l *Lookup) scan(ctx context.Context, t *storage.Table, r storage.Range, set *storage.RowSet) error {
	r.Limit = l.First
	rows, err := t.IndexScan(ctx, l.Index, r)
	if err != nil {
		return err
	}
	for _, row := range rows {
		set.Add(row)
	}
	if l.First > 0 && len(rows) == l.First && len(l.Ties) > 0 {
		return l.addEqual(ctx, t, rows[len(rows)-1], r.Eq, set)
	}
	return nil
}

// addEqual adds the rows that are equal to one in the columns of Ties.
func (l *Lookup) addEqual(ctx context.Context, t *storage.Table, row uint64, eq []value.Value, set *storage.RowSet) error {
	b, err := t.Fetch(ctx, []uint64{row}, l.Ties)
	if err != nil {
		return err
	}
	eq = slices.Clone(eq)
	for _, c := range b.Cols {
		eq = append(eq, c.Value(0))
	}
	rows, err := t.IndexScan(ctx, l.Index, storage.Range{Eq: eq})
	for _, r := range rows {
		set.Add(r)
	}
	return err
}

func (l *Lookup) String() string {
	if l.Match != nil {
		return fmt.Sprintf("TextLookup %s [%s] in", l.Match.Index.Name, l.Text)
	}
	if l.Fusion != nil && l.Fusion.Groups != nil {
		if l.Fusion.Among != nil {
			return fmt.Sprintf("Fusion of %d of each group by %s, among the rows below, in", l.Fusion.Count, l.Text)
		}
		return fmt.Sprintf("Fusion of %d of each group by %s in", l.Fusion.Count, l.Text)
	}
	if l.Fusion != nil {
		if l.Fusion.Among != nil {
			return fmt.Sprintf("Fusion of %d by %s, among the rows below, in", l.Fusion.Count, l.Text)
		}
		return fmt.Sprintf("Fusion of %d by %s in", l.Fusion.Count, l.Text)
	}
	if l.Index == nil {
		return fmt.Sprintf("KeyLookup [%s] in", l.Text)
	}
	return fmt.Sprintf("IndexLookup %s [%s] in", l.Index.Name, l.Text)
}

// Fraction estimates which part of a column's values lies in a range.
func Fraction(r storage.Range, st storage.ColumnStats) float64 {
	if r.Prefix != "" {
		return math.Pow(0.25, float64(min(len(r.Prefix), 10)))
	}
	lo, hi, ok := numeric(st.Min), numeric(st.Max), true
	if math.IsNaN(lo) || math.IsNaN(hi) || hi <= lo {
		ok = false
	}
	if !ok {
		f := 1.0
		if !r.Low.IsNull() {
			f = float64(f * 0.3)
		}
		if !r.High.IsNull() {
			f = float64(f * 0.3)
		}
		return f
	}
	from, to := lo, hi
	if !r.Low.IsNull() {
		from = max(from, numeric(r.Low))
	}
	if !r.High.IsNull() {
		to = min(to, numeric(r.High))
	}
	return max(0, (to-from)/(hi-lo))
}

// numeric returns a number for values that have one, else NaN.
func numeric(v value.Value) float64 {
	switch v.Kind() {
	case value.Integer, value.Timestamp, value.Date:
		return float64(v.Int())
	case value.Real:
		return v.Float()
	case value.Numeric:
		return value.NumericReal(v.Str())
	}
	return math.NaN()
}
