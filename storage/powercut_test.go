package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// cutDisk is what a power cut has left, and what may be on it: the rows acknowledged,
// or those and the ones of the step that was under way. -1 is a store without the table.
type cutDisk struct {
	fs          *vfs.MemFS
	op          int
	acked, next int
}

// cutHistory writes rows in many ways, and cuts the power now and then. With large set it
// writes them in transactions that keep what they change in files.
func cutHistory(t *testing.T, r *rand.Rand, every int, large bool) []cutDisk {
	c := newCutFS()
	acked, next := -1, -1 // guarded by c.mu
	var cuts []cutDisk
	c.hook = func(op int) {
		if r.IntN(every) == 0 {
			cuts = append(cuts, cutDisk{c.cut(r), op, acked, next})
		}
	}
	step := func(rows int, f func() error) {
		t.Helper()
		c.mu.Lock()
		next = rows
		c.mu.Unlock()
		check(t, f())
		c.mu.Lock()
		acked = rows
		c.mu.Unlock()
	}
	opts := &storage.Options{FS: c}
	storage.SetMemTable(opts, 1<<17)
	h := rand.New(rand.NewPCG(r.Uint64(), 5)) // the hook has r
	open := func() *storage.Store {
		s := must[*storage.Store](t)(storage.Open("db", opts))
		if large {
			storage.SetLargeTransaction(s, 1<<13)
		}
		return s
	}
	s := open()
	step(0, func() error {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, photos(4))
			return err
		})
		return nil
	})
	n := 0
	for range 12 + h.IntN(12) {
		switch k := h.IntN(10); {
		case k < 6:
			m := 1 + h.IntN(2)*h.IntN(700)
			step(n+m, func() error {
				update(t, s, func(tx *storage.Tx) error {
					_, err := tx.Insert(ctx, "photos", photoRows(n, n+m, 4), storage.InsertOptions{})
					return err
				})
				return nil
			})
			n += m
		case k < 8 && large:
			m := 300 + h.IntN(2500)
			gone := h.IntN(min(n, 40) + 1) // rows that the transaction deletes, and goes back from that
			step(n+m, func() error {
				update(t, s, func(tx *storage.Tx) error {
					var rows []uint64
					for row := range uint64(gone) {
						rows = append(rows, row)
					}
					_, err := tx.Insert(ctx, "photos", photoRows(n, n+m/2, 4), storage.InsertOptions{})
					if err != nil {
						return err
					}
					sp := tx.Savepoint()
					if _, err := tx.Delete(ctx, "photos", rows); err != nil {
						return err
					}
					if err := tx.RollbackTo(sp); err != nil {
						return err
					}
					_, err = tx.Insert(ctx, "photos", photoRows(n+m/2, n+m, 4), storage.InsertOptions{})
					return err
				})
				return nil
			})
			n += m
		case k < 8:
			m := 1 + h.IntN(1500)
			step(n+m, func() error {
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
		case k < 9:
			step(n, func() error { _, err := s.Vacuum(ctx, "photos", nil); return err })
		default:
			check(t, s.Close())
			s = open()
		}
	}
	check(t, s.Close())
	return cuts
}

// A disk may have written what was not synced in any order, and in part, when the power
// fails: what was acknowledged is there, everything else is there as a whole or not at
// all, and the store opens without a complaint, also after a second cut while it does.
func TestPowerCuts(t *testing.T) { powerCuts(t, 41, false) }

// The same where transactions keep what they change in files, which commit takes in past the
// log.
func TestPowerCutsOfLargeTransactions(t *testing.T) { powerCuts(t, 43, true) }

func powerCuts(t *testing.T, stream uint64, large bool) {
	total, none := 0, 0
	for i := range seeds(8) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), stream))
		for _, c := range cutHistory(t, r, 60, large) {
			total++
			where := fmt.Sprintf("seed %d, operation %d", i+firstSeed(), c.op)
			s, err := storage.Open("db", &storage.Options{FS: c.fs})
			if err != nil {
				t.Fatalf("%s: with %d rows acknowledged: %v", where, c.acked, err)
			}
			rows, wrong, err := readPhotos(s, 4)
			var no *storage.NoTableError
			if errors.As(err, &no) {
				rows, err = -1, nil
				none++
			}
			if wrong != "" || err != nil || rows != c.acked && rows != c.next {
				t.Fatalf("%s: %d rows of %d acknowledged ones, or %d; %s, %v", where, rows, c.acked, c.next, wrong, err)
			}
			healthy(t, s)
			if rows >= 0 {
				update(t, s, func(tx *storage.Tx) error {
					_, err := tx.Insert(ctx, "photos", photoRows(rows, rows+3, 4), storage.InsertOptions{})
					return err
				})
			}
			check(t, s.Close())
			if r.IntN(4) == 0 && rows >= 0 {
				s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: c.fs, ReadOnly: true}))
				if got, wrong, err := readPhotos(s, 4); got != rows+3 || wrong != "" || err != nil {
					t.Fatalf("%s: three rows more, and there are %d of %d, %s, %v", where, got, rows, wrong, err)
				}
				checked(t, s)
			}
		}
	}
	t.Logf("%d cuts, %d of them before there was a table", total, none)
	if total == 0 {
		t.Fatal("the power was never cut")
	}
}
