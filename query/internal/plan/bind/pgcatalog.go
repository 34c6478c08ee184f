package bind

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// catalogTables are the tables of PostgreSQL's catalog that migration tools ask: goose and
// GORM. They are read like functions without arguments, and hidden by tables of the same name.
var catalogTables = map[string]*rowFuncOf{
	"pg_tables": {
		types: noArgs("schemaname tablename tableowner"),
		rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
			return func(_ []value.Value, emit func(...value.Value) error) error {
				for _, d := range b.AllTables() {
					if err := emit(value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str("lupa")); err != nil {
						return err
					}
				}
				return nil
			}
		},
	},
	"pg_views": {
		types: noArgs("schemaname viewname viewowner definition"),
		rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
			return func(_ []value.Value, emit func(...value.Value) error) error {
				for _, d := range b.View.Views() {
					if err := emit(value.Str("public"), value.Str(d.Name), value.Str("lupa"), value.Str(d.Query)); err != nil {
						return err
					}
				}
				return nil
			}
		},
	},
	"pg_indexes": {
		types: noArgs("schemaname tablename indexname indexdef"),
		rows: func(b *Binder, _ []value.Type) func([]value.Value, func(...value.Value) error) error {
			return func(_ []value.Value, emit func(...value.Value) error) error {
				for _, d := range b.AllTables() {
					for i := range d.Indexes {
						x := &d.Indexes[i]
						if err := emit(value.Str(b.schemaOf(d.Name)), value.Str(d.Name), value.Str(x.Name), value.Str(indexText(d, x))); err != nil {
							return err
						}
					}
				}
				return nil
			}
		},
	},
}

func indexText(d *storage.TableDef, x *storage.IndexDef) string {
	var cols []string
	for _, id := range x.Columns {
		cols = append(cols, parse.Quote(d.Columns[d.ColumnID(id)].Name))
	}
	s := "CREATE "
	if x.Unique {
		s += "UNIQUE "
	}
	return s + "INDEX " + parse.Quote(x.Name) + " ON " + parse.Quote(d.Name) + " (" + strings.Join(cols, ", ") + ")"
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
