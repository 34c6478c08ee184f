package storage_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

func (v *vectorTable) search(t *testing.T, q []float32) ([]storage.Neighbor, *storage.NearestStats) {
	t.Helper()
	view := must[*storage.View](t)(v.store.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	query := must[*vector.Query](t)(vector.NewQuery(vector.Cosine, q))
	opts := storage.NearestOptions{Query: query, K: 10}
	rows, stats, err := table.Nearest(ctx, opts)
	check(t, err)
	opts.BruteForce = true
	want, _, err := table.Nearest(ctx, opts)
	check(t, err)
	if !slices.Equal(rows, want) {
		t.Fatalf("found %v, want %v", rows, want)
	}
	return rows, stats
}

// Searches tell when the codes were trained on rows unlike those that came later, and
// training again mends it.
func TestDrift(t *testing.T) {
	const dim = 64
	rng := rand.New(rand.NewPCG(1, 9))
	v := newVectorTable(t, dim)
	v.load(t, rng, "clustered", 20*1024)
	q := gauss(rng, dim, 1)
	_, before := v.search(t, q)
	if d := before.Drift; !(d > 0.9 && d < 1.1) {
		t.Fatalf("right after training the drift is %v", d)
	}
	v.load(t, rng, "unit", 40*1024)
	_, after := v.search(t, q)
	if d := after.Drift; !(d > 1.5) {
		t.Fatalf("with other rows the drift is %v", d)
	}
	// Searches that meet it have the codes trained anew in the background.
	for range 40 {
		v.search(t, gauss(rng, dim, 1))
	}
	storage.AwaitHousekeeping(v.store)
	if st := v.store.Stats(); st.Retrained != 1 || st.BackgroundError != "" {
		t.Fatalf("codes were trained anew %d times; %s", st.Retrained, st.BackgroundError)
	}
	_, renewed := v.search(t, q)
	if d := renewed.Drift; !(d > 0.9 && d < 1.1) {
		t.Fatalf("trained again, the drift is %v", d)
	}
	if renewed.Scored >= after.Scored {
		t.Errorf("%d rows were scored, and %d before the codes were renewed", renewed.Scored, after.Scored)
	}
	healthy(t, v.store)
}

// While codes are trained anew rows come, go and get new vectors.
func TestRetrainingBesideWriters(t *testing.T) {
	const dim = 64
	rng := rand.New(rand.NewPCG(2, 9))
	v := newVectorTable(t, dim)
	v.load(t, rng, "clustered", 18*1024)
	v.load(t, rng, "unit", 30*1024)
	for range 40 {
		v.search(t, gauss(rng, dim, 1))
		v.insert(t, rng, "unit", 300)
		v.delete(t, rng, 50)
	}
	for range 20 {
		v.insert(t, rng, "unit", 300)
		v.delete(t, rng, 50)
		v.search(t, gauss(rng, dim, 1))
	}
	storage.AwaitHousekeeping(v.store)
	st := v.store.Stats()
	t.Logf("trained anew %d times, %d blocks merged", st.Retrained, st.MergedBlocks)
	if st.BackgroundError != "" {
		t.Error(st.BackgroundError)
	}
	for range 5 {
		v.search(t, gauss(rng, dim, 1))
	}
	healthy(t, v.store)
}

// Codes of an earlier version are not used, which searches say, and can be renewed.
func TestOutdatedCodes(t *testing.T) {
	const dim = 64
	rng := rand.New(rand.NewPCG(1, 9))
	v := newVectorTable(t, dim)
	v.load(t, rng, "clustered", 20*1024)
	check(t, storage.Edit(v.store, func(e *storage.Editor) { e.SetByte(e.First(e.Transform(1, 1)), 8, 1) }))
	q := gauss(rng, dim, 1)
	_, stats := v.search(t, q)
	if !stats.Outdated || stats.Coded != 0 || !math.IsNaN(stats.Drift) {
		t.Fatalf("outdated codes: %+v", stats)
	}
	healthy(t, v.store)
	v.insert(t, rng, "clustered", 1500)
	v.delete(t, rng, 100)
	v.search(t, q)
	healthy(t, v.store)
	check(t, v.store.RetrainColumn(ctx, "v", "v", nil, nil))
	if _, stats = v.search(t, q); stats.Outdated || stats.Coded == 0 {
		t.Fatalf("renewed codes: %+v", stats)
	}
	healthy(t, v.store)
}
