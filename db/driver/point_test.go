package driver_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// points returns a pool over a table of n rows in a directory, with a primary key, a UNIQUE
// and an ordinary index.
func points(tb testing.TB, n int) *sql.DB {
	tb.Helper()
	store, err := db.Open(filepath.Join(tb.TempDir(), "store"), nil)
	if err != nil {
		tb.Fatal(err)
	}
	p := sql.OpenDB(driver.ForDB(store))
	tb.Cleanup(func() { p.Close(); store.Close() })
	if _, err := p.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, w INTEGER, name TEXT);
		CREATE UNIQUE INDEX by_u ON t (u); CREATE INDEX by_w ON t (w)`); err != nil {
		tb.Fatal(err)
	}
	a, err := store.Appender(ctx, "t", nil, &db.AppenderOptions{Atomic: true})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		if err := a.Append(i, fmt.Sprintf("u%08d", i), i/2, fmt.Sprintf("a name that is longer, %d", i)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkPoint looks rows up and inserts them one by one.
func BenchmarkPoint(b *testing.B) {
	const n = 200_000
	p := points(b, n)
	rng := rand.New(rand.NewPCG(1, 2))
	var id, w int64
	var name string
	for _, q := range []struct {
		name, sql string
		arg       func() any
	}{
		{"Key", `SELECT id, w, name FROM t WHERE id = ?`, func() any { return rng.Int64N(n) }},
		{"Unique", `SELECT id, w, name FROM t WHERE u = ?`, func() any { return fmt.Sprintf("u%08d", rng.Int64N(n)) }},
		{"Index", `SELECT id, w, name FROM t WHERE w = ?`, func() any { return rng.Int64N(n / 2) }},
	} {
		st, err := p.Prepare(q.sql)
		if err != nil {
			b.Fatal(err)
		}
		for how, row := range map[string]func() *sql.Row{
			"Prepared": func() *sql.Row { return st.QueryRow(q.arg()) },
			"Text":     func() *sql.Row { return p.QueryRow(q.sql, q.arg()) },
		} {
			b.Run(q.name+how, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := row().Scan(&id, &w, &name); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("InsertInTx", func(b *testing.B) {
		b.ReportAllocs()
		tx, err := p.Begin()
		if err != nil {
			b.Fatal(err)
		}
		defer tx.Rollback()
		st, err := tx.Prepare(`INSERT INTO t VALUES (?, ?, ?, ?)`)
		if err != nil {
			b.Fatal(err)
		}
		i := n
		for b.Loop() {
			if _, err := st.Exec(i, fmt.Sprintf("u%08d", i), i/2, "another name"); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// TestPointAllocations bounds the memory that a look-up of three columns takes, through
// database/sql and through package db, prepared or not: its plan is there.
func TestPointAllocations(t *testing.T) {
	p := points(t, 20_000)
	var id, w int64
	var name string
	measure := func(what string, most float64, row func() interface{ Scan(...any) error }) {
		t.Helper()
		got := 1e9 // the least of some rounds: what is kept from run to run may be collected
		for range 5 {
			got = min(got, testing.AllocsPerRun(100, func() {
				if err := row().Scan(&id, &w, &name); err != nil {
					t.Fatal(err)
				}
			}))
		}
		if got > most {
			t.Errorf("%s: %.0f allocations, at most %.0f are wanted", what, got, most)
		}
	}
	conn, err := p.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var store *db.DB
	if err := conn.Raw(func(c any) error { store = c.(*driver.Conn).DB(); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		sql string
		arg any
		// SQLite through mattn/go-sqlite3 and the same database/sql: 16.
		sql3, db float64
	}{
		{`SELECT id, w, name FROM t WHERE id = ?`, 777, 15, 8},
		{`SELECT id, w, name FROM t WHERE u = ?`, "u00000777", 15, 8},
		{`SELECT id, w, name FROM t WHERE w = ?`, 300, 17, 8},
	} {
		st, err := p.Prepare(q.sql)
		if err != nil {
			t.Fatal(err)
		}
		own, err := store.Prepare(ctx, q.sql)
		if err != nil {
			t.Fatal(err)
		}
		arg := q.arg
		measure("database/sql, prepared: "+q.sql, q.sql3, func() interface{ Scan(...any) error } { return st.QueryRow(arg) })
		measure("database/sql, a text: "+q.sql, q.sql3, func() interface{ Scan(...any) error } { return p.QueryRow(q.sql, arg) })
		measure("db, prepared: "+q.sql, q.db, func() interface{ Scan(...any) error } { return own.QueryRow(ctx, arg) })
		measure("db, a text: "+q.sql, q.db+2, func() interface{ Scan(...any) error } { return store.QueryRow(ctx, q.sql, arg) })
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}
