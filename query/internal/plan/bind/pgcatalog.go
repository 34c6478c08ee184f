package bind

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// catalogTables are the tables of PostgreSQL's catalog that migration tools and inspectors ask,
// with the columns that these read. They are read like functions without arguments, and hidden
// by tables of the same name.
var catalogTables map[string]*rowFuncOf

func init() {
	catalogTables = map[string]*rowFuncOf{
		"pg_tables": catalogOf("schemaname tablename tableowner", func(b *Binder, emit emitter) error {
			for _, d := range b.AllTables() {
				if err := emit(value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str("lupa")); err != nil {
					return err
				}
			}
			return nil
		}),
		"pg_views": catalogOf("schemaname viewname viewowner definition", func(b *Binder, emit emitter) error {
			for _, d := range b.View.Views() {
				if err := emit(value.Str("public"), value.Str(d.Name), value.Str("lupa"), value.Str(d.Query)); err != nil {
					return err
				}
			}
			return nil
		}),
		"pg_indexes": catalogOf("schemaname tablename indexname indexdef", func(b *Binder, emit emitter) error {
			for _, d := range b.AllTables() {
				all := d.Indexes
				for _, k := range (&catalogRelation{TableDef: d}).keys() {
					all = append(slices.Clone(all), *k.definition(d))
				}
				for i := range all {
					x := &all[i]
					if err := emit(value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str(x.Name), value.Str(indexText(d, x, b.schemaOf(d.Name), false))); err != nil {
						return err
					}
				}
			}
			return nil
		}),
		"pg_namespace": catalogOf("oid:int nspname nspowner:int", func(_ *Binder, emit emitter) error {
			for _, n := range namespaces {
				if err := emit(value.Int(n.oid), value.Str(n.name), value.Int(ownerOID)); err != nil {
					return err
				}
			}
			return nil
		}),
		"pg_class": catalogOf("oid:int relname relnamespace:int relowner:int relkind relpersistence relhasindex:bool relispartition:bool relnatts:int relam:int reloptions relchecks:int relhasrules:bool relhastriggers:bool relrowsecurity:bool relforcerowsecurity:bool reltablespace:int reloftype:int relreplident reltoastrelid:int relpartbound", func(b *Binder, emit emitter) error {
			row := func(oid int64, name string, temp bool, kind string, indexed bool, columns, checks int, method value.Value) error {
				space, kept := int64(publicOID), "p"
				if temp {
					space, kept = tempOID, "t"
				}
				return emit(value.Int(oid), value.Str(name), value.Int(space), value.Int(ownerOID), value.Str(kind), value.Str(kept), value.Bool(indexed), value.Bool(false), value.Int(int64(columns)), method, value.Value{}, value.Int(int64(checks)), value.Bool(false), value.Bool(false), value.Bool(false), value.Bool(false), value.Int(0), value.Int(0), value.Str("d"))
			}
			tables, err := b.catalogRelations()
			for _, t := range tables {
				keys := t.keys()
				if err == nil {
					err = row(t.oid, t.Name, t.temp, t.kind, len(keys) > 0 || len(t.Indexes) > 0, len(t.Columns), len(t.Checks), value.Int(heapOID))
				}
				for _, x := range t.indexes() {
					if err == nil {
						err = row(x.oid, x.name, t.temp, "i", false, len(x.columns), 0, value.Int(x.method))
					}
				}
			}
			return err
		}),
		"pg_attribute": catalogOf("attrelid:int attname atttypid:int attlen:int attnum:int atttypmod:int attnotnull:bool atthasdef:bool attidentity attgenerated attisdropped:bool attoptions attcollation:int attstorage attcompression attstattarget:int", func(b *Binder, emit emitter) error {
			tables, err := b.catalogRelations()
			for _, t := range tables {
				for i := range t.Columns {
					if err != nil {
						return err
					}
					c := &t.Columns[i]
					typ, mod := typeOf(c)
					identity := ""
					if c.Identity {
						identity = "d"
					}
					err = emit(value.Int(t.oid), value.Str(c.Name), value.Int(typ.oid), value.Int(typ.size), value.Int(int64(i+1)), value.Int(mod), value.Bool(c.NotNull), value.Bool(c.Default != ""), value.Str(identity), value.Str(""), value.Bool(false), value.Value{})
				}
				for _, x := range t.indexes() {
					for i, at := range x.columns {
						if err != nil {
							return err
						}
						c := &t.Columns[at-1]
						typ, mod := typeOf(c)
						err = emit(value.Int(x.oid), value.Str(c.Name), value.Int(typ.oid), value.Int(typ.size), value.Int(int64(i+1)), value.Int(mod), value.Bool(false), value.Bool(false), value.Str(""), value.Str(""), value.Bool(false), value.Value{})
					}
				}
			}
			return err
		}),
		"pg_attrdef": catalogOf("oid:int adrelid:int adnum:int adbin", func(b *Binder, emit emitter) error {
			tables, err := b.catalogRelations()
			for _, t := range tables {
				for i := range t.Columns {
					if d := t.Columns[i].Default; err == nil && d != "" {
						err = emit(value.Int(t.oid+int64(i)), value.Int(t.oid), value.Int(int64(i+1)), value.Str(d))
					}
				}
			}
			return err
		}),
		"pg_type": catalogOf("oid:int typname typnamespace:int typlen:int typtype typcategory typelem:int typbasetype:int typcollation:int typnotnull:bool", func(_ *Binder, emit emitter) error {
			for _, t := range fn.CatalogTypes {
				if err := emit(value.Int(t.OID), value.Str(t.Name), value.Int(catalogOID), value.Int(t.Size), value.Str("b"), value.Str(t.Category), value.Int(0), value.Int(0)); err != nil {
					return err
				}
			}
			return nil
		}),
		"pg_index": catalogOf("indexrelid:int indrelid:int indisunique:bool indisprimary:bool indisvalid:bool indnatts:int indnkeyatts:int indkey:ints indexprs indpred indisexclusion:bool indnullsnotdistinct:bool indclass:ints indisclustered:bool indisreplident:bool indimmediate:bool", func(b *Binder, emit emitter) error {
			tables, err := b.catalogRelations()
			for _, t := range tables {
				for _, x := range t.indexes() {
					if err == nil {
						n := value.Int(int64(len(x.columns)))
						err = emit(value.Int(x.oid), value.Int(t.oid), value.Bool(x.unique), value.Bool(x.constraint == storage.PrimaryKeyConstraint), value.Bool(true), n, n, numbers(x.columns), value.Value{}, x.predicate(t), value.Bool(false), value.Bool(false), numbers(make([]int, len(x.columns))), value.Bool(false), value.Bool(false), value.Bool(true))
					}
				}
			}
			return err
		}),
		"pg_constraint": catalogOf("oid:int conname connamespace:int contype conrelid:int conindid:int confrelid:int confupdtype confdeltype conkey:ints confkey:ints convalidated:bool condeferrable:bool conbin connoinherit:bool conexclop:ints condeferred:bool conparentid:int contypid:int", func(b *Binder, emit emitter) error {
			kinds := map[string]string{storage.PrimaryKeyConstraint: "p", storage.UniqueConstraint: "u", "FOREIGN KEY": "f", "CHECK": "c"}
			actions := map[storage.RefAction]string{storage.Refuse: "a", storage.Cascade: "c", storage.SetNull: "n"}
			tables, err := b.catalogRelations()
			for _, t := range tables {
				for _, k := range t.constraints(tables) {
					if err != nil {
						return err
					}
					conkey, confkey, of, onDelete, onUpdate, condition := value.Value{}, value.Value{}, int64(0), "", "", value.Value{}
					if k.columns != nil {
						conkey = numbers(k.columns)
					}
					if k.of != nil {
						confkey, of = numbers(k.ofColumns), k.of.oid
					}
					if k.ref != nil {
						onDelete, onUpdate = actions[k.ref.OnDelete], actions[k.ref.OnUpdate]
					}
					if k.kind == "CHECK" {
						condition = value.Str(k.check)
					}
					err = emit(value.Int(k.oid), value.Str(k.name), value.Int(publicOID), value.Str(kinds[k.kind]), value.Int(t.oid), value.Int(k.index), value.Int(of), value.Str(onUpdate), value.Str(onDelete), conkey, confkey, value.Bool(true), value.Bool(false), condition, value.Bool(false), value.Value{})
				}
			}
			return err
		}),
		"pg_am": catalogOf("oid:int amname amtype", func(_ *Binder, emit emitter) error {
			for _, m := range accessMethods {
				kind := "i"
				if m.oid == heapOID {
					kind = "t"
				}
				if err := emit(value.Int(m.oid), value.Str(m.name), value.Str(kind)); err != nil {
					return err
				}
			}
			return nil
		}),
		"pg_sequences": catalogOf("schemaname sequencename last_value:int", func(b *Binder, emit emitter) error {
			for _, d := range b.AllTables() {
				for i := range d.Columns {
					if c := &d.Columns[i]; c.Identity {
						if err := emit(value.Str(b.schemaOf(d.Name)), value.Str(d.Name+"_"+c.Name+"_seq"), value.Value{}); err != nil {
							return err
						}
					}
				}
			}
			return nil
		}),
		catalogNames: catalogOf("lupa_what lupa_key:int lupa_name", func(b *Binder, emit emitter) error { return b.catalogNames(emit) }),

		// What there is none of.
		"pg_description":           catalogOf("objoid:int classoid:int objsubid:int description", nothing),
		"pg_depend":                catalogOf("classid:int objid:int objsubid:int refclassid:int refobjid:int refobjsubid:int deptype", nothing),
		"pg_enum":                  catalogOf("oid:int enumtypid:int enumsortorder:int enumlabel", nothing),
		"pg_partitioned_table":     catalogOf("partrelid:int partstrat partattrs partexprs", nothing),
		"pg_collation":             catalogOf("oid:int collname", nothing),
		"pg_policy":                catalogOf("polname polrelid:int polpermissive:bool polroles polqual polwithcheck polcmd", nothing),
		"pg_roles":                 catalogOf("oid:int rolname", nothing),
		"pg_statistic_ext":         catalogOf("oid:int stxrelid:int stxnamespace:int stxname stxkind:ints stxstattarget:int", nothing),
		"pg_publication":           catalogOf("oid:int pubname puballtables:bool", nothing),
		"pg_publication_namespace": catalogOf("pnpubid:int pnnspid:int", nothing),
		"pg_publication_rel":       catalogOf("prpubid:int prrelid:int prqual prattrs:ints", nothing),
		"pg_inherits":              catalogOf("inhrelid:int inhparent:int inhseqno:int inhdetachpending:bool", nothing),
		"pg_trigger":               catalogOf("oid:int tgrelid:int tgname tgisinternal:bool tgenabled tgparentid:int tgconstraint:int", nothing),
		"pg_rewrite":               catalogOf("oid:int rulename ev_class:int ev_enabled", nothing),
		"pg_foreign_table":         catalogOf("ftrelid:int ftserver:int ftoptions", nothing),
		"pg_opclass":               catalogOf("oid:int opcname opcnamespace:int opcdefault:bool", nothing),
	}
}

type emitter = func(...value.Value) error

func nothing(*Binder, emitter) error { return nil }

// catalogOf is a table of a catalog: its columns, and what gives its rows. Of columns that a row
// lacks numbers are 0, BOOLEANs false, and others NULL.
func catalogOf(names string, rows func(*Binder, emitter) error) *rowFuncOf {
	cols := textColumns(names)
	return &rowFuncOf{
		types: noArgs(names),
		rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
			return func(_ []value.Value, emit func(...value.Value) error) error {
				return rows(b, func(row ...value.Value) error {
					for _, c := range cols[len(row):] {
						v := value.Value{}
						switch c.Type.Kind {
						case value.Integer:
							v = value.Int(0)
						case value.Boolean:
							v = value.Bool(false)
						}
						row = append(row, v)
					}
					return emit(row...)
				})
			}
		},
	}
}

// Numbers that PostgreSQL's catalog has for things. Those of tables begin where it begins to
// number a user's; what belongs to a table follows its number.
const (
	ownerOID   = 10
	catalogOID = 11
	publicOID  = 2200
	tempOID    = 2201
	schemaOID  = 13000
	heapOID    = 2
	btreeOID   = 403

	perTable    = 1 << 16
	ofTempTable = 1 << 40
	ofKey       = perTable - 1 // the index that is the primary key
	ofCheck     = perTable / 2
	ofReference = perTable / 4 * 3
)

var namespaces = []struct {
	oid  int64
	name string
}{{catalogOID, "pg_catalog"}, {publicOID, "public"}, {tempOID, "pg_temp"}, {schemaOID, "information_schema"}}

// accessMethods are how tables and indexes are kept, by the numbers of pg_am.
var accessMethods = []struct {
	oid  int64
	name string
	kind storage.IndexKind
}{{heapOID, "heap", "table"}, {btreeOID, "btree", storage.OrderedIndex}, {16386, "ivf", storage.ClusterIndex}, {16387, "fulltext", storage.FullText}}

// catalogRelation is a table or a view as the catalog has it.
type catalogRelation struct {
	*storage.TableDef
	oid  int64
	kind string // of pg_class
	temp bool
}

func (b *Binder) catalogRelations() ([]*catalogRelation, error) {
	var out []*catalogRelation
	for _, d := range b.AllTables() {
		t := &catalogRelation{TableDef: d, oid: (int64(d.ID) + 1) * perTable, kind: "r", temp: b.In.Hides(d.Name)}
		if t.temp {
			t.oid += ofTempTable
		}
		out = append(out, t)
	}
	for _, v := range b.View.Views() {
		d, err := ViewTable(b.Ctx, b.In, v)
		if err != nil {
			return nil, err
		}
		out = append(out, &catalogRelation{TableDef: d, oid: (int64(d.ID) + 1) * perTable, kind: "v"})
	}
	return out, nil
}

// catalogIndex is an index, or a primary key of one column; columns are counted from 1.
type catalogIndex struct {
	oid        int64
	name       string
	columns    []int
	unique     bool
	constraint string
	method     int64 // of pg_am
	def        *storage.IndexDef
}

func (t *catalogRelation) indexes() []catalogIndex {
	out := t.keys()
	for i := range t.Indexes {
		x := &t.Indexes[i]
		method := int64(0)
		for _, m := range accessMethods {
			if m.kind == x.Kind {
				method = m.oid
			}
		}
		out = append(out, catalogIndex{t.oid + int64(x.ID), x.Name, t.places(x.Columns), x.Unique, x.Constraint, method, x})
	}
	return out
}

// keys is the primary key of one column, which is not among the indexes of the table.
func (t *catalogRelation) keys() []catalogIndex {
	if t.PrimaryKey < 0 {
		return nil
	}
	return []catalogIndex{{t.oid + ofKey, t.Name + "_pkey", []int{t.PrimaryKey + 1}, true, storage.PrimaryKeyConstraint, btreeOID, nil}}
}

// places are the places of columns in the table, from 1.
func (t *catalogRelation) places(ids []uint32) []int {
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = t.ColumnID(id) + 1
	}
	return out
}

// named are the places of the columns that a condition names, in the order of the table.
func (t *catalogRelation) named(condition string) []int {
	e, err := parseExpr(condition)
	if err != nil {
		return nil
	}
	used := make([]bool, len(t.Columns))
	parse.Walk(e, func(n parse.Node) bool {
		if ref, ok := n.(*parse.ColumnRef); ok {
			for i := range t.Columns {
				used[i] = used[i] || ref.Name.Means(t.Columns[i].Name)
			}
		}
		return true
	})
	var out []int
	for i := range used {
		if used[i] {
			out = append(out, i+1)
		}
	}
	return out
}

// catalogConstraint is a constraint; index is the number of its index, or 0.
type catalogConstraint struct {
	oid       int64
	name      string
	kind      string // as information_schema has it
	columns   []int
	index     int64
	of        *catalogRelation // table that a foreign key refers to
	ofColumns []int
	ref       *storage.ReferenceDef
	check     string
}

func (t *catalogRelation) constraints(tables []*catalogRelation) []catalogConstraint {
	var out []catalogConstraint
	for _, x := range t.indexes() {
		if x.constraint != "" {
			out = append(out, catalogConstraint{oid: x.oid, name: x.name, kind: x.constraint, columns: x.columns, index: x.oid})
		}
	}
	for i, c := range t.Checks {
		out = append(out, catalogConstraint{oid: t.oid + ofCheck + int64(i), name: c.Name, kind: "CHECK", check: c.Expr, columns: t.named(c.Expr)})
	}
	for i := range t.References {
		r := &t.References[i]
		k := catalogConstraint{oid: t.oid + ofReference + int64(i), name: r.Name, kind: "FOREIGN KEY", columns: t.places(r.Columns), ref: r}
		for _, of := range tables {
			if of.Name == r.Table && of.temp == t.temp && of.kind == "r" {
				k.of, k.ofColumns = of, of.places(r.Key)
			}
		}
		out = append(out, k)
	}
	return out
}

func numbers(l []int) value.Value {
	parts := make([]string, len(l))
	for i, n := range l {
		parts[i] = strconv.Itoa(n)
	}
	return value.RawJSON("[" + strings.Join(parts, ", ") + "]")
}

type columnType struct {
	oid, size int64
}

// typeOf is a column's type as pg_type has it, with the modifier that format_type takes.
func typeOf(c *storage.ColumnDef) (columnType, int64) {
	name, mod := kindNames[c.Type.Kind][1], int64(-1)
	var n, p, q int64
	switch {
	case c.Declared == "UUID":
		name = "uuid"
	case c.Declared == "VARCHAR":
		name = "varchar"
	case c.Type.Kind == value.Text:
		if k, _ := fmt.Sscanf(c.Declared, "VARCHAR(%d)", &n); k == 1 {
			name, mod = "varchar", n+4
		} else if k, _ := fmt.Sscanf(c.Declared, "CHAR(%d)", &n); k == 1 {
			name, mod = "bpchar", n+4
		}
	case c.Type.Kind == value.Numeric:
		if k, _ := fmt.Sscanf(c.Declared, "NUMERIC(%d,%d)", &p, &q); k == 2 {
			mod = p<<16 | q + 4
		}
	case c.Type.Kind == value.Vector:
		mod = int64(c.Type.Dim)
	}
	for _, t := range fn.CatalogTypes {
		if t.Name == name {
			return columnType{t.OID, t.Size}, mod
		}
	}
	return columnType{}, mod
}

// schemaConstraints is information_schema.table_constraints.
var schemaConstraints = catalogOf("constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type is_deferrable initially_deferred enforced", func(b *Binder, emit emitter) error {
	tables, err := b.catalogRelations()
	for _, t := range tables {
		for _, k := range t.constraints(tables) {
			if err == nil {
				schema := value.Str(b.schemaOf(t.Name))
				err = emit(value.Str("lupa"), schema, value.Str(k.name), value.Str("lupa"), schema, value.Str(t.Name), value.Str(k.kind), value.Str("NO"), value.Str("NO"), value.Str("YES"))
			}
		}
	}
	return err
})

// schemaUsage is information_schema.constraint_column_usage: the columns that a constraint is
// over, of a foreign key those that it refers to.
var schemaUsage = catalogOf("table_catalog table_schema table_name column_name constraint_catalog constraint_schema constraint_name", func(b *Binder, emit emitter) error {
	tables, err := b.catalogRelations()
	for _, t := range tables {
		for _, k := range t.constraints(tables) {
			of, columns := t, k.columns
			if k.of != nil {
				of, columns = k.of, k.ofColumns
			}
			for _, c := range columns {
				if err == nil {
					schema := value.Str(b.schemaOf(t.Name))
					err = emit(value.Str("lupa"), schema, value.Str(of.Name), value.Str(of.Columns[c-1].Name), value.Str("lupa"), schema, value.Str(k.name))
				}
			}
		}
	}
	return err
})

// schemaKeys is information_schema.key_column_usage.
var schemaKeys = catalogOf("constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name ordinal_position:int position_in_unique_constraint:int", func(b *Binder, emit emitter) error {
	tables, err := b.catalogRelations()
	for _, t := range tables {
		for _, k := range t.constraints(tables) {
			if k.kind == "CHECK" {
				continue
			}
			for i, c := range k.columns {
				place := value.Value{}
				if k.ref != nil {
					place = value.Int(int64(i + 1))
				}
				if err == nil {
					schema := value.Str(b.schemaOf(t.Name))
					err = emit(value.Str("lupa"), schema, value.Str(k.name), value.Str("lupa"), schema, value.Str(t.Name), value.Str(t.Columns[c-1].Name), value.Int(int64(i+1)), place)
				}
			}
		}
	}
	return err
})

// schemaReferences is information_schema.referential_constraints.
var schemaReferences = catalogOf("constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule", func(b *Binder, emit emitter) error {
	rules := map[storage.RefAction]string{storage.Refuse: "NO ACTION", storage.Cascade: "CASCADE", storage.SetNull: "SET NULL"}
	tables, err := b.catalogRelations()
	for _, t := range tables {
		for _, k := range t.constraints(tables) {
			if k.ref == nil || err != nil {
				continue
			}
			key := value.Value{}
			if k.of != nil {
				for _, x := range k.of.indexes() {
					if x.unique && slices.Equal(x.columns, k.ofColumns) {
						key = value.Str(x.name)
					}
				}
			}
			schema := value.Str(b.schemaOf(t.Name))
			err = emit(value.Str("lupa"), schema, value.Str(k.name), value.Str("lupa"), schema, key, value.Str("NONE"), value.Str(rules[k.ref.OnUpdate]), value.Str(rules[k.ref.OnDelete]))
		}
	}
	return err
})

// schemaSchemata is information_schema.schemata.
var schemaSchemata = catalogOf("catalog_name schema_name schema_owner", func(_ *Binder, emit emitter) error {
	for _, n := range namespaces {
		if err := emit(value.Str("lupa"), value.Str(n.name), value.Str("lupa")); err != nil {
			return err
		}
	}
	return nil
})

// indexText is the statement that makes an index, as PostgreSQL writes it: pretty leaves out what
// is understood.
func indexText(d *storage.TableDef, x *storage.IndexDef, schema string, pretty bool) string {
	var cols []string
	for _, id := range x.Columns {
		cols = append(cols, parse.Quote(d.Columns[d.ColumnID(id)].Name))
	}
	s := "CREATE "
	if x.Unique {
		s += "UNIQUE "
	}
	kind := string(x.Kind)
	if x.Kind == storage.OrderedIndex {
		kind = "btree"
	}
	if !pretty {
		schema += "."
	} else {
		schema = ""
	}
	s += "INDEX " + parse.Quote(x.Name) + " ON " + schema + parse.Quote(d.Name) + " USING " + kind + " (" + strings.Join(cols, ", ") + ")"
	switch where := TermsText(d, x.Where); {
	case where != "" && (pretty || !strings.Contains(where, " ")): // a column alone needs no parentheses
		s += " WHERE " + where
	case where != "":
		s += " WHERE (" + where + ")"
	}
	return s
}

// catalogTable returns what reads a table of the catalog, nil where the name is another.
func (b *Binder) catalogTable(t *parse.TableName) *parse.TableFunc {
	name := strings.ToLower(t.Table.Name)
	if catalogTables[name] == nil || t.Table.Database != "" && !strings.EqualFold(t.Table.Database, "pg_catalog") {
		return nil
	}
	if t.Table.Database == "" {
		if _, err := TableOf(b.View, t.Table); err == nil || b.In.IsTemp(t.Table) {
			return nil
		}
	}
	f := &parse.TableFunc{Pos: t.Pos, Func: parse.Ident{Pos: t.Pos, Name: name}, Alias: t.Alias, Columns: t.Columns}
	if f.Alias.Name == "" {
		f.Alias = parse.Ident{Pos: t.Pos, Name: name}
	}
	return f
}
