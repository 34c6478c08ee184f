package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/dbtest"
	_ "github.com/lupadb/lupa/db/parquet"
	"github.com/lupadb/lupa/encoder"
)

// words is an encoder for tests: each word of a text has a direction of its own,
// derived from its letters; a picture is its mean colour in the first three
// dimensions.
type words struct {
	name  string
	dim   int
	hash  string
	texts atomic.Int64 // encoded so far
	delay time.Duration
}

func newWords(dim int) *words { return &words{name: "words", dim: dim, hash: "v1"} }

func (w *words) Model() encoder.Model {
	return encoder.Model{Name: w.name, Dim: w.dim, Hash: w.hash}
}

func (w *words) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i, t := range texts {
		if w.delay > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(w.delay):
			}
		}
		w.texts.Add(1)
		v := make([]float32, w.dim)
		for _, word := range strings.Fields(t) {
			h := fnv.New64a()
			h.Write([]byte(word))
			for x, k := h.Sum64(), 0; k < w.dim; k++ {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				v[k] += float32(int32(x>>32)) / (1 << 31)
			}
		}
		out[i] = unit(v)
	}
	return out, nil
}

func (w *words) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	out := make([]encoder.ImageResult, len(images))
	for i, im := range images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		img := im.Decoded
		if img == nil {
			var err error
			if img, _, err = image.Decode(bytes.NewReader(im.Data)); err != nil {
				out[i].Err = fmt.Errorf("not a picture: %w", err)
				continue
			}
		}
		v := make([]float32, w.dim)
		for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
			for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
				r, g, b, _ := img.At(x, y).RGBA()
				v[0] += float32(r)
				v[1] += float32(g)
				v[2] += float32(b)
			}
		}
		out[i].Vector = unit(v)
	}
	return out, nil
}

func (w *words) Close() error { return nil }

func unit(v []float32) []float32 {
	var s float64
	for _, x := range v {
		s += float64(x) * float64(x)
	}
	if s == 0 {
		v[0], s = 1, 1
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(s))
	}
	return v
}

// open opens a store in a new directory. When the test ends, the store is closed
// and checked.
func open(t testing.TB, opts *db.Options) *db.DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "store"), opts)
}

func openAt(t testing.TB, dir string, opts *db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if dir != ":memory:" {
			dbtest.CheckStore(t, dir)
		}
	})
	return d
}

func mustExec(t testing.TB, q interface {
	Exec(ctx context.Context, sql string, args ...any) (db.Result, error)
}, sql string, args ...any) db.Result {
	t.Helper()
	r, err := q.Exec(context.Background(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

// count returns the number that a query gives.
func count(t testing.TB, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) *db.Row
}, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := q.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// noLeaks fails the test if, once everything registered after it has been
// cleaned up, goroutines or open files are left.
func noLeaks(t *testing.T) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	t.Cleanup(func() {
		for wait := time.Millisecond; ; wait *= 2 {
			g, f := runtime.NumGoroutine(), openFiles()
			if g <= goroutines && f <= files {
				return
			}
			if wait > 4*time.Second {
				buf := make([]byte, 1<<20)
				t.Errorf("%d goroutines and %d files are left of %d and %d:\n%s", g, f, goroutines, files, buf[:runtime.Stack(buf, true)])
				return
			}
			time.Sleep(wait)
		}
	})
}

// openFiles counts the files this process has open, where the system tells.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
}
