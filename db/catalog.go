package db

import "context"

// Table describes a table.
type Table struct {
	Name       string
	Columns    []Column
	PrimaryKey string // name of its column, or ""
	Indexes    []Index
	Rows       int64 // live rows
}

// Column describes a column of a table.
type Column struct {
	Name       string
	Type       Type
	NotNull    bool
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
}

// Tables describes all tables, by name.
func (db *DB) Tables(ctx context.Context) ([]Table, error) { return nil, errNotYet }

// Table describes one table.
func (db *DB) Table(ctx context.Context, name string) (Table, error) { return Table{}, errNotYet }

// SQL returns the statements, CREATE TABLE and CREATE INDEX, that make an
// empty table like it, each ended by a semicolon and a new line.
func (t Table) SQL() string { return "" }

// Tables describes all tables as the session sees them, those its open
// transaction has made included.
func (c *Conn) Tables(ctx context.Context) ([]Table, error) { return nil, errNotYet }
