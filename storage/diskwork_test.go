package storage_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
)

// diskWork counts what a store does to a disk.
type diskWork struct {
	mu                             sync.Mutex
	syncs, writes, creates, change int
}

func (d *diskWork) MaybeError(op errorfs.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		d.syncs++
	case errorfs.OpFileWrite, errorfs.OpFileWriteAt:
		d.writes++
	case errorfs.OpCreate, errorfs.OpReuseForWrite:
		d.creates++
	case errorfs.OpRename, errorfs.OpRemove, errorfs.OpLink:
		d.change++
	}
	return nil
}

func (d *diskWork) String() string { return "disk work" }

// What opening, closing, inserting a row and loading rows cost a disk, counted: the clock says
// nothing of five percent where others use the disk too. The list of files is renewed once for
// all changes that came together, which depends on the moment: a run that meets fewer at a time
// writes it a few times more. So one run of five has to keep to the counts.
func TestDiskWork(t *testing.T) {
	var more []string
	for range 5 {
		if more = countDiskWork(t); len(more) == 0 {
			return
		}
	}
	t.Error(strings.Join(more, "\n"))
}

// countDiskWork counts one run. It returns what took more than it should.
func countDiskWork(t *testing.T) (more []string) {
	t.Helper()
	d := &diskWork{}
	opts := &storage.Options{FS: errorfs.Wrap(vfs.NewMem(), d)}
	s := newPhotos(t, "db", opts, 100, 16)
	check(t, s.Close())
	var report strings.Builder
	last := time.Now()
	work := func(what string, least, most [4]int) {
		d.mu.Lock()
		n := [4]int{d.syncs, d.writes, d.creates, d.change}
		d.syncs, d.writes, d.creates, d.change = 0, 0, 0, 0
		d.mu.Unlock()
		// The number of commits is written and synced by itself, at most once a second.
		seconds := int(time.Since(last).Seconds()) + 1
		last = time.Now()
		most[0], most[1] = most[0]+seconds, most[1]+seconds
		fmt.Fprintf(&report, "%-36s %2d syncs %3d writes %2d files made %2d others\n", what, n[0], n[1], n[2], n[3])
		for i := range n {
			text := fmt.Sprintf("%s: %v syncs, writes, files made and others, want %v to %v", what, n, least, most)
			if n[i] < least[i] {
				t.Error(text)
			}
			if n[i] > most[i] {
				more = append(more, text)
			}
		}
	}
	work("making a store", [4]int{}, [4]int{26, 19, 12, 6})
	s = must[*storage.Store](t)(storage.Open("db", opts))
	check(t, s.Close())
	work("opening and closing", [4]int{}, [4]int{7, 4, 4, 4})
	s = must[*storage.Store](t)(storage.Open("db", opts))
	row := func(n int) {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(n, n+1, 16), storage.InsertOptions{})
			return err
		})
	}
	row(100)
	storage.AwaitCommits(s)
	work("opening, and a row", [4]int{}, [4]int{8, 6, 5, 6})
	for i := range 50 {
		row(101 + i)
	}
	storage.AwaitCommits(s)
	work("50 single inserts", [4]int{50, 50, 0, 0}, [4]int{51, 100, 0, 0})
	l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
	check(t, l.Append(ctx, photoRows(200, 5200, 16)))
	must[uint64](t)(l.Finish(ctx))
	check(t, s.Close())
	work("a load of 5,000 rows, and closing", [4]int{}, [4]int{28, 50, 15, 25})
	t.Logf("\n%s", report.String())
	return more
}
