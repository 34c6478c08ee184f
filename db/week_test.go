package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// What would wait for ever is an error at once, wherever a function of Update asks.
func TestAWriteOfTheDBWithinUpdate(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)`)
	st, err := d.Prepare(ctx, `INSERT INTO t VALUES ($1, $2)`)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for what, f := range map[string]func() error{
		"Exec":        func() error { _, err := d.Exec(ctx, `INSERT INTO t VALUES (9, 9)`); return err },
		"Stmt.Exec":   func() error { _, err := st.Exec(ctx, 9, 9); return err },
		"Query":       func() error { _, err := d.Query(ctx, `INSERT INTO t VALUES (9, 9) RETURNING id`); return err },
		"Begin":       func() error { _, err := d.Begin(ctx, nil); return err },
		"Update":      func() error { return d.Update(ctx, func(*db.Tx) error { return nil }) },
		"Conn.Exec":   func() error { _, err := conn.Exec(ctx, `BEGIN; INSERT INTO t VALUES (9, 9)`); return err },
		"Conn.Begin":  func() error { return conn.Begin(ctx, nil) },
		"Vacuum":      func() error { return d.Vacuum(ctx, "") },
		"Appender":    func() error { _, err := d.Appender(ctx, "t", nil, nil); return err },
		"CREATE":      func() error { _, err := d.Exec(ctx, `CREATE TABLE u (a INTEGER)`); return err },
		"db.Insert":   func() error { _, err := db.Insert(ctx, d, "t", struct{ ID int }{9}); return err },
		"Update of a": func() error { _, err := d.Exec(ctx, `UPDATE t SET n = 1`); return err },
	} {
		err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `INSERT INTO t VALUES (1, 1)`); err != nil {
				return err
			}
			if err := f(); !errors.Is(err, db.ErrInUpdate) {
				t.Errorf("%s: %v", what, err)
			}
			// Reading is no waiting, nor is the transaction itself, by a statement of the DB too.
			if n := count(t, d, `SELECT count(*) FROM t`); n != 0 {
				t.Errorf("%s: %d rows are seen from outside", what, n)
			}
			if err := d.View(ctx, func(*db.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
			if _, err := tx.Stmt(st).Exec(ctx, 2, 2); err != nil {
				t.Error(err)
			}
			_, err := tx.Exec(ctx, `DELETE FROM t`)
			return err
		})
		if err != nil {
			t.Errorf("%s: the transaction after it: %v", what, err)
		}
	}
	mustExec(t, d, `INSERT INTO t VALUES (5, 5)`) // afterwards all is as before
	// On another goroutine it waits, and goes on.
	var other sync.WaitGroup
	err = d.Update(ctx, func(tx *db.Tx) error {
		other.Go(func() {
			if _, err := d.Exec(ctx, `INSERT INTO t VALUES (6, 6)`); err != nil {
				t.Error(err)
			}
		})
		return nil
	})
	other.Wait()
	if err != nil || count(t, d, `SELECT count(*) FROM t`) != 2 {
		t.Error(err)
	}
}

func TestWriterTimeout(t *testing.T) {
	d := open(t, &db.Options{InMemory: true, WriterTimeout: 20 * time.Millisecond})
	mustExec(t, d, `CREATE TABLE t (id INTEGER)`)
	tx, err := d.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Exec(ctx, `INSERT INTO t VALUES (1)`); !errors.Is(err, db.ErrBusy) {
		t.Errorf("a second writer: %v", err)
	}
	if _, err := d.Begin(ctx, nil); !errors.Is(err, db.ErrBusy) {
		t.Errorf("a second transaction: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `INSERT INTO t VALUES (1)`)
}

func TestSecondOpenInOneProcess(t *testing.T) {
	dir := t.TempDir() + "/s"
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, o := range []*db.Options{nil, {ReadOnly: true}} {
		if _, err := db.Open(dir, o); !errors.Is(err, db.ErrLocked) || !strings.Contains(err.Error(), "in this process") {
			t.Errorf("%v: %v", o, err)
		}
	}
	if _, err := db.Open("", nil); err == nil || !strings.Contains(err.Error(), ":memory:") {
		t.Errorf("no directory: %v", err)
	}
	if _, err := db.Open(dir+"2", &db.Options{MustExist: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("MustExist: %v", err)
	}
}

// Several statements share their arguments: numbered through all of them, or in turn.
func TestArgumentsOfSeveralStatements(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (a INTEGER, b INTEGER)`)
	for _, c := range []struct {
		sql  string
		args []any
		want string // rows of t, or a part of the error
	}{
		{`INSERT INTO t VALUES (?, ?); INSERT INTO t VALUES (?, 0)`, []any{1, 2, 3}, "1|2 3|0"},
		{`INSERT INTO t VALUES ($1, $2); INSERT INTO t VALUES ($3, 0)`, []any{1, 2, 3}, "1|2 3|0"},
		{`INSERT INTO t VALUES ($1, $2); INSERT INTO t VALUES ($2, $1)`, []any{1, 2}, "1|2 2|1"},
		{`INSERT INTO t VALUES ($1, 0); INSERT INTO t VALUES ($1, 0)`, []any{1, 2}, "1|0 2|0"},
		{`INSERT INTO t VALUES (?, 0); INSERT INTO t VALUES (?, 0)`, []any{1, 2}, "1|0 2|0"},
		{`INSERT INTO t VALUES (?, 0); DELETE FROM t; INSERT INTO t VALUES (?, ?)`, []any{1, 2, 3}, "2|3"},
		{`DELETE FROM t; INSERT INTO t VALUES ($1, 0)`, []any{7}, "7|0"},
		{`INSERT INTO t VALUES (:a, 0); INSERT INTO t VALUES (:b, :a)`, []any{db.Named("a", 1), db.Named("b", 2)}, "1|0 2|1"},
		{`INSERT INTO t VALUES (?, 0); INSERT INTO t VALUES (?, 0)`, []any{1, 2, 3}, "3 arguments for 2 statements with 2 parameters"},
		{`INSERT INTO t VALUES (?, ?); INSERT INTO t VALUES (?, 0)`, []any{1, 2}, "2 arguments for 2 statements with 3 parameters"},
		{`INSERT INTO t VALUES (1, 0); DELETE FROM t`, []any{1}, "1 arguments for 2 statements"},
		{`INSERT INTO t VALUES (1, 0); SELEC`, nil, "SELEC"},
	} {
		mustExec(t, d, `DELETE FROM t`)
		_, err := d.Exec(ctx, c.sql, c.args...)
		got := ""
		if err != nil {
			got = err.Error()
			if n := count(t, d, `SELECT count(*) FROM t`); n != 0 {
				t.Errorf("%s: %d rows are left", c.sql, n)
			}
		} else {
			type row struct{ A, B int }
			rows, err := db.Select[row](ctx, d, `SELECT a, b FROM t`)
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for _, r := range rows {
				parts = append(parts, fmt.Sprintf("%d|%d", r.A, r.B))
			}
			got = strings.Join(parts, " ")
		}
		if err == nil && got != c.want || !strings.Contains(got, c.want) {
			t.Errorf("%s with %v: %s, want %s", c.sql, c.args, got, c.want)
		}
	}
}

func TestStatementsAndAppendersOfATx(t *testing.T) {
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(2))`)
	st, err := d.Prepare(ctx, `INSERT INTO t (id) VALUES ($1)`)
	if err != nil {
		t.Fatal(err)
	}
	const n = 9000
	add := func(tx *db.Tx, from int) error {
		if _, err := tx.Stmt(st).Exec(ctx, from); err != nil {
			return err
		}
		app, err := tx.Appender(ctx, "t", nil, nil)
		if err != nil {
			return err
		}
		defer app.Abort()
		for i := from + 1; i < from+n; i++ {
			if err := app.Append(i, []float32{float32(i), 1}); err != nil {
				return err
			}
		}
		if err := app.Flush(); err != nil {
			return err
		}
		if got, err := db.Get[int](ctx, tx, `SELECT count(*) FROM t`); err != nil || got != from+n {
			t.Errorf("the transaction sees %d rows, %v", got, err)
		}
		if err := app.Append(from+1, nil); err != nil {
			return err
		}
		return app.Close()
	}
	var unique *db.UniqueError
	if err := d.Update(ctx, func(tx *db.Tx) error { return add(tx, 0) }); !errors.As(err, &unique) {
		t.Fatalf("a repeated key: %v", err)
	}
	if got := count(t, d, `SELECT count(*) FROM t`); got != 0 {
		t.Fatalf("%d rows of a transaction that failed", got)
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		app, err := tx.Appender(ctx, "t", []string{"id"}, &db.AppenderOptions{BatchRows: 10})
		if err != nil {
			return err
		}
		for i := range n {
			if err := app.Append(i); err != nil {
				return err
			}
		}
		return app.Close()
	})
	if got := count(t, d, `SELECT count(*) FROM t`); err != nil || got != n {
		t.Fatalf("%d rows, %v", got, err)
	}
	other := open(t, &db.Options{InMemory: true})
	if err := other.Update(ctx, func(tx *db.Tx) error { _, err := tx.Stmt(st).Exec(ctx, 1); return err }); err == nil || !strings.Contains(err.Error(), "another DB") {
		t.Errorf("a statement of another DB: %v", err)
	}
}

// After an error an appender takes no more.
func TestAppenderStopsAtAnError(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER, j JSON)`)
	for _, bad := range [][]any{{1}, {1, func() {}}, {1, "{}", 3}, {"\xff", nil}} {
		app, err := d.Appender(ctx, "t", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		first := app.Append(bad...)
		if first == nil || app.Append(2, nil) == nil || app.Close() == nil || app.Rows() != 0 {
			t.Errorf("%v: %v, then it went on", bad, first)
		}
	}
	if n := count(t, d, `SELECT count(*) FROM t`); n != 0 {
		t.Errorf("%d rows", n)
	}
}

func TestSelectIntoManyTypes(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT, v VECTOR(3)); INSERT INTO t VALUES (1, 'a', [1,2,3]), (2, NULL, NULL)`)
	type row struct {
		ID    int
		Title *string
	}
	ps, err := db.Select[*row](ctx, d, `SELECT id, title FROM t ORDER BY id`)
	if err != nil || len(ps) != 2 || ps[0] == ps[1] || ps[0].ID != 1 || *ps[0].Title != "a" || ps[1].Title != nil {
		t.Errorf("*row: %v, %v", ps, err)
	}
	ms, err := db.Select[map[string]any](ctx, d, `SELECT * FROM t ORDER BY id`)
	if want := []map[string]any{{"id": int64(1), "title": "a", "v": []float32{1, 2, 3}}, {"id": int64(2), "title": nil, "v": nil}}; err != nil || !reflect.DeepEqual(ms, want) {
		t.Errorf("maps: %v, %v", ms, err)
	}
	if _, err := db.Select[map[string]any](ctx, d, `SELECT id, id FROM t`); err == nil || !strings.Contains(err.Error(), `two columns are named "id"`) {
		t.Errorf("two of one name: %v", err)
	}
	as, err := db.Select[[3]float32](ctx, d, `SELECT v FROM t WHERE id = 1`)
	if err != nil || as[0] != [3]float32{1, 2, 3} {
		t.Errorf("array: %v, %v", as, err)
	}
	if _, err := db.Select[[2]float32](ctx, d, `SELECT v FROM t WHERE id = 1`); err == nil {
		t.Error("3 dimensions went into 2")
	}
	if _, err := db.Select[[3]float32](ctx, d, `SELECT v FROM t`); err == nil {
		t.Error("NULL went into an array")
	}
	pi, err := db.Select[*int](ctx, d, `SELECT nullif(id, 2) FROM t ORDER BY id`)
	if err != nil || *pi[0] != 1 || pi[1] != nil {
		t.Errorf("*int: %v, %v", pi, err)
	}
}

func TestInsertAndUpsertOfStructs(t *testing.T) {
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE photos (id INTEGER PRIMARY KEY, file_name TEXT NOT NULL, tags JSON, taken TIMESTAMP DEFAULT '2020-01-01', clip VECTOR(2), size INTEGER)`)
	type base struct {
		ID int64 `lupa:"id"`
	}
	type photo struct {
		base
		FileName string
		Tags     []string
		At       time.Time `lupa:"taken,omitzero"`
		Vec      []float32 `lupa:"clip"`
		Size     *int
		Path     string `lupa:"-"`
	}
	var rows []*photo
	for i := range 1000 {
		rows = append(rows, &photo{base: base{int64(i)}, FileName: fmt.Sprint("f", i), Tags: []string{"a", "ü"}, Vec: []float32{1, float32(i)}})
	}
	r, err := db.Insert(ctx, d, "photos", rows...)
	if err != nil || r.RowsAffected != 1000 || r.LastKey.Int() != 999 {
		t.Fatalf("%+v, %v", r, err)
	}
	back, err := db.Select[photo](ctx, d, `SELECT * FROM photos WHERE id = 7`)
	if err != nil || back[0].FileName != "f7" || back[0].Tags[1] != "ü" || back[0].At.Year() != 2020 || back[0].Vec[1] != 7 || back[0].Size != nil {
		t.Errorf("%+v, %v", back, err)
	}
	// All or nothing, also beyond one statement.
	rows[0].ID, rows[999].ID = 5000, 5001
	var unique *db.UniqueError
	for _, w := range []db.Writer{d, must(d.Conn(ctx))} {
		if _, err := db.Insert(ctx, w, "photos", rows...); !errors.As(err, &unique) {
			t.Errorf("repeated keys: %v", err)
		}
	}
	if n := count(t, d, `SELECT count(*) FROM photos`); n != 1000 {
		t.Errorf("%d rows after an Insert that failed", n)
	}
	size := 3
	rows[1].Size, rows[1].FileName = &size, "new"
	if r, err := db.Upsert(ctx, d, "photos", rows...); err != nil || r.RowsAffected != 1000 {
		t.Errorf("%+v, %v", r, err)
	}
	if n := count(t, d, `SELECT count(*) FROM photos WHERE file_name = 'new' AND size = 3 OR id = 5000 OR id = 5001`); n != 3 {
		t.Errorf("%d of 3 rows are as upserted", n)
	}
	type wrong struct{ ID, Colour int }
	type keyless struct{ FileName string }
	for _, err := range []error{
		second(db.Insert(ctx, d, "photos", wrong{})), second(db.Insert(ctx, d, "photos", 7)), second(db.Insert(ctx, d, "nothere", keyless{})),
		second(db.Upsert(ctx, d, "photos", keyless{"x"})), second(db.Insert(ctx, d, "photos", (*photo)(nil))), second(db.Insert(ctx, d, "photos", struct{}{})),
	} {
		if err == nil {
			t.Error("what can't go in went in")
		}
	}
	if r, err := db.Insert[photo](ctx, d, "photos"); err != nil || r.RowsAffected != 0 {
		t.Errorf("no rows: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func second[T any](_ T, err error) error { return err }

func TestNearestByZero(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(2)); INSERT INTO t VALUES (1, [1,0]), (2, [-1,0]), (3, [0,1]), (4, NULL), (5, [0,0])`)
	for _, c := range []struct {
		o    *db.NearestOptions
		want int
	}{{nil, 3}, {&db.NearestOptions{MinScore: 0.5}, 1}, {&db.NearestOptions{HasMinScore: true}, 2}, {&db.NearestOptions{MinScore: -0.5}, 2}, {&db.NearestOptions{Where: "id > $1", Args: []any{1}}, 2}} {
		if m, err := d.Nearest(ctx, "t", "v", []float32{1, 0}, 10, c.o); err != nil || len(m) != c.want {
			t.Errorf("%+v: %v, %v", c.o, m, err)
		}
	}
}

// Strangers' statements reach no directory by the name of an encoder.
func TestNoFilesHoldsForEncoders(t *testing.T) {
	var asked []string
	d := open(t, &db.Options{InMemory: true, NoFiles: true, OpenEncoder: func(_ context.Context, name string) (encoder.Encoder, error) {
		asked = append(asked, name)
		w := newWords(3)
		w.name = name
		return w, nil
	}})
	mustExec(t, d, `CREATE TABLE ok (v VECTOR ENCODER 'clip'); INSERT INTO ok VALUES ('a wolf')`)
	for _, name := range []string{"/root/.ssh", "../../etc", "testdata/toy-clip/model", ".", "..", "./x", `..\x`, `C:\x`, "C:x", "~/models", "//host/share", "x/../y", "a/b"} {
		for _, sql := range []string{`CREATE TABLE a (v VECTOR ENCODER '%s')`, `CREATE TABLE a (v VECTOR(3) ENCODER '%s')`,
			`ALTER TABLE ok ADD COLUMN w VECTOR ENCODER '%s'`, `ALTER TABLE ok SET ENCODER '%s'`} {
			sql = fmt.Sprintf(sql, name)
			if _, err := d.Exec(ctx, sql); err == nil || !strings.Contains(err.Error(), "does not let statements use files") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	}
	for _, sql := range []string{`COPY ok TO 'x.csv'`, `COPY ok FROM 'x.csv'`, `BACKUP TO 'x'`, `SELECT * FROM read_csv('x.csv')`, `SELECT * FROM images('*')`,
		`INSERT INTO ok VALUES (image('x.jpg'))`, `SELECT v_sim(image('x.jpg')) FROM ok`, `COPY (SELECT 1) TO 'x.html' (FORMAT gallery)`} {
		if _, err := d.Exec(ctx, sql); err == nil || !strings.Contains(err.Error(), "does not let statements use files") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, name := range asked {
		if name != "clip" {
			t.Errorf("the encoder %q was looked for", name)
		}
	}
}

// Statements under WithNoFiles reach no file, whatever was planned for the program's own before,
// and the program's own still do.
func TestNoFilesOfOneCall(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	file := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(file, []byte("a\n1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	strange := db.WithNoFiles(ctx)
	mustExec(t, d, "CREATE TABLE ok (a INTEGER)")
	query := "SELECT * FROM read_csv('" + file + "')"
	st, err := d.Prepare(ctx, query)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for round := range 2 {
		for _, sql := range []string{query, "SELECT * FROM read_csv($1)", "COPY ok FROM '" + file + "'", "INSERT INTO ok SELECT a FROM read_csv('" + file + "')"} {
			var args []any
			if strings.Contains(sql, "$1") {
				args = []any{file}
			}
			if _, err := d.Exec(ctx, sql, args...); err != nil {
				t.Errorf("round %d: %s: %v", round, sql, err)
			}
			if _, err := d.Exec(strange, sql, args...); err == nil || !strings.Contains(err.Error(), "does not let statements use files") {
				t.Errorf("round %d: %s: %v", round, sql, err)
			}
		}
		if _, err := st.QueryMany(strange, [][]any{{}, {}}); err == nil {
			t.Error("several at once read a file")
		}
		if rows, err := st.QueryMany(ctx, [][]any{{}, {}}); err != nil || len(rows) != 2 {
			t.Errorf("several at once: %v", err)
		} else {
			rows[0].Close()
			rows[1].Close()
		}
	}
	var said []string
	if _, err := d.Exec(db.WithNotice(ctx, func(s string) { said = append(said, s) }), "COPY ok FROM '"+file+"'"); err != nil || len(said) != 1 || !strings.HasPrefix(said[0], "1 row read") {
		t.Errorf("%q %v", said, err)
	}
}

// deaf is an encoder that never answers, whatever its context says.
type deaf struct {
	*words
	until chan struct{}
}

func (e *deaf) EncodeTexts(context.Context, []string) ([][]float32, error) {
	<-e.until
	return nil, errors.New("too late")
}

// Close, and a context, end a statement whose encoder never answers, or never opens.
func TestCloseWithAnEncoderThatNeverAnswers(t *testing.T) {
	until := make(chan struct{})
	defer close(until)
	opens := func(_ context.Context, name string) (encoder.Encoder, error) {
		if name == "stuck" {
			<-until
			return nil, errors.New("too late")
		}
		return &deaf{newWords(3), until}, nil
	}
	d, err := db.Open(":memory:", &db.Options{OpenEncoder: opens})
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, d, `CREATE TABLE t (v VECTOR ENCODER 'words')`)
	brief, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	for _, sql := range []string{`INSERT INTO t VALUES ('a')`, `SELECT v_sim('a') FROM t`, `CREATE TABLE u (v VECTOR ENCODER 'stuck')`} {
		if _, err := d.Exec(brief, sql); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	ended := make(chan error, 2)
	for _, sql := range []string{`INSERT INTO t VALUES ('a')`, `CREATE TABLE u (v VECTOR ENCODER 'stuck')`} {
		go func() { _, err := d.Exec(ctx, sql); ended <- err }()
	}
	for d.Stats().Running < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "did not heed its context") {
		t.Errorf("Close: %v", err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, db.ErrClosed) {
			t.Errorf("the statement: %v", err)
		}
	}
}
