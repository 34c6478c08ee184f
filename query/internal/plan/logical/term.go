package logical

import (
	"slices"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

var termOps = map[string]storage.TermOp{
	"=": storage.TermEqual, "<>": storage.TermNotEqual,
	"<": storage.TermLess, "<=": storage.TermAtMost, ">": storage.TermGreater, ">=": storage.TermAtLeast,
}

var turned = map[storage.TermOp]storage.TermOp{
	storage.TermLess: storage.TermGreater, storage.TermAtMost: storage.TermAtLeast,
	storage.TermGreater: storage.TermLess, storage.TermAtLeast: storage.TermAtMost,
}

// TermOf returns a condition on the columns of a table as a term that an index can be over; ok is
// false where it is none. cols are all columns of the table, in its order.
func TermOf(e *Expr, def *storage.TableDef, cols []*Column) (t storage.IndexTerm, ok bool) {
	of := func(x *Expr) (value.Kind, bool) {
		if x.Op != OpColumn {
			return 0, false
		}
		at := slices.Index(cols, x.Column)
		if at < 0 {
			return 0, false
		}
		t.Column = def.Columns[at].ID
		return x.Type.Kind, true
	}
	if c, not := NullTest(e); c != nil {
		if t.Op = storage.TermIsNull; not {
			t.Op = storage.TermNotNull
		}
		_, ok = of(e.Args[0])
		return t, ok
	}
	if kind, is := of(e); is { // a BOOLEAN itself
		t.Op, t.Values = storage.TermEqual, []value.Value{value.Bool(true)}
		return t, kind == value.Boolean
	}
	switch {
	case e.Op == OpIn && e.Set != nil && !e.Not:
		kind, is := of(e.Args[0])
		if !is {
			return t, false
		}
		t.Op = storage.TermEqual
		for _, v := range e.Set.Values() {
			if v.IsNull() {
				continue // equal to nothing
			}
			if v.Kind() != kind {
				return t, false
			}
			t.Values = append(t.Values, v)
		}
		return t, len(t.Values) > 0
	case e.Op != OpCall:
		return t, false
	case e.Call.Func.Name == "not" && len(e.Args) == 1:
		_, is := of(e.Args[0])
		t.Op, t.Values = storage.TermEqual, []value.Value{value.Bool(false)}
		return t, is
	case len(e.Args) != 2:
		return t, false
	}
	x, y := e.Args[0], e.Args[1]
	t.Op = termOps[e.Call.Func.Name]
	if e.Call.Func.Name == "is not distinct from" && y.Type.Kind == value.Boolean {
		t.Op = storage.TermEqual
	}
	if IsConst(x) {
		x, y = y, x
		if op := turned[t.Op]; op != "" {
			t.Op = op
		}
	}
	kind, is := of(x)
	if !is || t.Op == "" || !IsConst(y) || y.Value.IsNull() || y.Value.Kind() != kind {
		return t, false
	}
	t.Values = []value.Value{y.Value}
	return t, true
}
