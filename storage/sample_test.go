package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// A sample has whole rows that were there, spread over the table, whatever was deleted and whichever
// column is asked for first.
func TestSample(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for trial := range 8 {
		sampleTrial(t, seed, rng, trial%2 == 0)
	}
}

// sampleTrial takes samples of a table that changes or, with once, a single one in the end.
func sampleTrial(t *testing.T, seed uint64, rng *rand.Rand, once bool) {
	s, err := storage.Open("", &storage.Options{InMemory: true, NoMerging: true})
	check(t, err)
	defer s.Close()
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(2))
		return err
	})
	live, next := []int{}, 0
	for step := range 16 {
		update(t, s, func(tx *storage.Tx) error {
			n := 1 + rng.IntN(1500)
			_, err := tx.Insert(ctx, "photos", photoRows(next, next+n, 2), storage.InsertOptions{})
			for i := range n {
				live = append(live, next+i)
			}
			next += n
			return err
		})
		if rng.IntN(3) == 0 {
			from := rng.IntN(len(live))
			gone := map[string]bool{}
			for _, i := range live[from:min(len(live), from+rng.IntN(3000))] {
				gone[fmt.Sprintf("photo%07d", i)] = true
			}
			live = slices.DeleteFunc(live, func(i int) bool { return gone[fmt.Sprintf("photo%07d", i)] })
			v := must[*storage.View](t)(s.Snapshot())
			tab := must[*storage.Table](t)(v.Table("photos"))
			var rows []uint64
			scan := tab.Scan(storage.ScanOptions{Columns: []int{0}})
			for {
				b, err := scan.Next(ctx)
				check(t, err)
				if b == nil {
					break
				}
				for _, i := range b.Selected() {
					if gone[b.Cols[0].Strs[i]] {
						rows = append(rows, b.Rows[i])
					}
				}
			}
			check(t, scan.Close())
			check(t, v.Close())
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Delete(ctx, "photos", rows)
				return err
			})
		}
		if once && step < 15 {
			continue
		}
		v := must[*storage.View](t)(s.Snapshot())
		tab := must[*storage.Table](t)(v.Table("photos"))
		cols := [][]int{{0, 1}, {1}, {0}, {1, 2}}[rng.IntN(4)]
		must[*value.Batch](t)(tab.Sample(ctx, cols))
		b := must[*value.Batch](t)(tab.Sample(ctx, []int{0, 1, 2}))
		if b.Cols[2] != nil {
			t.Fatal("a sample of vectors")
		}
		if once && len(live) > next/2 && (b.Len < min(100, len(live)/4) || b.Len > 700) {
			t.Fatalf("seed %d: a sample of %d rows of %d", seed, b.Len, len(live))
		}
		below := 0
		for i := range b.Len {
			id := must[int](t)(strconv.Atoi(strings.TrimPrefix(b.Cols[0].Strs[i], "photo")))
			if int64(id%997) != b.Cols[1].Ints[i] {
				t.Fatalf("seed %d: a row of %d and %d", seed, id, b.Cols[1].Ints[i])
			}
			if len(live) > 0 && id < live[len(live)/2] {
				below++
			}
		}
		if once && len(live) > 3000 && (below < b.Len/5 || below > b.Len*4/5) {
			t.Errorf("seed %d: %d of %d rows are below the middle of %d", seed, below, b.Len, len(live))
		}
		check(t, v.Close())
	}
}

// Columns of large texts have no sample: it is held in memory.
func TestSampleOfLargeTexts(t *testing.T) {
	s, err := storage.Open("", &storage.Options{InMemory: true})
	check(t, err)
	defer s.Close()
	update(t, s, func(tx *storage.Tx) error {
		if _, err := tx.CreateTable(ctx, photos(2)); err != nil {
			return err
		}
		rows := photoRows(0, 1000, 2)
		for i := range rows.Cols[0].Strs {
			rows.Cols[0].Strs[i] += strings.Repeat("x", 5000)
		}
		_, err := tx.Insert(ctx, "photos", rows, storage.InsertOptions{})
		return err
	})
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	tab := must[*storage.Table](t)(v.Table("photos"))
	b := must[*value.Batch](t)(tab.Sample(ctx, []int{0, 1}))
	if b.Cols[0] != nil || b.Cols[1] == nil || b.Len < 400 {
		t.Errorf("a sample of %d rows, texts %v, numbers %v", b.Len, b.Cols[0] != nil, b.Cols[1] != nil)
	}
}
