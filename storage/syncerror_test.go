package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
)

// syncFault fails one sync of a file or a directory, as a disk does that could not write:
// the kernel reports that once, and takes what was not written for clean afterwards.
type syncFault struct {
	left atomicInt
	hit  atomicInt
	path string
}

func (f *syncFault) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	if !f.left.dec() {
		return nil
	}
	f.path = op.Path
	f.hit.n.Store(1)
	return &errDiskSync
}

func (f *syncFault) String() string { return "syncFault" }

var errDiskSync = vfsError{syscall.EIO}

// vfsError is what the operating system says.
type vfsError struct{ error }

func (e *vfsError) Unwrap() error { return e.error }

// After a failed sync, of whatever file, nothing is acknowledged until the store is opened
// again: what the disk has not written may be gone although the next sync succeeds. What
// was acknowledged before is there.
func TestSyncErrors(t *testing.T) {
	kinds := map[string]int{}
	run := func(n int, seed uint64) (ended bool) {
		mem := vfs.NewMem()
		f := &syncFault{}
		opts := &storage.Options{FS: errorfs.Wrap(mem, f)}
		storage.SetMemTable(opts, 1<<16)
		s := must[*storage.Store](t)(storage.Open("db", opts))
		storage.SetPatience(s, 100*time.Millisecond)
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, photos(3))
			return err
		})
		f.left.set(int64(n))
		r := rand.New(rand.NewPCG(seed, 6))
		rows, failures := 0, 0
		var maybe []int
		for range 40 {
			hit := f.hit.n.Load() > 0
			if hit && !strings.Contains(f.path, "load-") { // that one fails the load alone
				for end := time.Now().Add(10 * time.Second); !storage.Failed(s) && time.Now().Before(end); time.Sleep(time.Millisecond) {
				}
			}
			m := 1 + r.IntN(400)
			err := func() error {
				if r.IntN(5) == 0 {
					l, err := s.BulkLoad(ctx, "photos", storage.LoadOptions{})
					if err != nil {
						return err
					}
					if err := l.Append(ctx, photoRows(rows, rows+m, 3)); err != nil {
						return errors.Join(err, l.Abort())
					}
					_, err = l.Finish(ctx)
					return err
				}
				tx, err := s.Begin(ctx)
				if err != nil {
					return err
				}
				if _, err := tx.Insert(ctx, "photos", photoRows(rows, rows+m, 3), storage.InsertOptions{}); err != nil {
					return errors.Join(err, tx.Rollback())
				}
				return tx.Commit(ctx)
			}()
			switch {
			case err == nil && hit:
				if strings.Contains(f.path, "load-") {
					return false // that load has failed, and nothing rests on its files
				}
				t.Fatalf("sync %d, of %s, has failed, and a later commit is acknowledged", n, f.path)
			case err == nil:
				rows += m
			default:
				if !errors.Is(err, syscall.EIO) && !errors.Is(err, storage.ErrFailed) {
					t.Fatalf("sync %d, of %s: %v", n, f.path, err)
				}
				if failures++; !hit {
					maybe = append(maybe, rows+m)
				}
			}
			if failures == 3 {
				break
			}
		}
		s.Close()
		if f.hit.n.Load() == 0 {
			return true
		}
		base := f.path[strings.LastIndexByte(f.path, '/')+1:]
		kinds[strings.Trim(strings.TrimLeft(base, "0123456789"), "-0123456789")]++
		s, err := storage.Open("db", &storage.Options{FS: mem})
		if err != nil {
			t.Fatalf("sync %d, of %s, has failed; afterwards: %v", n, f.path, err)
		}
		got, wrong, err := readPhotos(s, 3)
		ok := got == rows
		for _, m := range maybe {
			ok = ok || got == m
		}
		if !ok || wrong != "" || err != nil {
			t.Fatalf("sync %d, of %s, has failed; afterwards %d rows of %d, or %v; %s, %v", n, f.path, got, rows, maybe, wrong, err)
		}
		checked(t, s)
		return false
	}
	missed := func(kind string) bool { return kinds[kind] == 0 }
	all := []string{".log", ".sst", "MANIFEST", "db"}
	for i := 0; i < seeds(25) || slices.ContainsFunc(all, missed) && i < 300; i++ {
		run(1+i*7%150, uint64(i+firstSeed()))
	}
	t.Log(fmt.Sprint("syncs that failed: ", kinds))
	for _, kind := range all {
		if missed(kind) {
			t.Errorf("no sync of %s failed", kind)
		}
	}
}
