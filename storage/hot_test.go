package storage_test

import (
	"math/rand/v2"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// TestFetchOfManyPictures reads single rows of blocks through views of different ages,
// while commits write over those blocks, delete rows, seal blocks and rewrite the table:
// every view has the values of its time, whatever the others have left in the cache.
func TestFetchOfManyPictures(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 17))
		s, err := storage.Open("", &storage.Options{InMemory: true, CacheSize: []int64{0, 16 << 20}[seed]})
		check(t, err)
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, photos(2))
			return err
		})
		type picture struct {
			view   *storage.View
			widths map[string]int64 // by id
		}
		now := map[string]int64{}
		next := 0
		insert := func(n int) {
			b := photoRows(next, next+n, 2)
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "photos", b, storage.InsertOptions{})
				return err
			})
			for i := range n {
				now[b.Cols[0].Strs[i]] = b.Cols[1].Ints[i]
			}
			next += n
		}
		ids := func() []string {
			var out []string
			for id := range now {
				out = append(out, id)
				if len(out) == 1+rng.IntN(5) {
					break
				}
			}
			return out
		}
		insert(5000)
		var open []picture
		var fetcher storage.Fetcher
		for step := range 60 {
			switch rng.IntN(9) {
			case 0:
				insert(1 + rng.IntN(900))
			case 1, 2, 3, 4: // few rows: their blocks are written over
				chosen := ids()
				update(t, s, func(tx *storage.Tx) error {
					tab, err := tx.Table("photos")
					if err != nil {
						return err
					}
					c := &value.Column{Type: value.Type{Kind: value.Integer}}
					var rows []uint64
					for i, id := range chosen {
						row, ok, err := tab.Lookup(ctx, value.Str(id))
						if err != nil || !ok {
							t.Fatalf("%s: %v", id, err)
						}
						rows = append(rows, row)
						now[id] = int64(1000*step + i)
						c.Append(i, value.Int(now[id]))
					}
					_, err = tx.Update(ctx, "photos", rows, []int{1}, &value.Batch{Len: len(rows), Cols: []*value.Column{c}})
					return err
				})
			case 5:
				chosen := ids()
				update(t, s, func(tx *storage.Tx) error {
					tab, err := tx.Table("photos")
					if err != nil {
						return err
					}
					var rows []uint64
					for _, id := range chosen {
						row, _, err := tab.Lookup(ctx, value.Str(id))
						if err != nil {
							return err
						}
						rows = append(rows, row)
						delete(now, id)
					}
					_, err = tx.Delete(ctx, "photos", rows)
					return err
				})
			case 6: // rolled back
				tx, err := s.Begin(ctx)
				check(t, err)
				_, err = tx.Delete(ctx, "photos", []uint64{})
				check(t, err)
				_, err = tx.Insert(ctx, "photos", photoRows(next, next+2500, 2), storage.InsertOptions{})
				check(t, err)
				check(t, tx.Rollback())
			case 7:
				if rng.IntN(10) == 0 {
					_, err := s.Vacuum(ctx, "photos", nil)
					check(t, err)
				}
			case 8:
				if len(open) > 3 {
					i := rng.IntN(len(open))
					check(t, open[i].view.Close())
					open = append(open[:i], open[i+1:]...)
				}
			}
			v, err := s.Snapshot()
			check(t, err)
			then := map[string]int64{}
			for id, w := range now {
				then[id] = w
			}
			open = append(open, picture{v, then})
			for _, p := range open {
				tab, err := p.view.Table("photos")
				check(t, err)
				if tab.Rows() != uint64(len(p.widths)) {
					t.Fatalf("step %d: %d rows, want %d", step, tab.Rows(), len(p.widths))
				}
				n := 0
				for id, want := range p.widths {
					row, ok, err := tab.Lookup(ctx, value.Str(id))
					check(t, err)
					if !ok {
						t.Fatalf("step %d: no %s", step, id)
					}
					b, err := fetcher.Fetch(ctx, tab, []uint64{row}, []int{1, 0})
					check(t, err)
					if b.Cols[0].Ints[0] != want || b.Cols[1].Strs[0] != id {
						t.Fatalf("step %d: %s has %d of %s, want %d", step, id, b.Cols[0].Ints[0], b.Cols[1].Strs[0], want)
					}
					if n++; n == 8 {
						break
					}
				}
			}
		}
		for _, p := range open {
			check(t, p.view.Close())
		}
		check(t, s.Check(ctx, func(p storage.Problem) { t.Errorf("check: %v", p) }))
		check(t, s.Close())
	}
}
