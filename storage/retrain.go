package storage

import (
	"context"
	"slices"
	"time"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
)

// Drifted is the NearestStats.Drift from which on it is worth to train codes anew: each
// tenth lets about twice as many rows pass the first plane.
const Drifted = 1.2

const (
	// driftSearches is how many searches have to meet drift before codes are trained
	// anew; what they searched for is trained with.
	driftSearches = 32
	// driftGrowth is how much larger a column has to be than when its codes were trained
	// anew the last time: where rows are of many kinds, drift stays.
	driftGrowth = 1.25
	// lateBlocks is how many blocks may be coded while writers wait.
	lateBlocks = 2
)

// columnOf is a column of a table, by their IDs.
type columnOf struct{ table, column uint32 }

// drift is what searches have met in a column.
type drift struct {
	queries [][]float32
	blocks  uint32 // when the codes were trained anew the last time
}

// searched notes how a search went, and trains codes anew that have drifted.
func (k *keeper) searched(t *Table, column int, st *NearestStats, query []float32) {
	if k.noRetraining || k.s.readOnly || !(st.Drift > Drifted) {
		return
	}
	c := columnOf{t.def.ID, t.def.Columns[column].ID}
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.drift[c]
	if d == nil {
		if k.drift == nil {
			k.drift = map[columnOf]*drift{}
		}
		d = &drift{}
		k.drift[c] = d
	}
	if float64(t.sealedBlocks()) < driftGrowth*float64(d.blocks) || len(d.queries) >= driftSearches {
		return
	}
	if d.queries = append(d.queries, slices.Clone(query)); len(d.queries) == driftSearches {
		k.wake()
	}
}

// retrain trains the codes of a column anew. All that takes time is done beside the
// writers, as in merging; they wait while the files with the codes are taken in. It is
// tried again when somebody has changed vectors of the column meanwhile.
func (k *keeper) retrain(ctx context.Context, c columnOf, queries [][]float32) error {
	for range 3 {
		begun := time.Now()
		done, err := k.tryRetrain(ctx, c, queries)
		if done || err != nil || ctx.Err() != nil {
			return err
		}
		rest(ctx, restShare*time.Since(begun))
	}
	return nil
}

func (k *keeper) tryRetrain(ctx context.Context, c columnOf, queries [][]float32) (done bool, err error) {
	v, err := k.arm(ctx, c.table)
	if err != nil {
		return false, err
	}
	defer k.disarm()
	defer v.Close()
	t, err := v.tableOf(c.table)
	if t == nil {
		return true, err
	}
	at := t.def.ColumnID(c.column)
	if at < 0 {
		return true, nil
	}
	def, blocks := &t.def.Columns[at], t.sealedBlocks()
	was, err := t.transform(at)
	if was == nil {
		return true, err
	}
	sample, err := t.sampleVectors(ctx, at, blocks, trainRows)
	if err != nil {
		return false, err
	}
	tr := code.Train(def.Type.Dim, sample, queries)
	if tr == nil {
		return true, nil
	}
	dir, err := k.s.newLoadDir()
	if err != nil {
		return false, err
	}
	b := &build{dir: dir, sst: k.s.newSSTWriter(dir)}
	defer b.abort() // after a commit there is nothing left of it
	codes := &columnCoder{t: t, at: at, encoder: tr.NewEncoder(), to: b}
	defer codes.close()
	for n := range blocks {
		begun := time.Now()
		if err := codes.code(n); err != nil {
			return false, err
		}
		if rest(ctx, time.Since(begun)); ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	meta := key.Of(nil, t.def.ID, key.Meta, def.ID)
	if err := b.sst.put(meta, meta, tr.Marshal()); err != nil {
		return false, err
	}
	tx, err := k.s.Begin(ctx)
	if err != nil {
		return false, err
	}
	ok, err := func() (bool, error) {
		if tx.catalog.generation != v.catalog.generation || slices.Contains(k.updated(nil), at) {
			return false, nil
		}
		now, err := tx.Table(t.def.Name)
		if err != nil {
			return false, err
		}
		if is, err := now.transform(at); err != nil || is != was || now.sealedBlocks() > blocks+lateBlocks {
			return false, err
		}
		late := &columnCoder{t: now, at: at, encoder: codes.encoder, to: b}
		defer late.close()
		for n := blocks; n < now.sealedBlocks(); n++ {
			if err := late.code(n); err != nil {
				return false, err
			}
		}
		return true, nil
	}()
	if !ok || err != nil {
		return false, firstError(err, tx.Rollback())
	}
	tx.built = b
	if err := tx.Commit(ctx); err != nil {
		return false, err
	}
	k.mu.Lock()
	if d := k.drift[c]; d != nil {
		d.blocks, d.queries = blocks, nil
	}
	k.mu.Unlock()
	k.retrained.Add(1)
	return true, nil
}

// columnCoder codes sealed blocks of a column, in their order.
type columnCoder struct {
	t       *Table
	at      int
	encoder *code.Encoder
	to      sink
	pages   *pageReader
	vecs    []float32
	planes  [2][]byte
}

func (c *columnCoder) close() {
	if c.pages != nil {
		c.pages.Close()
	}
}

func (c *columnCoder) code(b uint32) (err error) {
	def := &c.t.def.Columns[c.at]
	if c.pages == nil {
		if c.pages, err = c.t.pages(c.at, b, c.t.sealedBlocks()); err != nil {
			return err
		}
		c.vecs = make([]float32, BlockRows*def.Type.Dim)
	}
	if err := c.t.blockVectors(c.pages, def.Type.Dim, b, c.vecs); err != nil {
		return err
	}
	c.planes[0], c.planes[1] = c.encoder.Block(c.vecs, c.planes[0][:0], c.planes[1][:0])
	for p, plane := range c.planes {
		if err := c.to.set(key.Code(nil, c.t.def.ID, def.ID, byte(p+1), b), plane); err != nil {
			return err
		}
	}
	return nil
}
