package storage_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Searches ask for what lies where rows differ little: the codes, which know of the rows
// alone at first, are trained for it after some of them. What was asked for is kept.
func TestCodesFitWhatIsAsked(t *testing.T) {
	const dim = 64
	rng := rand.New(rand.NewPCG(3, 1))
	row := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(rng.NormFloat64() * math.Pow(0.9, float64(i)))
		}
		v[0] += 3
		return v
	}
	ask := func() []float32 {
		v := make([]float32, dim)
		for i := dim / 2; i < dim; i++ {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	col := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
	for i := range 18 * storage.BlockRows {
		col.Append(i, value.Vec(row()))
	}
	fs := vfs.NewMem()
	open := func(o storage.Options) *storage.Store {
		o.FS = fs
		return must[*storage.Store](t)(storage.Open("db", &o))
	}
	s := open(storage.Options{})
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, storage.TableDef{Name: "v", PrimaryKey: -1, Columns: []storage.ColumnDef{{Name: "e", Type: col.Type}}})
		return err
	})
	l := must[*storage.Loader](t)(s.BulkLoad(ctx, "v", storage.LoadOptions{}))
	check(t, l.Append(ctx, &value.Batch{Len: 18 * storage.BlockRows, Cols: []*value.Column{col}}))
	_, err := l.Finish(ctx)
	check(t, err)
	search := func(q []float32) float64 {
		v := must[*storage.View](t)(s.Snapshot())
		defer v.Close()
		tab := must[*storage.Table](t)(v.Table("v"))
		_, st, err := tab.Nearest(ctx, storage.NearestOptions{Query: must[*vector.Query](t)(vector.NewQuery(vector.Cosine, q)), K: 10})
		check(t, err)
		return 1 - float64(st.Discarded1)/float64(st.Coded)
	}
	same, before := ask(), 0.0
	for range 100 {
		before = search(same) // one query over and over is not what they are trained for
	}
	storage.AwaitHousekeeping(s)
	if n := s.Stats().Retrained; n != 0 {
		t.Fatalf("trained anew %d times for one query", n)
	}
	for range 40 {
		search(ask())
	}
	storage.AwaitHousekeeping(s)
	if st := s.Stats(); st.Retrained != 1 || st.BackgroundError != "" {
		t.Fatalf("trained anew %d times; %s", st.Retrained, st.BackgroundError)
	}
	after := search(same)
	t.Logf("%.3f of the rows passed the first plane, %.3f after training", before, after)
	if after > 0.7*before {
		t.Errorf("%.3f of the rows passed the first plane, %.3f after training", before, after)
	}
	kept := storage.Asked(s, "v", 0)
	if kept < 32 || kept > 41 {
		t.Errorf("%d queries are kept", kept)
	}
	checked(t, s)
	// It takes many more to begin again, also for another process, and after a VACUUM.
	s = open(storage.Options{})
	update(t, s, func(tx *storage.Tx) error { _, err := tx.Delete(ctx, "v", []uint64{1, 2, 3}); return err })
	must[storage.VacuumResult](t)(s.Vacuum(ctx, "v", nil))
	if n := storage.Asked(s, "v", 0); n != kept {
		t.Errorf("after VACUUM %d queries are kept of %d", n, kept)
	}
	for range 100 {
		search(ask())
	}
	storage.AwaitHousekeeping(s)
	if n := s.Stats().Retrained; n != 0 {
		t.Errorf("trained anew %d times", n)
	}
	check(t, s.RetrainColumn(ctx, "v", "e", nil, nil))
	if n := storage.Asked(s, "v", 0); n != kept {
		t.Errorf("after RETRAIN %d queries are kept of %d", n, kept)
	}
	checked(t, s)
	s = open(storage.Options{NoRetraining: true})
	for range 400 {
		search(ask())
	}
	storage.AwaitHousekeeping(s)
	if n := s.Stats().Retrained; n != 0 {
		t.Errorf("trained anew %d times where that is switched off", n)
	}
	update(t, s, func(tx *storage.Tx) error {
		return tx.AddColumn(ctx, "v", storage.ColumnDef{Name: "n", Type: value.Type{Kind: value.Integer}}, value.Value{})
	})
	update(t, s, func(tx *storage.Tx) error { return tx.DropColumn(ctx, "v", "e") })
	checked(t, s)
}
