package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// TestCancel cancels long work in its middle: it must end with the context's
// error, leave nothing behind, and leave the store usable. The time it took to
// notice is logged.
func TestCancel(t *testing.T) {
	noLeaks(t)
	slow := newWords(64)
	slow.name, slow.delay = "slow", time.Millisecond
	d := open(t, &db.Options{NoSync: true, Encoders: []encoder.Encoder{slow, newWords(64)}})
	mustExec(t, d, `CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, v VECTOR(64));
		CREATE TABLE copy (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, v VECTOR(64));
		CREATE TABLE enc (s TEXT, v VECTOR ENCODER 'slow')`)
	app, err := d.Appender(ctx, "big", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	vec := make([]float32, 64)
	const rows = 60_000
	for i := range rows {
		vec[i%64] = float32(i % 97)
		if err := app.Append(i, i%1000, fmt.Sprintf("text %d", i), vec); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	csv := filepath.Join(t.TempDir(), "big.csv")
	var b strings.Builder
	b.WriteString("id,n,s\n")
	for i := range 300_000 {
		fmt.Fprintf(&b, "%d,%d,text %d\n", i, i, i)
	}
	if err := os.WriteFile(csv, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}

	// A fast machine may be done before the statement is cancelled; undo is how
	// the tables become again what they were: a statement, or the transaction's end.
	const rollback = "ROLLBACK"
	for _, c := range []struct{ what, sql, undo string }{
		{"load", `COPY copy (id, n, s) FROM '` + csv + `'`, `DELETE FROM copy`},
		{"insert from select", `INSERT INTO copy SELECT id, n, s, v FROM big`, `DELETE FROM copy`},
		{"scan", `SELECT count(*) FROM big a JOIN big b ON a.n = b.n WHERE a.s > b.s`, ""},
		{"sort", `SELECT a.s FROM big a JOIN big b ON a.n = b.n ORDER BY a.s || b.s LIMIT 5`, ""},
		{"encode", `INSERT INTO enc SELECT s, s FROM big`, `DELETE FROM enc`},
		{"update", `UPDATE big SET s = s || 'x', n = n + 1`, rollback},
		{"delete", `DELETE FROM big WHERE length(s) > 0`, rollback},
		{"index", `CREATE INDEX by_s ON big (s, n)`, rollback},
	} {
		t.Run(c.what, func(t *testing.T) {
			cctx, cancel := context.WithCancel(ctx)
			var at atomic.Int64
			timer := time.AfterFunc(20*time.Millisecond, func() {
				at.Store(time.Now().UnixNano())
				cancel()
			})
			defer timer.Stop()
			defer cancel()
			var err error
			if c.undo == rollback {
				tx, e := d.Begin(ctx, nil)
				if e != nil {
					t.Fatal(e)
				}
				_, err = tx.Exec(cctx, c.sql)
				if e := tx.Rollback(); e != nil {
					t.Error(e)
				}
			} else if _, err = d.Exec(cctx, c.sql); err == nil && c.undo != "" {
				mustExec(t, d, c.undo)
			}
			switch {
			case err == nil:
				t.Log("done before it could be cancelled")
			case !errors.Is(err, context.Canceled):
				t.Errorf("error is %v", err)
			default:
				t.Logf("noticed after %v", time.Since(time.Unix(0, at.Load())).Round(10*time.Microsecond))
			}
			for table, want := range map[string]int{"big": rows, "copy": 0, "enc": 0} {
				if n := count(t, d, `SELECT count(*) FROM `+table); n != want {
					t.Errorf("%s has %d rows, want %d", table, n, want)
				}
			}
		})
	}
	t.Run("vacuum", func(t *testing.T) {
		mustExec(t, d, `DELETE FROM big WHERE n % 2 = 0`)
		cctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := d.Exec(cctx, `VACUUM big`); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		if n := count(t, d, `SELECT count(*) FROM big`); n != rows/2 {
			t.Errorf("%d rows, want %d", n, rows/2)
		}
	})
	t.Run("check", func(t *testing.T) {
		cctx, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := d.Check(cctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	if n := d.Stats().Open; n != 0 {
		t.Errorf("%d handles are open", n)
	}
}
