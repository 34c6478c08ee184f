package db

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
)

// Table describes a table. What DB.Table and its like return owns its slices.
type Table struct {
	Name       string
	Columns    []Column
	PrimaryKey string // name of its column, or ""
	Indexes    []Index
	Rows       int64 // live rows; of a table of an attached database an estimate

	def       *storage.TableDef
	elsewhere bool // in an attached database
}

// Column describes a column of a table.
type Column struct {
	Name       string
	Type       Type
	NotNull    bool // also for the primary key
	PrimaryKey bool
	Default    string // expression, or ""
	Encoder    string // name after ENCODER, or ""
}

// Index describes an index.
type Index struct {
	Name    string
	Table   string
	Columns []string
	Unique  bool
	Kind    string // "" for one by values, "fulltext" or "ivf"
	Where   string // the condition of the rows that it is over; "" for all
}

// Tables describes all tables, by name.
func (db *DB) Tables(ctx context.Context) ([]Table, error) { return db.session().tables(ctx) }

// Table describes one table; without one of the name the error is a
// *NoTableError.
func (db *DB) Table(ctx context.Context, name string) (Table, error) {
	return db.session().table(ctx, name)
}

// Tables describes all tables as the transaction sees them.
func (tx *Tx) Tables(ctx context.Context) ([]Table, error) { return tx.s.tables(ctx) }

// Table describes one table as the transaction sees it.
func (tx *Tx) Table(ctx context.Context, name string) (Table, error) { return tx.s.table(ctx, name) }

// Tables describes all tables as the session sees them, those its open
// transaction has made included.
func (c *Conn) Tables(ctx context.Context) ([]Table, error) { return c.s.tables(ctx) }

// Table describes one table as the session sees it.
func (c *Conn) Table(ctx context.Context, name string) (Table, error) { return c.s.table(ctx, name) }

// SQL returns the statements, CREATE TABLE and CREATE INDEX, that make an
// empty table like it, each ended by a semicolon and a new line.
func (t Table) SQL() string {
	if t.def == nil {
		return ""
	}
	return query.TableSQL(t.def)
}

// View describes a view: a query under a name.
type View struct {
	Name    string
	Columns []string
	Query   string // the text of its SELECT, with the names completed as they were meant
}

// Views describes all views, in an order in which they can be made: none uses one behind it.
func (db *DB) Views(ctx context.Context) ([]View, error) { return db.session().views(ctx) }

// Views describes all views as the transaction sees them.
func (tx *Tx) Views(ctx context.Context) ([]View, error) { return tx.s.views(ctx) }

// Views describes all views as the session sees them.
func (c *Conn) Views(ctx context.Context) ([]View, error) { return c.s.views(ctx) }

// SQL returns the statement that makes the view, ended by a semicolon and a new line.
func (v View) SQL() string {
	return query.ViewSQL(&storage.ViewDef{Name: v.Name, Columns: v.Columns, Query: v.Query})
}

func (s *session) views(ctx context.Context) (out []View, err error) {
	err = s.look(ctx, func(v *storage.View) error {
		for _, d := range v.Views() {
			out = append(out, View{Name: d.Name, Columns: slices.Clone(d.Columns), Query: d.Query})
		}
		return nil
	})
	return out, err
}

// WatchesSQL returns the statements, CREATE WATCH, that make the watches of the table. What
// rows are inserted before they run is not told.
func (t Table) WatchesSQL() string {
	if t.def == nil {
		return ""
	}
	return query.WatchesSQL(t.def)
}

// Quote returns a name as statements want it: in double quotes where it needs
// them.
func Quote(name string) string { return query.QuoteName(name) }

// look calls fn with a view of the store.
func (s *session) look(ctx context.Context, fn func(v *storage.View) error) error {
	_, done, err := s.db.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return err
	}
	return s.qs.Look(fn)
}

func (s *session) tables(ctx context.Context) ([]Table, error) {
	var out []Table
	err := s.look(ctx, func(v *storage.View) error {
		for _, def := range v.Tables() {
			t, err := v.Table(def.Name)
			if err != nil {
				return err
			}
			out = append(out, describe(t.Def(), int64(t.Rows())))
		}
		return nil
	})
	return out, err
}

func (s *session) table(ctx context.Context, name string) (Table, error) {
	var out Table
	err := s.look(ctx, func(v *storage.View) error {
		t, err := v.Table(name)
		if err == nil {
			out = describe(t.Def(), int64(t.Rows()))
			return nil
		}
		def, rows, e := s.qs.TableElsewhere(ctx, name)
		if e != nil {
			return e
		}
		if def == nil {
			return err
		}
		out = describe(def, rows)
		out.elsewhere = true
		return nil
	})
	return out, err
}

func describe(def *storage.TableDef, rows int64) Table {
	out := Table{Name: def.Name, Rows: rows, def: def}
	for i := range def.Columns {
		c := &def.Columns[i]
		col := Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull, Default: c.Default, Encoder: c.Encoder}
		if i == def.PrimaryKey {
			col.PrimaryKey, out.PrimaryKey = true, c.Name
		}
		out.Columns = append(out.Columns, col)
	}
	for _, ix := range def.Indexes {
		index := Index{Name: ix.Name, Table: def.Name, Unique: ix.Unique, Kind: string(ix.Kind), Where: query.IndexWhere(def, &ix)}
		for _, id := range ix.Columns {
			if pos := def.ColumnID(id); pos >= 0 {
				index.Columns = append(index.Columns, def.Columns[pos].Name)
			}
		}
		out.Indexes = append(out.Indexes, index)
	}
	return out
}
