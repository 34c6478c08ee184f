package storage

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// merges says when Pebble may merge files: as many at a time as Pebble wants, but none before
// the database has been opened. When opening fails, on a full disk for one, Pebble takes away
// what a merge that goes on beside it uses, and the merge panics in a goroutine of its own,
// which ends the whole process. Writing memory to files, which opening waits for, needs no
// permission.
type merges struct {
	db   pebble.DBForCompaction
	wake chan struct{}
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex // taken after those of Pebble
	opened  bool
	ended   bool
	running int
	waiting bool // Pebble has asked, and was refused
}

func newMerges() *merges {
	return &merges{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// begin says that the database has been opened.
func (m *merges) begin() {
	m.mu.Lock()
	start := m.db != nil && !m.opened && !m.ended
	m.opened = m.opened || start
	m.mu.Unlock()
	if start {
		go m.run()
		m.poke()
	}
}

// run gives permissions that were refused before. Pebble's own scheduler looks ten times a
// second, too, for what is allowed changes without a word; this one only while there is a
// merge that waits.
func (m *merges) run() {
	defer close(m.done)
	var tick <-chan time.Time
	for {
		select {
		case <-m.stop:
			return
		case <-m.wake:
		case <-tick:
		}
		m.grant()
		tick = nil
		m.mu.Lock()
		if m.waiting {
			tick = time.After(100 * time.Millisecond)
		}
		m.mu.Unlock()
	}
}

// grant lets merges begin that wait, as many as are allowed.
func (m *merges) grant() {
	for {
		allowed := m.db.GetAllowedWithoutPermission()
		m.mu.Lock()
		free := m.running < allowed && !m.ended
		if free {
			m.running++ // before it can be done
		}
		m.mu.Unlock()
		if !free {
			return
		}
		some, _ := m.db.GetWaitingCompaction()
		if !some || !m.db.Schedule(m) {
			m.mu.Lock()
			m.running--
			m.waiting = m.waiting && some
			m.mu.Unlock()
			return
		}
	}
}

func (m *merges) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Register implements pebble.CompactionScheduler, as do the next ones.
func (m *merges) Register(_ int, db pebble.DBForCompaction) {
	m.mu.Lock()
	m.db = db
	m.mu.Unlock()
}

func (m *merges) Unregister() {
	m.mu.Lock()
	m.ended = true
	opened := m.opened
	m.mu.Unlock()
	if opened {
		close(m.stop)
		<-m.done
	}
}

func (m *merges) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false, nil
	}
	if !m.opened || m.running >= m.db.GetAllowedWithoutPermission() {
		m.waiting = true
		if m.opened {
			m.poke() // so that it looks again in a while
		}
		return false, nil
	}
	m.running++
	return true, m
}

func (m *merges) UpdateGetAllowedWithoutPermission() {
	m.mu.Lock()
	look := m.opened && m.waiting
	m.mu.Unlock()
	if look {
		m.poke()
	}
}

// Started implements pebble.CompactionGrantHandle, as do the next ones.
func (m *merges) Started() {}

func (m *merges) MeasureCPU(pebble.CompactionGoroutineKind) {}

func (m *merges) CumulativeStats(pebble.CompactionGrantHandleStats) {}

func (m *merges) Done() {
	m.mu.Lock()
	m.running--
	look := m.waiting
	m.mu.Unlock()
	if look {
		m.poke()
	}
}
