package storage

import (
	"context"

	"github.com/lupadb/lupa/storage/internal/key"
)

// VacuumResult of Vacuum.
type VacuumResult struct {
	Table    string
	Rows     uint64 // live rows
	DeadRows uint64 // rows whose space was returned
}

// Vacuum rewrites a table without its deleted rows, returns their space and
// refreshes the statistics. Row order stays; row numbers change. It holds the
// writer's place; readers go on. A table without deleted rows is left as it is.
func (s *Store) Vacuum(ctx context.Context, table string, progress Progress) (VacuumResult, error) {
	res, err := s.vacuum(ctx, table, progress)
	if err != nil {
		return VacuumResult{}, err
	}
	return res, nil
}

func (s *Store) vacuum(ctx context.Context, table string, progress Progress) (res VacuumResult, err error) {
	l, err := s.newLoader(ctx, LoadOptions{Progress: progress})
	if err != nil {
		return res, err
	}
	defer func() { err = firstError(err, l.Abort()) }()
	t, err := l.view.Table(table)
	if err != nil {
		return res, err
	}
	res = VacuumResult{table, t.counters.live, t.counters.next - t.counters.live}
	if !t.hasDead() {
		return res, nil
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
			return res, err
		}
		if b == nil {
			break
		}
		if err := l.append(ctx, b.Cols, selected(b)); err != nil {
			return res, err
		}
		l.progress("rewriting", l.n, res.Rows)
	}
	return res, l.finish(ctx, func() error {
		// One ingest switches the table's name to the new rows and deletes the old ones.
		old := key.Table(nil, t.def.ID)
		if err := l.sst.deleteRange(old, old, key.End(old)); err != nil {
			return err
		}
		catalog := key.Table(nil, 0)
		if err := l.sst.put(catalog, key.Generation, encodeGeneration(c)); err != nil {
			return err
		}
		return l.sst.put(catalog, key.Schema(d.Name), encodeSchema(d))
	})
}
