package storage_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// TestSerialKeys looks up rows by keys that follow their rows' numbers, and by others, while
// rows are deleted, get other keys, come again under an old key, and tables are rewritten, in
// pictures of different ages. The answers are those of a map.
func TestSerialKeys(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 41))
		s, err := storage.Open("", &storage.Options{InMemory: true, CacheSize: []int64{0, 16 << 20}[seed%2]})
		check(t, err)
		integer := value.Type{Kind: value.Integer}
		def := storage.TableDef{Name: "t", Columns: []storage.ColumnDef{{Name: "id", Type: integer}, {Name: "n", Type: integer}}}
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, def)
			return err
		})
		now := map[int64]int64{} // n by id
		count, nextKey := int64(0), int64(-700)
		insert := func(keys ...int64) {
			ids, n := &value.Column{Type: integer}, &value.Column{Type: integer}
			for i, k := range keys {
				count++
				ids.Append(i, value.Int(k))
				n.Append(i, value.Int(count))
				now[k] = count
			}
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "t", &value.Batch{Len: len(keys), Cols: []*value.Column{ids, n}}, storage.InsertOptions{})
				return err
			})
		}
		serial := func(n int) {
			keys := make([]int64, n)
			for i := range keys {
				keys[i] = nextKey
				nextKey++
			}
			insert(keys...)
		}
		compare := func(v *storage.View, want map[int64]int64) {
			tab, err := v.Table("t")
			check(t, err)
			for i := range 60 {
				k := rng.Int64N(nextKey+800) - 750
				if i < 20 { // in succession: then they are guessed
					k = rng.Int64N(2000) - 700
				}
				row, ok, err := tab.Lookup(ctx, value.Int(k))
				check(t, err)
				n, there := want[k]
				if ok != there {
					t.Fatalf("seed %d: key %d found: %v, want %v", seed, k, ok, there)
				}
				if !ok {
					continue
				}
				b, err := tab.Fetch(ctx, []uint64{row}, []int{0, 1})
				check(t, err)
				if b.Cols[0].Ints[0] != k || b.Cols[1].Ints[0] != n {
					t.Fatalf("seed %d: key %d is that of row %d with %d and %d, want %d", seed, k, row, b.Cols[0].Ints[0], b.Cols[1].Ints[0], n)
				}
			}
		}
		type picture struct {
			view *storage.View
			want map[int64]int64
		}
		var old []picture
		serial(5000)
		for step := range 80 {
			some := func() (rows []uint64, keys []int64) {
				v, err := s.Snapshot()
				check(t, err)
				defer v.Close()
				tab, err := v.Table("t")
				check(t, err)
				for _, k := range slices.Sorted(maps.Keys(now)) {
					if rng.IntN(len(now)) < 6 {
						row, ok, err := tab.Lookup(ctx, value.Int(k))
						if check(t, err); !ok {
							t.Fatalf("seed %d: key %d is missing", seed, k)
						}
						rows, keys = append(rows, row), append(keys, k)
					}
				}
				return rows, keys
			}
			switch rng.IntN(8) {
			case 0:
				serial(1 + rng.IntN(1500))
			case 1: // keys that do not follow the rows
				insert(int64(1_000_000+step*10), int64(1_000_003+step*10))
			case 2, 3:
				rows, keys := some()
				update(t, s, func(tx *storage.Tx) error {
					_, err := tx.Delete(ctx, "t", rows)
					return err
				})
				for _, k := range keys {
					delete(now, k)
				}
				if len(keys) > 0 && rng.IntN(2) == 0 {
					insert(keys[0]) // again, elsewhere
				}
			case 4: // two rows change their keys, or one gets a new one
				rows, keys := some()
				if len(rows) < 2 {
					continue
				}
				ids := &value.Column{Type: integer}
				ids.Append(0, value.Int(keys[1]))
				ids.Append(1, value.Int(keys[0]))
				now[keys[0]], now[keys[1]] = now[keys[1]], now[keys[0]]
				update(t, s, func(tx *storage.Tx) error {
					_, err := tx.Update(ctx, "t", rows[:2], []int{0}, &value.Batch{Len: 2, Cols: []*value.Column{ids}})
					return err
				})
			case 5:
				if rng.IntN(4) == 0 {
					_, err := s.Vacuum(ctx, "t", nil)
					check(t, err)
				}
			default:
				v, err := s.Snapshot()
				check(t, err)
				if old = append(old, picture{v, maps.Clone(now)}); len(old) > 4 {
					old[0].view.Close()
					old = old[1:]
				}
			}
			v, err := s.Snapshot()
			check(t, err)
			compare(v, now)
			v.Close()
			for _, p := range old {
				compare(p.view, p.want)
			}
		}
		for _, p := range old {
			p.view.Close()
		}
		check(t, s.Check(ctx, func(p storage.Problem) { t.Errorf("seed %d: %s", seed, p) }))
		check(t, s.Close())
	}
}
