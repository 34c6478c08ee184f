package db_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// TestAppenderAtomic compares an appender that loads all rows at once with one that
// commits them as they come: the same rows, the same answers.
func TestAppenderAtomic(t *testing.T) {
	noLeaks(t)
	d := open(t, &db.Options{Encoders: []encoder.Encoder{newWords(4)}})
	for _, name := range []string{"atomic", "stepwise"} {
		mustExec(t, d, `CREATE TABLE `+name+` (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'nobody', r REAL, clip VECTOR ENCODER 'words');
			CREATE UNIQUE INDEX `+name+`_r ON `+name+` (r);
			INSERT INTO `+name+` VALUES (-1, 'first', -1, 'the first'), (-2, 'second', -2, NULL)`)
		app, err := d.Appender(ctx, name, []string{"id", "r", "clip"}, &db.AppenderOptions{Atomic: name == "atomic"})
		if err != nil {
			t.Fatal(err)
		}
		defer app.Abort()
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 10_000 {
			var clip any = []float32{rng.Float32(), rng.Float32(), 1, 0}
			switch i % 50 {
			case 1:
				clip = nil
			case 2:
				clip = fmt.Sprint("text ", i)
			case 3:
				picture := image.NewRGBA(image.Rect(0, 0, 2, 2))
				picture.Set(0, 0, color.RGBA{uint8(i), 10, 90, 255})
				clip = picture
			}
			var r any = i // an integer for a REAL
			if i%3 == 0 {
				r = float64(i)
			}
			if err := app.Append(i, r, clip); err != nil {
				t.Fatal(err)
			}
			if i == 5_000 {
				if err := app.Flush(); err != nil {
					t.Fatal(err)
				}
				want := 5_003
				if name == "atomic" {
					want = 2
				}
				if n := count(t, d, `SELECT count(*) FROM `+name); n != want {
					t.Errorf("%s: %d rows are visible after Flush, want %d", name, n, want)
				}
			}
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		if app.Rows() != 10_000 {
			t.Errorf("%s: %d rows written", name, app.Rows())
		}
	}
	type row struct {
		ID   int
		Name string
		R    float64
		Clip []float32
	}
	for _, q := range []string{`SELECT * FROM %s ORDER BY id`, `SELECT * FROM %s WHERE r > 9000 ORDER BY clip_sim('text 2') LIMIT 50`, `SELECT * FROM %s WHERE id = 4711 OR r = 13`} {
		var got [2]string
		for i, name := range []string{"atomic", "stepwise"} {
			rows, err := db.Select[row](ctx, d, fmt.Sprintf(q, name))
			if err != nil {
				t.Fatal(err)
			}
			got[i] = fmt.Sprintln(len(rows), rows)
		}
		if got[0] != got[1] || len(got[0]) < 20 {
			t.Errorf("%s: %.200s and %.200s", q, got[0], got[1])
		}
	}
}

// TestAppenderAtomicFails lets atomic appenders fail in every way: nothing of them
// may stay, and the next writer must get its turn.
func TestAppenderAtomicFails(t *testing.T) {
	noLeaks(t)
	d := open(t, nil)
	mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, v VECTOR(2)); CREATE UNIQUE INDEX by_n ON t (n);
		INSERT INTO t VALUES (-1, -1, NULL)`)
	var (
		unique  *db.UniqueError
		notNull *db.NotNullError
	)
	cctx, cancel := context.WithCancel(ctx)
	for _, c := range []struct {
		what string
		ctx  context.Context
		last func(a *db.Appender) error
		want func(error) bool
	}{
		{"a key that is there", ctx, func(a *db.Appender) error { return a.Append(-1, 20_000, nil) }, func(err error) bool { return errors.As(err, &unique) }},
		{"a key twice", ctx, func(a *db.Appender) error { return a.Append(7, 20_000, nil) }, func(err error) bool { return errors.As(err, &unique) }},
		{"a key of the index", ctx, func(a *db.Appender) error { return a.Append(20_000, -1, nil) }, func(err error) bool { return errors.As(err, &unique) && unique.Index == "by_n" }},
		{"NULL", ctx, func(a *db.Appender) error { return a.Append(20_000, nil, nil) }, func(err error) bool { return errors.As(err, &notNull) }},
		{"no number", ctx, func(a *db.Appender) error { return a.Append("many", 1, nil) }, func(err error) bool { return err != nil }},
		{"cancelled", cctx, func(a *db.Appender) error { cancel(); return nil }, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		a, err := d.Appender(c.ctx, "t", nil, &db.AppenderOptions{Atomic: true, BatchRows: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 9_000 {
			if err := a.Append(i, i, []float32{1, float32(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.last(a); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if err := a.Close(); !c.want(err) {
			t.Errorf("%s: %v", c.what, err)
		}
		if n := count(t, d, `SELECT count(*) FROM t`); n != 1 {
			t.Errorf("%s: %d rows", c.what, n)
		}
		mustExec(t, d, `UPDATE t SET v = [1, 2] WHERE id = -1`) // the writer lock is free
	}
	a, err := d.Appender(ctx, "t", nil, &db.AppenderOptions{Atomic: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("nothing appended: %v", err)
	}
}

func withoutCgo() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "0"})
}

// TestAppenderMemory appends far more than may be held: what is in memory must not
// grow with it, neither by rows nor by how much faster than the disk they come.
func TestAppenderMemory(t *testing.T) {
	const rows, size = 120_000, 2_000
	for _, atomic := range []bool{true, false} {
		if !atomic && withoutCgo() {
			continue // Pebble's memtables, up to 256 MB, are on this heap then
		}
		d := open(t, &db.Options{NoSync: true, CacheSize: 16 << 20})
		mustExec(t, d, `CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, v VECTOR(8))`)
		a, err := d.Appender(ctx, "t", nil, &db.AppenderOptions{Atomic: atomic})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Abort()
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		before, peak := m.HeapAlloc, uint64(0)
		rng := rand.New(rand.NewPCG(2, 2))
		begin := time.Now()
		for i := range rows {
			text := strings.Repeat(fmt.Sprintf("%016x", rng.Uint64()), size/16)
			if err := a.Append(i, text, []float32{1, 2, 3, 4, 5, 6, 7, float32(i)}); err != nil {
				t.Fatal(err)
			}
			if i%10_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		grew := (int64(peak) - int64(before)) >> 20
		t.Logf("atomic %t: %d MB appended in %v, heap at most %d MB above the start", atomic, rows*size>>20, time.Since(begin).Round(time.Millisecond), grew)
		// On a slow disk two large batches may be held at a time: one that is being written to
		// files and one that waits for it.
		if grew > rows*size>>20*3/4 {
			t.Errorf("atomic %t: the heap grew by %d MB while %d MB were appended", atomic, grew, rows*size>>20)
		}
		if n := count(t, d, `SELECT count(*) FROM t WHERE length(s) = 2000`); n != rows {
			t.Errorf("%d rows", n)
		}
	}
}
