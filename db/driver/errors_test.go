package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[T error](check func(T) bool) func(error) bool {
	return func(err error) bool {
		var e T
		return errors.As(err, &e) && check(e)
	}
}

// TestTypedErrors provokes every error of package db that a statement can give, in
// every way in which database/sql runs one: what comes back must be recognised.
func TestTypedErrors(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 1, s TEXT, v VECTOR(2));
		CREATE UNIQUE INDEX by_s ON t (s); INSERT INTO t VALUES (1, 1, 'one', [1, 0])`)
	for _, c := range []struct {
		what, sql string
		args      []any
		want      func(error) bool
	}{
		{"syntax", `SELEC 1`, nil, as(func(e *db.ParseError) bool { return e.Line == 1 && e.Column == 1 && e.Hint != "" })},
		{"column", `SELECT ss FROM t`, nil, as(func(e *db.ParseError) bool { return e.Column == 8 && strings.Contains(e.Hint, `"s"`) })},
		{"column, typed", `SELECT ss FROM t`, nil, as(func(e *db.NoColumnError) bool { return e.Table == "t" && e.Column == "ss" })},
		{"column of a table", `SELECT t.ss FROM t`, nil, as(func(e *db.NoColumnError) bool { return e.Table == "t" && e.Column == "ss" })},
		{"column of an insert", `INSERT INTO t (id, ss) VALUES (9, 9)`, nil, as(func(e *db.NoColumnError) bool { return e.Column == "ss" })},
		{"table", `SELECT * FROM tt`, nil, as(func(e *db.NoTableError) bool { return e.Table == "tt" })},
		{"table of a drop", `DROP TABLE tt`, nil, as(func(e *db.NoTableError) bool { return e.Table == "tt" })},
		{"index of a drop", `DROP INDEX ii`, nil, as(func(e *db.NoIndexError) bool { return e.Index == "ii" })},
		{"table twice", `CREATE TABLE t (id INTEGER)`, nil, as(func(e *db.ExistsError) bool { return e.What == "table" && e.Name == "t" })},
		{"column twice", `ALTER TABLE t ADD COLUMN s TEXT`, nil, as(func(e *db.ExistsError) bool { return e.What == "column" && e.Name == "s" })},
		{"index twice", `CREATE INDEX by_s ON t (s)`, nil, as(func(e *db.ExistsError) bool { return e.What == "index" && e.Name == "by_s" })},
		{"key", `INSERT INTO t VALUES (1, 1, 'two', NULL)`, nil, as(func(e *db.UniqueError) bool { return e.Table == "t" && e.Index == "" && e.Key == "1" })},
		{"key of an index", `INSERT INTO t VALUES (2, 1, $1, NULL)`, []any{"one"}, as(func(e *db.UniqueError) bool { return e.Index == "by_s" })},
		{"NULL", `INSERT INTO t VALUES (2, $1, 'two', NULL)`, []any{nil}, as(func(e *db.NotNullError) bool { return e.Column == "n" })},
		{"dimension of an insert", `INSERT INTO t VALUES (2, 1, 'two', $1)`, []any{[]float32{1}}, as(func(e *db.DimensionError) bool { return e.Got == 1 && e.Want == 2 })},
		{"dimension of a search", `SELECT id FROM t ORDER BY v_sim($1)`, []any{[]float32{1}}, as(func(e *db.DimensionError) bool { return e.Got == 1 && e.Want == 2 })},
		{"dimension of a distance", `SELECT id FROM t ORDER BY v <-> $1`, []any{[]float32{1, 2, 3}}, as(func(e *db.DimensionError) bool { return e.Got == 3 && e.Want == 2 })},
		{"no encoder", `SELECT id FROM t ORDER BY v_sim($1)`, []any{"a text"}, func(err error) bool { return err != nil }},
	} {
		check := func(how string, err error) {
			t.Helper()
			if !c.want(err) {
				t.Errorf("%s, by %s: %T %v", c.what, how, err, err)
			}
		}
		_, err := p.Exec(c.sql, c.args...)
		check("Exec", err)
		_, err = p.QueryContext(ctx, c.sql, c.args...)
		check("Query", err)
		check("QueryRow", p.QueryRow(c.sql, c.args...).Scan(new(any)))
		st, err := p.Prepare(c.sql)
		if err == nil {
			_, err = st.Exec(c.args...)
			st.Close()
		}
		check("Prepare", err)
		tx, err := p.Begin()
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(c.sql, c.args...)
		check("Tx", err)
		failed := db.ErrTxFailed
		if c.what == "syntax" { // it has not run
			failed = nil
		}
		if err := tx.Commit(); !errors.Is(err, failed) {
			t.Errorf("%s: Commit after a failure: %v", c.what, err)
		}
		if err := tx.Rollback(); !errors.Is(err, db.ErrTxDone) {
			t.Errorf("%s: Rollback after Commit: %v", c.what, err)
		}
		conn, err := p.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.ExecContext(ctx, "SELECT 1;\n "+c.sql, c.args...)
		var parse *db.ParseError
		if !errors.As(err, &parse) {
			check("a second statement", err)
		} else if parse.Line != 2 {
			t.Errorf("%s: the second statement's error is at %d:%d", c.what, parse.Line, parse.Column)
		}
		conn.Close()
	}
	if _, err := p.Exec(`INSERT INTO t VALUES (2, 1, 'two', $1)`, []float32{float32(math.Inf(1)), 0}); err == nil || !strings.Contains(err.Error(), "finite") && !strings.Contains(err.Error(), "NaN") {
		t.Errorf("an infinity: %v", err)
	}
	conn, err := p.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range []struct {
		sql  string
		want error
	}{{`COMMIT`, db.ErrNoTransaction}, {`ROLLBACK`, db.ErrNoTransaction}, {`BEGIN`, nil}, {`BEGIN`, db.ErrInTransaction}, {`ROLLBACK`, nil}} {
		if _, err := conn.ExecContext(ctx, s.sql); !errors.Is(err, s.want) {
			t.Errorf("%s: %v, want %v", s.sql, err, s.want)
		}
	}
	cctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := conn.ExecContext(cctx, `DELETE FROM t`); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestOpenErrors provokes those that show at the first connection.
func TestOpenErrors(t *testing.T) {
	make := func(change func(dir string)) string {
		dir := filepath.Join(t.TempDir(), "store")
		p := sql.OpenDB(driver.NewConnector(dir, &db.Options{Encoders: []encoder.Encoder{ngram.New("text", 8)}}))
		mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, v VECTOR ENCODER 'text'); INSERT INTO t VALUES (1, 'a text', 'a text')`)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		change(dir)
		return dir
	}
	write := func(file, text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(string) {}
	const search = `SELECT id FROM t ORDER BY v_sim('a text')`
	for _, c := range []struct {
		what, dsn, sql string
		opts           *db.Options
		want           func(error) bool
	}{
		{"not there", filepath.Join(t.TempDir(), "none") + "?mode=rw", `SELECT 1`, nil, is(fs.ErrNotExist)},
		{"something else", make(func(dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(dir, "notes.txt"), "hello")
		}), `SELECT 1`, nil, is(db.ErrNotStore)},
		{"of a newer version", make(func(dir string) { write(filepath.Join(dir, "LUPA"), "Lupa store, format 999\n") }), `SELECT 1`, nil, is(db.ErrFormat)},
		{"damaged", make(func(dir string) {
			files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no tables: %v", err)
			}
			for _, f := range files {
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				for i := range data {
					data[i] ^= 0x55
				}
				write(f, string(data))
			}
		}), `SELECT * FROM t`, nil, func(err error) bool { return errors.Is(err, db.ErrCorrupt) }},
		{"read only", make(nothing) + "?mode=ro", `DELETE FROM t`, nil, is(db.ErrReadOnly)},
		{"another encoder", make(nothing), search, &db.Options{Encoders: []encoder.Encoder{other{ngram.New("text", 8)}}}, is(db.ErrEncoderMismatch)},
		{"another encoder, typed", make(nothing), search, &db.Options{Encoders: []encoder.Encoder{other{ngram.New("text", 8)}}},
			as(func(e *db.EncoderMismatchError) bool {
				return e.Table == "t" && e.Column == "v" && e.Given.Hash == "other"
			})},
		{"no encoder", make(nothing), search, nil, as(func(e *db.EncoderNotFoundError) bool { return e.Name == "text" })},
	} {
		p := sql.OpenDB(driver.NewConnector(c.dsn, c.opts))
		_, err := p.Exec(c.sql)
		if !c.want(err) {
			t.Errorf("%s: %T %v", c.what, err, err)
		}
		if err := p.Close(); err != nil {
			t.Errorf("%s: close: %v", c.what, err)
		}
	}
	store, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := sql.OpenDB(driver.ForDB(store))
	defer p.Close()
	mustExec(t, p, `CREATE TABLE t (id INTEGER)`)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Exec(`SELECT * FROM t`); !errors.Is(err, db.ErrClosed) {
		t.Errorf("the store is closed: %v", err)
	}
	if err := p.Ping(); !errors.Is(err, db.ErrClosed) {
		t.Errorf("the store is closed: %v", err)
	}
}

// other is the same encoder with another identity.
type other struct{ encoder.Encoder }

func (o other) Model() encoder.Model {
	m := o.Encoder.Model()
	m.Hash = "other"
	return m
}
