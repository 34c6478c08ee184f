package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// A column with codes, deleted rows and a tail becomes HALFVEC and VECTOR again: searches and
// CHECK hold it to the rounded rows, whether it is done in memory or in files.
func TestSetVectorType(t *testing.T) {
	for _, inFiles := range []bool{false, true} {
		t.Run(fmt.Sprintf("in files %v", inFiles), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			v := newVectorTable(t, 64)
			v.load(t, rng, "unit", 17*1024+300)
			v.delete(t, rng, 500)
			if inFiles {
				storage.SetBuildRows(v.store, 1)
			}
			for _, half := range []bool{true, false, true} {
				tx := must[*storage.Tx](t)(v.store.Begin(ctx))
				if inFiles {
					tx.OneStatement()
				}
				check(t, tx.SetVectorType(ctx, "v", "v", value.Type{Kind: value.Vector, Dim: 64, Half: half}, nil))
				check(t, tx.Commit(ctx))
				v.half = half
				for _, x := range v.rows {
					value.RoundHalf(x, x)
				}
				healthy(t, v.store)
				v.insert(t, rng, "unit", 900)
				view := must[*storage.View](t)(v.store.Snapshot())
				table := must[*storage.Table](t)(view.Table("v"))
				discarded := uint64(0)
				for range 6 {
					discarded += v.compare(t, table, []storage.NearestOptions{v.randomSearch(t, rng, "unit")})
				}
				if discarded == 0 {
					t.Error("no row was discarded by its codes")
				}
				check(t, view.Close())
			}
		})
	}
}

// What float16 can't hold is refused at every door, and leaves the column as it was.
func TestHalfRange(t *testing.T) {
	v := newVectorTableOf(t, 2, true)
	batch := func(x ...float32) *value.Batch {
		c := &value.Column{Type: value.Type{Kind: value.Vector, Dim: 2}}
		c.Append(0, value.Vec(x))
		return &value.Batch{Len: 1, Cols: []*value.Column{c}}
	}
	refused := func(what string, err error) {
		t.Helper()
		var bad *storage.ValueError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), "HALFVEC") {
			t.Errorf("%s: %v", what, err)
		}
	}
	tx := must[*storage.Tx](t)(v.store.Begin(ctx))
	_, err := tx.Insert(ctx, "v", batch(1, 65519), storage.InsertOptions{})
	check(t, err)
	_, err = tx.Insert(ctx, "v", batch(1, 65520), storage.InsertOptions{})
	refused("insert", err)
	_, err = tx.Update(ctx, "v", []uint64{0}, []int{0}, batch(-1e30, 0))
	refused("update", err)
	half := value.Type{Kind: value.Vector, Dim: 2, Half: true}
	refused("add", tx.AddColumn(ctx, "v", storage.ColumnDef{Name: "w", Type: half}, value.Vec([]float32{1e9, 1})))
	check(t, tx.AddColumn(ctx, "v", storage.ColumnDef{Name: "w", Type: value.Type{Kind: value.Vector, Dim: 2}}, value.Vec([]float32{1e9, 1})))
	refused("alter", tx.SetVectorType(ctx, "v", "w", half, nil))
	check(t, tx.Commit(ctx))
	l := must[*storage.Loader](t)(v.store.BulkLoad(ctx, "v", storage.LoadOptions{}))
	b := batch(7e4, 1)
	b.Cols = append(b.Cols, nil)
	refused("load", l.Append(ctx, b))
	check(t, l.Abort())
	healthy(t, v.store)
}
