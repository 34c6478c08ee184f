package bind

import (
	"errors"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// Temporary tables are in a store of their own, in memory, that belongs to a session. A name
// means a temporary table first, then a view or table of the store; in the query of a view, which
// is the same for all sessions, it never means a temporary one.

// tempPrefix stands before the names of temporary tables in Binder.Tables.
const tempPrefix = "pg_temp."

// tempTable finds the temporary table that a name means, nil if there is none.
func (b *Binder) tempTable(name parse.Ident) (*storage.Table, error) {
	if b.In.Temp == nil || len(b.inViews) > 0 || name.Database != "" {
		return nil, nil
	}
	t, err := TableOf(b.In.Temp, name)
	var missing *storage.NoTableError
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	key := tempPrefix + t.Def().Name
	if known := b.Tables[key]; known != nil {
		return known, nil
	}
	b.Tables[key], b.Once = t, true
	return t, nil
}

// IsTemp reports whether a name means a temporary table.
func (in *Input) IsTemp(name parse.Ident) bool {
	if in.Temp == nil || name.Database != "" {
		return false
	}
	t, _ := TableOf(in.Temp, name)
	return t != nil
}

// Hides reports whether a temporary table stands before the table or view of this name.
func (in *Input) Hides(name string) bool {
	if in.Temp == nil {
		return false
	}
	id := parse.Ident{Name: name}
	for _, d := range in.Temp.Tables() {
		if id.Means(d.Name) {
			return true
		}
	}
	return false
}

// AllTables are the definitions of all tables that statements see.
func (b *Binder) AllTables() []*storage.TableDef {
	all := b.View.Tables()
	if b.In.Temp == nil {
		return all
	}
	out := append([]*storage.TableDef(nil), b.In.Temp.Tables()...)
	for _, d := range all {
		if !b.In.Hides(d.Name) {
			out = append(out, d)
		}
	}
	return out
}

// schemaOf is the schema that a table seems to be in.
func (b *Binder) schemaOf(table string) string {
	if b.In.Hides(table) {
		return "pg_temp"
	}
	return "public"
}
