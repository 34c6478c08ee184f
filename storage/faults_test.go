package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

var errDisk = errors.New("no space left on this test's disk")

// faults fails the n-th write, and at random all that follow.
type faults struct {
	left    atomicInt
	forever bool
	hit     atomicInt
	counts  func(op errorfs.Op) bool // which operations count; nil: changes
	err     error                    // nil: errDisk
}

func (f *faults) MaybeError(op errorfs.Op) error {
	counts := f.counts
	if counts == nil {
		counts = changes
	}
	if !counts(op) {
		return nil
	}
	n := f.left.n.Add(-1)
	if n == 0 || n < 0 && f.forever && f.hit.n.Load() > 0 {
		f.hit.n.Add(1)
		if f.err != nil {
			return f.err
		}
		return errDisk
	}
	return nil
}

func (f *faults) String() string { return "faults" }

// work is every kind of write, up to a number of steps. It returns how many
// succeeded.
func work(s *storage.Store, upTo int) (acknowledged int, err error) {
	steps := workSteps(s)
	for i, step := range steps[:min(upTo, len(steps))] {
		if err := step(); err != nil {
			return i, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return min(upTo, len(steps)), nil
}

// workSteps are the steps of work.
func workSteps(s *storage.Store) []func() error {
	rows := func(from, n int) *value.Batch { return photoRows(from, from+n, 3) }
	tx := func(f func(tx *storage.Tx) error) error {
		tx, err := s.Begin(ctx)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit(ctx)
	}
	insert := func(from, n int) func(tx *storage.Tx) error {
		return func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", rows(from, n), storage.InsertOptions{})
			return err
		}
	}
	return []func() error{
		func() error {
			return tx(func(tx *storage.Tx) error {
				_, err := tx.CreateTable(ctx, photos(3))
				return err
			})
		},
		func() error { return tx(insert(0, 1)) },
		func() error { return tx(insert(1, 999)) },
		func() error { return tx(insert(1000, 1000)) },
		func() error {
			l, err := s.BulkLoad(ctx, "photos", storage.LoadOptions{})
			if err != nil {
				return err
			}
			if err := l.Append(ctx, rows(2000, 3000)); err != nil {
				return errors.Join(err, l.Abort())
			}
			_, err = l.Finish(ctx)
			return err
		},
		func() error {
			return tx(func(tx *storage.Tx) error {
				var rows []uint64
				for i := range uint64(1500) {
					rows = append(rows, 3*i)
				}
				_, err := tx.Delete(ctx, "photos", rows)
				return err
			})
		},
		func() error { _, err := s.Vacuum(ctx, "photos", nil); return err },
		func() error {
			return tx(func(tx *storage.Tx) error {
				return tx.AddColumn(ctx, "photos", storage.ColumnDef{Name: "note", Type: value.Type{Kind: value.Text}}, value.Str("x"))
			})
		},
		func() error { return tx(func(tx *storage.Tx) error { return tx.DropTable(ctx, "photos") }) },
	}
}

// state summarises what is stored.
func state(t *testing.T, s *storage.Store) string {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	tab, err := v.Table("photos")
	if err != nil {
		return "none"
	}
	return fmt.Sprint(tab.Rows(), " rows, next ", tab.NextRow(), ", columns ", len(tab.Def().Columns))
}

// workStates are the states before the first step of work and after each.
func workStates(t *testing.T) []string {
	states := []string{"none"}
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem()}))
	for _, step := range workSteps(s) {
		check(t, step())
		states = append(states, state(t, s))
	}
	check(t, s.Close())
	return states
}

// A failing disk gives an error and no panic, and what the store holds afterwards
// is what was acknowledged, or that and the step that failed.
func TestDiskErrors(t *testing.T) {
	states := workStates(t)
	hits := 0
	run := func(n int, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 3))
		mem := vfs.NewMem()
		f := &faults{forever: r.IntN(2) == 0}
		f.left.set(int64(n))
		opts := &storage.Options{FS: errorfs.Wrap(mem, f)}
		storage.SetMemTable(opts, 1<<18)
		s, err := storage.Open("db", opts)
		done := 0
		if err == nil {
			storage.SetPatience(s, 100*time.Millisecond)
			done, err = work(s, 100)
			if err != nil && !errors.Is(err, errDisk) && !errors.Is(err, storage.ErrFailed) {
				t.Fatalf("operation %d: an error that does not tell of the disk: %v", n, err)
			}
			s.Close() // may fail, too
		}
		if f.hit.n.Load() > 0 {
			hits++
		}
		f.forever = false
		f.left.set(0)
		s, err = storage.Open("db", &storage.Options{FS: mem})
		if err != nil {
			t.Fatalf("operation %d failed; afterwards: %v", n, err)
		}
		healthy(t, s)
		got := state(t, s)
		ok := got == states[done]
		for _, next := range states[min(done+1, len(states)-1):min(done+2, len(states))] {
			ok = ok || got == next
		}
		if !ok {
			t.Fatalf("operation %d failed in step %d; afterwards: %s, want %s", n, done, got, states[done])
		}
		check(t, s.Close())
	}
	for i := range seeds(40) {
		run(1+i*8%320, uint64(i+firstSeed()))
	}
	if hits == 0 {
		t.Fatal("no operation failed")
	}
	t.Logf("%d runs met a failing operation", hits)
}
