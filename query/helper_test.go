package query_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// hashEncoder makes a vector of three numbers from the bytes of a text or
// picture, and counts its calls. Pictures that start with "bad" can't be read.
type hashEncoder struct {
	texts, pictures, calls atomic.Int64
	wait                   chan struct{}        // if not nil, texts wait for it or for the context
	seen                   func(pictures int64) // if not nil, told after each batch how many there were
}

func (h *hashEncoder) Model() encoder.Model { return encoder.Model{Name: "hash", Dim: 3, Hash: "h1"} }
func (h *hashEncoder) Close() error         { return nil }

func hashVector(s string) []float32 {
	v := []float32{1, 2, 3}
	for i, c := range []byte(s) {
		v[i%3] += float32((int(c) * (i + 3)) % 31)
	}
	n := math.Sqrt(float64(v[0]*v[0] + v[1]*v[1] + v[2]*v[2]))
	for i := range v {
		v[i] = float32(float64(v[i]) / n)
	}
	return v
}

func (h *hashEncoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	if h.wait != nil {
		select {
		case <-h.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	h.calls.Add(1)
	h.texts.Add(int64(len(texts)))
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = hashVector(t)
	}
	return out, nil
}

func (h *hashEncoder) EncodeImages(_ context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	n := h.pictures.Add(int64(len(images)))
	if h.seen != nil {
		h.seen(n)
	}
	out := make([]encoder.ImageResult, len(images))
	for i, im := range images {
		if strings.HasPrefix(string(im.Data), "bad") {
			out[i].Err = errors.New("not a picture")
		} else {
			out[i].Vector = hashVector(string(im.Data))
		}
	}
	return out, nil
}

// fixture is a store in memory with a session.
type fixture struct {
	t    testing.TB
	env  *query.Env
	enc  *hashEncoder
	s    *query.Session
	warn []string
	done []query.Progress
}

func open(t testing.TB) *fixture {
	t.Helper()
	st, err := storage.Open("", &storage.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, enc: &hashEncoder{}}
	f.env = &query.Env{Store: st, Encoder: func(_ context.Context, name string) (encoder.Encoder, error) {
		if name != "hash" {
			return nil, &encoder.NotFoundError{Name: name, Known: []string{"hash"}}
		}
		return f.enc, nil
	}}
	f.s = query.NewSession(f.env)
	t.Cleanup(func() {
		f.s.Close()
		err := st.Check(context.Background(), func(p storage.Problem) { t.Errorf("check: %v", p) })
		if err != nil {
			t.Errorf("check: %v", err)
		}
		if err := st.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// try runs one statement and returns its rows as text, fields separated by "|".
func (f *fixture) try(ctx context.Context, sql string, args ...value.Value) ([]string, int64, error) {
	r, err := f.s.Query(ctx, sql, query.Args{Pos: args}, query.Hooks{
		Warn:     func(m string) { f.warn = append(f.warn, m) },
		Progress: func(p query.Progress) { f.done = append(f.done, p) },
	})
	if err != nil {
		return nil, 0, err
	}
	var rows []string
	for {
		b, err := r.Next(ctx)
		if err != nil {
			r.Close()
			return nil, 0, err
		}
		if b == nil {
			break
		}
		if b.Sel != nil {
			f.t.Errorf("%s: a batch with a selection", sql)
		}
		for i := range b.Len {
			var fields []string
			for _, c := range b.Cols {
				fields = append(fields, c.Value(i).String())
			}
			rows = append(rows, strings.Join(fields, "|"))
		}
	}
	return rows, r.RowsAffected(), r.Close()
}

func (f *fixture) run(sql string, args ...value.Value) []string {
	f.t.Helper()
	rows, _, err := f.try(context.Background(), sql, args...)
	if err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// expect compares the rows of a query with want, one string a row.
func (f *fixture) expect(sql string, want ...string) {
	f.t.Helper()
	if got := f.run(sql); strings.Join(got, "\n") != strings.Join(want, "\n") {
		f.t.Errorf("%s:\n  got  %s\n  want %s", sql, strings.Join(got, "\n       "), strings.Join(want, "\n       "))
	}
}

// fails expects an error with the text want in it.
func (f *fixture) fails(sql, want string) {
	f.t.Helper()
	if _, _, err := f.try(context.Background(), sql); err == nil || !strings.Contains(err.Error(), want) {
		f.t.Errorf("%s: error %v, want %s", sql, err, want)
	}
}

func literal(v []float32) string {
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = fmt.Sprint(x)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
