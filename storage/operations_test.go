package storage_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

const opRows, opDim = 3500, 32

// operations are all kinds of writes, on a store made by operationBase.
var operations = []struct {
	name string
	run  func(s *storage.Store) error
}{
	{"insert", inTx(func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(opRows, opRows+10, opDim), storage.InsertOptions{})
		return err
	})},
	{"insert that seals a block", inTx(func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(opRows, opRows+1000, opDim), storage.InsertOptions{})
		return err
	})},
	{"insert that trains the codes", inTx(func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(opRows, 17*1024, opDim), storage.InsertOptions{})
		return err
	})},
	{"load", func(s *storage.Store) error {
		l, err := s.BulkLoad(ctx, "photos", storage.LoadOptions{})
		if err != nil {
			return err
		}
		if err := l.Append(ctx, photoRows(opRows, 18*1024, opDim)); err != nil {
			return errors.Join(err, l.Abort())
		}
		_, err = l.Finish(ctx)
		return err
	}},
	{"delete", inTx(func(tx *storage.Tx) error {
		_, err := tx.Delete(ctx, "photos", everyThird(0, opRows))
		return err
	})},
	{"delete of all", inTx(func(tx *storage.Tx) error {
		var rows []uint64
		for i := range uint64(opRows) {
			rows = append(rows, i)
		}
		_, err := tx.Delete(ctx, "photos", rows)
		return err
	})},
	{"update", inTx(func(tx *storage.Tx) error {
		rows := everyThird(1, 2000)
		_, err := tx.Update(ctx, "photos", rows, []int{1}, &value.Batch{Len: len(rows), Cols: photoRows(0, len(rows), opDim).Cols[1:2]})
		return err
	})},
	{"vacuum", func(s *storage.Store) error { _, err := s.Vacuum(ctx, "photos", nil); return err }},
	{"add column", inTx(func(tx *storage.Tx) error {
		return tx.AddColumn(ctx, "photos", storage.ColumnDef{Name: "note", Type: value.Type{Kind: value.Text}}, value.Str("x"))
	})},
	{"add column of vectors", func(s *storage.Store) error {
		return buildOn(s, func(tx *storage.Tx) error {
			fill := value.Vec([]float32{1, 2, 3})
			return tx.AddColumn(ctx, "photos", storage.ColumnDef{Name: "second", Type: fill.Type()}, fill)
		})
	}},
	{"drop column", inTx(func(tx *storage.Tx) error { return tx.DropColumn(ctx, "photos", "clip") })},
	{"rename table", inTx(func(tx *storage.Tx) error { return tx.RenameTable(ctx, "photos", "pictures") })},
	{"create index", inTx(indexOn(2, false))},
	{"create index in files", func(s *storage.Store) error { return buildOn(s, indexOn(2, false)) }},
	{"drop index", inTx(func(tx *storage.Tx) error { return tx.DropIndex(ctx, "by_width") })},
	{"drop table", inTx(func(tx *storage.Tx) error { return tx.DropTable(ctx, "photos") })},
	{"train codes", func(s *storage.Store) error { return s.RetrainColumn(ctx, "photos", "clip", nil, nil) }},
	{"backup", func(s *storage.Store) error { return s.Backup(ctx, "copy", nil) }},
}

func everyThird(from, to uint64) (rows []uint64) {
	for i := from; i < to; i += 3 {
		if i != 6 && i != 7 {
			rows = append(rows, i)
		}
	}
	return rows
}

func inTx(f func(tx *storage.Tx) error) func(s *storage.Store) error {
	return func(s *storage.Store) error {
		tx, err := s.Begin(ctx)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit(ctx)
	}
}

// operationBase is a disk with a store of sealed blocks, a tail and some deleted rows.
func operationBase(t *testing.T) *vfs.MemFS {
	fs := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: fs}, opRows, opDim)
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Delete(ctx, "photos", []uint64{7, 8, 3400})
		return err
	})
	check(t, s.Close())
	return fs
}

// diskOf copies a disk to one that can crash; all of it is synced.
func diskOf(t *testing.T, fs vfs.FS) *vfs.MemFS {
	c := vfs.NewCrashableMem()
	_, err := vfs.Clone(fs, c, "db", "db", vfs.CloneSync)
	check(t, err)
	return c
}

// digest describes all that a store holds.
func digest(t *testing.T, s *storage.Store) string {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	out := ""
	for _, d := range v.Tables() {
		tab := must[*storage.Table](t)(v.Table(d.Name))
		out += fmt.Sprintf("%s: next %d,", d.Name, tab.NextRow())
		var all []int
		for i, c := range d.Columns {
			all = append(all, i)
			out += fmt.Sprintf(" %s %v", c.Name, c.Type)
		}
		for _, x := range d.Indexes {
			rows := must[[]uint64](t)(tab.IndexScan(ctx, &x, storage.Range{}))
			out += fmt.Sprintf(", index %s of %d", x.Name, len(rows))
		}
		h, n := fnv.New64a(), 0
		scan := tab.Scan(storage.ScanOptions{Columns: all})
		for {
			b, err := scan.Next(ctx)
			check(t, err)
			if b == nil {
				break
			}
			for i := range b.Len {
				if b.Sel == nil || contains(b.Sel, int32(i)) {
					n++
					for _, c := range b.Cols {
						fmt.Fprint(h, b.Rows[i], c.Value(i).Kind(), c.Value(i).String(), ";")
					}
				}
			}
		}
		check(t, scan.Close())
		out += fmt.Sprintf(", %d rows %x; ", n, h.Sum64())
	}
	return out
}

func contains(sel []int32, i int32) bool {
	lo, hi := 0, len(sel)
	for lo < hi {
		if m := (lo + hi) / 2; sel[m] < i {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo < len(sel) && sel[lo] == i
}

// beforeAndAfter returns what a store holds before and after an operation, and how
// many file operations that takes.
func beforeAndAfter(t *testing.T, base vfs.FS, run func(s *storage.Store) error, counts func(op errorfs.Op) bool) (before, after string, n int) {
	c := &faults{counts: counts}
	c.left.set(1 << 40)
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: errorfs.Wrap(copyOf(t, base), c)}))
	before = digest(t, s)
	from := c.left.n.Load()
	check(t, run(s))
	n = int(from - c.left.n.Load())
	after = digest(t, s)
	checked(t, s)
	return before, after, n
}

// The power goes in the middle of every kind of operation, at any of its file
// operations: the disk then holds what was there before, or all of what the operation
// makes. What is acknowledged is there.
func TestCrashInOperations(t *testing.T) {
	base := operationBase(t)
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			before, after, n := beforeAndAfter(t, base, op.run, func(errorfs.Op) bool { return true })
			if n < 1 {
				t.Fatal("the operation does nothing on the disk")
			}
			hits, olds := 0, 0
			for i := range seeds(4) {
				r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 21))
				fs := diskOf(t, base)
				crash := &crashPoint{fs: fs, seed: r.Int64N(1 << 40), clone: make(chan *vfs.MemFS, 1)}
				s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: errorfs.Wrap(fs, crash)}))
				crash.left.set(1 + r.Int64N(int64(n)))
				check(t, op.run(s))
				acknowledged := fs.CrashClone(vfs.CrashCloneCfg{})
				check(t, s.Close())
				if got := reopened(t, acknowledged); got != after {
					t.Fatalf("after the operation: %s, want %s", got, after)
				}
				select {
				case fs = <-crash.clone:
				default:
					continue // the n-th came later this time
				}
				hits++
				switch got := reopened(t, fs); got {
				case before:
					olds++
				case after:
				default:
					t.Fatalf("after a crash: %s, which is neither %s nor %s", got, before, after)
				}
				if _, err := fs.Stat("copy/LUPA"); err == nil {
					s := must[*storage.Store](t)(storage.Open("copy", &storage.Options{FS: fs}))
					if got := digest(t, s); got != before {
						t.Fatalf("the backup holds %s, want %s", got, before)
					}
					checked(t, s)
				}
			}
			t.Logf("%d crashes in %d file operations, %d of them before it counted", hits, n, olds)
			if hits == 0 {
				t.Fatal("no crash hit the operation")
			}
		})
	}
}

// reopened returns what a crashed disk holds.
func reopened(t *testing.T, fs *vfs.MemFS) string {
	t.Helper()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	got := digest(t, s)
	checked(t, s)
	return got
}

// The n-th write, sync or rename of every kind of operation fails, once or from then
// on: the operation says so, and afterwards the store holds what was there before, or all
// of what the operation makes.
func TestDiskErrorInOperations(t *testing.T) {
	base := operationBase(t)
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			before, after, n := beforeAndAfter(t, base, op.run, changes)
			hits, failed := 0, 0
			for i := range seeds(4) {
				r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 22))
				mem := copyOf(t, base)
				f := &faults{forever: r.IntN(2) == 0}
				f.left.set(1 << 40)
				s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: errorfs.Wrap(mem, f)}))
				storage.SetPatience(s, 100*time.Millisecond)
				f.left.set(1 + r.Int64N(int64(n)))
				err := op.run(s)
				if err != nil && !errors.Is(err, errDisk) && !errors.Is(err, storage.ErrFailed) {
					t.Fatalf("an error that does not tell of the disk: %v", err)
				}
				if f.hit.n.Load() > 0 {
					hits++
				}
				s.Close() // may fail, too
				f.forever = false
				f.left.set(0)
				got := reopened(t, mem)
				if err == nil && got != after {
					t.Fatalf("acknowledged, and then %s, want %s", got, after)
				}
				if got != before && got != after {
					t.Fatalf("after a failure: %s, which is neither %s nor %s", got, before, after)
				}
				if err != nil {
					failed++
				}
				for _, n := range leftovers(t, mem) {
					t.Fatalf("left behind: %s", n)
				}
			}
			t.Logf("%d failures of the disk, %d of the operation", hits, failed)
			if hits == 0 || failed > hits {
				t.Fatal("the disk did not fail")
			}
		})
	}
}

// changes reports whether an operation changes the disk.
func changes(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpFileClose, errorfs.OpFileRead, errorfs.OpFileReadAt, errorfs.OpFileStat, errorfs.OpOpen, errorfs.OpStat, errorfs.OpList, errorfs.OpOpenDir, errorfs.OpGetDiskUsage:
		return false
	}
	return !strings.HasSuffix(op.Path, "LOCK")
}
