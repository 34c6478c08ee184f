package storage_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// What Stats says of the space that a store takes is what its files take, whatever was written over
// and given back.
func TestSizeOfTheFiles(t *testing.T) {
	fs := vfs.NewMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(256))
		return err
	})
	for i := range 20 {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(500*i, 500*i+500, 256), storage.InsertOptions{})
			return err
		})
	}
	update(t, s, func(tx *storage.Tx) error { return deleteAll(tx, "photos", 100, 2000) })
	must[storage.VacuumResult](t)(s.Vacuum(ctx, "photos", nil))
	storage.AwaitHousekeeping(s)
	got, n := s.Stats().DiskBytes, uint64(0)
	for _, name := range must[[]string](t)(fs.List("db")) {
		n += uint64(must[vfs.FileInfo](t)(fs.Stat("db/" + name)).Size())
	}
	if got < n*9/10 || got > n*11/10 {
		t.Errorf("%d bytes, the files have %d", got, n)
	}
	healthy(t, s)
	check(t, s.Close())
}
