package db

import "context"

// NearestOptions narrow a search by Nearest. nil means all rows.
type NearestOptions struct {
	Where    string   // a condition of the language, such as "width > $1"
	Args     []any    // the arguments of Where
	Columns  []string // columns to return in Match.Values
	MinScore float64  // if not zero, only rows with a similarity of at least this
}

// Match is a row found by Nearest.
type Match struct {
	Key    Value   // the primary key; NULL in a table without one
	Score  float64 // cosine similarity, -1 to 1
	Values []Value // NearestOptions.Columns, in their order
}

// Nearest returns the k rows of the table whose vectors in column are most
// similar to query, best first: a text or a picture (encoded by the column's
// encoder), a []float32, or a Value. It is
//
//	SELECT key, column_sim($1), columns FROM table WHERE where ORDER BY 2 LIMIT k
func (db *DB) Nearest(ctx context.Context, table, column string, query any, k int, opts *NearestOptions) ([]Match, error) {
	return nil, errNotYet
}
