package plan

import (
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

// column is one column of a relation in a query. Its address is its identity:
// two scans of one table have different columns.
type column struct {
	table  string // name the column can be qualified with, or ""
	name   string
	typ    value.Type
	enc    *encoding // how texts become vectors comparable with it, or nil
	rank   rank      // what its values are for ORDER BY
	ord    int       // position in the table, for columns of a scan
	hidden bool      // not part of *
	merged bool      // by USING with the column of another table: found by its table's name only
	source string    // name of the table, for columns of a scan
}

// rank tells how values of an expression are ordered when no direction is given.
type rank uint8

const (
	plain rank = iota // ascending, as in SQL
	score             // best, that is highest, first
	mixed             // made from scores in some other way: the direction has to be said
)

// encoding ties a vector column to its encoder.
type encoding struct {
	name  string
	model encoder.Model // what the column was filled with
	table string
	col   string
	dim   int
}
