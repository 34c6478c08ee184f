package logical

import (
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Column is one column of a relation in a query. Its address is its identity:
// two scans of one table have different columns.
type Column struct {
	Table    string // name the column can be qualified with, or ""
	Name     string
	Type     value.Type
	Encoding *Encoding   // how texts become vectors comparable with it, or nil
	Array    *value.Type // see Expr
	Rank     Rank        // what its values are for ORDER BY
	Ord      int         // position in the table, for columns of a scan
	Hidden   bool        // not part of *
	Merged   bool        // by USING with the column of another table: found by its table's name only
	Scalar   bool        // the one value of a function in FROM: its table's name means it, too
	Absent   bool        // of a side of an outer join that may have no row
	Source   string      // name of the table, for columns of a scan
	Stored   *Stored     // the column of a table that it is, also of a subquery's
}

// NotNull reports whether it is a column of a scan that is never NULL in a row of the table.
func (c *Column) NotNull() bool {
	return c.Source != "" && c.Stored != nil && c.Stored.Table.Def().Columns[c.Stored.Ord].NotNull
}

// Stored is a column of a table.
type Stored struct {
	Table *storage.Table
	Ord   int
}

// Rank tells how values of an expression are ordered when no direction is given.
type Rank uint8

const (
	Ascending Rank = iota // ascending, as in SQL
	BestFirst             // best, that is highest, first
	Mixed                 // made from scores in some other way: the direction has to be said
)

// Encoding ties a vector column to its encoder.
type Encoding struct {
	Name  string
	Model encoder.Model // what the column was filled with
	Table string
	Col   string
	Dim   int
}
