package storage

import (
	"context"
	"slices"

	"github.com/lupadb/lupa/storage/internal/key"
)

// recluster says that an index is to be built anew in the background, or its curves are to be
// measured again.
type recluster struct {
	measure bool // only that
	queries [][]float32
	now     clusteredOf
}

// clusteredOf is what an index was built anew for, the last time: once is enough.
type clusteredOf struct {
	blocks    uint32
	transform uint64
}

// uncovered is told of every search that could be approximate, with a nil where the index
// could not be used, and has it built anew when that pays.
func (k *keeper) uncovered(t *Table, x *clusterIndex, a *approximate) {
	if k.noRetraining || k.s.readOnly {
		return
	}
	id := columnOf{t.def.ID, t.def.Columns[x.column].ID}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := 0
	var queries [][]float32
	if asked := k.asked[id]; asked != nil {
		known, queries = asked.known+len(asked.queries), asked.queries
	}
	var due *recluster
	now := clusteredOf{blocks: t.sealedBlocks()}
	switch {
	case a == nil:
		if tr, err := t.transform(x.column); t.sealedBlocks() >= clusteredBlocks && tr != nil && err == nil {
			now.transform = tr.ID
			due = &recluster{}
		}
	case len(a.blocks) >= clusteredBlocks && len(a.blocks) > int(a.h.blocks)/8:
		due = &recluster{}
	case a.h.asked < calibrated && known >= max(heldFrom+askedFirst, 8*int(a.h.asked)):
		due = &recluster{measure: true}
	}
	if due == nil || k.clusters[id] != nil || !due.measure && k.clustered[id] == now {
		return
	}
	due.queries = slices.Clone(queries)
	if k.clusters == nil {
		k.clusters, k.clustered = map[columnOf]*recluster{}, map[columnOf]clusteredOf{}
	}
	due.now = now
	k.clusters[id] = due
	k.wake()
}

// recluster builds an index anew beside the writers, as codes are trained anew.
func (k *keeper) recluster(ctx context.Context, c columnOf, due *recluster) error {
	defer func() {
		k.mu.Lock()
		delete(k.clusters, c)
		k.mu.Unlock()
	}()
	v, watch, err := k.watch(ctx, c.table)
	if err != nil {
		return err
	}
	defer watch.end()
	defer v.Close()
	t, err := v.tableOf(c.table)
	if t == nil {
		return err
	}
	at := t.def.ColumnID(c.column)
	if at < 0 {
		return nil
	}
	x := t.clusterIndex(at)
	if x == nil {
		return nil
	}
	k.mu.Lock()
	k.clustered[c] = due.now
	k.mu.Unlock()
	old, err := x.head(v)
	if err != nil {
		return err
	}
	dir, err := k.s.newLoadDir()
	if err != nil {
		return err
	}
	b := &build{dir: dir, sst: k.s.newSSTWriter(dir)}
	defer b.abort()
	kept, err := t.asked(at)
	if err != nil {
		return err
	}
	queries := sampleOf(kept, due.queries)
	codes, err := t.transform(at)
	if err != nil || codes == nil {
		return err
	}
	if len(queries) > len(kept) {
		if err := b.sst.putAsked(c.table, c.column, codes.base, queries); err != nil {
			return err
		}
	}
	var h *clusterHead
	if due.measure && old != nil {
		h, err = x.remeasure(ctx, t, old, queries, b.sst.put)
	} else {
		gen := uint32(1)
		if old != nil {
			gen = old.gen + 1
			g := x.generation(old.gen)
			if err := b.sst.deleteRange(g, g, key.End(g)); err != nil {
				return err
			}
		}
		h, err = x.fillFor(ctx, t, gen, queries, b.sst.put, nil)
	}
	if err != nil || h == nil {
		return err
	}
	tx, err := k.s.Begin(ctx)
	if err != nil {
		return err
	}
	ok, err := func() (bool, error) {
		now, err := tx.tableOf(c.table)
		if err != nil || now == nil || tx.catalog.generation != v.catalog.generation {
			return false, err
		}
		tr, err := now.transform(at)
		if err != nil || !tr.same(codes) || tr.ID != h.transform {
			return false, err
		}
		is, err := x.head(tx.View)
		if err != nil || (is == nil) != (old == nil) || is != nil && (is.gen != old.gen || is.id != old.id) {
			return false, err
		}
		if due.measure {
			return true, nil
		}
		prefix := x.part(h.gen, partUncovered)
		for _, n := range watch.blocks(at) {
			if n >= h.blocks {
				continue
			}
			if err := b.sst.put(prefix, numberedKey(prefix, n), nil); err != nil {
				return false, err
			}
		}
		return true, nil
	}()
	if !ok || err != nil {
		return firstError(err, tx.Rollback())
	}
	tx.built = b
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	if a := k.asked[c]; a != nil {
		a.known = max(a.known, len(queries))
	}
	k.mu.Unlock()
	k.reclustered.Add(1)
	return nil
}
