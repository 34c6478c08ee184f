package storage_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// widthsBy3 is the watcher of a condition: width % 3 = 0.
func widthsBy3(_ context.Context, _ *storage.View, d *storage.TableDef, which []int, cols []*value.Column, pos []int32) ([][]int32, error) {
	c := cols[d.Column("width")]
	out := make([][]int32, len(which))
	for i := range which {
		for _, p := range pos {
			if !c.Null(int(p)) && c.Ints[p]%3 == 0 {
				out[i] = append(out[i], p)
			}
		}
	}
	return out, nil
}

// watchCut is what a power cut has left: the keys that are to be told, as of the step that was
// acknowledged last, or of the one under way.
type watchCut struct {
	fs          *vfs.MemFS
	op          int
	acked, next []string
}

// told reads what the watch has to tell.
func told(t *testing.T, s *storage.Store) []string {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	var out []string
	for at := (storage.Place{}); ; {
		notes, err := v.Notes(ctx, "w", at, 100)
		check(t, err)
		if len(notes) == 0 {
			break
		}
		for _, n := range notes {
			out = append(out, n.Values[0].Str())
			at = n.Place
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // a row may be told again, when it meets the condition once more
}

// A power cut leaves nothing untold that was committed, and nothing told that was not:
// inserts, loads, updates in place and by moving rows, deletes, rollbacks, acknowledgements,
// VACUUM and rows that are moved to other blocks.
func TestWatchPowerCuts(t *testing.T) {
	total := 0
	for i := range seeds(6) {
		seed := i + firstSeed()
		r := rand.New(rand.NewPCG(uint64(seed), 97))
		c := newCutFS()
		var acked, next []string // guarded by c.mu
		var cuts []watchCut
		c.hook = func(op int) {
			if r.IntN(50) == 0 && next != nil {
				cuts = append(cuts, watchCut{c.cut(r), op, acked, next})
			}
		}
		opts := &storage.Options{FS: c}
		storage.SetMemTable(opts, 1<<17)
		h := rand.New(rand.NewPCG(r.Uint64(), 5))
		open := func() *storage.Store {
			s := must[*storage.Store](t)(storage.Open("db", opts))
			s.SetWatcher(widthsBy3)
			return s
		}
		s := open()
		update(t, s, func(tx *storage.Tx) error {
			d, err := tx.CreateTable(ctx, photos(4))
			if err != nil {
				return err
			}
			return tx.CreateWatch(ctx, "photos", storage.WatchDef{Name: "w", Expr: "width % 3 = 0", Columns: []uint32{d.Columns[1].ID}})
		})
		waiting := map[string]bool{}
		widths := map[string]int{}
		key := func(i int) string { return fmt.Sprintf("photo%07d", i) }
		step := func(f func() error) {
			t.Helper()
			now := slices.Sorted(maps.Keys(waiting))
			if now == nil {
				now = []string{}
			}
			c.mu.Lock()
			next = now
			c.mu.Unlock()
			check(t, f())
			c.mu.Lock()
			acked = now
			c.mu.Unlock()
			if got := told(t, s); !slices.Equal(got, now) {
				t.Fatalf("seed %d: told %d rows, want %d", seed, len(got), len(now))
			}
		}
		step(func() error { return nil })
		n := 0
		added := func(m int) {
			for i := n; i < n+m; i++ {
				widths[key(i)] = i % 997
				if i%997%3 == 0 {
					waiting[key(i)] = true
				}
			}
		}
		for range 14 {
			switch k := h.IntN(12); {
			case k < 4:
				m := 1 + h.IntN(2)*h.IntN(700)
				added(m)
				step(func() error {
					update(t, s, func(tx *storage.Tx) error {
						sp := tx.Savepoint()
						if _, err := tx.Insert(ctx, "photos", photoRows(n+m, n+m+7, 4), storage.InsertOptions{}); err != nil {
							return err
						}
						if err := tx.RollbackTo(sp); err != nil {
							return err
						}
						_, err := tx.Insert(ctx, "photos", photoRows(n, n+m, 4), storage.InsertOptions{})
						return err
					})
					return nil
				})
				n += m
			case k < 6:
				m := 1 + h.IntN(1500)
				added(m)
				step(func() error {
					l, err := s.BulkLoad(ctx, "photos", storage.LoadOptions{})
					if err != nil {
						return err
					}
					if err := l.Append(ctx, photoRows(n, n+m, 4)); err != nil {
						return err
					}
					_, err = l.Finish(ctx)
					return err
				})
				n += m
			case k < 8 && n > 0: // widths and vectors change: rows stay, or are moved
				v := must[*storage.View](t)(s.Snapshot())
				tab := must[*storage.Table](t)(v.Table("photos"))
				scan := tab.Scan(storage.ScanOptions{Columns: []int{0}})
				var rows []uint64
				w, vec := &value.Column{Type: value.Type{Kind: value.Integer}}, &value.Column{Type: value.Type{Kind: value.Vector, Dim: 4}}
				share := 1 + h.IntN(6)
				for {
					b := must[*value.Batch](t)(scan.Next(ctx))
					if b == nil {
						break
					}
					for _, p := range b.Selected() {
						if h.IntN(share) > 0 {
							continue
						}
						id, to := b.Cols[0].Strs[p], h.IntN(30)
						w.Append(len(rows), value.Int(int64(to)))
						vec.Append(len(rows), value.Vec([]float32{1, 2, 3, float32(to)}))
						rows = append(rows, b.Rows[p])
						if to%3 == 0 && widths[id]%3 != 0 {
							waiting[id] = true
						}
						widths[id] = to
					}
				}
				scan.Close()
				v.Close()
				cols, vals := []int{1}, []*value.Column{w}
				if h.IntN(2) == 0 {
					cols, vals = []int{1, 2}, []*value.Column{w, vec}
				}
				step(func() error {
					update(t, s, func(tx *storage.Tx) error {
						_, err := tx.Update(ctx, "photos", rows, cols, &value.Batch{Len: len(rows), Cols: vals})
						return err
					})
					return nil
				})
			case k < 9: // a row is added and taken back
				step(func() error {
					update(t, s, func(tx *storage.Tx) error {
						res, err := tx.Insert(ctx, "photos", photoRows(n, n+50, 4), storage.InsertOptions{})
						if err == nil {
							_, err = tx.Delete(ctx, "photos", res.Rows)
						}
						return err
					})
					return nil
				})
			case k < 10:
				step(func() error { _, err := s.Vacuum(ctx, "photos", nil); return err })
			case k < 11:
				v := must[*storage.View](t)(s.Snapshot())
				notes := must[[]storage.Note](t)(v.Notes(ctx, "w", storage.Place{}, 1+h.IntN(600)))
				v.Close()
				for _, x := range notes {
					delete(waiting, x.Values[0].Str())
				}
				if len(notes) == 0 {
					continue
				}
				step(func() error {
					update(t, s, func(tx *storage.Tx) error { return tx.Acknowledge(ctx, "w", notes[len(notes)-1].Place) })
					return nil
				})
			default:
				check(t, s.Close())
				s = open()
			}
		}
		healthy(t, s)
		check(t, s.Close())
		for _, cut := range cuts {
			total++
			s, err := storage.Open("db", &storage.Options{FS: cut.fs})
			if err != nil {
				t.Fatalf("seed %d, operation %d: %v", seed, cut.op, err)
			}
			if got := told(t, s); !slices.Equal(got, cut.acked) && !slices.Equal(got, cut.next) {
				t.Fatalf("seed %d, operation %d: told %d rows, want the %d of what was acknowledged, or %d", seed, cut.op, len(got), len(cut.acked), len(cut.next))
			}
			healthy(t, s)
			check(t, s.Close())
		}
	}
	if total == 0 {
		t.Fatal("no power cut")
	}
}

// A store without a Watcher does not change rows of a table that has watches, and says why.
func TestWatchNeedsWatcher(t *testing.T) {
	s := must[*storage.Store](t)(storage.Open("", &storage.Options{InMemory: true}))
	defer s.Close()
	update(t, s, func(tx *storage.Tx) error {
		d, err := tx.CreateTable(ctx, photos(4))
		if err != nil {
			return err
		}
		return tx.CreateWatch(ctx, "photos", storage.WatchDef{Name: "w", Expr: "width = 0", Columns: []uint32{d.Columns[1].ID}})
	})
	tx := must[*storage.Tx](t)(s.Begin(ctx))
	if _, err := tx.Insert(ctx, "photos", photoRows(0, 3, 4), storage.InsertOptions{}); err != storage.ErrNoWatcher {
		t.Fatalf("got %v", err)
	}
	check(t, tx.Rollback())
}

// What the bounds of watches leave out is below, whatever the vectors are.
func TestSimilarityBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 15))
	kept, all := 0, 0
	for _, dim := range []int{1, 3, 64, 512, 700} {
		for range 20 {
			random := func() []float32 {
				v := make([]float32, dim)
				scale := math.Exp(r.NormFloat64() * float64(r.IntN(3)) * 12)
				for i := range v {
					if r.IntN(4) > 0 {
						v[i] = float32(r.NormFloat64() * scale * math.Exp(r.NormFloat64()*2))
					}
				}
				return v
			}
			var vectors [][]float32
			var least []float64
			for range 1 + r.IntN(30) {
				v := random()
				if n := vector.Norm(v); !(n > 1e-12 && n < 1e12) {
					continue
				}
				vectors, least = append(vectors, v), append(least, r.Float64()*1.2-0.6)
			}
			if len(vectors) == 0 {
				continue
			}
			c := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
			var pos []int32
			n := 1 + r.IntN(50)
			for i := range n {
				v := random()
				switch r.IntN(12) {
				case 0:
					c.Append(i, value.Value{})
				case 1:
					c.Append(i, value.Vec(make([]float32, dim)))
				case 2: // a similarity that is the bound to the last bit, or about
					k := r.IntN(len(vectors))
					c.Append(i, value.Vec(v))
					if s := vector.Score(vector.Cosine, v, vectors[k]); s == s {
						least[k] = s
					}
				default:
					c.Append(i, value.Vec(v))
				}
				if r.IntN(5) > 0 {
					pos = append(pos, int32(i))
				}
			}
			out := make([][]int32, len(vectors))
			storage.NewSimilarityBounds(dim, vectors, least).Above(c, pos, out)
			for k, v := range vectors {
				if !slices.IsSorted(out[k]) {
					t.Fatal("not in order")
				}
				for _, p := range pos {
					in := slices.Contains(out[k], p)
					all++
					if in {
						kept++
					}
					if c.Null(int(p)) || vector.Norm(c.Vec(int(p))) == 0 {
						continue
					}
					if s := vector.Score(vector.Cosine, c.Vec(int(p)), v); s >= least[k] && !in {
						t.Fatalf("dimension %d: similarity %v, at least %v, is left out", dim, s, least[k])
					}
				}
			}
		}
	}
	if kept*10 > all*9 || kept == 0 {
		t.Fatalf("%d of %d are kept", kept, all)
	}
}
