// Package compat tests the driver under libraries that sit on database/sql. It is
// a module of its own, so that Lupa's users do not meet those libraries.
package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// photo is a row: sqlx finds fields by the tag db.
type photo struct {
	ID     string       `db:"id"`
	Width  int          `db:"width"`
	Taken  sql.NullTime `db:"taken"`
	Clip   db.Floats    `db:"clip"` // as []float32, where no vector is NULL
	Credit *string      `db:"credit"`
}

func open(t *testing.T) *sqlx.DB {
	t.Helper()
	driver.Register()
	sqlx.BindDriver(driver.Name, sqlx.QUESTION) // ?, $1 and :name are all understood; DOLLAR would do too
	p, err := sqlx.Connect(driver.Name, "file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "store"))+"?nosync")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.MustExec(`CREATE TABLE photos (id TEXT PRIMARY KEY, width INTEGER, taken TIMESTAMP, clip VECTOR(3), credit TEXT)`)
	return p
}

var (
	day  = time.Date(2020, 2, 29, 12, 30, 0, 0, time.UTC)
	anna = "Anna"
	rows = []photo{
		{"a", 640, sql.NullTime{Time: day, Valid: true}, db.Floats{1, 0, 0}, &anna},
		{"b", 800, sql.NullTime{}, db.Floats{0, 1, 0}, nil},
		{"c", 1024, sql.NullTime{Time: day.Add(time.Hour), Valid: true}, nil, nil},
	}
)

const insert = `INSERT INTO photos (id, width, taken, clip, credit) VALUES (:id, :width, :taken, :clip, :credit)`

func filled(t *testing.T) *sqlx.DB {
	t.Helper()
	p := open(t)
	for _, r := range rows {
		if _, err := p.NamedExec(insert, r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSelectAndGet(t *testing.T) {
	p := filled(t)
	var all []photo
	check(t, p.Select(&all, `SELECT * FROM photos ORDER BY id`))
	same(t, all, rows)

	var nearest []struct {
		ID    string  `db:"id"`
		Score float64 `db:"score"`
	}
	check(t, p.Select(&nearest, `SELECT id, clip_sim(?) AS score FROM photos WHERE width < ? ORDER BY score LIMIT 2`, []float32{0, 2, 0}, 1000))
	if len(nearest) != 2 || nearest[0].ID != "b" || nearest[0].Score != 1 {
		t.Errorf("nearest are %+v", nearest)
	}

	var plain []struct {
		ID   string
		Clip []float32
	}
	check(t, p.Select(&plain, `SELECT id, clip FROM photos WHERE clip IS NOT NULL ORDER BY id DESC`))
	if len(plain) != 2 {
		t.Fatalf("%d rows", len(plain))
	}
	same(t, plain[0].Clip, []float32{0, 1, 0})
	var one photo
	check(t, p.Get(&one, `SELECT * FROM photos WHERE id = $1`, "a"))
	same(t, one, rows[0])
	var v []float32
	check(t, p.QueryRowx(`SELECT clip FROM photos WHERE id = ?`, "b").Scan(&v))
	same(t, v, []float32{0, 1, 0})
	var n int
	check(t, p.Get(&n, `SELECT count(*) FROM photos`))
	same(t, n, 3)
	if err := p.Get(&one, `SELECT * FROM photos WHERE id = ?`, "none"); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

func TestNamed(t *testing.T) {
	p := open(t)
	if r, err := p.NamedExec(insert, rows); err != nil { // a slice becomes VALUES (...), (...), (...)
		t.Fatal(err)
	} else if n, err := r.RowsAffected(); err != nil || n != 3 {
		t.Errorf("%d rows affected, %v", n, err)
	}
	if _, err := p.NamedExec(`UPDATE photos SET width = :w WHERE id = :id`, map[string]any{"w": 1, "id": "a"}); err != nil {
		t.Fatal(err)
	}
	r, err := p.NamedQuery(`SELECT id, width FROM photos WHERE width <= :width ORDER BY id`, photo{Width: 800})
	check(t, err)
	defer r.Close()
	var got []photo
	for r.Next() {
		var one photo
		check(t, r.StructScan(&one))
		got = append(got, one)
	}
	check(t, r.Err())
	same(t, got, []photo{{ID: "a", Width: 1}, {ID: "b", Width: 800}})

	st, err := p.PrepareNamed(`SELECT id FROM photos WHERE id = :id`)
	check(t, err)
	defer st.Close()
	for _, want := range []string{"a", "b", "c", "a"} {
		var id string
		check(t, st.Get(&id, map[string]any{"id": want}))
		same(t, id, want)
	}
}

func TestInAndRebind(t *testing.T) {
	p := filled(t)
	for _, bind := range []int{sqlx.QUESTION, sqlx.DOLLAR} {
		q, args, err := sqlx.In(`SELECT id FROM photos WHERE id IN (?) AND width > ? ORDER BY id`, []string{"a", "b", "c"}, 700)
		check(t, err)
		var ids []string
		check(t, p.Select(&ids, sqlx.Rebind(bind, q), args...))
		same(t, ids, []string{"b", "c"})
	}
	var ids []string
	q, args, err := sqlx.In(`SELECT id FROM photos WHERE id IN (?)`, []string{"c"})
	check(t, err)
	check(t, p.Select(&ids, p.Rebind(q), args...))
	same(t, ids, []string{"c"})
	// sqlx.In takes every slice but []byte for a list of arguments; a vector goes in
	// as a db.Value.
	vector, err := db.ToValue([]float32{0, 1, 0})
	check(t, err)
	q, args, err = sqlx.In(`SELECT id FROM photos WHERE id IN (?) ORDER BY clip <-> ?`, []string{"a", "b"}, vector)
	check(t, err)
	ids = nil
	check(t, p.Select(&ids, p.Rebind(q), args...))
	same(t, ids, []string{"b", "a"})
}

func TestTransactions(t *testing.T) {
	p := filled(t)
	ctx := context.Background()
	tx, err := p.BeginTxx(ctx, nil)
	check(t, err)
	tx.MustExec(`DELETE FROM photos WHERE id = ?`, "a")
	_, err = tx.NamedExec(insert, photo{ID: "d", Clip: db.Floats{0, 0, 1}})
	check(t, err)
	var ids []string
	check(t, tx.Select(&ids, `SELECT id FROM photos ORDER BY id`))
	same(t, ids, []string{"b", "c", "d"})
	check(t, tx.Rollback())
	check(t, p.Select(&ids, `SELECT id FROM photos ORDER BY id`))
	same(t, ids, []string{"a", "b", "c"})

	tx = p.MustBegin()
	st, err := tx.Preparex(`UPDATE photos SET width = width + 1 WHERE id = ?`)
	check(t, err)
	for _, id := range ids {
		st.MustExec(id)
	}
	check(t, tx.Commit())
	var sum int
	check(t, p.Get(&sum, `SELECT sum(width) FROM photos`))
	same(t, sum, 640+800+1024+3)
}

func TestMapsAndSlices(t *testing.T) {
	p := filled(t)
	r, err := p.Queryx(`SELECT id, clip, taken FROM photos ORDER BY id`)
	check(t, err)
	defer r.Close()
	if !r.Next() {
		t.Fatal(r.Err())
	}
	m := map[string]any{}
	check(t, r.MapScan(m))
	same(t, m, map[string]any{"id": "a", "clip": []float32{1, 0, 0}, "taken": day})
	if !r.Next() {
		t.Fatal(r.Err())
	}
	s, err := r.SliceScan()
	check(t, err)
	same(t, s, []any{"b", []float32{0, 1, 0}, nil})
}

func TestErrors(t *testing.T) {
	p := filled(t)
	_, err := p.NamedExec(insert, rows[0])
	if unique := (*db.UniqueError)(nil); !errors.As(err, &unique) {
		t.Errorf("a repeated key: %v", err)
	}
	_, err = p.NamedExec(insert, photo{ID: "x", Clip: db.Floats{1}})
	if dim := (*db.DimensionError)(nil); !errors.As(err, &dim) {
		t.Errorf("a short vector: %v", err)
	}
	err = p.Select(new([]photo), `SELECT idd FROM photos`)
	if parse := (*db.ParseError)(nil); !errors.As(err, &parse) || parse.Hint == "" {
		t.Errorf("a misspelt column: %v", err)
	}
}

func Example() {
	driver.Register()
	p := sqlx.MustConnect(driver.Name, ":memory:")
	defer p.Close()
	p.MustExec(`CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR(2)); INSERT INTO photos VALUES ('a', [1, 0]), ('b', [0, 1])`)
	var best struct {
		ID   string
		Clip []float32
	}
	fmt.Println(p.Get(&best, `SELECT id, clip FROM photos ORDER BY clip_sim(?) LIMIT 1`, []float32{1, 3}), best)
	// Output: <nil> {b [0 1]}
}
