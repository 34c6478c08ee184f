package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lupadb/lupa/storage"
)

// A log gets longer a few times for hundreds of commits, and a copy of the store that is
// made in between, with a log that ends in zeros, has all rows.
func TestLogIsLengthenedAhead(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "db")
	s := newPhotos(t, store, nil, 1, 5)
	defer s.Close()
	lengths := map[int64]bool{}
	const rows = 400
	for row := 1; row < rows; row++ {
		tx := must[*storage.Tx](t)(s.Begin(ctx))
		must[storage.InsertResult](t)(tx.Insert(ctx, "photos", photoRows(row, row+1, 5), storage.InsertOptions{}))
		check(t, tx.Commit(ctx))
		size := int64(0)
		for _, name := range must[[]string](t)(filepath.Glob(filepath.Join(store, "*.log"))) {
			size += must[os.FileInfo](t)(os.Stat(name)).Size()
		}
		lengths[size] = true
	}
	if len(lengths) > rows/20 {
		t.Errorf("the log had %d lengths in %d commits", len(lengths), rows)
	}
	killed := filepath.Join(dir, "copy")
	check(t, os.CopyFS(killed, os.DirFS(store)))
	c := must[*storage.Store](t)(storage.Open(killed, nil))
	defer c.Close()
	if n := count(t, c); n != rows {
		t.Errorf("a copy has %d rows, want %d", n, rows)
	}
	check(t, c.Check(ctx, func(p storage.Problem) { t.Errorf("check: %v", p) }))
}
