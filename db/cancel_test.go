package db_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// TestCancel cancels long work at random points: it must end with the context's
// error, leave nothing behind, and leave the store whole. How long it took to
// notice is printed and not asserted, for that is the machine's; make soak does so
// with more data and more often.
func TestCancel(t *testing.T) {
	noLeaks(t)
	rows, times, pictures := 20_000, 2, 40
	if soakTime() > 0 {
		rows, times, pictures = 100_000, 12, 200
	}
	c := newCancelled(t, rows, pictures)
	var report strings.Builder
	fmt.Fprintf(&report, "%d rows of 128 dimensions, %d pictures; time from cancelling to the return\n", rows, pictures)
	fmt.Fprintf(&report, "%-22s %10s %10s %10s %10s %10s %s\n", "", "runs for", "cancelled", "p50", "p90", "longest", "after")
	for _, w := range c.works() {
		t.Run(w.what, func(t *testing.T) {
			full := time.Duration(0) // how long it takes if it is let run
			var h histogram
			var late time.Duration // when in the run the slowest was cancelled
			for round := range times + 1 {
				if w.before != nil {
					w.before()
				}
				cctx, cancel := context.WithCancel(ctx)
				var at atomic.Int64
				if round > 0 {
					timer := time.AfterFunc(time.Duration(c.rng.Int64N(int64(full)+1)), func() {
						at.Store(time.Now().UnixNano())
						cancel()
					})
					defer timer.Stop()
				}
				begin := time.Now()
				err := w.run(cctx)
				end := time.Now()
				cancelled := at.Load() != 0 && at.Load() < end.UnixNano()
				cancel()
				switch {
				case round == 0 && err != nil:
					t.Fatalf("not cancelled: %v", err)
				case round == 0:
					full = end.Sub(begin)
				case err == nil: // done before it noticed
				case !errors.Is(err, context.Canceled) || !cancelled:
					t.Errorf("error is %v", err)
				default:
					noticed := end.Sub(time.Unix(0, at.Load()))
					if noticed > h.max {
						late = time.Unix(0, at.Load()).Sub(begin)
					}
					h.add(noticed)
				}
				if w.after != nil {
					w.after(err == nil)
				}
				for table, want := range map[string]int{"big": rows, "copy": 0, "enc": 0} {
					if n := count(t, c.d, `SELECT count(*) FROM `+table); n != want {
						t.Fatalf("%s has %d rows, want %d", table, n, want)
					}
				}
			}
			fmt.Fprintf(&report, "%-22s %10v %10d %10v %10v %10v %v\n", w.what, full.Round(time.Millisecond), h.n, h.quantile(0.5), h.quantile(0.9),
				h.max.Round(10*time.Microsecond), late.Round(time.Millisecond))
		})
	}
	t.Log("\n" + report.String())
	if n := c.d.Stats().Open; n != 0 {
		t.Errorf("%d handles are open", n)
	}
}

// work is something long to be cancelled; before prepares for it, and after makes
// the tables again what they were, if it was done or not.
type work struct {
	what   string
	before func()
	run    func(ctx context.Context) error
	after  func(done bool)
}

// cancelled is the store on which it is done.
type cancelled struct {
	t        *testing.T
	d        *db.DB
	rng      *rand.Rand
	rows     int
	csv      string
	pictures string
	backup   string
}

func newCancelled(t *testing.T, rows, pictures int) *cancelled {
	slow := newWords(128)
	slow.name, slow.delay = "slow", time.Millisecond
	c := &cancelled{
		t: t, d: open(t, &db.Options{CacheSize: 64 << 20, Encoders: []encoder.Encoder{slow, newWords(128)}}), rng: rand.New(rand.NewPCG(3, 3)), rows: rows,
		csv: filepath.Join(t.TempDir(), "big.csv"), pictures: t.TempDir(), backup: filepath.Join(t.TempDir(), "backup"),
	}
	mustExec(t, c.d, `CREATE TABLE big (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, v VECTOR(128));
		CREATE TABLE copy (id INTEGER PRIMARY KEY, n INTEGER, s TEXT, v VECTOR(128)); CREATE INDEX copy_s ON copy (s);
		CREATE TABLE enc (s TEXT, v VECTOR ENCODER 'slow')`)
	app, err := c.d.Appender(ctx, "big", nil, &db.AppenderOptions{Atomic: true})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Abort()
	for i := range rows {
		if err := app.Append(i, i%1000, fmt.Sprintf("text %d", c.rng.IntN(1e9)), c.vector()); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("id,n,s,v\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%d,text %d,\"%s\"\n", i, i, c.rng.IntN(1e9), strings.ReplaceAll(fmt.Sprintf("%.3g", c.vector()), " ", ","))
	}
	if err := os.WriteFile(c.csv, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for i := range pictures {
		for range 2000 {
			img.Set(c.rng.IntN(640), c.rng.IntN(480), color.RGBA{uint8(i), uint8(c.rng.IntN(256)), 90, 255})
		}
		f, err := os.Create(filepath.Join(c.pictures, fmt.Sprintf("%04d.jpg", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(jpeg.Encode(f, img, nil), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *cancelled) vector() []float32 {
	v := make([]float32, 128)
	for i := range v {
		v[i] = c.rng.Float32() - 0.5
	}
	return v
}

func (c *cancelled) works() []work {
	exec := func(sql string, args ...any) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.d.Exec(ctx, sql, args...)
			return err
		}
	}
	undo := func(sql string) func(bool) {
		return func(done bool) {
			if done {
				mustExec(c.t, c.d, sql)
			}
		}
	}
	// query runs a statement of which nothing stays.
	query := func(what, sql string, args ...any) work { return work{what: what, run: exec(sql, args...)} }
	// change runs a statement in a transaction that is rolled back.
	change := func(what, sql string) work {
		var tx *db.Tx
		return work{
			what: what,
			before: func() {
				var err error
				if tx, err = c.d.Begin(ctx, nil); err != nil {
					c.t.Fatal(err)
				}
			},
			run: func(ctx context.Context) error {
				_, err := tx.Exec(ctx, sql)
				return err
			},
			after: func(bool) {
				if err := tx.Rollback(); err != nil {
					c.t.Error(err)
				}
			},
		}
	}
	clear := undo(`DELETE FROM copy; DELETE FROM enc`)
	part := c.rows / 10
	some := make([][]any, 200)
	for i := range some {
		some[i] = []any{c.vector()}
	}
	return []work{
		{"load a csv", nil, exec(`COPY copy FROM $1`, c.csv), clear},
		query("neighbours", fmt.Sprintf(`SELECT count(*) FROM big AS a JOIN LATERAL (SELECT b.id FROM big AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v) LIMIT 3) AS x ON true WHERE a.id < %d`, part/2)),
		query("nearest of each", fmt.Sprintf(`SELECT max(x) FROM (SELECT (SELECT b.id FROM big AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v) LIMIT 1) AS x FROM big AS a WHERE a.id < %d) AS y`, part/2)),
		query("duplicates", `SELECT count(*) FROM duplicates('big', 'v', 0.9)`),
		{"load by an appender", nil, func(ctx context.Context) error { return c.appendRows(ctx, true) }, clear},
		{"append in batches", nil, func(ctx context.Context) error { return c.appendRows(ctx, false) }, func(bool) { mustExec(c.t, c.d, `DELETE FROM copy`) }},
		{"insert from select", nil, exec(`INSERT INTO copy SELECT id, n, s, v FROM big`), clear},
		{"insert from images()", nil, exec(`INSERT INTO copy (id, s, n) SELECT bytes + width * height * 1000 + extract(epoch FROM now())::integer % 7 + n, path, width FROM (SELECT path, width, height, bytes, 0 AS n FROM images($1)) ON CONFLICT (id) DO NOTHING`, c.pictures+"/*"), func(bool) { mustExec(c.t, c.d, `DELETE FROM copy`) }},
		{"encode texts", nil, exec(fmt.Sprintf(`INSERT INTO enc SELECT s, s || now()::text FROM big WHERE id < %d`, min(2000, part))), clear},
		{"encode pictures", nil, exec(`INSERT INTO enc SELECT path, image(path) FROM images($1)`, c.pictures+"/*"), func(bool) { mustExec(c.t, c.d, `DELETE FROM enc`) }},
		query("read images()", `SELECT count(*), sum(width) FROM images($1)`, c.pictures+"/*"),
		query("read a csv", `SELECT count(*), max(s) FROM read_csv($1)`, c.csv),
		query("scan", `SELECT count(*) FROM big WHERE s LIKE '%99%1%' OR length(s || s) < 3`),
		query("score every row", `SELECT sum(v_sim($1)) FROM big`, c.vector()),
		{"search 200 at once", nil, func(ctx context.Context) error { return c.searchMany(ctx, some) }, nil},
		query("join", fmt.Sprintf(`SELECT count(*) FROM big a JOIN big b ON a.n = b.n WHERE a.id < %d AND a.s > b.s`, part)),
		query("sort", `SELECT s FROM big ORDER BY s || s DESC, n`),
		query("group", `SELECT s, count(*), max(n) FROM big GROUP BY s HAVING count(*) > 1`),
		query("distinct", `SELECT count(DISTINCT s), count(DISTINCT n) FROM big`),
		query("export", `COPY big TO $1`, filepath.Join(c.t.TempDir(), "out.parquet")),
		change("update", `UPDATE big SET s = s || 'x', n = n + 1`),
		change("delete", `DELETE FROM big WHERE length(s) > 0`),
		change("index in a transaction", `CREATE INDEX by_s ON big (s, n)`),
		{"index", nil, exec(`CREATE INDEX by_s ON big (s, n)`), undo(`DROP INDEX by_s`)},
		{"add a column", nil, exec(`ALTER TABLE big ADD COLUMN more INTEGER DEFAULT 7`), undo(`ALTER TABLE big DROP COLUMN more`)},
		{"commit", nil, c.commit, func(bool) { mustExec(c.t, c.d, `DELETE FROM copy`) }},
		{"vacuum", func() {
			mustExec(c.t, c.d, fmt.Sprintf(`UPDATE big SET n = n + 0 WHERE id %% 10 = %d`, c.rng.IntN(10)))
		}, exec(`VACUUM big`), nil},
		{"check", nil, func(ctx context.Context) error { _, err := c.d.Check(ctx); return err }, nil},
		{"backup", nil, func(ctx context.Context) error { return c.d.Backup(ctx, c.backup) }, func(bool) {
			if err := os.RemoveAll(c.backup); err != nil {
				c.t.Error(err)
			}
		}},
	}
}

func (c *cancelled) appendRows(ctx context.Context, atomic bool) error {
	a, err := c.d.Appender(ctx, "copy", nil, &db.AppenderOptions{Atomic: atomic})
	if err != nil {
		return err
	}
	defer a.Abort()
	v := c.vector()
	for i := range c.rows / 2 {
		v[i%128] = float32(i % 97)
		if err := a.Append(i, i, "text", v); err != nil {
			return err
		}
	}
	return a.Close()
}

func (c *cancelled) searchMany(ctx context.Context, args [][]any) error {
	st, err := c.d.Prepare(ctx, `SELECT id FROM big ORDER BY v_sim($1) LIMIT 10`)
	if err != nil {
		return err
	}
	defer st.Close()
	answers, err := st.QueryMany(ctx, args)
	if err != nil {
		return err
	}
	for _, rows := range answers {
		for _, e := range rows.All() {
			err = errors.Join(err, e)
		}
	}
	return err
}

// commit inserts in a transaction whose context ends before, in or after Commit.
func (c *cancelled) commit(ctx context.Context) error {
	tx, err := c.d.Begin(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO copy SELECT id, n, s, v FROM big WHERE id < %d`, c.rows/10)); err != nil {
		return err
	}
	err = tx.Commit()
	if errors.Is(err, db.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
