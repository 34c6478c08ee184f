package storage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// An ordered index may be over a part of the rows: those that meet all of its terms. Terms are
// such that the store decides them by itself, so that CHECK, salvage and merging need nobody
// who knows the language.

// TermOp is what a term says of a column.
type TermOp string

// The operations. All but TermIsNull are not met by NULL.
const (
	TermIsNull   TermOp = "IS NULL"
	TermNotNull  TermOp = "IS NOT NULL"
	TermEqual    TermOp = "=" // to one of the values
	TermNotEqual TermOp = "<>"
	TermLess     TermOp = "<"
	TermAtMost   TermOp = "<="
	TermGreater  TermOp = ">"
	TermAtLeast  TermOp = ">="
)

// IndexTerm is a condition on one column. Values are of its kind, and not NULL: several for
// TermEqual, one for other comparisons, none for the tests of NULL.
type IndexTerm struct {
	Column uint32 // its id
	Op     TermOp
	Values []value.Value
}

// Met reports whether a value meets the term.
func (t *IndexTerm) Met(v value.Value) bool {
	switch t.Op {
	case TermIsNull:
		return v.IsNull()
	case TermNotNull:
		return !v.IsNull()
	}
	if v.IsNull() {
		return false
	}
	if t.Op == TermEqual {
		return slices.ContainsFunc(t.Values, func(x value.Value) bool { return value.Compare(v, x) == 0 })
	}
	c := value.Compare(v, t.Values[0])
	switch t.Op {
	case TermNotEqual:
		return c != 0
	case TermLess:
		return c < 0
	case TermAtMost:
		return c <= 0
	case TermGreater:
		return c > 0
	default:
		return c >= 0
	}
}

// Implies reports whether all rows that meet t meet x.
func (t *IndexTerm) Implies(x *IndexTerm) bool {
	switch {
	case t.Column != x.Column:
		return false
	case x.Op == TermNotNull:
		return t.Op != TermIsNull
	case x.Op == TermIsNull || t.Op == TermIsNull || t.Op == TermNotNull:
		return t.Op == x.Op
	case t.Op == TermEqual:
		return !slices.ContainsFunc(t.Values, func(v value.Value) bool { return !x.Met(v) })
	case x.Op == TermEqual:
		return false
	}
	a, b := t.Values[0], x.Values[0]
	c := value.Compare(a, b)
	switch up := t.Op == TermGreater || t.Op == TermAtLeast; {
	case t.Op == TermNotEqual:
		return x.Op == TermNotEqual && c == 0
	case x.Op == TermNotEqual:
		return up && (c > 0 || c == 0 && t.Op == TermGreater) || !up && (c < 0 || c == 0 && t.Op == TermLess)
	case up:
		return x.Op == TermAtLeast && c >= 0 || x.Op == TermGreater && (c > 0 || c == 0 && t.Op == TermGreater)
	default:
		return x.Op == TermAtMost && c <= 0 || x.Op == TermLess && (c < 0 || c == 0 && t.Op == TermLess)
	}
}

// Partial reports whether the index leaves rows out.
func (x *IndexDef) Partial() bool { return len(x.Where) > 0 }

// takes reports whether a row is in the index.
func (o *orderedIndex) takes(cols []*value.Column, i int) bool {
	for n := range o.x.Where {
		var v value.Value
		if c := cols[o.tested[n]]; c != nil {
			v = c.Value(i)
		}
		if !o.x.Where[n].Met(v) {
			return false
		}
	}
	return true
}

// checkWhere verifies the terms of a new index.
func checkWhere(d *TableDef, x *IndexDef) error {
	if x.Partial() && x.Kind != OrderedIndex {
		return &DefinitionError{fmt.Sprintf("index %s: one of kind %s is over all rows, without WHERE", x.Name, x.Kind)}
	}
	for _, t := range x.Where {
		if err := t.check(d); err != nil {
			return &DefinitionError{fmt.Sprintf("index %s: %v", x.Name, err)}
		}
	}
	return nil
}

func (t *IndexTerm) check(d *TableDef) error {
	at := d.ColumnID(t.Column)
	if at < 0 {
		return fmt.Errorf("no column of id %d", t.Column)
	}
	c := &d.Columns[at]
	least, most := 1, 1
	if c.Type.Kind == value.Vector {
		return fmt.Errorf("%s is a vector, which WHERE does not ask", c.Name)
	}
	switch t.Op {
	case TermIsNull, TermNotNull:
		least, most = 0, 0
	case TermEqual:
		most = maxTermValues
	case TermNotEqual, TermLess, TermAtMost, TermGreater, TermAtLeast:
	default:
		return fmt.Errorf("WHERE has no %s", strings.ToUpper(string(t.Op)))
	}
	if len(t.Values) < least || len(t.Values) > most {
		return fmt.Errorf("%d values for %s %s, which takes up to %d", len(t.Values), c.Name, t.Op, most)
	}
	if most > 0 && !key.Indexable(c.Type.Kind) {
		return fmt.Errorf("column %s has no order (%s)", c.Name, c.Type.Kind)
	}
	for _, v := range t.Values {
		if v.Kind() != c.Type.Kind {
			return fmt.Errorf("%s is %v, not %v", c.Name, c.Type.Kind, v.Kind())
		}
	}
	return nil
}

// maxTermValues is the most values that a column of WHERE can be compared with.
const maxTermValues = 1000

type termJSON struct {
	Column uint32   `json:"column"`
	Op     TermOp   `json:"op"`
	Values [][]byte `json:"values,omitempty"`
}

func encodeTerms(terms []IndexTerm) (out []termJSON) {
	for _, t := range terms {
		j := termJSON{Column: t.Column, Op: t.Op}
		for _, v := range t.Values {
			j.Values = append(j.Values, block.AppendValue(nil, v))
		}
		out = append(out, j)
	}
	return out
}

// decodeTerms reads the terms of an index of d, whose columns are known.
func decodeTerms(d *TableDef, index string, terms []termJSON) (out []IndexTerm, err error) {
	for _, j := range terms {
		t := IndexTerm{Column: j.Column, Op: j.Op}
		for _, b := range j.Values {
			v, rest, err := block.ReadValue(b)
			if err != nil || len(rest) > 0 {
				return nil, fmt.Errorf("index %q: a value of WHERE can't be read", index)
			}
			t.Values = append(t.Values, v)
		}
		if err := t.check(d); err != nil {
			return nil, fmt.Errorf("index %q: %w", index, err)
		}
		out = append(out, t)
	}
	return out, nil
}
