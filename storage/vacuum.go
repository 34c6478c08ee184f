package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// VacuumResult of Vacuum.
type VacuumResult struct {
	Table    string
	Rows     uint64 // live rows
	DeadRows uint64 // rows whose space was returned
}

// Vacuum rewrites a table without its deleted rows, returns their space and
// refreshes the statistics. Row order stays; row numbers change. It holds the
// writer lock; readers go on. A table without deleted rows is left as it is.
func (s *Store) Vacuum(ctx context.Context, table string, progress Progress) (VacuumResult, error) {
	res, ids, err := s.vacuum(ctx, table, progress)
	if err != nil {
		return VacuumResult{}, err
	}
	if len(ids) > 0 {
		s.reclaim(ctx, ids)
	}
	return res, nil
}

// reclaim returns the space of what was deleted or written over in tables with these ids.
// Pebble does so by itself, but in its own time. What goes wrong, such as a full disk or
// the end of the context, only leaves that to it.
func (s *Store) reclaim(ctx context.Context, ids []uint32) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what was left behind
	if s.enter() != nil {
		return
	}
	defer s.leave()
	g := s.enterGeneration()
	defer g.leave()
	merging, stop := g.fs.untilMergeWaits(ctx)
	defer stop()
	err := g.tryQuietly(func() error { return g.db.Flush() })
	for _, id := range ids {
		k := key.Table(nil, id)
		if err == nil && merging.Err() == nil {
			err = g.tryQuietly(func() error { return g.db.Compact(merging, k, key.End(k), false) })
		}
	}
	if err != nil && merging.Err() == nil {
		s.note(err)
	}
	// Pebble deletes files that nobody reads any more in the background.
	for range reclaimPolls {
		m := g.db.Metrics()
		if err != nil || m.Table.ObsoleteSize+m.Table.ZombieSize == 0 {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

// reclaimPolls bounds how long VACUUM waits for files to be deleted: two seconds. Those that a
// view still reads stay longer.
const reclaimPolls = 100

// tryQuietly runs work of Pebble's that may be left undone: it waits for ever where the
// disk fails.
func (g *generation) tryQuietly(f func() error) error {
	err, _ := g.attempt(func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("reclaiming space: %v", r)
			}
		}()
		return f()
	})
	return err
}

func (s *Store) vacuum(ctx context.Context, table string, progress Progress) (res VacuumResult, ids []uint32, err error) {
	l, err := s.newLoader(ctx, LoadOptions{Progress: progress})
	if err != nil {
		return res, nil, err
	}
	defer func() { err = firstError(err, l.Abort()) }()
	t, err := l.view.Table(table)
	if err != nil {
		return res, nil, err
	}
	res = VacuumResult{table, t.counters.live, t.counters.next - t.counters.live}
	if !t.hasDead() {
		return res, nil, nil
	}
	c := l.view.catalog.clone()
	d := t.def.clone()
	d.ID = c.nextID
	for i := range d.Columns {
		d.Columns[i].fillBlocks = 0
		d.Columns[i].newPages()
	}
	c.nextID++
	c.generation++
	l.d = d
	l.inherit = t
	l.frees = true
	s.fs.spareRoom.Store(s.room)
	defer s.fs.spareRoom.Store(nil)
	l.counters.identity = t.counters.identity
	l.start()
	all := make([]int, len(d.Columns))
	for i := range all {
		all[i] = i
	}
	scan := t.Scan(ScanOptions{Columns: all})
	defer scan.Close()
	for {
		b, err := scan.Next(ctx)
		if err != nil {
			return res, nil, err
		}
		if b == nil {
			break
		}
		if err := l.append(ctx, b.Cols, selected(b)); err != nil {
			return res, nil, err
		}
		l.progress("rewriting", l.n, res.Rows)
	}
	return res, []uint32{t.def.ID, d.ID}, l.finish(ctx, func() error {
		// One ingest switches the table's name to the new rows and deletes the old ones.
		old := key.Table(nil, t.def.ID)
		if err := l.sst.deleteRange(old, old, key.End(old)); err != nil {
			return err
		}
		for i := range t.def.Columns {
			if t.def.Columns[i].Type.Kind != value.Vector {
				continue
			}
			asked, err := t.asked(i)
			if err != nil {
				return err
			}
			if err := l.sst.putAsked(d.ID, d.Columns[i].ID, 0, asked); err != nil {
				return err
			}
			if err := t.copyBackground(i, l.sst, d.ID, d.Columns[i].ID); err != nil {
				return err
			}
		}
		c.byName[d.Name] = d
		return l.sst.changeCatalog(c, d)
	})
}
