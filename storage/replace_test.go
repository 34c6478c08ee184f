package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// A column gets vectors of another dimension, in memory and in files, with and without codes
// made as those of another table: searches and CHECK hold it to the new ones, who has a
// snapshot sees the old ones, and deleted rows, the tail, an ivf index and rows that come
// later are what they should be.
func TestReplaceVectors(t *testing.T) {
	for _, inFiles := range []bool{false, true} {
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("in files %v, half %v", inFiles, half), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(3, 5))
				v := newVectorTable(t, 48)
				v.load(t, rng, "unit", 20*1024+300)
				v.delete(t, rng, 900)
				update(t, v.store, func(tx *storage.Tx) error { // a block without a live row
					var rows []uint64
					for r := range 1024 {
						if v.live[2048+r] {
							rows = append(rows, uint64(2048+r))
							v.live[2048+r] = false
						}
					}
					_, err := tx.Delete(ctx, "v", rows)
					return err
				})
				v.cluster(t, nil)
				storage.AwaitHousekeeping(v.store)
				if inFiles {
					storage.SetBuildRows(v.store, 1)
				}
				before := must[*storage.View](t)(v.store.Snapshot())
				old := must[*storage.Table](t)(before.Table("v"))
				q := must[*vector.Query](t)(vector.NewQuery(vector.Cosine, vectorSets["unit"](rng, 48, 0)))
				was, _, err := old.Nearest(ctx, storage.NearestOptions{Query: q, K: 5})
				check(t, err)

				// A table with vectors of the new kind, whose codes serve as pattern.
				const dim = 64
				other := storage.TableDef{Name: "other", PrimaryKey: -1, Columns: []storage.ColumnDef{{Name: "v", Type: value.Type{Kind: value.Vector, Dim: dim}}}}
				update(t, v.store, func(tx *storage.Tx) error { _, err := tx.CreateTable(ctx, other); return err })
				all := v.liveRows(t)
				fresh := map[uint64][]float32{}
				sample := &value.Column{Type: other.Columns[0].Type}
				for i, r := range all {
					x := vectorSets["unit"](rng, dim, 0)
					if half {
						value.RoundHalf(x, x)
					}
					if rng.IntN(10) > 0 {
						fresh[r] = x
					}
					sample.Append(i, value.Vec(x))
				}
				l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "other", storage.LoadOptions{}))
				check(t, l.Append(ctx, &value.Batch{Len: len(all), Cols: []*value.Column{sample}}))
				_, err = l.Finish(ctx)
				check(t, err)

				tx := must[*storage.Tx](t)(v.store.Begin(ctx))
				if inFiles {
					tx.OneStatement()
				}
				pattern := must[*storage.Table](t)(tx.Table("other"))
				check(t, tx.ReplaceVectors(ctx, "v", "v", storage.NewVectors{
					Type: value.Type{Kind: value.Vector, Dim: dim, Half: half}, Encoder: "new", Model: encoder.Model{Name: "new", Dim: dim, Hash: "1"},
					Codes: pattern,
					Vectors: func(_ context.Context, rows []uint64, dst *value.Column) error {
						for i, r := range rows {
							if x := fresh[r]; x != nil {
								dst.Append(i, value.Vec(x))
							} else {
								dst.Append(i, value.Value{})
							}
						}
						return nil
					},
				}, nil))
				check(t, tx.Commit(ctx))
				healthy(t, v.store)
				v.dim, v.half = dim, half
				for r := range v.rows {
					v.rows[r] = fresh[uint64(r)]
				}
				still, _, err := old.Nearest(ctx, storage.NearestOptions{Query: q, K: 5})
				check(t, err)
				if fmt.Sprint(was) != fmt.Sprint(still) {
					t.Errorf("a snapshot changed: %v, %v", was, still)
				}
				check(t, before.Close())
				for range 2 {
					view := must[*storage.View](t)(v.store.Snapshot())
					table := must[*storage.Table](t)(view.Table("v"))
					if c := table.Def().Columns[0]; c.Encoder != "new" || c.Type.Dim != dim || c.Model.Hash != "1" {
						t.Errorf("the column is %+v", c)
					}
					discarded := uint64(0)
					for range 4 {
						discarded += v.compare(t, table, []storage.NearestOptions{v.randomSearch(t, rng, "unit")})
					}
					if discarded == 0 {
						t.Error("no row was discarded by its codes")
					}
					check(t, view.Close())
					v.insert(t, rng, "unit", 1500)
				}
				storage.AwaitHousekeeping(v.store)
				healthy(t, v.store)
			})
		}
	}
}

// Wherever the power fails while vectors are replaced, all are the old ones or all the new ones.
func TestReplaceVectorsPowerCut(t *testing.T) {
	for _, inFiles := range []bool{false, true} {
		c := newCutFS()
		opts := &storage.Options{FS: c}
		s := must[*storage.Store](t)(storage.Open("db", opts))
		update(t, s, func(tx *storage.Tx) error { _, err := tx.CreateTable(ctx, photos(4)); return err })
		l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
		check(t, l.Append(ctx, photoRows(0, 2500, 4)))
		_, err := l.Finish(ctx)
		check(t, err)
		const at, column = 2, "clip"
		if inFiles {
			storage.SetBuildRows(s, 1)
		}
		r := rand.New(rand.NewPCG(11, 7))
		var cuts []*vfs.MemFS
		c.mu.Lock()
		c.hook = func(int) { cuts = append(cuts, c.cut(r)) }
		c.mu.Unlock()
		tx := must[*storage.Tx](t)(s.Begin(ctx))
		tx.OneStatement()
		check(t, tx.ReplaceVectors(ctx, "photos", column, storage.NewVectors{
			Type: value.Type{Kind: value.Vector, Dim: 6}, Encoder: "new",
			Vectors: func(_ context.Context, rows []uint64, dst *value.Column) error {
				for i, r := range rows {
					dst.Append(i, value.Vec([]float32{float32(r), 1, 2, 3, 4, 5}))
				}
				return nil
			},
		}, nil))
		check(t, tx.Commit(ctx))
		c.mu.Lock()
		c.hook = nil
		cuts = append(cuts, c.cut(r))
		c.mu.Unlock()
		check(t, s.Close())
		dims := map[int]int{}
		for _, fs := range cuts {
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
			view := must[*storage.View](t)(s.Snapshot())
			table := must[*storage.Table](t)(view.Table("photos"))
			got := must[*value.Batch](t)(table.Fetch(ctx, []uint64{0, 1024, 2499}, []int{at}))
			dim := table.Def().Columns[at].Type.Dim
			dims[dim]++
			for i, r := range []uint64{0, 1024, 2499} {
				if v := got.Cols[0].Vec(i); dim == 6 && v[0] != float32(r) {
					t.Errorf("row %d has %v", r, v)
				}
			}
			check(t, view.Close())
			checked(t, s)
		}
		t.Logf("in files %v: %d cuts, %v", inFiles, len(cuts), dims)
		if dims[4] == 0 || dims[6] == 0 || dims[4]+dims[6] != len(cuts) {
			t.Errorf("dimensions after %d cuts: %v", len(cuts), dims)
		}
	}
}
