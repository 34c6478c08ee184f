package compat

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What sqlc makes of a schema and of queries with names is code of this shape: the text of a
// query with its name in a comment, over whatever runs statements, into structs of database/sql's
// types. Queries takes a database, a connection or a transaction.
type Queries struct{ db conn }

type conn interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

type Writer struct {
	ID      int64
	Name    string
	Bio     sql.NullString
	Born    sql.NullTime
	Rating  sql.NullFloat64
	Meta    json.RawMessage
	Since   time.Time
	Active  bool
	Balance string // NUMERIC
}

const writersSchema = `-- +migrate
CREATE TABLE writers (
  id      BIGSERIAL PRIMARY KEY,
  name    text      NOT NULL,
  bio     text,
  born    date,
  rating  double precision,
  meta    jsonb     NOT NULL DEFAULT '{}'::jsonb,
  since   timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
  active  boolean   NOT NULL DEFAULT true,
  balance numeric(12,2) NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX writers_name ON writers (name) WHERE active;
CREATE TABLE works (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  writer_id bigint NOT NULL REFERENCES writers (id) ON DELETE CASCADE,
  title text NOT NULL
);`

const writerColumns = `id, name, bio, born, rating, meta, since, active, balance`

const createWriter = `-- name: CreateWriter :one
INSERT INTO writers (
  name, bio, born, meta
) VALUES (
  $1, $2, $3, $4
)
RETURNING ` + writerColumns + `
`

const getWriter = `-- name: GetWriter :one
SELECT ` + writerColumns + ` FROM writers
WHERE id = $1 LIMIT 1
`

const listByIDs = `-- name: ListByIDs :many
SELECT ` + writerColumns + ` FROM writers
WHERE id = ANY($1::bigint[])
  AND ($2::text = '' OR name ILIKE '%' || $2::text || '%')
ORDER BY name
LIMIT $4 OFFSET $3
`

// Of arguments that may be left out.
const updateWriter = `-- name: UpdateWriter :execrows
UPDATE writers SET
  name = coalesce($1, name),
  bio = CASE WHEN $2::boolean THEN $3::text ELSE bio END,
  balance = balance + $4::numeric
WHERE id = $5
`

const upsertWriter = `-- name: UpsertWriter :one
INSERT INTO writers (name, bio) VALUES ($1, $2)
ON CONFLICT (name) WHERE active DO UPDATE SET bio = EXCLUDED.bio
RETURNING id
`

const worksOf = `-- name: WorksOf :many
SELECT w.id, w.name, w.bio, w.born, w.rating, w.meta, w.since, w.active, w.balance, count(k.id) AS works, coalesce(string_agg(k.title, ', ' ORDER BY k.title), '')::text AS titles
FROM writers w
LEFT JOIN works k ON k.writer_id = w.id
GROUP BY w.id
ORDER BY works DESC, w.id
`

func scanWriter(row interface{ Scan(...any) error }, more ...any) (w Writer, err error) {
	err = row.Scan(append([]any{&w.ID, &w.Name, &w.Bio, &w.Born, &w.Rating, &w.Meta, &w.Since, &w.Active, &w.Balance}, more...)...)
	return w, err
}

// array is a list as lib/pq's Array sends it: a text in braces.
type array[T int64 | string] []T

func (a array[T]) Value() (driver.Value, error) {
	parts := make([]string, len(a))
	for i, x := range a {
		switch x := any(x).(type) {
		case int64:
			parts[i] = strconv.FormatInt(x, 10)
		case string:
			parts[i] = strconv.Quote(x)
		}
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

func (q *Queries) list(ctx context.Context, query string, more func() []any, args ...any) (out []Writer, err error) {
	rows, err := q.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		w, err := scanWriter(rows, more()...)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, errors.Join(rows.Close(), rows.Err())
}

func TestSqlc(t *testing.T) {
	p := pool(t)
	ctx := context.Background()
	_, err := p.Exec(writersSchema)
	check(t, err)
	q := &Queries{p}
	born := time.Date(1929, 10, 21, 0, 0, 0, 0, time.UTC)
	ann, err := scanWriter(q.db.QueryRowContext(ctx, createWriter, "ann", sql.NullString{String: "poet", Valid: true}, sql.NullTime{Time: born, Valid: true}, json.RawMessage(`{"a": [1]}`)))
	check(t, err)
	if ann.ID != 1 || !ann.Born.Time.Equal(born) || ann.Rating.Valid || !ann.Active || time.Since(ann.Since) > time.Hour || ann.Balance != "0.00" || string(ann.Meta) != `{"a": [1]}` {
		t.Errorf("%+v", ann)
	}
	got, err := scanWriter(q.db.QueryRowContext(ctx, getWriter, ann.ID))
	check(t, err)
	same(t, got, ann)
	if _, err := scanWriter(q.db.QueryRowContext(ctx, getWriter, int64(99))); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("nobody: %v", err)
	}

	tx, err := p.BeginTx(ctx, nil) // WithTx
	check(t, err)
	in := &Queries{tx}
	for _, name := range []string{"ben", "cat"} {
		_, err := scanWriter(in.db.QueryRowContext(ctx, createWriter, name, sql.NullString{}, sql.NullTime{}, json.RawMessage(`{}`)))
		check(t, err)
	}
	check(t, tx.Commit())

	none := func() []any { return nil }
	names := func(ws []Writer, err error) (out []string) {
		t.Helper()
		check(t, err)
		for _, w := range ws {
			out = append(out, w.Name)
		}
		return out
	}
	same(t, names(q.list(ctx, listByIDs, none, array[int64]{1, 3, 77}, "", int32(0), int32(10))), []string{"ann", "cat"})
	same(t, names(q.list(ctx, listByIDs, none, array[int64]{1, 2, 3}, "A", int32(1), int32(10))), []string{"cat"})
	same(t, names(q.list(ctx, listByIDs, none, array[int64]{}, "", int32(0), int32(10))), []string(nil))

	res, err := q.db.ExecContext(ctx, updateWriter, sql.NullString{}, true, "painter", "12.50", ann.ID)
	check(t, err)
	n, err := res.RowsAffected()
	check(t, err)
	same(t, n, int64(1))
	got, err = scanWriter(q.db.QueryRowContext(ctx, getWriter, ann.ID))
	check(t, err)
	same(t, []string{got.Name, got.Bio.String, got.Balance}, []string{"ann", "painter", "12.50"})

	var id int64
	check(t, q.db.QueryRowContext(ctx, upsertWriter, "ben", "novelist").Scan(&id))
	same(t, id, int64(2))
	_, err = q.db.ExecContext(ctx, `INSERT INTO works (writer_id, title) SELECT $1, unnest($2::text[])`, ann.ID, array[string]{"b, c", "a"})
	check(t, err)
	var works int64
	var titles string
	var counts []int64
	ws, err := q.list(ctx, worksOf, func() []any { counts = append(counts, works); return []any{&works, &titles} })
	same(t, names(ws, err), []string{"ann", "ben", "cat"})
	same(t, counts, []int64{0, 2, 0})
}
