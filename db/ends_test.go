package db_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// TestRowsTellTheirEnd ends what rows read from in every way: a reader who stops
// early without knowing must learn it from Err.
func TestRowsTellTheirEnd(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(d *db.DB, tx *db.Tx, cancel func()) error
		want error
	}{
		"commit":   {func(d *db.DB, tx *db.Tx, cancel func()) error { return tx.Commit() }, db.ErrTxDone},
		"rollback": {func(d *db.DB, tx *db.Tx, cancel func()) error { return tx.Rollback() }, db.ErrTxDone},
		"cancel":   {func(d *db.DB, tx *db.Tx, cancel func()) error { cancel(); return nil }, context.Canceled},
		"close":    {func(d *db.DB, tx *db.Tx, cancel func()) error { return d.Close() }, db.ErrClosed},
	} {
		for _, readOnly := range []bool{false, true} {
			noLeaks(t)
			d := open(t, &db.Options{InMemory: true})
			mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY)`)
			if err := d.Update(ctx, func(tx *db.Tx) error {
				for i := range 5000 {
					mustExec(t, tx, `INSERT INTO t VALUES ($1)`, i)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			tctx, cancel := context.WithCancelCause(ctx)
			tx, err := d.Begin(tctx, &db.TxOptions{ReadOnly: readOnly})
			if err != nil {
				t.Fatal(err)
			}
			rows, err := tx.Query(ctx, `SELECT id FROM t`)
			if err != nil || !rows.Next() {
				t.Fatal(err)
			}
			if err := c.end(d, tx, func() { cancel(errors.New("a signal came")) }); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			for rows.Next() { // a context ends soon, not at once
			}
			if c.want != context.Canceled || rows.Err() != nil { // it may have been read to the end first
				wantErr(t, rows.Err(), c.want)
			}
			if err := tx.Commit(); err == nil || what == "cancel" && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: commit afterwards: %v", what, err)
			}
			cancel(nil)
		}
	}
}

// slow is an encoder that says when it begins, and goes on until it is cancelled.
type slow struct {
	*words
	begun chan struct{}
}

func (s slow) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	select {
	case s.begun <- struct{}{}:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestTxContextCancelsStatements: the context of a transaction cancels a statement
// in it that was given another context.
func TestTxContextCancelsStatements(t *testing.T) {
	noLeaks(t)
	enc := slow{newWords(4), make(chan struct{})}
	d := open(t, &db.Options{InMemory: true, Encoders: []encoder.Encoder{enc}})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR ENCODER 'words'); INSERT INTO t VALUES (9, [1, 0, 0, 0])`)
	for what, run := range map[string]func(tx *db.Tx) error{
		"insert": func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO t VALUES (1, 'a text')`)
			return err
		},
		"search": func(tx *db.Tx) error {
			_, err := tx.Nearest(ctx, "t", "v", "a text", 1, nil)
			return err
		},
		"many": func(tx *db.Tx) error {
			st, err := tx.Prepare(ctx, `SELECT id FROM t ORDER BY v_sim($1) LIMIT 1`)
			if err == nil {
				_, err = st.QueryMany(ctx, [][]any{{"a text"}, {"another"}})
			}
			return err
		},
	} {
		tctx, cancel := context.WithCancel(ctx)
		tx, err := d.Begin(tctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() { <-enc.begun; cancel() }()
		if err := run(tx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
		mustExec(t, d, `UPDATE t SET id = id + 1`) // the writer lock is free again
		wantErr(t, tx.Commit(), context.Canceled)
	}
}

// TestScannersGetBytes: a Scanner is handed what database/sql promises it, so that
// those written for other databases work.
func TestScannersGetBytes(t *testing.T) {
	d := open(t, &db.Options{InMemory: true})
	var text sql.NullString
	var raw sql.Null[json.RawMessage]
	for _, dest := range []any{&text, &raw} {
		if err := d.QueryRow(ctx, `SELECT '{"a":1}'::json`).Scan(dest); err != nil {
			t.Errorf("into a %T: %v", dest, err)
		}
	}
	if text.String != `{"a":1}` || string(raw.V) != text.String {
		t.Errorf("got %q and %q", text.String, raw.V)
	}
}

// TestCollect puts the rows of prepared statements into structs.
func TestCollect(t *testing.T) {
	noLeaks(t)
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(2)); INSERT INTO t VALUES (1, [1, 0]), (2, [0, 1])`)
	st, err := d.Prepare(ctx, `SELECT id, v_sim($1) AS score FROM t ORDER BY score LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	type hit struct {
		ID    int
		Score float64
	}
	one, err := db.Collect[hit](st.Query(ctx, []float32{0, 3}))
	if err != nil || len(one) != 1 || one[0] != (hit{2, 1}) {
		t.Errorf("got %v, %v", one, err)
	}
	many, err := st.QueryMany(ctx, [][]any{{[]float32{1, 0}}, {[]float32{0, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, rows := range many {
		if got, err := db.Collect[hit](rows, nil); err != nil || len(got) != 1 || got[0].ID != i+1 {
			t.Errorf("list %d: %v, %v", i, got, err)
		}
	}
	if got, err := db.Collect[hit](st.Query(ctx)); err == nil || got != nil {
		t.Errorf("without an argument: %v, %v", got, err)
	}
	none, err := db.Collect[int](d.Query(ctx, `SELECT id FROM t WHERE false`))
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("no rows: %#v, %v", none, err)
	}
	if _, err := db.Collect[int](d.Query(ctx, `SELECT id, v FROM t`)); err == nil {
		t.Error("two columns went into an int")
	}
	if n := d.Stats().Open; n != 0 {
		t.Errorf("%d handles are open", n)
	}
}

// TestFree uses the memory of rows for the next ones, whatever became of the rows before.
func TestFree(t *testing.T) {
	noLeaks(t)
	d := open(t, &db.Options{InMemory: true})
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)`)
	mustExec(t, d, `INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 5000) s(g)`)
	for i := range 200 {
		c, cancel := context.WithCancel(ctx)
		if i%2 == 0 {
			c = ctx
		}
		rows, err := d.Query(c, `SELECT name, id FROM t WHERE id >= ?`, i+1)
		if err != nil {
			t.Fatal(err)
		}
		for j := range i%3 + 1 {
			var name string
			var id int
			if !rows.Next() {
				t.Fatal(rows.Err())
			}
			if err := rows.Scan(&name, &id); err != nil || id != i+j+1 || name != fmt.Sprintf("row %d", id) {
				t.Fatal(name, id, err)
			}
		}
		switch i % 4 {
		case 1:
			cancel() // whoever is told of it may come late
		case 2:
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
		}
		rows.Free()
		cancel()
	}
	if p := must(d.Check(ctx)); len(p) > 0 {
		t.Error(p)
	}
}
