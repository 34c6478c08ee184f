package bind

import (
	"strconv"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// catalogNames is a table of the catalog beside those of PostgreSQL: what its functions say of
// numbers and names. They are bound as queries of it.
const catalogNames = "lupa_catalog"

// What catalogNames knows.
const (
	ofClass      = "class"      // name of a table, view or index
	ofSpace      = "namespace"  // name of a schema
	ofIndex      = "index"      // text of an index
	ofConstraint = "constraint" // text of a constraint
	ofView       = "view"       // query of a view
	ofPretty     = " pretty"    // after index and constraint: without what is understood
	ofSequence   = "sequence"   // name of what numbers a column; the key is that of the table, times perTable, and the column
)

// systemClasses are the catalog's own tables by their numbers in PostgreSQL.
var systemClasses = map[string]int64{
	"pg_class": 1259, "pg_namespace": 2615, "pg_attribute": 1249, "pg_type": 1247, "pg_constraint": 2606, "pg_proc": 1255,
	"pg_index": 2610, "pg_attrdef": 2604, "pg_am": 2601, "pg_description": 2609, "pg_depend": 2608, "pg_enum": 3501,
}

func (b *Binder) catalogNames(emit emitter) error {
	tables, err := b.catalogRelations()
	add := func(what string, key int64, name string) {
		if err == nil {
			err = emit(value.Str(what), value.Int(key), value.Str(name))
		}
	}
	for name, oid := range systemClasses {
		add(ofClass, oid, name)
	}
	for _, n := range namespaces {
		add(ofSpace, n.oid, n.name)
	}
	for _, t := range tables {
		add(ofClass, t.oid, t.Name)
		for _, x := range t.indexes() {
			add(ofClass, x.oid, x.name)
			add(ofIndex, x.oid, x.text(t, b.schemaOf(t.Name), false))
			add(ofIndex+ofPretty, x.oid, x.text(t, "", true))
		}
		for _, k := range t.constraints(tables) {
			add(ofConstraint, k.oid, k.text(t, false))
			add(ofConstraint+ofPretty, k.oid, k.text(t, true))
		}
		for i := range t.Columns {
			if c := &t.Columns[i]; c.Identity {
				add(ofSequence, t.oid+int64(i), b.schemaOf(t.Name)+"."+parse.Quote(t.Name+"_"+c.Name+"_seq"))
			}
		}
	}
	for _, v := range b.View.Views() {
		for _, t := range tables {
			if t.kind == "v" && t.Name == v.Name {
				add(ofView, t.oid, v.Query)
			}
		}
	}
	return err
}

// text is what pg_get_indexdef gives for an index.
func (x *catalogIndex) text(t *catalogRelation, schema string, pretty bool) string {
	return indexText(t.TableDef, x.definition(t.TableDef), schema, pretty)
}

// definition is that of an index, the one it would have of a primary key.
func (x *catalogIndex) definition(d *storage.TableDef) *storage.IndexDef {
	if x.def != nil {
		return x.def
	}
	return &storage.IndexDef{Name: x.name, Unique: true, Columns: []uint32{d.Columns[d.PrimaryKey].ID}}
}

// predicate is the WHERE of an index, NULL for one over all rows.
func (x *catalogIndex) predicate(t *catalogRelation) value.Value {
	if x.def == nil || !x.def.Partial() {
		return value.Value{}
	}
	return value.Str(TermsText(t.TableDef, x.def.Where))
}

// text is what pg_get_constraintdef gives for a constraint.
func (k *catalogConstraint) text(t *catalogRelation, pretty bool) string {
	names := func(t *catalogRelation, columns []int) string {
		out := make([]string, len(columns))
		for i, c := range columns {
			out[i] = parse.Quote(t.Columns[c-1].Name)
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	switch {
	case k.kind == "CHECK" && pretty:
		return "CHECK (" + k.check + ")"
	case k.kind == "CHECK":
		return "CHECK ((" + k.check + "))"
	case k.ref == nil:
		return k.kind + " " + names(t, k.columns)
	}
	out := k.kind + " " + names(t, k.columns) + " REFERENCES " + parse.Quote(k.ref.Table)
	if k.of != nil {
		out += names(k.of, k.ofColumns)
	}
	actions := map[storage.RefAction]string{storage.Cascade: "CASCADE", storage.SetNull: "SET NULL"}
	if a := actions[k.ref.OnUpdate]; a != "" {
		out += " ON UPDATE " + a
	}
	if a := actions[k.ref.OnDelete]; a != "" {
		out += " ON DELETE " + a
	}
	return out
}

// catalogName is the query for the name of a key, or for the key of a name: a scalar subquery.
func catalogName(pos parse.Pos, what, give, by string, of parse.Expr) parse.Expr {
	id := func(name string) parse.Ident { return parse.Ident{Pos: pos, Name: name} }
	column := func(name string) parse.Expr { return &parse.ColumnRef{Pos: pos, Name: id(name)} }
	equal := func(x, y parse.Expr) parse.Expr { return &parse.Binary{Pos: pos, Op: "=", X: x, Y: y} }
	return &parse.Subquery{Pos: pos, Query: &parse.Select{Pos: pos, Body: &parse.Core{Pos: pos,
		Items: []parse.SelectItem{{Pos: pos, Expr: column(give)}},
		From:  &parse.TableName{Pos: pos, Table: parse.Ident{Pos: pos, Database: "pg_catalog", Name: catalogNames}},
		Where: parse.All(parse.OpAnd, pos, []parse.Expr{equal(column("lupa_what"), &parse.Literal{Pos: pos, Value: value.Str(what)}), equal(column(by), of)}),
	}}}
}

// catalogCalls are the functions that say something of the catalog, as queries of it. nil is for
// a number of arguments that they do not take.
var catalogCalls = map[string]func(e *parse.Call) parse.Expr{
	"pg_get_constraintdef": func(e *parse.Call) parse.Expr {
		if len(e.Args) == 2 {
			return prettyOr(e, ofConstraint, e.Args[1])
		}
		return byKey(ofConstraint, 1, 1)(e)
	},
	"pg_get_viewdef": byKey(ofView, 1, 2),
	"pg_get_indexdef": func(e *parse.Call) parse.Expr {
		if len(e.Args) == 3 { // one of its columns; 0 for the whole
			column := &parse.Subquery{Pos: e.Pos, Query: &parse.Select{Pos: e.Pos, Body: &parse.Core{Pos: e.Pos,
				Items: []parse.SelectItem{{Pos: e.Pos, Expr: &parse.Call{Pos: e.Pos, Func: parse.Ident{Pos: e.Pos, Name: "quote_ident"}, Args: []parse.Expr{catalogColumn(e.Pos, "attname")}}}},
				From:  &parse.TableName{Pos: e.Pos, Table: parse.Ident{Pos: e.Pos, Database: "pg_catalog", Name: "pg_attribute"}, Alias: parse.Ident{Pos: e.Pos, Name: "lupa_attribute"}},
				Where: parse.All(parse.OpAnd, e.Pos, []parse.Expr{
					&parse.Binary{Pos: e.Pos, Op: "=", X: catalogColumn(e.Pos, "attrelid"), Y: e.Args[0]},
					&parse.Binary{Pos: e.Pos, Op: "=", X: catalogColumn(e.Pos, "attnum"), Y: e.Args[1]}}),
			}}}
			whole := prettyOr(e, ofIndex, e.Args[2])
			zero := &parse.Binary{Pos: e.Pos, Op: "=", X: e.Args[1], Y: &parse.Literal{Pos: e.Pos, Value: value.Int(0)}}
			return &parse.Case{Pos: e.Pos, Whens: []parse.When{{Pos: e.Pos, Cond: zero, Then: whole}}, Else: column}
		}
		return byKey(ofIndex, 1, 1)(e)
	},
	"to_regclass": func(e *parse.Call) parse.Expr {
		if len(e.Args) != 1 {
			return nil
		}
		return catalogName(e.Pos, ofClass, "lupa_name", "lupa_name", unqualified(e.Args[0]))
	},
}

func catalogColumn(pos parse.Pos, name string) parse.Expr {
	return &parse.ColumnRef{Pos: pos, Table: parse.Ident{Pos: pos, Name: "lupa_attribute"}, Name: parse.Ident{Pos: pos, Name: name}}
}

// prettyOr is what the catalog says of the first argument of a call, in the shorter form where a
// condition holds.
func prettyOr(e *parse.Call, what string, pretty parse.Expr) parse.Expr {
	of := func(what string) parse.Expr { return catalogName(e.Pos, what, "lupa_name", "lupa_key", e.Args[0]) }
	return &parse.Case{Pos: e.Pos, Whens: []parse.When{{Pos: e.Pos, Cond: pretty, Then: of(what + ofPretty)}}, Else: of(what)}
}

func byKey(what string, least, most int) func(e *parse.Call) parse.Expr {
	return func(e *parse.Call) parse.Expr {
		if len(e.Args) < least || len(e.Args) > most {
			return nil
		}
		return catalogName(e.Pos, what, "lupa_name", "lupa_key", e.Args[0])
	}
}

// unqualified is a name without its schema and without quotes.
func unqualified(x parse.Expr) parse.Expr {
	if l, ok := x.(*parse.Literal); ok && l.Value.Kind() == value.Text {
		return &parse.Literal{Pos: l.Pos, Value: value.Str(unqualifiedName(l.Value.Str()))}
	}
	return x
}

func unqualifiedName(s string) string {
	for _, schema := range []string{"pg_catalog.", "public.", "pg_temp."} {
		s = strings.TrimPrefix(s, schema)
	}
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return strings.ToLower(s)
}

// regCast casts to one of PostgreSQL's types that are a number and are shown as a name: a number
// becomes the name it has, and a name the number.
func (b *Binder) regCast(s *Scope, e *parse.Cast, x *logical.Expr) (*logical.Expr, error) {
	what := map[string]string{"REGCLASS": ofClass, "REGNAMESPACE": ofSpace}[e.Type.Declared]
	number := x.Type.Kind == value.Integer
	if c, ok := e.X.(*parse.Cast); ok && c.Type.Declared == e.Type.Declared {
		return x, nil
	}
	switch {
	case number && what != "":
		return b.Expr(s, catalogName(e.Pos, what, "lupa_name", "lupa_key", e.X))
	case number && e.Type.Declared == "REGTYPE":
		null := &parse.Literal{Pos: e.Pos}
		return b.Expr(s, &parse.Call{Pos: e.Pos, Func: parse.Ident{Pos: e.Pos, Name: "format_type"}, Args: []parse.Expr{e.X, null}})
	case logical.IsConst(x) && x.Type.Kind == value.Text && what != "":
		name := unqualifiedName(x.Value.Str())
		if _, err := strconv.ParseInt(name, 10, 64); err == nil {
			return b.Expr(s, &parse.Cast{Pos: e.Pos, X: e.X, Type: parse.Type{Pos: e.Pos, Type: logical.IntType}})
		}
		found, oid := false, int64(0)
		err := b.catalogNames(func(row ...value.Value) error {
			if row[0].Str() == what && row[2].Str() == name {
				found, oid = true, row[1].Int()
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, parse.Errorf(e.Pos, "no table %q", name)
		}
		b.Once = true
		return logical.Constant(value.Int(oid), e.Pos, ""), nil
	case number: // of what there is none of
		return b.castTo(x, logical.TextType, fn.Explicit)
	case x.Type.Kind == value.Null || x.Array != nil || x.Type.Kind == value.JSON:
		return b.castTo(x, logical.TextType, fn.Explicit)
	case what != "" && x.Type.Kind == value.Text:
		return b.Expr(s, catalogName(e.Pos, what, "lupa_key", "lupa_name", e.X))
	}
	return nil, parse.Errorf(e.Pos, "%v can't be cast to %s", x.Type, strings.ToLower(e.Type.Declared)).WithHint("the catalog's tables have names: pg_class.relname, pg_type.typname")
}
