package db_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// What watches tell is what SELECT finds after each commit and did not find before, whatever
// way rows come in and change.
func TestWatchesAreSelects(t *testing.T) {
	conditions := []string{
		"v_sim('a wolf') > 0.3", "similarity(v, [1, 0, 0, 0, 0, 0, 0, 0]) >= 0.2 AND n < 50", "v <=> 'red fox' < 0.8 OR n IS NULL",
		"h <=> [1, 1, 1] <= 0.2", "n % 7 = 0", "match(c, 'wolf -fox')", "NOT (v_sim('a wolf') > 0.1)", "0.2 < v_sim(image(X'00')) AND c LIKE '%o%'",
		"v_sim('a wolf' - 'snow') > 0.1 AND v_sim('dog') > -0.1",
		"match(c, 'wolf OR \"red fox\"') AND n > 10", "match(c, 'sno* dog')", "match(c, 'fox') OR n = 3", "NOT match(c, 'fox')",
	}
	seeds := 1
	if os.Getenv("LUPA_SOAK") != "" {
		seeds = 20
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 20))
		enc := newWords(8)
		dir := t.TempDir() + "/s"
		open := func() *db.DB { return openAt(t, dir, &db.Options{Encoders: []encoder.Encoder{enc}}) }
		d := open()
		exec := func(sql string, args ...any) {
			t.Helper()
			if _, err := d.Exec(ctx, sql, args...); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		exec("CREATE TABLE p (id INTEGER PRIMARY KEY, uid INTEGER, n INTEGER, c TEXT, v VECTOR(8) ENCODER 'words', h HALFVEC(3)); CREATE INDEX words ON p USING fulltext (c) WITH (language = 'english')")
		for i, c := range conditions {
			if strings.Contains(c, "image") {
				continue // the encoder has no pictures without a file
			}
			exec(fmt.Sprintf("CREATE WATCH w%d ON p WHERE %s", i, c))
		}
		words := []string{"wolf", "wolves", "fox", "red", "snow", "dog", "a"}
		uid, next := 0, 0
		text := func() string {
			var out []string
			for range r.IntN(5) {
				out = append(out, words[r.IntN(len(words))])
			}
			return strings.Join(out, " ")
		}
		row := func(id int) string {
			uid++
			n := fmt.Sprint(r.IntN(100))
			if r.IntN(8) == 0 {
				n = "NULL"
			}
			v := "'" + text() + " x'"
			if r.IntN(8) == 0 {
				v = "NULL"
			}
			return fmt.Sprintf("(%d, %d, %s, '%s', %s, [%g, %g, 1])", id, uid, n, text(), v, r.NormFloat64(), r.NormFloat64())
		}
		rows := func(m int) string {
			var out []string
			for range m {
				next++
				out = append(out, row(next))
			}
			return strings.Join(out, ", ")
		}
		any := func() int { next = max(next, 1); return 1 + r.IntN(next) }
		change := func() string {
			switch r.IntN(9) {
			case 0, 1:
				return "INSERT INTO p VALUES " + rows(1+r.IntN(4)*r.IntN(120))
			case 2:
				return fmt.Sprintf("UPDATE p SET n = %d WHERE id %% %d = 0", r.IntN(100), 1+r.IntN(5))
			case 3:
				return fmt.Sprintf("UPDATE p SET v = '%s y', c = '%s' WHERE id %% %d = 1", text(), text(), 1+r.IntN(9))
			case 4:
				return fmt.Sprintf("DELETE FROM p WHERE id %% %d = 3", 4+r.IntN(20))
			case 5:
				id := any()
				return fmt.Sprintf("INSERT INTO p VALUES %s ON CONFLICT (id) DO UPDATE SET n = excluded.n, v = excluded.v, h = excluded.h", row(id))
			case 6:
				return fmt.Sprintf("INSERT INTO p VALUES %s ON CONFLICT (id) DO NOTHING", row(any()))
			case 7:
				next++
				return fmt.Sprintf("UPDATE p SET id = %d, h = [1, 1, %d] WHERE id = %d", next, r.IntN(2), any())
			}
			return fmt.Sprintf("UPDATE p SET c = c || ' dog', n = n + 1 WHERE id > %d", next/2)
		}
		uids := func(where string) map[string]bool {
			out := map[string]bool{}
			for _, r := range valuesOf(t, d, "SELECT uid FROM p WHERE "+where) {
				out[r[0].String()] = true
			}
			return out
		}
		places := make([]string, len(conditions))
		for range 25 {
			before := make([]map[string]bool, len(conditions))
			for i, c := range conditions {
				if !strings.Contains(c, "image") {
					before[i] = uids(c)
				}
			}
			kept := true
			switch r.IntN(6) {
			case 0:
				tx, err := d.Begin(ctx, nil)
				if err != nil {
					t.Fatal(err)
				}
				for range 1 + r.IntN(4) {
					if _, err := tx.Exec(ctx, change()); err != nil {
						t.Fatal(err)
					}
				}
				if kept = r.IntN(3) > 0; kept {
					err = tx.Commit()
				} else {
					err = tx.Rollback()
				}
				if err != nil {
					t.Fatal(err)
				}
			case 1:
				a, err := d.Appender(ctx, "p", []string{"id", "uid", "n", "c", "v"}, &db.AppenderOptions{Atomic: r.IntN(2) == 0})
				if err != nil {
					t.Fatal(err)
				}
				for range r.IntN(1500) {
					next++
					uid++
					if err := a.Append(next, uid, r.IntN(100), text(), text()+" z"); err != nil {
						t.Fatal(err)
					}
				}
				if err := a.Close(); err != nil {
					t.Fatal(err)
				}
			case 2:
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				d = open()
			default:
				sql := change()
				if _, err := d.Exec(ctx, sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			for i, c := range conditions {
				if before[i] == nil {
					continue
				}
				want := []string{}
				for u := range uids(c) {
					if !before[i][u] && kept {
						want = append(want, u)
					}
				}
				slices.Sort(want)
				got := []string{}
				for _, r := range valuesOf(t, d, fmt.Sprintf("SELECT w.place, p.uid FROM watched('w%d') AS w LEFT JOIN p ON p.id = w.id", i)) {
					got = append(got, r[1].String())
					places[i] = r[0].String()
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d: %s: told %v, want %v", seed, c, got, want)
				}
				if len(got) > 0 {
					exec(fmt.Sprintf("ACKNOWLEDGE w%d TO $1", i), places[i])
				}
			}
		}
		healthyDB(t, d)
		d.Close()
	}
}

// What a similarity is worth is not found anew for each statement: where it is kept with the codes it
// is that of SELECT, and where it follows from the rows it is found again when they are many more.
func TestWatchesOfRelevance(t *testing.T) {
	enc := newWords(32)
	d := openAt(t, t.TempDir()+"/s", &db.Options{Encoders: []encoder.Encoder{enc}})
	defer d.Close()
	exec := func(sql string) {
		t.Helper()
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	r := rand.New(rand.NewPCG(1, 20))
	next := 0
	insert := func(n int) {
		t.Helper()
		var rows []string
		for range n {
			next++
			v := make([]string, 32)
			for k := range v {
				v[k] = fmt.Sprintf("%.2f", r.NormFloat64())
			}
			row := fmt.Sprintf("[%s]", strings.Join(v, ", "))
			if next%10 == 0 {
				row = fmt.Sprintf("'a wolf %d'", next)
			}
			rows = append(rows, fmt.Sprintf("(%d, %s)", next, row))
		}
		exec("INSERT INTO p VALUES " + strings.Join(rows, ", "))
	}
	// The middle of the curve that SELECT finds now, by two points of it.
	middle := func() float64 {
		t.Helper()
		var x, y [2]float64
		for i, row := range valuesOf(t, d, "SELECT v_sim('a wolf'), relevance(v, 'a wolf') FROM p WHERE id IN (10, 20)") {
			x[i], y[i] = row[0].Float(), math.Log(row[1].Float()/(1-row[1].Float()))
		}
		return x[0] - y[0]*(x[1]-x[0])/(y[1]-y[0])
	}
	told := func(from int, middle float64) {
		t.Helper()
		want := valuesOf(t, d, fmt.Sprintf("SELECT id FROM p WHERE id > %d AND v_sim('a wolf') > %v ORDER BY id", from, middle))
		got := valuesOf(t, d, "SELECT id FROM watched('w') ORDER BY id")
		if len(want) < 3 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("from %d: told %v, want %v", from, got, want)
		}
		exec("ACKNOWLEDGE w")
	}
	exec("CREATE TABLE p (id INTEGER PRIMARY KEY, v VECTOR(32) ENCODER 'words')")
	exec("CREATE WATCH w ON p WHERE relevance(v, 'a wolf') > 0.5")
	insert(10)
	insert(190) // of which relevance is found among themselves
	exec("ACKNOWLEDGE w")
	of200 := middle()
	for range 60 {
		insert(1)
	}
	if middle() == of200 {
		t.Error("SELECT goes by the rows of before")
	}
	told(200, of200)
	insert(100)
	of360 := middle()
	told(260, of360)
	insert(110)
	told(360, of360)
	insert(17000)
	for tries := 0; ; tries++ {
		exec("ACKNOWLEDGE w")
		kept, from := middle(), next
		for range 20 {
			insert(50)
		}
		if middle() == kept {
			told(from, kept)
			break
		}
		if tries == 20 { // codes are trained anew when a table has grown
			t.Fatal("what is kept does not stay")
		}
	}
	healthyDB(t, d)
}

// A watch tells a program what is committed while it waits, tells again what was not
// acknowledged, and needs no encoder to go on.
func TestWatcher(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	enc := newWords(8)
	d := openAt(t, dir, &db.Options{Encoders: []encoder.Encoder{enc}})
	if _, err := d.Exec(ctx, "CREATE TABLE p (id TEXT PRIMARY KEY, v VECTOR(8) ENCODER 'words'); CREATE WATCH w ON p WHERE v_sim('a wolf') > 0.99; INSERT INTO p VALUES ('one', 'a wolf')"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Watch(ctx, "x"); !errors.As(err, new(*db.NoWatchError)) {
		t.Fatalf("got %v", err)
	}
	wolf := valuesOf(t, d, "SELECT v FROM p")[0][0]
	d.Close()

	// Without the encoder.
	d = openAt(t, dir, nil)
	w, err := d.Watch(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		d.Exec(ctx, "INSERT INTO p VALUES ('two', $1), ('other', $2)", wolf, []float32{1, 0, 0, 0, 0, 0, 0, 0})
		d.Exec(ctx, "INSERT INTO p VALUES ('three', $1)", wolf)
	}()
	var got []string
	for m, err := range w.All() {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, m.Key().String()); len(got) == 3 {
			break // the third is not acknowledged
		}
	}
	if fmt.Sprint(got) != "[one two three]" {
		t.Fatal(got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d.Close()
	d = openAt(t, dir, nil)
	w, err = d.Watch(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.Next()
	if err != nil || m.Key().String() != "three" || m.Columns[0] != "id" {
		t.Fatal(m, err)
	}
	if err := w.Ack(m); err != nil {
		t.Fatal(err)
	}
	if some, err := w.Waiting(); some || err != nil {
		t.Fatal(some, err)
	}
	ended := make(chan error)
	go func() {
		_, err := w.Next()
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	if _, err := d.Exec(ctx, "DROP WATCH w"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.As(err, new(*db.NoWatchError)) {
		t.Fatalf("after DROP WATCH: %v", err)
	}
	if _, err := d.Exec(ctx, "CREATE WATCH w ON p WHERE id = 'x'"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	w, err = d.Watch(short, "w")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Next(); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	w, err = d.Watch(ctx, "w")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := w.Next()
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	d.Close()
	if err := <-ended; !errors.Is(err, db.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

// valuesOf returns the rows of a query.
func valuesOf(t testing.TB, d *db.DB, sql string, args ...any) [][]db.Value {
	t.Helper()
	rows, err := d.Query(ctx, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var out [][]db.Value
	for rows.Next() {
		out = append(out, slices.Clone(rows.Values()))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func healthyDB(t testing.TB, d *db.DB) {
	t.Helper()
	if p := valuesOf(t, d, "CHECK"); len(p) > 0 {
		t.Fatal(p)
	}
}
