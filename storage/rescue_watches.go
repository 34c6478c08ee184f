package storage

import (
	"github.com/lupadb/lupa/storage/internal/block"
)

// copyWatches makes the watches of a table that has been copied, and copies what they have still
// to tell.
func (r *rescuer) copyWatches(src, dst *Store, d *TableDef, lose func(format string, args ...any)) (err error) {
	v, err := src.Snapshot()
	if err != nil {
		return err
	}
	defer v.Close()
	tx, err := dst.Begin(r.ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, w := range d.Watches {
		t, err := tx.Table(d.Name)
		if err != nil {
			return err
		}
		made := w
		made.Columns = nil
		for _, id := range w.Columns {
			made.Columns = append(made.Columns, t.def.Columns[d.ColumnID(id)].ID)
		}
		if err := tx.CreateWatch(r.ctx, d.Name, made); err != nil {
			lose("watch %s is left out: %s", w.Name, plainError(err))
			continue
		}
		_, now, err := tx.Watch(w.Name)
		if err != nil {
			return err
		}
		var at Place
		for n := uint64(0); ; {
			notes, err := v.Notes(r.ctx, w.Name, at, 1024)
			if err != nil {
				if r.ctx.Err() != nil {
					return err
				}
				lose("what watch %s has still to tell can't be read: %s", w.Name, plainError(err))
				break
			}
			for _, x := range notes {
				var b []byte
				for i, name := range x.Columns {
					c := &t.def.Columns[t.def.Column(name)]
					b = block.AppendField(b, c.ID, x.Values[i], c.Type)
				}
				if err := tx.tell(now, n, b); err != nil {
					return err
				}
				n++
				at = x.Place
			}
			if len(notes) == 0 {
				break
			}
		}
	}
	return tx.Commit(r.ctx)
}
