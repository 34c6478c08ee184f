package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

// The tests of this file go through what the documentation of database/sql and
// database/sql/driver promises to a program and demands of a driver.

// shared returns a store in memory and a pool over it, so that a test can see what
// the pool leaves open.
func shared(t *testing.T, opts *db.Options) (*db.DB, *sql.DB) {
	t.Helper()
	store, err := db.Open(":memory:", opts)
	if err != nil {
		t.Fatal(err)
	}
	p := sql.OpenDB(driver.ForDB(store))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the pool: %v", err)
		}
		if s := store.Stats(); s.Open != 0 || s.Running != 0 {
			t.Errorf("the closed pool has left %d handles open and %d statements running", s.Open, s.Running)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return store, p
}

func wantCount(t *testing.T, q interface {
	QueryRow(query string, args ...any) *sql.Row
}, want int, query string, args ...any) {
	t.Helper()
	var n int
	if err := q.QueryRow(query, args...).Scan(&n); err != nil || n != want {
		t.Errorf("%s: %d, %v; want %d", query, n, err, want)
	}
}

// TestPreparedEverywhere uses one prepared statement on several connections at
// once, in transactions, and over a change of its table.
func TestPreparedEverywhere(t *testing.T) {
	_, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)`)
	all, err := p.Prepare(`SELECT id FROM t WHERE id >= $1 ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	var open []*sql.Rows // each holds a connection
	for i := 1; i <= 3; i++ {
		rows, err := all.Query(i)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, rows)
	}
	if n := p.Stats().InUse; n != 3 {
		t.Errorf("%d connections are in use, want 3", n)
	}
	for i, rows := range open {
		var ids []int
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if want := []int{1, 2, 3}[i:]; rows.Err() != nil || !slices.Equal(ids, want) {
			t.Errorf("rows are %v, %v; want %v", ids, rows.Err(), want)
		}
	}

	ins, err := p.Prepare(`INSERT INTO t VALUES (?)`)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	inTx := tx.Stmt(ins)
	if _, err := inTx.Exec(4); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.StmtContext(ctx, ins).ExecContext(ctx, 5); err != nil {
		t.Fatal(err)
	}
	first := func(st *sql.Stmt, want int) {
		t.Helper()
		var id int
		if err := st.QueryRow(want).Scan(&id); err != nil || id != want {
			t.Errorf("the prepared query gave %d, %v; want %d", id, err, want)
		}
	}
	first(tx.Stmt(all), 4)
	wantCount(t, p, 3, `SELECT count(*) FROM t`)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := inTx.Exec(6); err == nil {
		t.Error("a statement of a transaction that is over runs")
	}
	wantCount(t, p, 3, `SELECT count(*) FROM t`)
	if _, err := ins.Exec(4); err != nil {
		t.Errorf("outside of the transaction: %v", err)
	}

	mustExec(t, p, `ALTER TABLE t ADD COLUMN s TEXT DEFAULT 'x'`)
	first(all, 4)
	mustExec(t, p, `DROP TABLE t`)
	var missing *db.NoTableError
	if err := all.QueryRow(1).Scan(new(int)); !errors.As(err, &missing) {
		t.Errorf("the table is gone: %v", err)
	}
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	if err := all.QueryRow(1).Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("the table is there again: %v", err)
	}
	if err := errors.Join(all.Close(), ins.Close()); err != nil {
		t.Error(err)
	}
	if _, err := ins.Exec(7); err == nil {
		t.Error("a closed statement runs")
	}
	if _, err := p.Prepare(`SELECT 1; SELECT 2`); err == nil {
		t.Error("two statements were prepared as one")
	}
}

// TestRowsClosedEarly gives rows up in the middle: with one connection for all,
// the next statement would wait for ever if they kept it.
func TestRowsClosedEarly(t *testing.T) {
	store, p := shared(t, nil)
	p.SetMaxOpenConns(1)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	tx, err := p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 { // several batches
		mustExec(t, tx, `INSERT INTO t VALUES (?)`, i)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		rows, err := p.Query(`SELECT id FROM t ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		var id int
		if !rows.Next() || rows.Scan(&id) != nil || id != 0 {
			t.Fatalf("first row is %d: %v", id, rows.Err())
		}
		if n := store.Stats().Running; n != 1 {
			t.Errorf("%d statements are running", n)
		}
		if err := errors.Join(rows.Close(), rows.Close(), rows.Err()); err != nil {
			t.Errorf("close: %v", err)
		}
		if rows.Next() || rows.Scan(&id) == nil {
			t.Error("closed rows go on")
		}
		if n := store.Stats().Running; n != 0 {
			t.Errorf("%d statements are running after Close", n)
		}
		wantCount(t, p, 3000, `SELECT count(*) FROM t`)
	}
	qctx, cancel := context.WithCancel(ctx)
	rows, err := p.QueryContext(qctx, `SELECT id FROM t`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	for rows.Next() {
	}
	wantCount(t, p, 3000, `SELECT count(*) FROM t`) // the connection is free again: the rows are closed
	if err := rows.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("rows whose context has ended: %v", err)
	}
}

// TestStatementsAndRows: one statement has one set of rows, or none.
func TestStatementsAndRows(t *testing.T) {
	_, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)`)
	if _, err := p.Query(`SELECT 1; SELECT 2`); err == nil {
		t.Error("Query ran two statements")
	}
	rows, err := p.Query(`SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	if rows.NextResultSet() || rows.Err() != nil {
		t.Errorf("there is a second set of rows: %v", rows.Err())
	}
	rows, err = p.Query(`INSERT INTO t VALUES (1, 'a')`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := rows.Columns()
	if err != nil || len(columns) != 0 || rows.Next() || rows.Err() != nil {
		t.Errorf("an INSERT returned columns %v, %v", columns, errors.Join(err, rows.Err()))
	}
	rows.Close()
	var id int
	if err := p.QueryRow(`INSERT INTO t VALUES (2, 'b') RETURNING id`).Scan(&id); err != nil || id != 2 {
		t.Errorf("RETURNING gave %d, %v", id, err)
	}
	if n, err := mustExec(t, p, `SELECT * FROM t`).RowsAffected(); err != nil || n != 0 {
		t.Errorf("a SELECT affected %d rows, %v", n, err)
	}
	r := mustExec(t, p, `INSERT INTO t VALUES (3, 'c'); UPDATE t SET s = 'x'; CREATE TABLE u (id INTEGER)`)
	if n, err := r.RowsAffected(); err != nil || n != 4 {
		t.Errorf("statements affected %d rows, %v", n, err)
	}
	if _, err := r.LastInsertId(); err == nil || !strings.Contains(err.Error(), "RETURNING") {
		t.Errorf("LastInsertId: %v", err)
	}
}

// blocking is an encoder that begins, says so, and goes on until it is cancelled.
type blocking struct {
	encoder.Encoder
	begun chan struct{}
}

func (b blocking) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	select {
	case b.begun <- struct{}{}:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestContextInTx ends contexts at every point of a transaction.
func TestContextInTx(t *testing.T) {
	begun := make(chan struct{})
	_, p := shared(t, &db.Options{Encoders: []encoder.Encoder{blocking{ngram.New("text", 8), begun}}})
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR ENCODER 'text')`)
	begin := func(ctx context.Context, opts *sql.TxOptions) *sql.Tx {
		t.Helper()
		tx, err := p.BeginTx(ctx, opts)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	ended, end := context.WithCancel(ctx)
	end()

	// Before it begins.
	if _, err := p.BeginTx(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("begin: %v", err)
	}
	// A statement that does not start leaves the transaction alone.
	tx := begin(ctx, nil)
	mustExec(t, tx, `INSERT INTO t (id) VALUES (1)`)
	if _, err := tx.ExecContext(ended, `INSERT INTO t (id) VALUES (2)`); !errors.Is(err, context.Canceled) {
		t.Errorf("a statement: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("commit: %v", err)
	}
	wantCount(t, p, 1, `SELECT count(*) FROM t`)
	// One that is cancelled at work makes it fail.
	tx = begin(ctx, nil)
	mustExec(t, tx, `INSERT INTO t (id) VALUES (2)`)
	qctx, cancel := context.WithCancel(ctx)
	go func() { <-begun; cancel() }()
	if _, err := tx.ExecContext(qctx, `INSERT INTO t VALUES (3, 'a text')`); !errors.Is(err, context.Canceled) {
		t.Errorf("a statement at work: %v", err)
	}
	if _, err := tx.Exec(`INSERT INTO t (id) VALUES (4)`); !errors.Is(err, db.ErrTxFailed) {
		t.Errorf("the statement after it: %v", err)
	}
	if err := tx.Commit(); !errors.Is(err, db.ErrTxFailed) {
		t.Errorf("commit after it: %v", err)
	}
	wantCount(t, p, 1, `SELECT count(*) FROM t`)
	// The context of the transaction itself: rolled back, the next writer goes on.
	for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}} {
		tctx, cancel := context.WithCancel(ctx)
		tx = begin(tctx, opts)
		rows, err := tx.Query(`SELECT id FROM t`)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		for rows.Next() {
		}
		mustExec(t, p, `INSERT INTO t (id) SELECT max(id) + 1 FROM t`)
		for _, err := range []error{tx.Commit(), tx.QueryRow(`SELECT 1`).Scan(new(int))} {
			if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
				t.Errorf("after the end: %v", err)
			}
		}
	}
	wantCount(t, p, 3, `SELECT count(*) FROM t`)
	// A second writer waits as long as its context allows.
	tx = begin(ctx, nil)
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := p.BeginTx(short, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second writer: %v", err)
	}
	second := make(chan error)
	go func() {
		tx, err := p.BeginTx(ctx, nil)
		if err == nil {
			err = tx.Commit()
		}
		second <- err
	}()
	// Readers don't wait for either of them.
	view := begin(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelSnapshot})
	mustExec(t, tx, `DELETE FROM t`)
	wantCount(t, view, 3, `SELECT count(*) FROM t`)
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	wantCount(t, view, 3, `SELECT count(*) FROM t`)
	wantCount(t, p, 0, `SELECT count(*) FROM t`)
	if err := errors.Join(view.Commit(), <-second); err != nil {
		t.Error(err)
	}
}

func TestIsolationLevels(t *testing.T) {
	_, p := shared(t, nil)
	p.SetMaxOpenConns(1)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		for _, ro := range []bool{false, true} {
			tx, err := p.BeginTx(ctx, &sql.TxOptions{Isolation: level, ReadOnly: ro})
			if level == sql.LevelLinearizable {
				if err == nil || !strings.Contains(err.Error(), "Linearizable") {
					t.Errorf("%s: %v", level, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", level, err)
				continue
			}
			if _, err = tx.Exec(`INSERT INTO t VALUES ($1)`, int(level)); ro != errors.Is(err, db.ErrReadOnly) {
				t.Errorf("%s, read only %v: %v", level, ro, err)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
		}
	}
	wantCount(t, p, 0, `SELECT count(*) FROM t`) // and the only connection is in order
}

// TestBadConnections takes connections away from the pool: what they had open is
// rolled back, and the pool makes others.
func TestBadConnections(t *testing.T) {
	_, p := shared(t, nil)
	p.SetMaxOpenConns(1)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	for what, spoil := range map[string]func(c any) error{
		"reported as bad": func(any) error { return sqldriver.ErrBadConn },
		"closed":          func(c any) error { return c.(*driver.Conn).Close() },
		"session closed":  func(c any) error { return c.(*driver.Conn).Session().Close() },
	} {
		conn, err := p.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, conn, `BEGIN`)
		mustExec(t, conn, `INSERT INTO t VALUES (1)`)
		if err := conn.Raw(spoil); err != nil && !errors.Is(err, sqldriver.ErrBadConn) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := conn.ExecContext(ctx, `SELECT 1`); !errors.Is(err, sql.ErrConnDone) && !errors.Is(err, db.ErrClosed) {
			t.Errorf("%s: a statement: %v", what, err)
		}
		if err := conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
			t.Errorf("%s: close: %v", what, err)
		}
		wantCount(t, p, 0, `SELECT count(*) FROM t`)
		mustExec(t, p, `INSERT INTO t VALUES (1); DELETE FROM t`)
	}
	// A panic within Raw and one between Begin and Commit.
	conn, err := p.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { recover() }()
		conn.Raw(func(any) error { panic("boom") })
	}()
	conn.Close()
	wantCount(t, p, 0, `SELECT count(*) FROM t`)
}

// temperature is a Valuer by value: a nil pointer to it is NULL.
type temperature float64

func (c temperature) Value() (sqldriver.Value, error) { return fmt.Sprintf("%g °C", float64(c)), nil }

func (c *temperature) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("a temperature can't be a %T", src)
	}
	_, err := fmt.Sscanf(s, "%g °C", (*float64)(c))
	return err
}

// place is a Valuer by pointer, which knows what nil means to it.
type place struct{ name string }

func (p *place) Value() (sqldriver.Value, error) {
	if p == nil {
		return "nowhere", nil
	}
	return p.name, nil
}

// tags are JSON, written the way everybody does for other databases.
type tags map[string]int

func (g tags) Value() (sqldriver.Value, error) { return json.Marshal(g) }
func (g *tags) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("tags can't be a %T", src)
	}
	return json.Unmarshal(b, g)
}

// face is a vector of the program's own.
type face [2]float32

func (f face) Value() (sqldriver.Value, error) { return f[:], nil }
func (f *face) Scan(src any) error {
	v, ok := src.([]float32)
	if !ok || len(v) != len(f) {
		return fmt.Errorf("a face can't be %v", src)
	}
	copy(f[:], v)
	return nil
}

var errNotToday = errors.New("not today")

type refusing struct{}

func (refusing) Value() (sqldriver.Value, error) { return nil, errNotToday }

type id [4]byte // as UUIDs are

func (i id) Value() (sqldriver.Value, error) { return fmt.Sprintf("%x", i[:]), nil }

// TestUserTypes sends types with methods of their own there and back, by the pool
// and by package db.
func TestUserTypes(t *testing.T) {
	store, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE t (c TEXT, p TEXT, g JSON, f VECTOR(2))`)
	insert := func(args ...any) {
		t.Helper()
		mustExec(t, p, `INSERT INTO t VALUES (?, ?, ?::json, ?)`, args...)
	}
	c := temperature(21.5)
	insert(&c, &place{"Rome"}, string(must(json.Marshal(tags{"a": 1}))), face{1, 2})
	insert((*temperature)(nil), (*place)(nil), nil, (*face)(nil))
	st, err := p.Prepare(`SELECT c, p, g, f FROM t WHERE c = ? OR c IS NULL AND ?`)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	type row interface{ Scan(dest ...any) error }
	for how, query := range map[string]func(nulls bool) row{
		"pool":     func(nulls bool) row { return p.QueryRow(`SELECT c, p, g, f FROM t WHERE (c IS NULL) = ?`, nulls) },
		"prepared": func(nulls bool) row { return st.QueryRow(map[bool]*temperature{false: &c}[nulls], nulls) },
		"db": func(nulls bool) row {
			return store.QueryRow(ctx, `SELECT c, p, g, f FROM t WHERE (c IS NULL) = ?`, nulls)
		},
	} {
		var (
			c  temperature
			p  string
			g  tags
			f  face
			nc sql.Null[temperature]
			ng sql.NullString
			nf sql.Null[face]
			pf *face
			rg sql.Null[json.RawMessage]
		)
		if err := query(false).Scan(&c, &p, &g, &f); err != nil || c != 21.5 || p != "Rome" || g["a"] != 1 || f != (face{1, 2}) {
			t.Errorf("%s: %v %q %v %v, %v", how, c, p, g, f, err)
		}
		if err := query(false).Scan(&nc, &p, &ng, &nf); err != nil || !nc.Valid || nc.V != 21.5 || ng.String != `{"a":1}` || nf.V != (face{1, 2}) {
			t.Errorf("%s, into sql.Null: %v %v %v, %v", how, nc, ng, nf, err)
		}
		if err := query(false).Scan(&nc, &p, &rg, &pf); err != nil || string(rg.V) != `{"a":1}` || pf == nil || *pf != (face{1, 2}) {
			t.Errorf("%s, into a pointer: %s %v, %v", how, rg.V, pf, err)
		}
		if err := query(true).Scan(&nc, &p, &ng, &nf); err != nil || nc.Valid || p != "nowhere" || ng.Valid || nf.Valid {
			t.Errorf("%s, NULL: %v %q %v %v, %v", how, nc, p, ng, nf, err)
		}
		if err := query(true).Scan(&nc, &p, &rg, &pf); err != nil || rg.Valid || pf != nil {
			t.Errorf("%s, NULL into a pointer: %v %v, %v", how, rg, pf, err)
		}
		if err := query(true).Scan(&c, &p, &ng, &nf); err == nil || !strings.Contains(err.Error(), "temperature can't be") {
			t.Errorf("%s: the Scanner's own error: %v", how, err)
		}
	}
	if _, err := p.Exec(`INSERT INTO t (c) VALUES (?)`, refusing{}); !errors.Is(err, errNotToday) {
		t.Errorf("the Valuer's own error: %v", err)
	}
	var got string
	for _, a := range []struct {
		arg  any
		want string
	}{
		{id{0xca, 0xfe, 0, 1}, "cafe0001"}, {sql.Null[id]{V: id{1}, Valid: true}, "01000000"}, {sql.Null[id]{}, "none"}, {sql.Null[int16]{V: 7, Valid: true}, "7"},
		{sql.NullTime{}, "none"}, {sql.Null[[]float32]{V: []float32{1}, Valid: true}, "[1]"}, {sql.Null[[]float32]{}, "none"},
	} {
		if err := p.QueryRow(`SELECT coalesce(?::text, 'none')`, a.arg).Scan(&got); err != nil || got != a.want {
			t.Errorf("%#v came as %q, %v; want %q", a.arg, got, err, a.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestNumberOfArguments: too few, too many, names that are not there, and what has
// no meaning here.
func TestNumberOfArguments(t *testing.T) {
	_, p := shared(t, nil)
	for _, c := range []struct {
		sql  string
		args []any
		want string
	}{
		{`SELECT ? + ?`, []any{1}, "2"},
		{`SELECT ? + ?`, []any{1, 2, 3}, "2"},
		{`SELECT $2 + $1`, nil, "2"},
		{`SELECT 1`, []any{1}, "0"},
		{`SELECT :x + :y`, []any{sql.Named("x", 1)}, "y"},
		{`SELECT :x`, []any{1}, "0"},
		{`SELECT ?`, []any{sql.Out{Dest: new(int)}}, "RETURNING"},
		{`SELECT :x`, []any{sql.Named("x", sql.Out{Dest: new(int), In: true})}, "RETURNING"},
	} {
		_, err := p.Exec(c.sql, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %d arguments: %v, want %q", c.sql, len(c.args), err, c.want)
		}
		st, err := p.Prepare(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Query(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s prepared, with %d arguments: %v, want %q", c.sql, len(c.args), err, c.want)
		}
		st.Close()
	}
}

// LastInsertId is the INTEGER primary key of the last row inserted.
func TestLastInsertId(t *testing.T) {
	_, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE n (id INTEGER PRIMARY KEY, s TEXT); CREATE TABLE x (id TEXT PRIMARY KEY); CREATE TABLE k (a INTEGER)`)
	for _, c := range []struct {
		sql  string
		want int64 // 0: there is none
	}{
		{`INSERT INTO n VALUES (7, 'a'), (-5, 'b')`, -5},
		{`INSERT INTO n SELECT id + 10, s FROM n ORDER BY id`, 17},
		{`INSERT INTO n VALUES (7, 'c'), (8, 'd') ON CONFLICT DO NOTHING`, 8},
		{`INSERT INTO n VALUES (8, 'e'), (7, 'e') ON CONFLICT (id) DO UPDATE SET s = excluded.s`, 7},
		{`INSERT INTO n VALUES (7, 'c') ON CONFLICT DO NOTHING`, 0},
		{`INSERT INTO x VALUES ('a')`, 0}, {`INSERT INTO k VALUES (1)`, 0}, {`UPDATE n SET s = 'z'`, 0}, {`DELETE FROM n`, 0},
	} {
		got, err := mustExec(t, p, c.sql).LastInsertId()
		if c.want == 0 && (err == nil || !strings.Contains(err.Error(), "RETURNING")) || c.want != 0 && (err != nil || got != c.want) {
			t.Errorf("%s: %d, %v; want %d", c.sql, got, err, c.want)
		}
	}
}

// TestScanTypes scans every column of all kinds of queries into a new variable of
// the type the driver names, as generic tools do.
func TestScanTypes(t *testing.T) {
	_, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE t (s TEXT, i INTEGER, r REAL, b BOOLEAN, ts TIMESTAMP, bl BLOB, j JSON, v VECTOR(2));
		INSERT INTO t VALUES ('a', 1, 2.5, true, '2024-01-02', $1, '{"a": [1]}', [1, 2]),
		(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`, []byte{1})
	for query, want := range map[string]string{
		`SELECT * FROM t`: "TEXT INTEGER REAL BOOLEAN TIMESTAMP BLOB JSON VECTOR",
		`SELECT count(*), avg(i), max(s), sum(r), i > 0, v <-> v FROM t GROUP BY i, v`: "INTEGER REAL TEXT REAL BOOLEAN REAL",
		`SELECT i + 1, i / 2.0, s || 'x', l2_normalize(v) FROM t`:                      "INTEGER REAL TEXT VECTOR",
		`SELECT s AS x FROM t WHERE false`:                                             "TEXT",
		`SELECT NULL`:                                                                  "NULL",
	} {
		rows, err := p.Query(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		types, err := rows.ColumnTypes()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		dest := make([]any, len(types))
		for i, c := range types {
			names = append(names, c.DatabaseTypeName())
			dest[i] = reflect.New(c.ScanType()).Interface()
			if _, _, ok := c.DecimalSize(); ok {
				t.Errorf("%s: column %s has a decimal size", query, c.Name())
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: types are %s, want %s", query, got, want)
		}
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				t.Errorf("%s: %v", query, err)
			}
			for i := range dest { // and goes back as an argument
				if err := p.QueryRow(`SELECT $1`, reflect.ValueOf(dest[i]).Elem().Interface()).Scan(new(any)); err != nil {
					t.Errorf("%s: column %d: %v", query, i, err)
				}
			}
		}
		if rows.Err() != nil {
			t.Error(rows.Err())
		}
	}
}

// TestAfterClose closes a pool that has rows and a transaction open.
func TestAfterClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	p := sql.OpenDB(driver.NewConnector(dir, nil))
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)`)
	rows, err := p.Query(`SELECT id FROM t`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	tx, err := p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, `DELETE FROM t`)
	st, err := p.Prepare(`SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if rows.Next() || !errors.Is(rows.Err(), db.ErrClosed) {
		t.Errorf("rows go on: %v", rows.Err())
	}
	rows.Close()
	if err := tx.Commit(); err == nil {
		t.Error("a transaction was committed after Close")
	}
	_, queried := p.Query(`SELECT 1`)
	_, executed := p.Exec(`DELETE FROM t`)
	_, begun := p.Begin()
	_, prepared := p.Prepare(`SELECT 1`)
	_, connected := p.Conn(ctx)
	_, ran := st.Exec()
	for i, err := range []error{p.Ping(), queried, executed, begun, prepared, connected, ran} {
		if err == nil {
			t.Errorf("call %d after Close succeeded", i)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	again := sql.OpenDB(driver.NewConnector(dir+"?mode=rw", nil)) // the directory is free
	defer again.Close()
	wantCount(t, again, 2, `SELECT count(*) FROM t`)
}

// TestManyTransactions: readers that hold transactions while others write see
// their own state, whatever the number of connections.
func TestManyTransactions(t *testing.T) {
	_, p := shared(t, nil)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 0), (2, 0)`)
	var wg sync.WaitGroup
	for w := range 12 {
		wg.Go(func() {
			for range 10 {
				tx, err := p.BeginTx(ctx, &sql.TxOptions{ReadOnly: w%3 > 0})
				if err != nil {
					t.Error(err)
					return
				}
				var a, b int
				if w%3 == 0 {
					_, err = tx.Exec(`UPDATE t SET n = n + 1 WHERE id = 1`)
					if err == nil {
						_, err = tx.Exec(`UPDATE t SET n = n + 1 WHERE id = 2`)
					}
				} else if err = tx.QueryRow(`SELECT n FROM t WHERE id = 1`).Scan(&a); err == nil {
					err = tx.QueryRow(`SELECT n FROM t WHERE id = 2`).Scan(&b)
				}
				if err = errors.Join(err, tx.Commit()); err != nil || a != b {
					t.Errorf("%d and %d, %v", a, b, err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantCount(t, p, 2*4*10, `SELECT sum(n) FROM t`)
}
