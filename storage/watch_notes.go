package storage

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Note is what a watch has to tell of a row: what is known of it, as it was when it was
// committed.
type Note struct {
	Place   Place
	Columns []string // the primary key or, without one, all columns but vectors and blobs
	Values  []value.Value
}

// Notes returns up to most of what a watch has to tell, from behind a place on, in order.
func (v *View) Notes(ctx context.Context, watch string, after Place, most int) ([]Note, error) {
	d, w, err := v.Watch(watch)
	if err != nil {
		return nil, err
	}
	from := append(key.Note(nil, w.ID, after.Commit, after.Row), 0)
	it, err := v.iter(from, key.End(key.Watch(nil, w.ID)))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []Note
	for ok := it.First(); ok && len(out) < most; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := d.readNote(w, it.Key(), it.Value())
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, corrupt(d.Name, "", "watch "+w.Name, it.Error())
}

// CountNotes counts what a watch has to tell.
func (v *View) CountNotes(ctx context.Context, w *WatchDef) (n int64, err error) {
	it, err := v.prefixIter(key.Watch(nil, w.ID))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	return n, corrupt("", "", "watch "+w.Name, it.Error())
}

func (d *TableDef) readNote(w *WatchDef, k, b []byte) (n Note, err error) {
	p, ok := placeOf(w, k)
	if !ok {
		return n, corrupt(d.Name, "", "watch "+w.Name, fmt.Errorf("%w: key %x", block.ErrMalformed, k))
	}
	n.Place = p
	for len(b) > 0 {
		var id uint32
		var src []byte
		if id, src, b, err = block.NextField(b); err != nil {
			return n, corrupt(d.Name, "", "watch "+w.Name, err)
		}
		v, _, err := block.ReadValue(src)
		if err != nil {
			return n, corrupt(d.Name, "", "watch "+w.Name, err)
		}
		if i := d.ColumnID(id); i >= 0 { // else it was dropped
			n.Columns, n.Values = append(n.Columns, d.Columns[i].Name), append(n.Values, v)
		}
	}
	return n, nil
}

// placeOf reads the key of a note.
func placeOf(w *WatchDef, k []byte) (Place, bool) {
	prefix := key.Watch(nil, w.ID)
	if len(k) != len(prefix)+16 {
		return Place{}, false
	}
	k = k[len(prefix):]
	return Place{binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(k[8:])}, true
}

// Acknowledge drops what a watch has told up to a place.
func (tx *Tx) Acknowledge(ctx context.Context, watch string, upTo Place) error {
	defer tx.frees()()
	if err := tx.writable(); err != nil {
		return err
	}
	_, w, err := tx.Watch(watch)
	if err != nil {
		return err
	}
	end := append(key.Note(nil, w.ID, upTo.Commit, upTo.Row), 0)
	it, err := tx.iter(key.Watch(nil, w.ID), end)
	if err != nil {
		return err
	}
	var few [][]byte
	ok := it.First()
	for ; ok && len(few) <= fewNotes; ok = it.Next() {
		few = append(few, append([]byte(nil), it.Key()...))
	}
	err = firstError(it.Error(), it.Close())
	if err != nil {
		return corrupt("", "", "watch "+w.Name, err)
	}
	if len(few) > fewNotes { // a range that is deleted slows reading down until it is merged
		return tx.deleteRange(key.Watch(nil, w.ID), end)
	}
	for _, k := range few {
		if err := tx.deleteKey(k); err != nil {
			return err
		}
	}
	return nil
}

// fewNotes are deleted one by one.
const fewNotes = 256

// notes checks what watches have to tell.
func (c *checker) notes() {
	it, err := c.view.prefixIter(key.Watches())
	if err != nil {
		c.found("", "", "watches", err)
		return
	}
	defer it.Close()
	byID := map[uint32]*WatchDef{}
	of := map[uint32]*TableDef{}
	for _, d := range c.view.Tables() {
		for i := range d.Watches {
			w := &d.Watches[i]
			if o := byID[w.ID]; o != nil {
				c.report(Problem{Table: d.Name, Where: "watch " + w.Name, Msg: fmt.Sprintf("has the id %d, and so has %s", w.ID, o.Name)})
			}
			byID[w.ID], of[w.ID] = w, d
		}
	}
	for ok := it.First(); ok && c.ctx.Err() == nil; ok = it.Next() {
		k := it.Key()
		if len(k) < len(key.Watch(nil, 0)) || byID[binary.BigEndian.Uint32(k[5:])] == nil {
			c.report(Problem{Where: "keys", Msg: fmt.Sprintf("key %x belongs to no watch", k)})
			continue
		}
		w := byID[binary.BigEndian.Uint32(k[5:])]
		p, _ := placeOf(w, k)
		_, err := of[w.ID].readNote(w, k, it.Value())
		switch {
		case err != nil:
			c.found(of[w.ID].Name, "", "watch "+w.Name, err)
		case p.Commit > c.commits && c.commits > 0:
			c.report(Problem{Table: of[w.ID].Name, Where: "watch " + w.Name, Msg: fmt.Sprintf("belongs to commit %d, but there are %d", p.Commit, c.commits)})
		}
	}
	c.found("", "", "watches", it.Error())
}
