package storage

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// mergingDB wants to merge so many times, two at a time.
type mergingDB struct {
	waiting atomic.Int32
	began   chan pebble.CompactionGrantHandle
}

func (d *mergingDB) GetAllowedWithoutPermission() int { return 2 }

func (d *mergingDB) GetWaitingCompaction() (bool, pebble.WaitingCompaction) {
	return d.waiting.Load() > 0, pebble.WaitingCompaction{}
}

func (d *mergingDB) Schedule(h pebble.CompactionGrantHandle) bool {
	if d.waiting.Add(-1) < 0 {
		d.waiting.Add(1)
		return false
	}
	d.began <- h
	return true
}

// No merge begins before the store is open, then as many as are allowed, and none after it is
// closed.
func TestMergesWaitForTheStore(t *testing.T) {
	db := &mergingDB{began: make(chan pebble.CompactionGrantHandle, 9)}
	m := newMerges()
	m.Register(2, db)
	db.waiting.Store(5)
	if ok, _ := m.TrySchedule(); ok {
		t.Fatal("a merge may begin before the store is open")
	}
	m.UpdateGetAllowedWithoutPermission()
	if len(db.began) > 0 {
		t.Fatal("a merge began before the store was open")
	}
	m.begin()
	for range 5 {
		select {
		case h := <-db.began:
			if len(db.began) > 1 {
				t.Fatalf("%d merges at a time", 1+len(db.began))
			}
			h.Done()
		case <-time.After(time.Minute):
			t.Fatal("a merge that waits does not begin")
		}
	}
	m.Unregister()
	db.waiting.Store(1)
	m.UpdateGetAllowedWithoutPermission()
	if ok, _ := m.TrySchedule(); ok || len(db.began) > 0 {
		t.Fatal("a merge begins after the store was closed")
	}

	m = newMerges() // of a database that was never opened
	m.Register(2, db)
	m.Unregister()
	if m.begin(); len(db.began) > 0 {
		t.Fatal("a merge begins after the store was closed")
	}
}
