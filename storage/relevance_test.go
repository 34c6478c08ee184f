package storage_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// What similarities are worth is kept with the codes: it stays while rows come and go and the
// store is closed, moves to a table that is rewritten, and is found anew when codes are trained
// anew, with the phrases of before where none are given.
func TestRelevanceIsKept(t *testing.T) {
	const dim, rows = 32, 17 * storage.BlockRows
	rng := rand.New(rand.NewPCG(3, 1))
	vec := func(shift, scale float64) []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rng.NormFloat64() * scale)
		}
		v[0] += float32(shift)
		return v
	}
	column := func(n int, shift, scale float64) *value.Column {
		c := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
		for i := range n {
			c.Append(i, value.Vec(vec(shift, scale)))
		}
		return c
	}
	var phrases [][]float32
	for range 100 {
		phrases = append(phrases, vec(-1, 0.1))
	}
	fs := vfs.NewMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, storage.TableDef{Name: "v", PrimaryKey: -1, Columns: []storage.ColumnDef{{Name: "e", Type: value.Type{Kind: value.Vector, Dim: dim}, Encoder: "m", Model: encoder.Model{Name: "m", Dim: dim, Hash: "a"}}}})
		return err
	})
	query := vec(-1, 0.1)
	calls := 0
	relevance := func() vector.Curve {
		t.Helper()
		v := must[*storage.View](t)(s.Snapshot())
		defer v.Close()
		tab := must[*storage.Table](t)(v.Table("v"))
		c, ok, err := tab.Relevance(ctx, storage.RelevanceOptions{Query: query, Prompts: func(context.Context) ([][]float32, error) {
			calls++
			return phrases, nil
		}})
		check(t, err)
		if !ok {
			return vector.Curve{}
		}
		return c
	}
	if c := relevance(); c != (vector.Curve{}) {
		t.Errorf("without rows the curve is %v", c)
	}
	load := func(c *value.Column, n int, samples [][]float32) {
		t.Helper()
		l := must[*storage.Loader](t)(s.BulkLoad(ctx, "v", storage.LoadOptions{QuerySamples: map[int][][]float32{0: samples}}))
		check(t, l.Append(ctx, &value.Batch{Len: n, Cols: []*value.Column{c}}))
		_, err := l.Finish(ctx)
		check(t, err)
	}
	load(column(500, 1, 0.3), 500, phrases)
	small := relevance()
	// A transaction, whose rows no commit stands for, does not look at them for each phrase.
	tx := must[*storage.Tx](t)(s.Begin(ctx))
	tab := must[*storage.Table](t)(tx.Table("v"))
	before := calls
	for range 3 {
		_, _, err := tab.Relevance(ctx, storage.RelevanceOptions{Query: vec(-1, 0.1), Prompts: func(context.Context) ([][]float32, error) {
			calls++
			return phrases, nil
		}})
		check(t, err)
	}
	if calls != before+1 {
		t.Errorf("phrases were encoded %d times in a transaction", calls-before)
	}
	check(t, tx.Rollback())
	load(column(rows, 1, 0.3), rows, phrases)
	if calls = 0; relevance() == small {
		t.Error("the curve of few rows is that of many")
	}
	first := relevance()
	if calls != 0 {
		t.Errorf("phrases were encoded %d times though they are kept", calls)
	}
	load(column(rows, -1, 0.1), rows, phrases) // quite other rows
	if c := relevance(); c != first {
		t.Errorf("more rows have changed the curve from %v to %v", first, c)
	}
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	if c := relevance(); c != first || calls != 0 {
		t.Errorf("after opening, the curve is %v and not %v; phrases were encoded %d times", c, first, calls)
	}
	check(t, s.Check(ctx, func(p storage.Problem) { t.Error(p) }))
	check(t, s.RetrainColumn(ctx, "v", "e", nil, nil))
	second := relevance()
	if second == first || calls != 0 {
		t.Errorf("after training anew the curve is still %v; phrases were encoded %d times", second, calls)
	}
	_, err := s.Vacuum(ctx, "v", nil)
	check(t, err)
	if c := relevance(); c != second || calls != 0 {
		t.Errorf("after VACUUM the curve is %v and not %v; phrases were encoded %d times", c, second, calls)
	}
	update(t, s, func(tx *storage.Tx) error {
		return tx.SetColumnModel(ctx, "v", "e", "m", encoder.Model{Name: "m", Dim: dim, Hash: "b"})
	})
	if relevance(); calls != 1 {
		t.Errorf("phrases of the model before are used: %d calls", calls)
	}
	check(t, s.Check(ctx, func(p storage.Problem) { t.Error(p) }))
	check(t, s.Close())
}

// A curve and its inverse agree, and the curve ascends.
func TestCurve(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 20000 {
		c := vector.Curve{Middle: 2*rng.Float64() - 1, Slope: math.Exp(12 * rng.Float64())}
		a, b := 2*rng.Float64()-1, 2*rng.Float64()-1
		if rng.IntN(2) == 0 {
			b = a + (rng.Float64()-0.5)*1e-12
		}
		if a > b {
			a, b = b, a
		}
		x, y := c.At(a), c.At(b)
		if want := 1 / (1 + math.Exp(-c.Slope*(a-c.Middle))); math.Abs(x-want) > 1e-12 {
			t.Fatalf("%v at %v is %v, not %v", c, a, x, want)
		}
		if !(x >= 0 && y <= 1) || b-a > 1e-9 && y < x {
			t.Fatalf("%v: %v at %v and %v at %v", c, x, a, y, b)
		}
		p := y
		switch rng.IntN(4) {
		case 0:
			p = rng.Float64()
		case 1:
			p = math.Nextafter(y, rng.Float64())
		}
		if at := c.Below(p); a < at && x >= p {
			t.Fatalf("%v: %v is below %v, where %v should be reached, and has %v", c, a, at, p, x)
		}
	}
	c := vector.Curve{Middle: 0.25, Slope: 100}
	if c.At(0.25) != 0.5 || !math.IsInf(c.Below(0), -1) || !math.IsInf(c.Below(1.5), 1) {
		t.Errorf("%v, %v, %v", c.At(0.25), c.Below(0), c.Below(1.5))
	}
}
