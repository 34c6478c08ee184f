package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/dbtest"
	"github.com/lupadb/lupa/db/driver"
)

var ctx = context.Background()

// The tests down to TestConcurrentStatements ask what a public suite for
// database/sql drivers asks of each of them.

func pool(t *testing.T) *sql.DB {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	p := sql.OpenDB(driver.NewConnector("file:"+filepath.ToSlash(dir)+"?nosync=1", nil))
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		dbtest.CheckStore(t, dir)
	})
	return p
}

func mustExec(t *testing.T, q interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, query string, args ...any) sql.Result {
	t.Helper()
	r, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r
}

func TestBlobs(t *testing.T) {
	p := pool(t)
	blob := make([]byte, 16)
	for i := range blob {
		blob[i] = byte(i)
	}
	mustExec(t, p, `CREATE TABLE foo (id INTEGER PRIMARY KEY, bar BLOB)`)
	mustExec(t, p, `INSERT INTO foo (id, bar) VALUES (?, ?)`, 0, blob)
	want := fmt.Sprintf("%x", blob)
	var b []byte
	if err := p.QueryRow(`SELECT bar FROM foo WHERE id = ?`, 0).Scan(&b); err != nil || fmt.Sprintf("%x", b) != want {
		t.Errorf("into []byte: %x, %v", b, err)
	}
	var s string
	if err := p.QueryRow(`SELECT bar FROM foo WHERE id = ?`, 0).Scan(&s); err != nil || fmt.Sprintf("%x", s) != want {
		t.Errorf("into string: %x, %v", s, err)
	}
	var raw sql.RawBytes
	rows, err := p.Query(`SELECT bar FROM foo`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() || rows.Scan(&raw) != nil || fmt.Sprintf("%x", raw) != want {
		t.Errorf("into RawBytes: %x", raw)
	}
}

func TestManyQueryRow(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE foo (id INTEGER PRIMARY KEY, name TEXT)`)
	mustExec(t, p, `INSERT INTO foo (id, name) VALUES (?, ?)`, 1, "bob")
	var name string
	for i := range 2000 {
		if err := p.QueryRow(`SELECT name FROM foo WHERE id = ?`, 1).Scan(&name); err != nil || name != "bob" {
			t.Fatalf("on query %d: %q, %v", i, name, err)
		}
	}
	if n := p.Stats().OpenConnections; n > 2 {
		t.Errorf("%d connections are open", n)
	}
}

func TestTxQuery(t *testing.T) {
	p := pool(t)
	tx, err := p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	mustExec(t, tx, `CREATE TABLE foo (id INTEGER PRIMARY KEY, name TEXT)`)
	mustExec(t, tx, `INSERT INTO foo (id, name) VALUES (?, ?)`, 1, "bob")
	r, err := tx.Query(`SELECT name FROM foo WHERE id = ?`, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.Next() {
		t.Fatalf("no row: %v", r.Err())
	}
	var name string
	if err := r.Scan(&name); err != nil || name != "bob" {
		t.Errorf("%q, %v", name, err)
	}
}

func TestTxQueryInvalid(t *testing.T) {
	p := pool(t)
	tx, err := p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err = tx.Query(`SELECT * FROM foo WHERE invalid syntax here!`); err == nil {
		t.Error("no error")
	}
}

func TestPreparedStmt(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE foo (id INTEGER PRIMARY KEY, count INTEGER)`)
	sel, err := p.Prepare(`SELECT count FROM foo ORDER BY count DESC`)
	if err != nil {
		t.Fatal(err)
	}
	defer sel.Close()
	ins, err := p.Prepare(`INSERT INTO foo (id, count) VALUES (?, ?)`)
	if err != nil {
		t.Fatal(err)
	}
	defer ins.Close()
	for n := 1; n <= 3; n++ {
		if _, err := ins.Exec(n, n); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			for i := range 10 {
				count := 0
				if err := sel.QueryRow().Scan(&count); err != nil && !errors.Is(err, sql.ErrNoRows) {
					t.Errorf("query: %v", err)
					return
				}
				if _, err := ins.Exec(100+w*100+i, rand.Intn(100)); err != nil {
					t.Errorf("insert: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := p.QueryRow(`SELECT count(*) FROM foo`).Scan(&n); err != nil || n != 103 {
		t.Errorf("%d rows, %v", n, err)
	}
	if _, err := ins.Exec(1); err == nil || !strings.Contains(err.Error(), "2") {
		t.Errorf("one argument of two: %v", err)
	}
	if _, err := p.Prepare(`SELEC 1`); err == nil {
		t.Error("a wrong statement was prepared")
	}
}

func TestConcurrentStatements(t *testing.T) {
	p := pool(t)
	p.SetMaxOpenConns(8)
	mustExec(t, p, `CREATE TABLE foo (id INTEGER PRIMARY KEY, n INTEGER)`)
	for i := range 50 {
		mustExec(t, p, `INSERT INTO foo VALUES ($1, 0)`, i)
	}
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 20 {
				id := (w*20 + i) % 50
				tx, err := p.BeginTx(ctx, nil)
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				err = tx.QueryRow(`SELECT n FROM foo WHERE id = $1`, id).Scan(&n)
				if err == nil {
					_, err = tx.Exec(`UPDATE foo SET n = $1 WHERE id = $2`, n+1, id)
				}
				if err == nil && i%4 == 3 {
					err = tx.Rollback()
				} else if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var sum int
	if err := p.QueryRow(`SELECT sum(n) FROM foo`).Scan(&sum); err != nil || sum != 16*15 {
		t.Errorf("sum is %d, want %d: %v", sum, 16*15, err)
	}
}

// TestTypes sends every type there and back, and reads what the driver says of
// the columns.
func TestTypes(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE t (s TEXT, i INTEGER, r REAL, b BOOLEAN, ts TIMESTAMP, bl BLOB, j JSON, v VECTOR(3))`)
	at := time.Date(2024, 5, 6, 7, 8, 9, 1000, time.UTC)
	vec := []float32{1, 0.1, -math.MaxFloat32}
	mustExec(t, p, `INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, "x", 1, 1.5, true, at, []byte("b"), json.RawMessage(`{"a":1}`), vec)
	mustExec(t, p, `INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, nil, nil, nil, nil, nil, nil, nil, nil)
	rows, err := p.Query(`SELECT * FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name string
		scan reflect.Type
	}{
		{"TEXT", reflect.TypeFor[sql.NullString]()}, {"INTEGER", reflect.TypeFor[sql.NullInt64]()}, {"REAL", reflect.TypeFor[sql.NullFloat64]()},
		{"BOOLEAN", reflect.TypeFor[sql.NullBool]()}, {"TIMESTAMP", reflect.TypeFor[sql.NullTime]()}, {"BLOB", reflect.TypeFor[[]byte]()},
		{"JSON", reflect.TypeFor[[]byte]()}, {"VECTOR", reflect.TypeFor[db.Floats]()},
	}
	for i, w := range want {
		if types[i].DatabaseTypeName() != w.name || types[i].ScanType() != w.scan {
			t.Errorf("column %d is %s, %s; want %s, %s", i, types[i].DatabaseTypeName(), types[i].ScanType(), w.name, w.scan)
		}
		if _, ok := types[i].Nullable(); ok {
			t.Errorf("column %d claims to know whether it is NULL", i)
		}
	}
	if n, ok := types[7].Length(); !ok || n != 3 {
		t.Errorf("the vector's length is %d, %v", n, ok)
	}
	if _, ok := types[1].Length(); ok {
		t.Error("an INTEGER has a length")
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	var (
		s  string
		i  int
		r  float64
		b  bool
		ts time.Time
		bl []byte
		j  json.RawMessage
		v  []float32
	)
	if err := rows.Scan(&s, &i, &r, &b, &ts, &bl, &j, &v); err != nil {
		t.Fatal(err)
	}
	if s != "x" || i != 1 || r != 1.5 || !b || !ts.Equal(at) || string(bl) != "b" || string(j) != `{"a":1}` || !reflect.DeepEqual(v, vec) {
		t.Errorf("got %v %v %v %v %v %s %s %v", s, i, r, b, ts, bl, j, v)
	}
	var any8 [8]any
	var f db.Floats
	dest := []any{&any8[0], &any8[1], &any8[2], &any8[3], &any8[4], &any8[5], &any8[6], &f}
	if err := rows.Scan(dest...); err != nil || f[1] != 0.1 {
		t.Errorf("into db.Floats: %v, %v", f, err)
	}
	dest[7] = &any8[7]
	if err := rows.Scan(dest...); err != nil || !reflect.DeepEqual(any8[7], vec) {
		t.Errorf("into any: %#v, %v", any8[7], err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	var (
		ns sql.NullString
		ni sql.NullInt64
		nr sql.NullFloat64
		nb sql.NullBool
		nt sql.NullTime
		nv sql.Null[[]float32]
	)
	if err := rows.Scan(&ns, &ni, &nr, &nb, &nt, &bl, (*[]byte)(&j), &nv); err != nil {
		t.Fatal(err)
	}
	if ns.Valid || ni.Valid || nr.Valid || nb.Valid || nt.Valid || bl != nil || j != nil || nv.Valid {
		t.Errorf("NULLs came as %v %v %v %v %v %v %v %v", ns, ni, nr, nb, nt, bl, j, nv)
	}
	if err := rows.Scan(&s, &ni, &nr, &nb, &nt, &bl, &j, &nv); err == nil {
		t.Error("NULL went into a string")
	}
}

func TestArguments(t *testing.T) {
	p := pool(t)
	var got string
	for _, c := range []struct {
		sql  string
		args []any
		want string
	}{
		{`SELECT $2 || $1`, []any{"a", "b"}, "ba"},
		{`SELECT :y || :x`, []any{sql.Named("x", "a"), sql.Named("y", "b")}, "ba"},
		{`SELECT ?::integer + ?`, []any{int8(1), uint64(2)}, "3"},
		{`SELECT vector_dims(?)`, []any{[]float32{1, 2}}, "2"},
		{`SELECT coalesce(?::text, 'none')`, []any{nil}, "none"},
		{`SELECT coalesce(?::text, 'none')`, []any{sql.NullString{}}, "none"},
		{`SELECT ?::text`, []any{sql.NullString{String: "s", Valid: true}}, "s"},
	} {
		if err := p.QueryRow(c.sql, c.args...).Scan(&got); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.sql, got, err)
		}
	}
	for _, bad := range []any{uint64(math.MaxUint64), struct{}{}, sql.Out{Dest: new(string)}} {
		if err := p.QueryRow(`SELECT ?`, bad).Scan(&got); err == nil {
			t.Errorf("%T was accepted", bad)
		}
	}
}

func TestTransactions(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	tx, err := p.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := mustExec(t, tx, `INSERT INTO t VALUES (1), (2)`).RowsAffected(); err != nil || n != 2 {
		t.Errorf("affected %d, %v", n, err)
	}
	if id, err := mustExec(t, tx, `INSERT INTO t VALUES (3)`).LastInsertId(); err != nil || id != 3 {
		t.Errorf("LastInsertId: %d, %v", id, err)
	}
	var n int
	if err := p.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != 0 {
		t.Errorf("others see %d rows, %v", n, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("rollback after commit: %v", err)
	}
	ro, err := p.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ro.Exec(`DELETE FROM t`); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("a write in a read-only transaction: %v", err)
	}
	ro.Rollback()
	if _, err := p.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelLinearizable}); err == nil {
		t.Error("linearizable was granted")
	}
	// A transaction dies with its context, and the next writer goes on.
	tctx, cancel := context.WithCancel(ctx)
	tx, err = p.BeginTx(tctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, `DELETE FROM t`)
	cancel()
	mustExec(t, p, `INSERT INTO t VALUES (4)`)
	if err := p.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != 4 {
		t.Errorf("%d rows, %v", n, err)
	}
	// Rows being read while the same transaction writes.
	tx, err = p.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	rows, err := tx.Query(`SELECT id FROM t ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		mustExec(t, tx, `DELETE FROM t WHERE id = $1`, id)
		seen++
	}
	if rows.Err() != nil || seen != 4 {
		t.Errorf("saw %d rows, %v", seen, rows.Err())
	}
}

// TestSessionReset leaves a transaction open by statement: the next user of the
// connection must not find himself in it.
func TestSessionReset(t *testing.T) {
	p := pool(t)
	p.SetMaxOpenConns(1)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	mustExec(t, p, `BEGIN`)
	mustExec(t, p, `INSERT INTO t VALUES (1)`) // its own connection use: already rolled back
	var n int
	if err := p.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
	c, err := p.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, c, `BEGIN`)
	mustExec(t, c, `INSERT INTO t VALUES (2)`)
	c.Close()
	if err := p.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestErrorsReachThrough(t *testing.T) {
	p := pool(t)
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(2)); INSERT INTO t VALUES (1, [1, 0])`)
	var unique *db.UniqueError
	if _, err := p.Exec(`INSERT INTO t (id) VALUES (1)`); !errors.As(err, &unique) {
		t.Errorf("unique: %v", err)
	}
	var parse *db.ParseError
	if _, err := p.Query(`SELECT idd FROM t`); !errors.As(err, &parse) || parse.Column != 8 {
		t.Errorf("parse: %v", err)
	}
	var dim *db.DimensionError
	if _, err := p.Exec(`INSERT INTO t VALUES (2, ?)`, []float32{1}); !errors.As(err, &dim) {
		t.Errorf("dimension: %v", err)
	}
	cctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.QueryContext(cctx, `SELECT 1`); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := p.QueryRow(`SELECT id FROM t WHERE id = 9`).Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

func TestSharedStore(t *testing.T) {
	store, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	p := sql.OpenDB(driver.ForDB(store))
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(2)); INSERT INTO t VALUES (1, [1, 0]), (2, [0, 1])`)
	conn, err := p.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Raw(func(c any) error {
		m, err := c.(*driver.Conn).DB().Nearest(ctx, "t", "v", []float32{0, 2}, 1, nil)
		if err == nil && m[0].Key.Int() != 2 {
			t.Errorf("nearest is %v", m)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	conn.Close()
	if err := p.PingContext(ctx); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := store.Ping(ctx); err != nil {
		t.Errorf("closing the pool closed the store of another: %v", err)
	}
}

func TestNames(t *testing.T) {
	driver.Register()
	driver.Register()
	dir := filepath.Join(t.TempDir(), "a b")
	p, err := sql.Open("lupa", dir)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, p, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	second, err := sql.Open("lupa", dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Ping(); !errors.Is(err, db.ErrLocked) {
		t.Errorf("a second pool over the directory: %v", err)
	}
	if err := errors.Join(second.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	ro, err := sql.Open("lupa", "file:"+dir+"?mode=ro&cache_size=1MiB&workers=1&memory_budget=10MB")
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if _, err := ro.Exec(`INSERT INTO t VALUES (1)`); !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("a write with mode=ro: %v", err)
	}
	missing, err := sql.Open("lupa", filepath.Join(t.TempDir(), "none")+"?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	defer missing.Close()
	if err := missing.Ping(); err == nil {
		t.Error("mode=rw made a store")
	}
	for dsn, want := range map[string]string{
		"":                  "names no directory",
		"x?mode=maybe":      `"maybe", not one of`,
		"x?cash=1":          `no option "cash"; there are allow_urls, cache_size`,
		"x?cache_size=lots": "not a size",
		"x?cache_size=-1":   "not a size",
		"x?workers=-1":      "not a number",
		"x?nosync=perhaps":  "not true or false",
		"x?%zz":             "invalid URL escape",
	} {
		if _, err := sql.Open("lupa", dsn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", dsn, err, want)
		}
	}
	for dsn, want := range map[string]db.Options{
		"x":                     {},
		"file:x?nosync":         {NoSync: true},
		"x?mode=memory":         {InMemory: true},
		"x?cache_size=64MB":     {CacheSize: 64e6},
		"x?memory_budget=1GiB":  {MemoryBudget: 1 << 30},
		"x?nofiles=1&workers=3": {NoFiles: true, Workers: 3},
	} {
		dir, got, err := driver.ParseDSN(dsn)
		if err != nil || dir != "x" || !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %q, %+v, %v", dsn, dir, got, err)
		}
	}
}

// TestInterfaces holds the driver to what a full driver implements.
func TestInterfaces(t *testing.T) {
	c, err := driver.NewConnector(":memory:", nil).Connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	conn := c.(*driver.Conn)
	defer conn.DB().Close()
	if err := conn.CheckNamedValue(&sqldriver.NamedValue{Value: make(chan int)}); err == nil {
		t.Error("a channel was accepted")
	}
	if !conn.IsValid() || conn.ResetSession(ctx) != nil {
		t.Error("a new connection is not valid")
	}
	conn.Close()
	if conn.IsValid() || !errors.Is(conn.ResetSession(ctx), sqldriver.ErrBadConn) {
		t.Error("a closed connection is valid")
	}
	if _, err := (&driver.Driver{}).Open("x"); err == nil {
		t.Error("Driver.Open succeeded")
	}
}
