package shell

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
)

// told is a standard output whose text a test takes piece by piece; once full, a piece arrives
// but the write fails.
type told struct {
	text chan string
	full atomic.Bool
}

var errFull = errors.New("no room")

func (w *told) Write(p []byte) (int, error) {
	w.text <- string(p)
	if w.full.Load() {
		return 0, errFull
	}
	return len(p), nil
}

// watching is a lupa watch that runs.
type watching struct {
	out, err told
	stop     context.CancelFunc
	done     chan error
}

func startWatch(t *testing.T, args ...string) *watching {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{told{text: make(chan string, 100)}, told{text: make(chan string, 100)}, stop, make(chan error, 1)}
	go func() {
		w.done <- runWatch(ctx, stdio{in: os.Stdin, out: &w.out, err: &w.err, version: "test"}, args)
	}()
	return w
}

// rows takes as many rows as there should be from what was printed, and gives their keys.
func (w *watching) rows(t *testing.T, n int) (ids []int) {
	t.Helper()
	text := ""
	for strings.Count(text, "\n") < n {
		select {
		case s := <-w.out.text:
			text += s
		case err := <-w.done:
			t.Fatalf("it ended (%v) after %q", err, text)
		case <-time.After(time.Minute):
			t.Fatalf("%d rows should be told, so far there is %q", n, text)
		}
	}
	return idsOf(t, text)
}

func idsOf(t *testing.T, text string) (ids []int) {
	t.Helper()
	for line := range strings.Lines(text) {
		var row struct {
			Watch, Place string
			ID           *int
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Watch != "big" || row.Place == "" || row.ID == nil {
			t.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, *row.ID)
	}
	return ids
}

// elsewhere runs a statement in another use of the store, when it is free.
func elsewhere(t *testing.T, dir, sql string) {
	t.Helper()
	for {
		d, err := db.Open(dir, &db.Options{MustExist: true})
		if errors.Is(err, db.ErrLocked) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Exec(t.Context(), sql)
		if err := errors.Join(err, d.Close()); err != nil {
			t.Fatal(err)
		}
		return
	}
}

// lupa watch prints the rows that another use of the store commits, and those that were not
// acknowledged when it ended once more, but no others.
func TestWatch(t *testing.T) {
	poll, quiet := watchPoll, watchQuiet
	watchPoll, watchQuiet = 5*time.Millisecond, 20*time.Millisecond
	defer func() { watchPoll, watchQuiet = poll, quiet }()
	dir := filepath.Join(t.TempDir(), "x.lupa")
	if got := lupa(t, "", dir, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 50); CREATE WATCH big ON t WHERE n > 10; INSERT INTO t VALUES (2, 50), (3, 1)"); got.status != 0 {
		t.Fatal(got.err)
	}
	same := func(got []int, want ...int) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("told are %v, want %v", got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("told are %v, want %v", got, want)
			}
		}
	}

	// The store is taken when it starts: it says so, and waits.
	d, err := db.Open(dir, &db.Options{MustExist: true})
	if err != nil {
		t.Fatal(err)
	}
	w := startWatch(t, dir, "big")
	if said := <-w.err.text; !strings.Contains(said, "the store is open in another program") {
		t.Fatal(said)
	}
	if _, err := d.Exec(t.Context(), "INSERT INTO t VALUES (4, 11)"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	same(w.rows(t, 2), 2, 4)
	elsewhere(t, dir, "INSERT INTO t VALUES (5, 10), (6, 12)")
	same(w.rows(t, 1), 6)
	elsewhere(t, dir, "UPDATE t SET n = n + 5")
	same(w.rows(t, 1), 5)                            // 2, 4 and 6 did meet it before
	elsewhere(t, dir, "INSERT INTO t VALUES (7, 0)") // 5 is acknowledged: the store was free
	w.stop()
	if err := <-w.done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}

	// One whose output fails acknowledges nothing of it, and its end is an error.
	w = startWatch(t, dir, "big")
	w.out.full.Store(true)
	elsewhere(t, dir, "INSERT INTO t VALUES (8, 100); INSERT INTO t VALUES (9, 100), (10, 0)")
	if err := <-w.done; !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	close(w.out.text)
	if first := <-w.out.text; !strings.Contains(first, `"id":8`) {
		t.Fatalf("it printed %q", first)
	}
	for again, want := range [][]int{{8, 9}, {}} {
		got := lupa(t, "", "watch", dir, "big", "--once")
		if got.status != 0 || got.err != "" {
			t.Fatal(again, got)
		}
		same(idsOf(t, got.out), want...)
	}

	// What it can't do is said.
	for _, x := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{dir, "small", "--once"}, exitFailed, `no watch "small"`},
		{[]string{dir + "x", "big", "--once"}, exitFailed, "x.lupax"},
		{[]string{}, exitUsage, "needs a store and the name of a watch"},
	} {
		if got := lupa(t, "", append([]string{"watch"}, x.args...)...); got.status != x.status || !strings.Contains(got.err, x.want) {
			t.Errorf("%v: %d %s", x.args, got.status, got.err)
		}
	}
}
