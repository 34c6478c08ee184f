package storage_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
)

// A backup that fails, as on a full disk of its own, or that is cancelled, does the
// store no harm, wherever that happens.
func TestBackupFails(t *testing.T) {
	var left atomic.Int64 // writes to the copy that succeed
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "copy") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Add(-1) < 0 {
			return errDisk
		}
		return nil
	}))
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	insert := func(from int) {
		t.Helper()
		tx := must[*storage.Tx](t)(s.Begin(ctx))
		_, err := tx.Insert(ctx, "photos", photoRows(from, from+1, 3), storage.InsertOptions{})
		check(t, err)
		check(t, tx.Commit(ctx))
	}
	if _, err := work(s, 3); err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		left.Store(int64(n))
		err := s.Backup(ctx, "copy", nil)
		insert(5000 + n)
		if err == nil {
			break
		}
		if !errors.Is(err, errDisk) {
			t.Fatalf("write %d: %v", n, err)
		}
	}
	if n < 5 {
		t.Errorf("a backup makes only %d writes", n)
	}
	left.Store(1 << 30)
	for i := range 20 { // one after the other into the same place
		cctx, cancel := context.WithCancel(ctx)
		go cancel()
		if err := s.Backup(cctx, "again", nil); err == nil {
			break
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		insert(6000 + i)
	}
	check(t, s.Close())
}
