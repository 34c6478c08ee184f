package eval

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

// Depth is how many hits of each prompt are judged.
const Depth = 10

// Prompt is one prompt, what makes a hit right, and what came out.
type Prompt struct {
	Place  string // in the file or table
	Text   string
	Kind   string
	Wanted string // what makes a hit right, as it is written; "" is not said
	Where  []Condition
	Filed  [3]float64 // precision that the file or table claims, NaN-free; -1 = none

	Right     [Depth]bool
	N         int // hits there were
	Relevant  int // right rows in the table
	First     db.Value
	Top       float64 // score of the first hit
	Rank      int     // of the first right hit, 0 = there is none in the table
	Best      db.Value
	BestScore float64
}

// FirstRight reports whether the first hit is right.
func (p *Prompt) FirstRight() bool { return p.N > 0 && p.Right[0] }

// Condition says that a column has one of some values, or with Not that it has none of them. An
// empty value means that there is none.
type Condition struct {
	Column db.Column
	Values []string
	Not    bool
}

// sql is the condition in the language.
func (c Condition) sql() string {
	var all []string
	for _, v := range c.Values {
		if v != "" {
			all = append(all, c.literal(v))
		}
	}
	name := db.Quote(c.Column.Name)
	var s string
	switch {
	case len(all) == 1:
		s = name + " = " + all[0]
	case len(all) > 1:
		s = name + " IN (" + strings.Join(all, ", ") + ")"
	}
	if len(all) < len(c.Values) {
		none := name + " IS NULL"
		if c.Column.Type.Kind == db.Text {
			none = fmt.Sprintf("coalesce(%s, '') = ''", name)
		}
		if s != "" {
			none = "(" + s + " OR " + none + ")"
		}
		s = none
	}
	if c.Not {
		return fmt.Sprintf("coalesce(NOT (%s), true)", s)
	}
	return s
}

func (c Condition) literal(text string) string {
	switch c.Column.Type.Kind {
	case db.Integer, db.Real, db.Boolean:
		return text
	}
	return query.QuoteText(text)
}

func (c Condition) holds(v db.Value) bool {
	return slices.ContainsFunc(c.Values, func(text string) bool { return c.is(text, v) }) != c.Not
}

func (c Condition) is(text string, v db.Value) bool {
	if v.IsNull() {
		return text == ""
	}
	switch c.Column.Type.Kind {
	case db.Real:
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && f == v.Float()
	case db.Integer:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n == v.Int()
		}
		f, err := strconv.ParseFloat(text, 64)
		return err == nil && f == float64(v.Int())
	case db.Boolean:
		return strings.EqualFold(v.String(), text)
	}
	return v.String() == text
}

// field is a field of a record, "" where the file has no such column.
func field(rec []string, column int) string {
	if column < 0 {
		return ""
	}
	return rec[column]
}

// rightness reads a field of the column right.
func rightness(text string) (right, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "yes", "true", "1":
		return true, true
	case "no", "false", "0":
		return false, true
	}
	return false, false
}

// ErrNoPrompts says that a file has no prompts, or none for the table.
var ErrNoPrompts = errors.New("no prompts")

// Read takes the prompts for a target out of their rows: see the package. What is right need not be
// said where prompts alone will do.
func Read(f Phrases, t Target, promptsDo bool) ([]Prompt, error) {
	prompt, predicate, id := f.prompt(), f.Column("predicate"), f.Column("id", "expected", t.Key)
	kind, right, of := f.Column("kind"), f.Column("right"), f.Column("table")
	filed := [3]int{f.Column("precision_at_1"), f.Column("precision_at_3"), f.Column("precision_at_10")}
	if prompt < 0 || predicate < 0 && id < 0 && !promptsDo {
		return nil, fmt.Errorf("%s: needs the columns query and predicate (subject=dog;place=garden), or query and id", f.Name)
	}
	var out []Prompt
	merged := map[string]*marked{}
	for n, rec := range f.Rows {
		if other := field(rec, of); other != "" && !strings.EqualFold(other, t.Table.Name) {
			continue
		}
		p := Prompt{Place: f.where(n), Text: rec[prompt], Kind: field(rec, kind), Filed: [3]float64{-1, -1, -1}}
		if p.Text == "" {
			return nil, f.errorf(n, "there is no prompt in the column %s", f.Head[prompt])
		}
		for i, c := range filed {
			if field(rec, c) == "" {
				continue
			}
			var err error
			if p.Filed[i], err = strconv.ParseFloat(rec[c], 64); err != nil {
				return nil, f.errorf(n, "%s %q is not a number", f.Head[c], rec[c])
			}
		}
		yes, ok := rightness(field(rec, right))
		if !ok {
			return nil, f.errorf(n, "right is yes or no, not %q", rec[right])
		}
		text, key := field(rec, predicate), field(rec, id)
		var err error
		switch {
		case text != "":
			if !yes {
				return nil, f.errorf(n, "rows that are wrong are told by their id, not by a predicate")
			}
			p.Wanted = text
			p.Where, err = parsePredicate(text, t.Table)
		case id >= 0 && (key != "" || !promptsDo):
			var c Condition
			c, err = condition(t.Key, key, t.Table)
			p.Wanted, p.Where = t.Key+"="+key, []Condition{c}
			if right < 0 || key == "" || err != nil {
				break
			}
			m := merged[p.Text]
			if m == nil {
				m = &marked{at: len(out)}
				merged[p.Text] = m
				out = append(out, p)
			}
			m.add(c, yes)
			continue
		case !promptsDo:
			err = errors.New("it is not said what is right")
		}
		if err != nil {
			return nil, f.errorf(n, "%w", err)
		}
		out = append(out, p)
	}
	for _, m := range merged {
		c := m.condition()
		out[m.at].Where, out[m.at].Wanted = []Condition{c}, c.sql()
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", f.Name, ErrNoPrompts)
	}
	return out, nil
}

// marked are the rows that lines of one query name.
type marked struct {
	at           int // of the prompt
	right, wrong Condition
}

func (m *marked) add(c Condition, right bool) {
	to := &m.wrong
	if right {
		to = &m.right
	}
	to.Column, to.Values = c.Column, append(to.Values, c.Values...)
}

func (m *marked) condition() Condition {
	if len(m.right.Values) > 0 {
		return m.right
	}
	m.wrong.Not = true
	return m.wrong
}

// parsePredicate reads subject=dog;place=garden over a table's columns.
func parsePredicate(text string, t db.Table) ([]Condition, error) {
	var out []Condition
	for _, part := range strings.Split(text, ";") {
		name, val, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("predicate %q: %q is not column=value", text, part)
		}
		c, err := condition(strings.TrimSpace(name), strings.TrimSpace(val), t)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// condition is that of a column and a value, which has to be one of its type.
func condition(name, val string, t db.Table) (Condition, error) {
	var found *db.Column
	var names []string
	for i, c := range t.Columns {
		if strings.EqualFold(c.Name, name) {
			found = &t.Columns[i]
		}
		names = append(names, c.Name)
	}
	if found == nil {
		return Condition{}, fmt.Errorf("no column %q in %s (there are %s)", name, t.Name, strings.Join(names, ", "))
	}
	if k := found.Type.Kind; val != "" && (k == db.Integer || k == db.Real) {
		if _, err := strconv.ParseFloat(val, 64); err != nil {
			return Condition{}, fmt.Errorf("%s is %s, %q is not a number", found.Name, found.Type, val)
		}
	}
	if val != "" && found.Type.Kind == db.Boolean && !strings.EqualFold(val, "true") && !strings.EqualFold(val, "false") {
		return Condition{}, fmt.Errorf("%s is %s, %q is neither true nor false", found.Name, found.Type, val)
	}
	return Condition{Column: *found, Values: []string{val}}, nil
}

// predicate is what makes a row right, in the language.
func (p *Prompt) predicate() string {
	var all []string
	for _, c := range p.Where {
		all = append(all, c.sql())
	}
	return strings.Join(all, " AND ")
}

// Kinds are the kinds that prompts have, in the order of the file; none where there are fewer than two.
func Kinds(all []Prompt) []string {
	var kinds []string
	for _, p := range all {
		if p.Kind != "" && !slices.Contains(kinds, p.Kind) {
			kinds = append(kinds, p.Kind)
		}
	}
	if len(kinds) < 2 {
		return nil
	}
	return kinds
}
