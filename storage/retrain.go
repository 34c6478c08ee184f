package storage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
)

// Codes discard rows best for queries like those they were trained for. A column that has
// an encoder is trained for phrases from the first; of any other one only the rows are
// known, and texts, say, lie elsewhere. So the store keeps a sample of what searches have
// asked for, and trains codes anew from it when they pass many rows, or when rows have
// drifted from those that the codes were trained on.
const (
	// Drifted is the NearestStats.Drift from which on it is worth to train codes anew: each
	// tenth lets about twice as many rows pass the first plane.
	Drifted = 1.2
	// driftGrowth is how much larger a column has to be than when its codes were trained
	// anew the last time: where rows are of many kinds, drift stays.
	driftGrowth = 1.25

	// passedMany is the part of the rows that pass the first plane, from which on queries
	// are unlike what the codes were trained for: one in a hundred passes where they fit
	// well, one in ten for texts over pictures.
	passedMany = 0.04
	// askedFirst is how many different queries are waited for, askedTimes how many times
	// those of the last training, and askedMost how many are kept: with 32 the first plane
	// passes 16% of the rows for texts over pictures, with 256 11%, with 3,000 9%, and
	// without any 60%.
	askedFirst = 32
	askedTimes = 8
	askedMost  = 1024

	// lateBlocks is how many blocks may be coded while writers wait.
	lateBlocks = 2
)

// columnOf is a column of a table, by their IDs.
type columnOf struct{ table, column uint32 }

// asking is what searches have met in a column since the store was opened.
type asking struct {
	queries [][]float32 // different ones, since the last training
	hashes  map[uint64]struct{}
	known   int     // queries that the codes were trained with
	blocks  uint32  // when they were trained anew the last time in this process
	n       float64 // searches
	passed  float64 // sum of the parts of rows that passed the first plane
	drifted int     // searches that met drift
	due     bool
}

// searched notes how a search went. Codes that drifted, or don't fit what is asked, are
// trained anew.
func (k *keeper) searched(t *Table, o *NearestOptions, st *NearestStats) {
	if k.noRetraining || k.s.readOnly || st.Coded < codedBlocks*BlockRows || o.Worst || o.K < 0 || o.K > 100 {
		return
	}
	id := columnOf{t.def.ID, t.def.Columns[o.Column].ID}
	k.mu.Lock()
	a := k.asked[id]
	k.mu.Unlock()
	if a == nil {
		known, err := t.asked(o.Column)
		if err != nil {
			return
		}
		a = &asking{hashes: map[uint64]struct{}{}, known: len(known)}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked[id] == nil {
		if k.asked == nil {
			k.asked = map[columnOf]*asking{}
		}
		k.asked[id] = a
	}
	a = k.asked[id]
	if a.due {
		return
	}
	q := o.Query.Vector()
	if h := hashVector(q); len(a.queries) < askedMost {
		if _, there := a.hashes[h]; there {
			return
		}
		a.hashes[h] = struct{}{}
		a.queries = append(a.queries, slices.Clone(q))
	}
	a.n++
	a.passed += 1 - float64(st.Discarded1)/float64(st.Coded)
	if st.Drift > Drifted {
		a.drifted++
	}
	unfit := a.passed > passedMany*a.n && a.known < askedMost && len(a.queries) >= max(askedFirst, min((askedTimes-1)*a.known, askedMost-1))
	drifted := a.drifted >= askedFirst && float64(t.sealedBlocks()) >= driftGrowth*float64(a.blocks)
	if unfit || drifted {
		a.due = true
		k.wake()
	}
}

// hashVector is FNV-1a over the bits of the numbers, mixed.
func hashVector(v []float32) uint64 {
	h := uint64(14695981039346656037)
	for _, x := range v {
		h = (h ^ uint64(math.Float32bits(x))) * 1099511628211
	}
	return mix(h)
}

// asked returns the queries that are kept of a vector column.
func (t *Table) asked(column int) (queries [][]float32, err error) {
	def := &t.def.Columns[column]
	dim := def.Type.Dim
	_, err = t.view.get(key.Of(nil, t.def.ID, key.Asked, def.ID), func(b []byte) error {
		if len(b)%(4*dim) != 0 || len(b) > askedMost*4*dim {
			return fmt.Errorf("%w: %d bytes", block.ErrMalformed, len(b))
		}
		for ; len(b) > 0; b = b[4*dim:] {
			q := make([]float32, dim)
			block.Floats(q, b[:4*dim])
			if !finite(q) {
				return fmt.Errorf("%w: a number is not finite", block.ErrMalformed)
			}
			queries = append(queries, q)
		}
		return nil
	})
	return queries, corrupt(t.def.Name, def.Name, "queries", err)
}

// train trains codes for a column's sealed rows, for queries and for those that are kept.
// It returns what they were trained for, and nil where codes don't pay.
func (t *Table) train(ctx context.Context, column int, queries [][]float32) (*code.Transform, [][]float32, error) {
	sample, err := t.sampleVectors(ctx, column, t.sealedBlocks(), trainRows)
	if err != nil {
		return nil, nil, err
	}
	kept, err := t.asked(column)
	if err != nil {
		return nil, nil, err
	}
	queries = sampleOf(kept, queries)
	return code.Train(t.def.Columns[column].Type.Dim, sample, queries), queries, nil
}

// putTransform writes the transform of a column, and the queries it was trained for.
func (w *sstWriter) putTransform(table, column uint32, tr *code.Transform, queries [][]float32) error {
	k := key.Of(nil, table, key.Meta, column)
	return firstError(w.put(k, k, tr.Marshal()), w.putAsked(table, column, queries))
}

// putAsked writes the queries that are kept of a column, if there are any.
func (w *sstWriter) putAsked(table, column uint32, queries [][]float32) error {
	if len(queries) == 0 {
		return nil
	}
	k := key.Of(nil, table, key.Asked, column)
	return w.put(k, k, encodeAsked(queries))
}

func encodeAsked(queries [][]float32) (b []byte) {
	for _, q := range queries {
		b = block.AppendFloats(b, q)
	}
	return b
}

// sampleOf joins the queries that were kept with those that came, at most askedMost
// different ones: some of the older ones make room.
func sampleOf(kept, came [][]float32) [][]float32 {
	seen := map[uint64]struct{}{}
	repeated := func(q []float32) bool {
		h := hashVector(q)
		_, there := seen[h]
		seen[h] = struct{}{}
		return there
	}
	came = slices.DeleteFunc(slices.Clone(came), repeated)
	kept = slices.DeleteFunc(slices.Clone(kept), repeated)
	if n := len(kept) + len(came) - askedMost; n > 0 && len(kept) > 0 {
		n = min(n, len(kept))
		left := make([][]float32, 0, len(kept)-n)
		for i := range len(kept) - n {
			left = append(left, kept[i*len(kept)/(len(kept)-n)])
		}
		kept = left
	}
	all := slices.Concat(kept, came)
	return all[:min(len(all), askedMost)]
}

// retrain trains the codes of a column anew. All that takes time is done beside the
// writers, as in merging; they wait while the files with the codes are taken in. It is
// tried again when somebody has changed vectors of the column meanwhile.
func (k *keeper) retrain(ctx context.Context, c columnOf, queries [][]float32) (err error) {
	defer func() {
		k.mu.Lock()
		if a := k.asked[c]; a != nil {
			*a = asking{hashes: map[uint64]struct{}{}, known: a.known, blocks: a.blocks}
		}
		k.mu.Unlock()
	}()
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
	tr, queries, err := t.train(ctx, at, queries)
	if tr == nil {
		return err == nil, err
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
	if err := b.sst.putTransform(t.def.ID, def.ID, tr, queries); err != nil {
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
	if a := k.asked[c]; a != nil {
		a.blocks, a.known = blocks, len(queries)
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
	return encodeCodes(c.encoder, c.to, c.t.def.ID, def.ID, b, c.vecs, &c.planes)
}
