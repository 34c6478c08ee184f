package storage_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/lupadb/lupa/storage"
)

// A transaction of single rows, far larger than what is kept in memory: the heap stays small, a
// savepoint is gone back to from either side of the limit, nothing is left behind, and after a
// rollback nothing has happened.
func TestLargeTransaction(t *testing.T) {
	const dim, rows = 256, 60_000 // 61 MB of vectors
	dir := filepath.Join(t.TempDir(), "s")
	s := newPhotos(t, dir, nil, 0, dim)
	defer s.Close()
	begin := func() *storage.Tx { t.Helper(); return must[*storage.Tx](t)(s.Begin(ctx)) }
	add := func(tx *storage.Tx, from, to int) {
		t.Helper()
		for ; from < to; from += 100 {
			must[storage.InsertResult](t)(tx.Insert(ctx, "photos", photoRows(from, min(from+100, to), dim), storage.InsertOptions{}))
		}
	}
	count := func() uint64 {
		t.Helper()
		v := must[*storage.View](t)(s.Snapshot())
		defer v.Close()
		return must[*storage.Table](t)(v.Table("photos")).Rows()
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	tx := begin()
	add(tx, 0, 500)
	small := tx.Savepoint()
	add(tx, 500, 40_000)
	check(t, tx.RollbackTo(small)) // from beyond the limit to before it
	add(tx, 500, 30_000)
	before := heap()
	large := tx.Savepoint()
	add(tx, 30_000, 45_000)
	check(t, tx.RollbackTo(large))
	add(tx, 30_000, rows)
	grown := int64(heap()) - int64(before)
	t.Logf("%d KB of memory for 31 MB of vectors", grown>>10)
	if grown > 20<<20 {
		t.Errorf("30,000 rows more take %d MB of memory", grown>>20)
	}
	if n := must[*storage.Table](t)(tx.Table("photos")).Rows(); n != rows {
		t.Errorf("the transaction sees %d rows of its own", n)
	}
	if n := count(); n != 0 {
		t.Errorf("%d rows are seen before they are committed", n)
	}
	check(t, tx.Commit(ctx))
	healthy(t, s)
	if n := count(); n != rows {
		t.Errorf("%d rows of %d", n, rows)
	}
	tx = begin()
	add(tx, rows, rows+20_000)
	check(t, tx.Rollback())
	if n := count(); n != rows {
		t.Errorf("%d rows after a rollback", n)
	}
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(dir)) {
		if e.IsDir() {
			t.Errorf("%s is left", e.Name())
		}
	}
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open(dir, nil))
	healthy(t, s)
	if n := count(); n != rows {
		t.Errorf("%d rows of %d after opening", n, rows)
	}
}
