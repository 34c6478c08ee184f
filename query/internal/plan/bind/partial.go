package bind

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// IndexTerms binds the WHERE of an index, nil for all rows.
func (b *Binder) IndexTerms(def *storage.TableDef, e parse.Expr) ([]storage.IndexTerm, error) {
	if e == nil {
		return nil, nil
	}
	s := &Scope{Inside: "WHERE"}
	for i := range def.Columns {
		c := &def.Columns[i]
		s.columns = append(s.columns, &logical.Column{Table: def.Name, Name: c.Name, Type: c.Type, Ord: i, Encoding: EncodingOf(def, i)})
	}
	cond, err := b.condition(s, e, "WHERE")
	if err != nil {
		return nil, err
	}
	var out []storage.IndexTerm
	for _, c := range logical.Conjuncts(cond, nil) {
		t, ok := logical.TermOf(c, def, s.columns)
		if !ok {
			return nil, parse.Errorf(parse.Start(e), "an index is over rows whose columns are compared with constants: %s is not of that form", c).
				WithHint("such as WHERE deleted IS NULL AND kind IN ('a', 'b') AND size > 10")
		}
		if len(t.Values) > 0 && t.Values[0].Kind() == value.Blob {
			return nil, parse.Errorf(parse.Start(e), "the WHERE of an index does not compare BLOBs")
		}
		out = append(out, t)
	}
	return out, nil
}

// TermsText are the terms of an index as its WHERE has them.
func TermsText(def *storage.TableDef, terms []storage.IndexTerm) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		s := parse.Quote(def.Columns[def.ColumnID(t.Column)].Name) + " "
		vals := make([]string, len(t.Values))
		for k, v := range t.Values {
			if vals[k] = v.String(); !plain(v) {
				vals[k] = parse.QuoteString(vals[k])
			}
		}
		switch {
		case len(vals) == 1 && t.Op == storage.TermEqual && t.Values[0].Kind() == value.Boolean:
			if s = strings.TrimSuffix(s, " "); !t.Values[0].Bool() {
				s = "NOT " + s
			}
		case len(vals) == 0:
			s += string(t.Op)
		case len(vals) == 1:
			s += string(t.Op) + " " + vals[0]
		default:
			s += "IN (" + strings.Join(vals, ", ") + ")"
		}
		parts[i] = s
	}
	return strings.Join(parts, " AND ")
}

// plain reports whether a value's text stands for it without quotes.
func plain(v value.Value) bool {
	switch v.Kind() {
	case value.Integer, value.Boolean:
		return true
	case value.Real, value.Numeric: // not NaN and Infinity
		_, err := strconv.ParseFloat(v.String(), 64)
		return err == nil && strings.ContainsAny(v.String(), "0123456789")
	}
	return false
}

// conflictTargets finds the unique indexes that ON CONFLICT (columns) WHERE ... means: one over all rows, else
// all those that have each row of the condition.
func (b *Binder) conflictTargets(def *storage.TableDef, ords []int, c *parse.OnConflict) (out []*storage.IndexDef, err error) {
	terms, err := b.IndexTerms(def, c.Of)
	if err != nil {
		return nil, err
	}
	if x := UniqueOn(def, ords); x != nil {
		return []*storage.IndexDef{x}, nil
	}
	var near *storage.IndexDef
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if !x.Partial() || !uniqueOver(def, x, ords) {
			continue
		}
		near = x
		if !slices.ContainsFunc(x.Where, func(t storage.IndexTerm) bool {
			return !slices.ContainsFunc(terms, func(g storage.IndexTerm) bool { return g.Implies(&t) })
		}) {
			out = append(out, x)
		}
	}
	if out != nil {
		return out, nil
	}
	e := parse.Errorf(c.Columns[0].Pos, "ON CONFLICT needs the primary key or the columns of a unique index of %s", def.Name)
	if near != nil {
		return nil, e.WithHint("index %s is over a part of the rows: ON CONFLICT (...) WHERE %s", near.Name, TermsText(def, near.Where))
	}
	return nil, e
}
