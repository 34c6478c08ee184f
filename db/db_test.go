package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

var ctx = context.Background()

// TestValues sends a value of every type there and back, with an answer in each
// Go type that fits it.
func TestValues(t *testing.T) {
	noLeaks(t)
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, i INTEGER, r REAL, b BOOLEAN, ts TIMESTAMP, bl BLOB, j JSON, v VECTOR(2))`)
	type ID int
	type Name string
	at := time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	name := Name("é")
	mustExec(t, d, `INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		ID(1), &name, uint8(7), float32(0.5), true, at, []byte{0, 255}, json.RawMessage(`{"a": [1]}`), []float32{1, -2})
	mustExec(t, d, `INSERT INTO t (id, s, v) VALUES (:id, :s, :v)`, db.Named("id", 2), sql.Named("s", (*string)(nil)), db.Named("v", []float64{3, 4}))

	rows, err := d.Query(ctx, `SELECT * FROM t ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if got, want := rows.Columns(), []string{"id", "s", "i", "r", "b", "ts", "bl", "j", "v"}; !reflect.DeepEqual(got, want) {
		t.Errorf("columns are %v, want %v", got, want)
	}
	if got := rows.Types()[8].String(); got != "VECTOR(2)" {
		t.Errorf("type of v is %s", got)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	var (
		id   ID
		s    Name
		i    uint16
		r    float32
		b    bool
		ts   time.Time
		bl   []byte
		j    map[string][]int
		v    []float32
		wide []float64
	)
	if err := rows.Scan(&id, &s, &i, &r, &b, &ts, &bl, &j, &v); err != nil {
		t.Fatal(err)
	}
	if id != 1 || s != "é" || i != 7 || r != 0.5 || !b || !bytes.Equal(bl, []byte{0, 255}) || j["a"][0] != 1 || v[1] != -2 {
		t.Errorf("got %v %v %v %v %v %v %v %v", id, s, i, r, b, bl, j, v)
	}
	if want := at.Truncate(time.Microsecond); !ts.Equal(want) || ts.Location() != time.UTC {
		t.Errorf("time is %v, want %v", ts, want.UTC())
	}
	if err := rows.Scan(nil, nil, nil, nil, nil, nil, nil, nil, &wide); err != nil || wide[1] != -2 {
		t.Errorf("into []float64: %v %v", wide, err)
	}
	var texts [9]string
	dest := make([]any, 8)
	for k := range dest {
		dest[k] = &texts[k]
	}
	if err := rows.Scan(append(dest, nil)...); err != nil || texts[2] != "7" || texts[4] != "true" || texts[7] != `{"a": [1]}` {
		t.Errorf("as texts: %q %v", texts, err)
	}
	var all [9]any
	for k := range all {
		dest = append(dest[:k:k], &all[k])
	}
	if err := rows.Scan(dest...); err != nil {
		t.Error(err)
	}
	want := []any{int64(1), "é", int64(7), 0.5, true, at.Truncate(time.Microsecond).UTC(), []byte{0, 255}, json.RawMessage(`{"a": [1]}`), []float32{1, -2}}
	if !reflect.DeepEqual(all[:], want) {
		t.Errorf("as any: %#v, want %#v", all, want)
	}

	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	var (
		ps  *string
		ns  sql.NullString
		nr  sql.Null[float64]
		val db.Value
		fl  db.Floats
	)
	if err := rows.Scan(&id, &ps, &ns, &nr, &val, nil, &bl, nil, &fl); err != nil {
		t.Fatal(err)
	}
	if ps != nil || ns.Valid || nr.Valid || !val.IsNull() || bl != nil || fl[1] != 4 {
		t.Errorf("NULLs came as %v %v %v %v %v; vector %v", ps, ns, nr, val, bl, fl)
	}
	var n int
	err = rows.Scan(nil, nil, &n, nil, nil, nil, nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), `column 3 ("i"): NULL into a int; use a pointer`) {
		t.Errorf("NULL into an int: %v", err)
	}
	if rows.Next() || rows.Err() != nil {
		t.Errorf("a third row, or %v", rows.Err())
	}
	if err := rows.Scan(&id); err == nil {
		t.Error("Scan after the last row succeeded")
	}
}

func TestScanRefuses(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	for _, c := range []struct {
		sql  string
		dest any
		want string
	}{
		{"SELECT 300", new(uint8), "300 does not fit into a uint8"},
		{"SELECT -1", new(uint), "-1 does not fit into a uint"},
		{"SELECT 1.5", new(int), "REAL does not go into a int"},
		{"SELECT 'x'", new(int), "TEXT does not go into a int"},
		{"SELECT 1", new(bool), "INTEGER does not go into a bool"},
		{"SELECT [1, 2]", new(string), "VECTOR(2) does not go into a string"},
		{"SELECT 9007199254740993", new(float64), "loses digits"},
		{"SELECT 1e300", new(float32), "does not fit into a float32"},
		{"SELECT 'x'", "", "not a pointer"},
		{"SELECT 'x'", (*time.Duration)(nil), "not a pointer to a variable"},
		{"SELECT 1, 2", new(int), "2 columns into 1 variables"},
	} {
		err := d.QueryRow(ctx, c.sql).Scan(c.dest)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s into %T: %v, want %s", c.sql, c.dest, err, c.want)
		}
	}
	var whole int
	if err := d.QueryRow(ctx, "SELECT 3.0").Scan(&whole); err != nil || whole != 3 {
		t.Errorf("3.0 into an int: %d, %v", whole, err)
	}
}

// self is a pointer that may point to itself.
type self *self

func selfPointer() any {
	var p self
	p = &p
	return p
}

func selfInterface() any {
	var x any
	x = &x
	return x
}

// A destination that leads nowhere is an error, not a panic or a loop.
func TestScanIntoNothing(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	for _, dest := range []any{(*int)(nil), (*int64)(nil), (*float64)(nil), (*string)(nil), (*bool)(nil), (*[]float32)(nil), (*db.Floats)(nil), (*[]float64)(nil),
		(**int)(nil), (*[]byte)(nil), (*json.RawMessage)(nil), (*any)(nil), (*db.Value)(nil), (*map[string]any)(nil), (*time.Time)(nil), (*sql.NullInt64)(nil),
		(*sql.Null[string])(nil), (*[3]float32)(nil), 7, "x", new(self)} {
		for _, what := range []string{"1", "NULL", "1.5", "'a'", "true", "[1, 2]", "now()", "X'00'", "'{}'::json"} {
			if err := d.QueryRow(ctx, "SELECT "+what).Scan(dest); err == nil && (what != "NULL" || dest == nil) {
				t.Errorf("%s into a %T was taken", what, dest)
			}
		}
	}
}

// What Scan gives goes back in as an argument, and is equal.
func TestWhatScanGivesGoesBack(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, b BOOLEAN, i INTEGER, r REAL, s TEXT, ts TIMESTAMP, bl BLOB, j JSON, v VECTOR(2));
		INSERT INTO t VALUES (1, true, 7, 0.5, 'é', '2024-02-29 12:00:00.5', X'00ff', '{"a":[1,"x"]}', [1, -2])`)
	for col, dests := range map[string][]any{
		"b":  {new(bool), new(any), new(*bool), new(sql.NullBool), new(sql.Null[bool]), new(db.Value)},
		"i":  {new(int), new(uint8), new(any), new(**int64), new(sql.NullInt64), new(float64)},
		"r":  {new(float64), new(float32), new(any), new(sql.NullFloat64)},
		"s":  {new(string), new(any), new(sql.NullString), new(sql.Null[string])},
		"ts": {new(time.Time), new(any), new(sql.NullTime), new(*time.Time)},
		"bl": {new([]byte), new(any), new([2]byte), new(sql.RawBytes)},
		"j": {new(json.RawMessage), new([]byte), new(string), new(any), new(map[string]any), new(map[string][]any), new(struct{ A []any }), new(struct {
			A []any `json:"a"`
		}), new(sql.NullString)},
		"v": {new([]float32), new([]float64), new(db.Floats), new(any), new([2]float32), new([2]float64), new(sql.Null[[]float32])},
	} {
		for _, dest := range dests {
			if err := d.QueryRow(ctx, "SELECT "+col+" FROM t WHERE id = 1").Scan(dest); err != nil {
				t.Errorf("%s into %T: %v", col, dest, err)
				continue
			}
			mustExec(t, d, `DELETE FROM t WHERE id = 2`)
			if _, err := d.Exec(ctx, "INSERT INTO t (id, "+col+") VALUES (2, $1)", reflect.ValueOf(dest).Elem().Interface()); err != nil {
				t.Errorf("%s from %T: %v", col, dest, err)
				continue
			}
			var same, was, is any
			if err := d.QueryRow(ctx, "SELECT a."+col+"::text = b."+col+"::text, a."+col+"::text, b."+col+"::text FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 2").Scan(&same, &was, &is); err != nil || same != true {
				if s, _ := is.(string); !strings.EqualFold(s, fmt.Sprint(was)) { // a struct's fields are named as Go has it
					t.Errorf("%s through %T: %v became %v, %v", col, dest, was, is, err)
				}
			}
		}
	}
	// The bytes of floats are a vector, those of a JSON text are JSON.
	mustExec(t, d, `INSERT INTO t (id, v, j) VALUES (3, $1, $2)`, []byte{0, 0, 128, 63, 0, 0, 0, 192}, []byte(`{"a":[1,"x"]}`))
	if n := count(t, d, `SELECT count(*) FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 3 AND a.v = b.v AND a.j = b.j`); n != 1 {
		t.Error("bytes came in as something else")
	}
	app, err := d.Appender(ctx, "t", []string{"id", "v", "j"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(app.Append(4, []byte{0, 0, 128, 63, 0, 0, 0, 192}, []byte(`{"a":[1,"x"]}`)), app.Append(5, nil, map[string]any{"a": []any{1, "x"}}), app.Close()); err != nil {
		t.Error(err)
	}
	if n := count(t, d, `SELECT count(*) FROM t AS a, t AS b WHERE a.id = 1 AND b.id > 3 AND (b.v IS NULL OR a.v = b.v) AND a.j = b.j`); n != 2 {
		t.Error("bytes came in by the appender as something else")
	}
	for _, c := range []struct {
		col string
		arg []byte
	}{{"v", []byte{0, 0, 128, 63}}, {"v", []byte{1, 2, 3}}, {"v", []byte{}}, {"v", []byte{0, 0, 128, 127, 0, 0, 0, 0}}, {"j", []byte("{")}, {"j", []byte("\"\xff\"")}, {"j", []byte{}}} {
		if _, err := d.Exec(ctx, "INSERT INTO t (id, "+c.col+") VALUES (9, $1)", c.arg); err == nil {
			t.Errorf("%q went into %s", c.arg, c.col)
		}
	}
}

func TestArgumentsRefused(t *testing.T) {
	for _, c := range []struct {
		arg  any
		want string
	}{
		{uint64(math.MaxUint64), "beyond INTEGER"},
		{"\xff", "not valid UTF-8"},
		{json.RawMessage("{"), "not valid JSON"},
		{[]float32{1, float32(math.NaN())}, "only finite numbers"},
		{[]float32{}, "1 to 8192 are possible"},
		{make([]float32, 9000), "1 to 8192 are possible"},
		{struct{}{}, "a struct {} can't be an argument"},
		{func() {}, "can't be an argument"},
		{map[string]any{"a": func() {}}, "can't be an argument"},
		{[]chan int{nil}, "can't be an argument"},
		{image.NewUniform(color.White), "is too large"},
		{selfPointer(), "points to itself"},
		{selfInterface(), "points to itself"},
		{time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), "years 1 to 9999"},
		{time.Time{}.Add(-time.Hour), "years 1 to 9999"},
		{time.Unix(1<<60, 0), "years 1 to 9999"},
		{json.RawMessage("\"x\xff\""), "not valid UTF-8"},
		{image.NewGray(image.Rect(0, 0, 0, 0)), "no pixels"},
	} {
		if v, err := db.ToValue(c.arg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, %v, want %s", c.arg, v, err, c.want)
		}
	}
}

func TestArgumentsCopied(t *testing.T) {
	vec := []float32{1, 2}
	v, err := db.ToValue(vec)
	if err != nil {
		t.Fatal(err)
	}
	vec[0] = 9
	if v.Vec()[0] != 1 {
		t.Error("changing the argument changed the value")
	}
}

func TestSelect(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE photos (id TEXT PRIMARY KEY, taken_at TIMESTAMP, width INTEGER, clip VECTOR(2), tags JSON);
		INSERT INTO photos VALUES ('a', '2024-01-01', 640, [1, 0], '["x", "y"]'), ('b', NULL, NULL, [0, 1], NULL)`)
	type Size struct{ Width *int }
	type Photo struct {
		Key     string `lupa:"id"`
		TakenAt *time.Time
		Size
		Clip   []float32
		Tags   []string
		Hidden string `lupa:"-"`
		unread int
	}
	photos, err := db.Select[Photo](ctx, d, `SELECT * FROM photos ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	if len(photos) != 2 || photos[0].Key != "a" || *photos[0].Width != 640 || photos[0].TakenAt.Year() != 2024 ||
		photos[0].Tags[1] != "y" || photos[1].Clip[1] != 1 || photos[1].Width != nil || photos[1].TakenAt != nil {
		t.Errorf("got %+v", photos)
	}
	ids, err := db.Select[string](ctx, d, `SELECT id FROM photos ORDER BY clip <=> $1`, []float32{0, 1})
	if err != nil || !reflect.DeepEqual(ids, []string{"b", "a"}) {
		t.Errorf("ids are %v, %v", ids, err)
	}
	n, err := db.Get[int](ctx, d, `SELECT count(*) FROM photos WHERE width IS NULL`)
	if err != nil || n != 1 {
		t.Errorf("Get: %d, %v", n, err)
	}
	if _, err := db.Get[string](ctx, d, `SELECT id FROM photos WHERE id = 'z'`); !errors.Is(err, db.ErrNoRows) {
		t.Errorf("Get without a row: %v", err)
	}
	none, err := db.Select[string](ctx, d, `SELECT id FROM photos WHERE id = 'z'`)
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("Select without rows: %#v, %v", none, err)
	}
	if _, err := db.Select[struct{ ID string }](ctx, d, `SELECT id, width FROM photos`); err == nil || !strings.Contains(err.Error(), `no field for the column "width"`) {
		t.Errorf("a column without field: %v", err)
	}
	if _, err := db.Select[string](ctx, d, `SELECT id, width FROM photos`); err == nil || !strings.Contains(err.Error(), "returns 2 columns") {
		t.Errorf("two columns into a string: %v", err)
	}
	var got []string
	for id, err := range db.Each[string](ctx, d, `SELECT id FROM photos`) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
		break
	}
	if len(got) != 1 || d.Stats().Open != 0 {
		t.Errorf("leaving the loop left %d handles open", d.Stats().Open)
	}
}

func TestTransactions(t *testing.T) {
	noLeaks(t)
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)`)

	if err := d.Update(ctx, func(tx *db.Tx) error {
		mustExec(t, tx, `INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)`)
		if n := count(t, tx, `SELECT count(*) FROM t`); n != 3 {
			t.Errorf("the transaction sees %d of its rows", n)
		}
		if n := count(t, d, `SELECT count(*) FROM t`); n != 0 {
			t.Errorf("others see %d rows before the commit", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	boom := errors.New("boom")
	err := d.Update(ctx, func(tx *db.Tx) error {
		mustExec(t, tx, `DELETE FROM t`)
		return boom
	})
	wantErr(t, err, boom)
	func() {
		defer func() { recover() }()
		d.Update(ctx, func(tx *db.Tx) error {
			mustExec(t, tx, `DELETE FROM t`)
			panic("boom")
		})
	}()
	if n := count(t, d, `SELECT count(*) FROM t`); n != 3 {
		t.Errorf("%d rows after transactions that failed", n)
	}

	// Reading while writing, in one transaction.
	if err := d.Update(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, n FROM t ORDER BY id`)
		if err != nil {
			return err
		}
		seen := 0
		for rows.Next() {
			var id, n int
			if err := rows.Scan(&id, &n); err != nil {
				return err
			}
			if n != id {
				t.Errorf("row %d shows what was written after the query began: %d", id, n)
			}
			mustExec(t, tx, `UPDATE t SET n = n + 10`)
			seen++
		}
		if seen != 3 {
			t.Errorf("saw %d rows", seen)
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, `SELECT sum(n) FROM t`); n != 6+90 {
		t.Errorf("sum is %d", n)
	}

	// A read-only transaction sees one state, and can't write.
	if err := d.View(ctx, func(tx *db.Tx) error {
		mustExec(t, d, `INSERT INTO t VALUES (4, 4)`)
		if n := count(t, tx, `SELECT count(*) FROM t`); n != 3 {
			t.Errorf("a view sees a later commit: %d rows", n)
		}
		_, err := tx.Exec(ctx, `INSERT INTO t VALUES (5, 5)`)
		wantErr(t, err, db.ErrReadOnly)
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	// After a failed statement nothing can be committed.
	tx, err := d.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, `INSERT INTO t VALUES (6, 6)`)
	var unique *db.UniqueError
	if _, err := tx.Exec(ctx, `INSERT INTO t VALUES (1, 1)`); !errors.As(err, &unique) || unique.Table != "t" {
		t.Errorf("a repeated key: %v", err)
	}
	wantErr(t, tx.Commit(), db.ErrTxFailed)
	wantErr(t, tx.Rollback(), db.ErrTxDone)
	_, err = tx.Query(ctx, `SELECT 1`)
	wantErr(t, err, db.ErrTxDone)
	if n := count(t, d, `SELECT count(*) FROM t WHERE id = 6`); n != 0 {
		t.Error("a failed transaction was committed")
	}

	// A context that ends rolls back, and lets the next writer go.
	tctx, cancel := context.WithCancel(ctx)
	tx, err = d.Begin(tctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, `DELETE FROM t`)
	cancel()
	mustExec(t, d, `INSERT INTO t VALUES (7, 7)`)
	wantErr(t, tx.Commit(), context.Canceled)
	if n := count(t, d, `SELECT count(*) FROM t`); n != 5 {
		t.Errorf("%d rows after a cancelled transaction", n)
	}

	// A second writer waits for the first, as long as its context allows.
	tx, err = d.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	wctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := d.Exec(wctx, `DELETE FROM t`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second writer: %v", err)
	}
	for _, s := range []string{"BEGIN", "COMMIT", "ROLLBACK"} {
		if _, err := tx.Exec(ctx, s); err == nil || !strings.Contains(err.Error(), "methods") {
			t.Errorf("%s in a Tx: %v", s, err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if _, err := d.Query(ctx, "BEGIN"); err == nil || !strings.Contains(err.Error(), "DB.Begin") {
		t.Errorf("BEGIN on a DB: %v", err)
	}
	if _, err := d.Exec(ctx, "BEGIN; DELETE FROM t"); err == nil {
		t.Error("BEGIN without COMMIT succeeded")
	}
	mustExec(t, d, "BEGIN; DELETE FROM t WHERE id > 5; COMMIT")
	if n := count(t, d, `SELECT count(*) FROM t`); n != 4 {
		t.Errorf("%d rows at the end", n)
	}
	if open := d.Stats().Open; open != 0 {
		t.Errorf("%d handles are left open", open)
	}
}

func TestErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	d := openAt(t, dir, &db.Options{Encoders: []encoder.Encoder{newWords(4)}})
	mustExec(t, d, `CREATE TABLE t (id TEXT PRIMARY KEY, n INTEGER NOT NULL, clip VECTOR ENCODER 'words')`)

	_, err := db.Open(dir, nil)
	wantErr(t, err, db.ErrLocked)
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("the error does not name the directory: %v", err)
	}
	_, err = db.Open(filepath.Join(t.TempDir(), "none"), &db.Options{MustExist: true})
	wantErr(t, err, fs.ErrNotExist)
	_, err = db.Open(filepath.Join(t.TempDir(), "none"), &db.Options{ReadOnly: true})
	wantErr(t, err, fs.ErrNotExist)
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "notes.txt"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(other, nil)
	wantErr(t, err, db.ErrNotStore)
	if _, err := db.Open("", nil); err == nil || !strings.Contains(err.Error(), ":memory:") {
		t.Errorf("no directory: %v", err)
	}

	var parse *db.ParseError
	_, err = d.Query(ctx, "SELECT id\nFROM t WHERE nn > 1")
	if !errors.As(err, &parse) || parse.Line != 2 || parse.Column != 14 || !strings.Contains(parse.Error(), `did you mean "n"`) {
		t.Errorf("a misspelt column: %#v", err)
	}
	_, err = d.Exec(ctx, "SELECT 1;\n  SELEC 2")
	if !errors.As(err, &parse) || parse.Line != 2 || parse.Column != 3 {
		t.Errorf("the second statement's error is at %v", err)
	}
	var dim *db.DimensionError
	if _, err = d.Exec(ctx, `INSERT INTO t VALUES ('a', 1, $1)`, []float32{1, 2}); !errors.As(err, &dim) || dim.Got != 2 || dim.Want != 4 {
		t.Errorf("a short vector: %v", err)
	}
	var null *db.NotNullError
	if _, err = d.Exec(ctx, `INSERT INTO t VALUES ('a', NULL, NULL)`); !errors.As(err, &null) || null.Column != "n" {
		t.Errorf("a NULL: %v", err)
	}
	var unique *db.UniqueError
	if _, err = d.Exec(ctx, `INSERT INTO t VALUES ('a', 1, NULL), ('a', 2, NULL)`); !errors.As(err, &unique) || unique.Columns[0] != "id" {
		t.Errorf("a repeated key: %v", err)
	}
	var table *db.NoTableError
	if _, err = d.Table(ctx, "photos"); !errors.As(err, &table) || table.Table != "photos" {
		t.Errorf("no table: %v", err)
	}
	if _, err := d.Exec(ctx, `SELECT $1`); err == nil {
		t.Error("a missing argument was accepted")
	}
	if err := d.QueryRow(ctx, `SELECT id FROM t`).Scan(new(string)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}

	// Another model under the same name.
	mustExec(t, d, `INSERT INTO t VALUES ('a', 1, 'a wolf')`)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	changed := newWords(4)
	changed.hash = "v2"
	d2 := openAt(t, dir, &db.Options{Encoders: []encoder.Encoder{changed}})
	_, err = d2.Query(ctx, `SELECT id FROM t ORDER BY clip_sim('a wolf') LIMIT 1`)
	wantErr(t, err, db.ErrEncoderMismatch)
	_, err = d2.Exec(ctx, `INSERT INTO t VALUES ('b', 1, 'a fox')`)
	wantErr(t, err, db.ErrEncoderMismatch)
	if err := d2.Close(); err != nil {
		t.Fatal(err)
	}
	d3 := openAt(t, dir, nil)
	var missing *db.EncoderNotFoundError
	_, err = d3.Query(ctx, `SELECT id FROM t ORDER BY clip_sim('a wolf') LIMIT 1`)
	if !errors.As(err, &missing) || missing.Name != "words" {
		t.Errorf("no encoder: %v", err)
	}
	// A vector needs no encoder.
	var id string
	if err := d3.QueryRow(ctx, `SELECT id FROM t ORDER BY clip_sim($1) LIMIT 1`, []float32{1, 0, 0, 0}).Scan(&id); err != nil || id != "a" {
		t.Errorf("by vector: %q, %v", id, err)
	}
	if err := d3.Close(); err != nil {
		t.Fatal(err)
	}
	ro := openAt(t, dir, &db.Options{ReadOnly: true})
	_, err = ro.Exec(ctx, `DELETE FROM t`)
	wantErr(t, err, db.ErrReadOnly)
	_, err = ro.Begin(ctx, nil)
	wantErr(t, err, db.ErrReadOnly)
	_, err = ro.Appender(ctx, "t", nil, nil)
	wantErr(t, err, db.ErrReadOnly)
	if n := count(t, ro, `SELECT count(*) FROM t`); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// TestCloseEndsEverything closes a store under the hands of its users.
func TestCloseEndsEverything(t *testing.T) {
	noLeaks(t)
	dir := filepath.Join(t.TempDir(), "store")
	d := openAt(t, dir, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)`)
	rows, err := d.Query(ctx, `SELECT id FROM t`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	view, err := d.Begin(ctx, &db.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := d.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, `DELETE FROM t`)
	conn, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, `BEGIN READ ONLY`)
	app, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Append(9); err != nil {
		t.Fatal(err)
	}
	st, err := d.Prepare(ctx, `SELECT 1`)
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error)
	go func() {
		_, err := d.Exec(ctx, `INSERT INTO t VALUES (10)`) // behind tx
		waiting <- err
	}()
	if n := d.Stats().Open; n < 5 {
		t.Errorf("%d handles open, want at least 5", n)
	}

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err == nil {
		t.Error("a writer that waited got through")
	}
	if rows.Next() {
		t.Error("rows go on after Close")
	}
	wantErr(t, rows.Err(), db.ErrClosed)
	wantErr(t, tx.Commit(), db.ErrClosed)
	wantErr(t, view.Commit(), db.ErrClosed)
	_, err = conn.Query(ctx, `SELECT 1`)
	wantErr(t, err, db.ErrClosed)
	wantErr(t, app.Append(1), db.ErrClosed)
	wantErr(t, app.Close(), db.ErrClosed)
	_, err = st.Query(ctx)
	wantErr(t, err, db.ErrClosed)
	_, err = d.Query(ctx, `SELECT 1`)
	wantErr(t, err, db.ErrClosed)
	_, err = d.Begin(ctx, nil)
	wantErr(t, err, db.ErrClosed)
	_, err = d.Conn(ctx)
	wantErr(t, err, db.ErrClosed)
	_, err = d.Check(ctx)
	wantErr(t, err, db.ErrClosed)
	wantErr(t, d.Ping(ctx), db.ErrClosed)
	d.Stats()
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	again := openAt(t, dir, nil)
	if n := count(t, again, `SELECT count(*) FROM t`); n != 3 {
		t.Errorf("%d rows, want the 3 that were committed", n)
	}
}

// TestContextEndsRows forgets rows whose context ends.
func TestContextEndsRows(t *testing.T) {
	noLeaks(t)
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)`)
	qctx, cancel := context.WithCancel(ctx)
	rows, err := d.Query(qctx, `SELECT id FROM t`)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	for rows.Next() {
	}
	for wait := time.Millisecond; d.Stats().Open > 0; wait *= 2 {
		if wait > 4*time.Second {
			t.Fatal("the rows still hold their snapshot")
		}
		time.Sleep(wait)
	}
	wantErr(t, rows.Err(), context.Canceled)
	if _, err := d.Query(qctx, `SELECT id FROM t`); !errors.Is(err, context.Canceled) {
		t.Errorf("a query under a context that has ended: %v", err)
	}
}

func TestPictures(t *testing.T) {
	d := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{newWords(4)}})
	mustExec(t, d, `CREATE TABLE pics (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'words')`)
	solid := func(c color.Color) image.Image {
		img := image.NewRGBA(image.Rect(0, 0, 4, 4))
		for i := range 16 {
			img.Set(i%4, i/4, c)
		}
		return img
	}
	red, blue := solid(color.RGBA{255, 0, 0, 255}), solid(color.RGBA{0, 0, 255, 255})
	var file bytes.Buffer
	if err := png.Encode(&file, blue); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `INSERT INTO pics VALUES ('red', $1), ('blue', $2)`, red, db.Image{Data: file.Bytes()})
	for want, arg := range map[string]any{"red": red, "blue": file.Bytes()} {
		m, err := d.Nearest(ctx, "pics", "clip", arg, 1, nil)
		if err != nil || len(m) != 1 || m[0].Key.Str() != want || m[0].Score < 0.999 {
			t.Errorf("nearest to %s: %v, %v", want, m, err)
		}
		var id string
		if err := d.QueryRow(ctx, `SELECT id FROM pics ORDER BY clip_sim(image($1)) LIMIT 1`, arg).Scan(&id); err != nil || id != want {
			t.Errorf("image($1) of %s: %q, %v", want, id, err)
		}
	}
	if _, err := d.Exec(ctx, `INSERT INTO pics VALUES ('bad', $1)`, []byte("no picture")); err == nil {
		t.Error("a broken picture was inserted")
	}
}

func TestNearest(t *testing.T) {
	d := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{newWords(8)}})
	mustExec(t, d, `CREATE TABLE "my photos" (id INTEGER PRIMARY KEY, name TEXT, "the vec" VECTOR ENCODER 'words')`)
	mustExec(t, d, `INSERT INTO "my photos" VALUES (1, 'x', 'wolf'), (2, 'y', 'wolf snow'), (3, 'y', 'castle'), (4, 'y', NULL), (5, 'z', $1)`, make([]float32, 8))
	keys := func(m []db.Match) (out []int64) {
		for _, x := range m {
			out = append(out, x.Key.Int())
		}
		return out
	}
	m, err := d.Nearest(ctx, "my photos", "the vec", "wolf", 2, nil)
	if err != nil || !reflect.DeepEqual(keys(m), []int64{1, 2}) || m[0].Score < 0.999999 {
		t.Errorf("nearest: %+v, %v", m, err)
	}
	m, err = d.Nearest(ctx, "my photos", "the vec", "wolf", 10, &db.NearestOptions{Where: "name = $1 -- all", Args: []any{"y"}, Columns: []string{"name", "id"}})
	if err != nil || len(m) != 2 || m[0].Key.Int() != 2 || m[0].Values[0].Str() != "y" || m[1].Values[1].Int() != 3 {
		t.Errorf("with a condition: %+v, %v", m, err)
	}
	m, err = d.Nearest(ctx, "my photos", "the vec", "wolf", 10, nil)
	if err != nil || len(m) != 3 {
		t.Errorf("rows without a vector came out: %+v, %v", m, err)
	}
	m, err = d.Nearest(ctx, "my photos", "the vec", "wolf", 10, &db.NearestOptions{MinScore: 0.99})
	if err != nil || len(m) != 1 {
		t.Errorf("with a least score: %+v, %v", m, err)
	}
	if m, err = d.Nearest(ctx, "my photos", "the vec", "wolf", 0, nil); err != nil || len(m) != 0 {
		t.Errorf("k = 0: %+v, %v", m, err)
	}
	if _, err = d.Nearest(ctx, "my photos", "the vec", "wolf", -1, nil); err == nil {
		t.Error("k = -1 was accepted")
	}
	if _, err = d.Nearest(ctx, "my photos", "vec", "wolf", 1, nil); err == nil || !strings.Contains(err.Error(), `"vec"`) {
		t.Errorf("no column: %v", err)
	}
}

func TestQueryMany(t *testing.T) {
	enc := newWords(8)
	d := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{enc}})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, clip VECTOR ENCODER 'words')`)
	texts := []string{"wolf", "dog", "castle", "fish", "snow", "red dog", "blue fish"}
	for i, s := range texts {
		mustExec(t, d, `INSERT INTO t VALUES ($1, $2, $2)`, i, s)
	}
	st, err := d.Prepare(ctx, `SELECT id, clip_sim($1) AS s FROM t WHERE id <> $2 ORDER BY s LIMIT 3`)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if st.NumParams() != 2 {
		t.Errorf("%d parameters", st.NumParams())
	}
	var lists [][]any
	for i, s := range texts {
		lists = append(lists, []any{s, i})
	}
	many, err := st.QueryMany(ctx, lists)
	if err != nil || len(many) != len(lists) {
		t.Fatal(len(many), err)
	}
	type hit struct {
		ID int
		S  float64
	}
	for i, rows := range many {
		one, err := db.Select[hit](ctx, d, st.SQL(), lists[i]...)
		if err != nil {
			t.Fatal(err)
		}
		var got []hit
		for rows.Next() {
			var h hit
			if err := rows.Scan(&h.ID, &h.S); err != nil {
				t.Fatal(err)
			}
			got = append(got, h)
		}
		if rows.Err() != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%q: many gives %v, one %v (%v)", texts[i], got, one, rows.Err())
		}
	}
	if n := d.Stats().Open; n != 0 {
		t.Errorf("%d handles open", n)
	}
	if n := enc.texts.Load(); n != int64(len(texts)) {
		t.Errorf("%d texts encoded, want each of the %d once", n, len(texts))
	}
	if _, err := st.QueryMany(ctx, [][]any{{"wolf", 1}, {"dog"}}); err == nil {
		t.Error("a short list was accepted")
	}
	if rows, err := st.QueryMany(ctx, nil); err != nil || len(rows) != 0 {
		t.Errorf("no lists: %v, %v", rows, err)
	}
}

func TestAppender(t *testing.T) {
	noLeaks(t)
	d := open(t, &db.Options{Encoders: []encoder.Encoder{newWords(4)}})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', r REAL, clip VECTOR ENCODER 'words')`)
	app, err := d.Appender(ctx, "t", []string{"id", "r", "clip"}, &db.AppenderOptions{BatchRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Abort()
	const n = 5000
	for i := range n {
		var vec any = []float32{float32(i), 1, 0, 0}
		switch i % 10 {
		case 3:
			vec = nil
		case 4:
			vec = "a wolf"
		}
		var r any = float64(i) / 2
		if i%2 == 0 {
			r = i / 2 // an integer for a REAL
		}
		if err := app.Append(i, r, vec); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, d, `SELECT count(*) FROM t`); got != n || app.Rows() != n {
		t.Errorf("%d rows visible, %d written after Flush", got, app.Rows())
	}
	if err := app.Append(n, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, d, `SELECT count(*) FROM t WHERE name = 'nobody'`); got != n+1 {
		t.Errorf("%d rows with the default", got)
	}
	if got := count(t, d, `SELECT count(clip) FROM t`); got != n-n/10 {
		t.Errorf("%d vectors", got)
	}
	if got := count(t, d, `SELECT count(*) FROM t WHERE r = id / 2.0`); got != n {
		t.Errorf("%d rows with the right number", got)
	}
	wantErr(t, app.Append(1, 1, nil), db.ErrClosed)

	// All or nothing.
	atomic, err := d.Appender(ctx, "t", []string{"id"}, &db.AppenderOptions{Atomic: true, BatchRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		if err := atomic.Append(10000 + i); err != nil {
			t.Fatal(err)
		}
	}
	if err := atomic.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, d, `SELECT count(*) FROM t WHERE id >= 10000`); got != 0 {
		t.Errorf("%d rows visible before Close", got)
	}
	if err := atomic.Append(1); err != nil { // a key that is there
		t.Fatal(err)
	}
	var unique *db.UniqueError
	if err := atomic.Close(); !errors.As(err, &unique) {
		t.Errorf("a repeated key: %v", err)
	}
	if got := count(t, d, `SELECT count(*) FROM t`); got != n+1 {
		t.Errorf("%d rows after an appender that failed", got)
	}

	abandoned, err := d.Appender(ctx, "t", []string{"id"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := abandoned.Append(20000); err != nil {
		t.Fatal(err)
	}
	abandoned.Abort()
	if got := count(t, d, `SELECT count(*) FROM t WHERE id = 20000`); got != 0 {
		t.Error("an abandoned row was added")
	}
	if _, err := d.Appender(ctx, "t", []string{"idd"}, nil); err == nil {
		t.Error("no column idd was accepted")
	}
	bad, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Abort()
	if err := bad.Append(1); err == nil || !strings.Contains(err.Error(), "1 values for 4 columns") {
		t.Errorf("too few values: %v", err)
	}
	bad.Abort()
	if bad, err = d.Appender(ctx, "t", nil, nil); err != nil {
		t.Fatal(err)
	}
	defer bad.Abort()
	var dim *db.DimensionError
	if err := bad.Append(1, "x", 1.0, []float32{1}); !errors.As(err, &dim) {
		t.Errorf("a short vector: %v", err)
	}
}

func TestCatalog(t *testing.T) {
	d := open(t, &db.Options{Encoders: []encoder.Encoder{newWords(4)}})
	const ddl = `CREATE TABLE photos (
  id TEXT PRIMARY KEY,
  width INTEGER NOT NULL DEFAULT 0,
  "the clip" VECTOR(4) ENCODER 'words'
);
CREATE UNIQUE INDEX by_width ON photos (width, id);
`
	mustExec(t, d, ddl)
	mustExec(t, d, `INSERT INTO photos (id, width) VALUES ('a', 1), ('b', 2); DELETE FROM photos WHERE id = 'a'`)
	tab, err := d.Table(ctx, "photos")
	if err != nil {
		t.Fatal(err)
	}
	if tab.Rows != 1 || tab.PrimaryKey != "id" || len(tab.Columns) != 3 || tab.Columns[1].Default != "0" || !tab.Columns[1].NotNull ||
		tab.Columns[2].Encoder != "words" || tab.Columns[2].Type.Dim != 4 || !reflect.DeepEqual(tab.Indexes[0].Columns, []string{"width", "id"}) {
		t.Errorf("table is %+v", tab)
	}
	if tab.SQL() != ddl {
		t.Errorf("SQL is\n%s", tab.SQL())
	}
	conn, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mustExec(t, conn, `BEGIN; CREATE TABLE u (x INTEGER)`)
	inside, err := conn.Tables(ctx)
	if err != nil || len(inside) != 2 {
		t.Errorf("the session sees %d tables, %v", len(inside), err)
	}
	outside, err := d.Tables(ctx)
	if err != nil || len(outside) != 1 {
		t.Errorf("others see %d tables, %v", len(outside), err)
	}
	// What SQL says makes the same table again.
	mustExec(t, conn, `ROLLBACK; DROP TABLE photos`)
	mustExec(t, d, tab.SQL())
	again, err := d.Table(ctx, "photos")
	if err != nil || again.SQL() != ddl {
		t.Errorf("made again: %v\n%s", err, again.SQL())
	}
}

func TestBackupAndVacuum(t *testing.T) {
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(4))`)
	app, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		if err := app.Append(i, []float32{1, float32(i), 0, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `DELETE FROM t WHERE id % 3 = 0`)
	dir := filepath.Join(t.TempDir(), "backup")
	if err := d.Backup(ctx, dir); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `DELETE FROM t WHERE id % 3 = 1`)
	if err := d.Vacuum(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if err := d.Vacuum(ctx, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.Vacuum(ctx, "nosuch"); err == nil {
		t.Error("VACUUM of no table succeeded")
	}
	b := openAt(t, dir, nil)
	for store, want := range map[*db.DB]int{d: 1000, b: 2000} {
		if n := count(t, store, `SELECT count(*) FROM t`); n != want {
			t.Errorf("%d rows in %s, want %d", n, store.Dir(), want)
		}
		if p, err := store.Check(ctx); err != nil || len(p) > 0 {
			t.Errorf("check: %v, %v", p, err)
		}
	}
	var id int
	if err := d.QueryRow(ctx, `SELECT id FROM t ORDER BY v <-> [1, 1500, 0, 1] LIMIT 1`).Scan(&id); err != nil || id != 1499 && id != 1500 && id != 1502 {
		t.Errorf("nearest after VACUUM is %d, %v", id, err)
	}
	if err := d.Backup(ctx, dir); err == nil {
		t.Error("a backup went over another one")
	}
}

type tracer struct{ events []db.StatementEvent }

type spanKey struct{}

func (tr *tracer) StatementStart(ctx context.Context, sql string) context.Context {
	return context.WithValue(ctx, spanKey{}, sql)
}

func (tr *tracer) StatementEnd(ctx context.Context, e db.StatementEvent) {
	if ctx.Value(spanKey{}) != e.SQL {
		panic("the context is not the one of StatementStart")
	}
	tr.events = append(tr.events, e)
}

func TestHooks(t *testing.T) {
	tr := &tracer{}
	d := open(t, &db.Options{InMemory: true, Trace: tr})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
	mustExec(t, d, `INSERT INTO t VALUES (1), (2)`)
	rows, err := d.Query(ctx, `SELECT id FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	before := len(tr.events)
	for rows.Next() {
	}
	rows.Close()
	if _, err := d.Exec(ctx, `SELEC`); err == nil {
		t.Error("SELEC")
	}
	if before != 2 || len(tr.events) != 4 {
		t.Fatalf("%d events before the rows were read, %d after", before, len(tr.events))
	}
	if e := tr.events[1]; e.Tag != "INSERT" || e.RowsAffected != 2 || e.Err != nil || e.Duration <= 0 {
		t.Errorf("insert: %+v", e)
	}
	if e := tr.events[2]; e.Tag != "SELECT" || e.Rows != 2 {
		t.Errorf("select: %+v", e)
	}
	var parse *db.ParseError
	if e := tr.events[3]; !errors.As(e.Err, &parse) {
		t.Errorf("failure: %+v", e)
	}
	s := d.Stats()
	if s.Statements != 4 || s.Failed != 1 || s.Running != 0 || s.RowsReturned != 2 || s.Open != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestPromptCache(t *testing.T) {
	enc := newWords(4)
	d := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{enc}})
	mustExec(t, d, `CREATE TABLE a (id INTEGER PRIMARY KEY, clip VECTOR ENCODER 'words'); CREATE TABLE b (id INTEGER PRIMARY KEY, clip VECTOR ENCODER 'words')`)
	for range 3 {
		for _, table := range []string{"a", "b"} {
			if _, err := d.Nearest(ctx, table, "clip", "a wolf", 1, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := enc.texts.Load(); n != 1 {
		t.Errorf("the phrase was encoded %d times", n)
	}
	if s := d.Stats(); s.PromptHits != 5 || s.TextsEncoded != 1 {
		t.Errorf("stats: %d hits, %d encoded", s.PromptHits, s.TextsEncoded)
	}
	none := newWords(4)
	d2 := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{none}, PromptCache: -1})
	mustExec(t, d2, `CREATE TABLE a (id INTEGER PRIMARY KEY, clip VECTOR ENCODER 'words')`)
	for range 3 {
		if _, err := d2.Nearest(ctx, "a", "clip", "a wolf", 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := none.texts.Load(); n != 3 {
		t.Errorf("without a cache the phrase was encoded %d times", n)
	}
}

func TestEncoderOptions(t *testing.T) {
	for _, c := range []struct {
		encs []encoder.Encoder
		want string
	}{
		{[]encoder.Encoder{nil}, "Encoders[0] is nil"},
		{[]encoder.Encoder{newWords(2), newWords(2)}, `named "words"`},
		{[]encoder.Encoder{&words{}}, "no Model().Name"},
	} {
		_, err := db.Open(":memory:", &db.Options{Encoders: c.encs})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	opened := 0
	d := open(t, &db.Options{InMemory: true, OpenEncoder: func(ctx context.Context, name string) (encoder.Encoder, error) {
		if opened++; opened == 1 {
			return nil, errors.New("out of order")
		}
		w := newWords(4)
		w.name = name
		return w, nil
	}})
	if _, err := d.Exec(ctx, `CREATE TABLE t (v VECTOR ENCODER 'x')`); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("an opener that fails: %v", err)
	}
	mustExec(t, d, `CREATE TABLE t (v VECTOR ENCODER 'x'); INSERT INTO t VALUES ('wolf'), ('dog')`)
	if opened != 2 {
		t.Errorf("the encoder was opened %d times, want once after the failure", opened)
	}
}
