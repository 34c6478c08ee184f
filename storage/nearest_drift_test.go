package storage_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
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
// training again updates it.
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

// While RETRAIN works, writers of all kinds go on: they wait for a commit of some hundred
// bytes. What they write meanwhile has the new codes, too.
func TestWritersBesideRetrain(t *testing.T) {
	const dim, each = 32, 24 * 1024
	rng := rand.New(rand.NewPCG(4, 9))
	v := newVectorTable(t, dim)
	v.load(t, rng, "clustered", each)
	for round := range 6 {
		wrote := false
		progress := func(stage string, done, total uint64) {
			if stage != "coding" || done != 5 || total < 10 || wrote {
				return
			}
			wrote = true
			switch round {
			case 0: // nothing
			case 1:
				v.insert(t, rng, "unit", 3000)
			case 2:
				v.load(t, rng, "unit", 20*1024)
			case 3: // whole blocks, which are dropped
				var rows []uint64
				for r := 2 * 1024; r < 6*1024; r++ {
					if v.live[r] {
						v.live[r], rows = false, append(rows, uint64(r))
					}
				}
				update(t, v.store, func(tx *storage.Tx) error { _, err := tx.Delete(ctx, "v", rows); return err })
			case 4: // half a block in place
				rows := make([]uint64, 512)
				col := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
				for i := range rows {
					rows[i] = 7*1024 + uint64(i)
					v.rows[rows[i]] = gauss(rng, dim, 3)
					col.Append(i, value.Vec(v.rows[rows[i]]))
				}
				update(t, v.store, func(tx *storage.Tx) error {
					_, err := tx.Update(ctx, "v", rows, []int{0}, &value.Batch{Len: len(rows), Cols: []*value.Column{col}})
					return err
				})
			case 5:
				v.delete(t, rng, 2000)
				v.insert(t, rng, "clustered", 1)
			}
		}
		check(t, v.store.RetrainColumn(ctx, "v", "v", [][]float32{gauss(rng, dim, 1)}, progress))
		if !wrote {
			t.Fatal("nothing was written meanwhile")
		}
		if n := storage.LargestCommit(v.store); n > 2000 {
			t.Errorf("writers waited for %d bytes", n)
		}
		for range 3 {
			v.search(t, gauss(rng, dim, 1))
		}
		healthy(t, v.store)
		if bases := must[[]byte](t)(storage.BasesOfCodes(v.store, "v", 0)); len(bases) != 1 || int(bases[0]) != 2*(round+1) {
			t.Errorf("training %d: codes in planes %v", round, bases)
		}
	}
}

// A training that is cut off leaves codes that nobody reads; the next one removes them.
func TestRetrainCutOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 9))
	v := newVectorTable(t, 32)
	v.load(t, rng, "clustered", 20*1024)
	c, cancel := context.WithCancel(ctx)
	err := v.store.RetrainColumn(c, "v", "v", nil, func(stage string, done, total uint64) {
		if done == total {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	v.insert(t, rng, "unit", 1) // views see what a commit has shown
	if bases := must[[]byte](t)(storage.BasesOfCodes(v.store, "v", 0)); !slices.Equal(bases, []byte{0, 2}) {
		t.Fatalf("codes in planes %v", bases)
	}
	healthy(t, v.store)
	v.search(t, gauss(rng, 32, 1))
	check(t, v.store.RetrainColumn(ctx, "v", "v", nil, nil))
	if bases := must[[]byte](t)(storage.BasesOfCodes(v.store, "v", 0)); !slices.Equal(bases, []byte{4}) {
		t.Fatalf("codes in planes %v", bases)
	}
	healthy(t, v.store)
	v.search(t, gauss(rng, 32, 1))
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
