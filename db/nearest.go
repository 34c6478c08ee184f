package db

import (
	"context"
	"fmt"
	"strings"
)

// NearestOptions narrow a search by Nearest. nil means all rows.
type NearestOptions struct {
	Where    string   // a condition of the language, such as "width > $1"
	Args     []any    // the arguments of Where
	Columns  []string // columns to return in Match.Values
	MinScore float64  // if not zero, only rows with a similarity of at least this

	// HasMinScore makes MinScore count when it is zero too.
	HasMinScore bool
}

// Match is a row found by Nearest.
type Match struct {
	Key    Value   // the primary key; NULL in a table without one
	Score  float64 // cosine similarity, -1 to 1
	Values []Value // NearestOptions.Columns, in their order
}

// Nearest returns the k rows of the table whose vectors in column are most
// similar to query, best first: a text or a picture (encoded by the column's
// encoder), a []float32, or a Value. Rows without a vector are never among
// them. It is the same search, with the same answers, as
//
//	SELECT key, similarity(column, $1) AS score, columns FROM table WHERE where ORDER BY score LIMIT k
func (db *DB) Nearest(ctx context.Context, table, column string, query any, k int, opts *NearestOptions) ([]Match, error) {
	return nearest(ctx, db.session(), table, column, query, k, opts)
}

// Nearest searches within the transaction: see DB.Nearest.
func (tx *Tx) Nearest(ctx context.Context, table, column string, query any, k int, opts *NearestOptions) ([]Match, error) {
	return nearest(ctx, tx.s, table, column, query, k, opts)
}

// Nearest searches within the session: see DB.Nearest.
func (c *Conn) Nearest(ctx context.Context, table, column string, query any, k int, opts *NearestOptions) ([]Match, error) {
	return nearest(ctx, c.s, table, column, query, k, opts)
}

func nearest(ctx context.Context, s *session, table, column string, what any, k int, opts *NearestOptions) ([]Match, error) {
	if opts == nil {
		opts = &NearestOptions{}
	}
	if k < 0 {
		return nil, fmt.Errorf("nearest: k is %d; it can't be negative", k)
	}
	def, err := s.table(ctx, table)
	if err != nil {
		return nil, err
	}
	const q, min, limit = "nearest_query", "nearest_min", "nearest_k"
	args := append([]any(nil), opts.Args...)
	args = append(args, Named(q, what), Named(limit, k))
	var b strings.Builder
	b.WriteString("SELECT ")
	if def.PrimaryKey != "" {
		b.WriteString(Quote(def.PrimaryKey))
	} else {
		b.WriteString("NULL")
	}
	fmt.Fprintf(&b, ", similarity(%s, :%s)", Quote(column), q)
	for _, c := range opts.Columns {
		b.WriteString(", " + Quote(c))
	}
	fmt.Fprintf(&b, " FROM %s WHERE TRUE", Quote(table))
	if opts.Where != "" {
		fmt.Fprintf(&b, " AND (%s\n)", opts.Where)
	}
	if opts.MinScore != 0 || opts.HasMinScore {
		fmt.Fprintf(&b, " AND similarity(%s, :%s) >= :%s", Quote(column), q, min)
		args = append(args, Named(min, opts.MinScore))
	}
	fmt.Fprintf(&b, " ORDER BY similarity(%s, :%s) DESC NULLS LAST LIMIT :%s", Quote(column), q, limit)
	rows, err := s.query(ctx, b.String(), args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Match
	for rows.Next() {
		v := rows.Values()
		if v[1].IsNull() {
			break // rows without a vector, or with zeros, have no similarity and come last
		}
		out = append(out, Match{Key: v[0], Score: v[1].Float(), Values: v[2:]})
	}
	return out, rows.Err()
}
