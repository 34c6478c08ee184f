package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
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
)

// columnOf is a column of a table, by their IDs.
type columnOf struct{ table, column uint32 }

// train trains codes for a column's sealed rows, for queries and for those that are kept.
// It returns what they were trained for and with, and nil where codes don't pay.
func (t *Table) train(ctx context.Context, column int, queries [][]float32) (tr *code.Transform, asked [][]float32, sample []float32, err error) {
	sample, err = t.sampleVectors(ctx, column, t.sealedBlocks(), trainRows)
	if err != nil {
		return nil, nil, nil, err
	}
	kept, err := t.asked(column)
	if err != nil {
		return nil, nil, nil, err
	}
	queries = sampleOf(kept, queries)
	return code.Train(t.def.Columns[column].Type.Dim, sample, forCodes(queries)), queries, sample, nil
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

// RetrainColumn trains the codes of a vector column anew, from its rows and from
// query vectors typical for it (nil = queries are like rows), and codes all full
// blocks, however few. Answers don't change, only the time they take. Readers and writers
// go on beside it.
func (s *Store) RetrainColumn(ctx context.Context, table, column string, queries [][]float32, progress Progress) (err error) {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	v, err := s.Snapshot()
	if err != nil {
		return err
	}
	t, err := v.Table(table)
	if err != nil {
		return firstError(err, v.Close())
	}
	def := *t.def
	if err := v.Close(); err != nil {
		return err
	}
	at := def.Column(column)
	if at < 0 {
		return &NoColumnError{table, column}
	}
	c := &def.Columns[at]
	if c.Type.Kind != value.Vector {
		return &TypeError{def.Name, c.Name, value.Type{Kind: value.Vector}, c.Type}
	}
	if c.Type.Dim < code.MinDim {
		return nil
	}
	if progress == nil {
		progress = func(string, uint64, uint64) {}
	}
	for {
		r := &retraining{s: s, id: columnOf{def.ID, c.ID}, always: true, progress: progress}
		if done, err := r.run(ctx, queries); done || err != nil {
			return err
		}
		// Somebody has changed the table's definition or its codes meanwhile.
		if v, err = s.Snapshot(); err != nil {
			return err
		}
		t, err := v.tableOf(def.ID)
		there := t != nil && t.def.ColumnID(c.ID) >= 0
		if err = firstError(err, v.Close()); err != nil {
			return err
		}
		if !there {
			return &NoColumnError{table, column}
		}
	}
}

// retrain trains the codes of a column anew, in the background. It is tried again when
// somebody has changed the definition of the table meanwhile.
func (k *keeper) retrain(ctx context.Context, c columnOf, queries [][]float32) (err error) {
	r := &retraining{s: k.s, id: c, rests: true, progress: func(string, uint64, uint64) {}}
	done := false
	defer func() {
		k.mu.Lock()
		if a := k.asked[c]; a != nil {
			known, blocks := a.known, a.blocks
			if done && len(r.queries) > 0 {
				known, blocks = len(r.queries), r.blocks
			}
			*a = asking{hashes: map[uint64]struct{}{}, known: known, blocks: blocks}
		}
		k.mu.Unlock()
	}()
	for range 3 {
		begun := time.Now()
		done, err = r.run(ctx, queries)
		if done || err != nil || ctx.Err() != nil {
			if done && r.blocks > 0 {
				k.retrained.Add(1)
			}
			return err
		}
		rest(ctx, restShare*time.Since(begun))
	}
	return nil
}

// retraining trains the codes of a column anew, without the writer lock: the codes are
// written into planes of their own, which nobody reads, and taken in as files. What was
// written meanwhile is coded in the same manner, until nothing is left. Then the writer's
// place is taken for a commit of a few bytes that changes over.
type retraining struct {
	s        *Store
	id       columnOf
	rests    bool // between blocks
	always   bool // also where there are no codes that can be used
	progress Progress

	queries    [][]float32 // for which it was done
	background *background
	blocks     uint32 // how many were coded; 0: there was nothing to do

	gen   *generation
	view  *View
	watch *watch
	t     *Table // in view
	at    int    // the column in it
	tr    *transform
}

// mostRounds bounds how often what was written meanwhile is coded. Each round takes as long
// as writing what came in the one before, or less.
const mostRounds = 100

// run reports false when the definition of the table, or the codes, were changed meanwhile:
// then nothing has changed, and it may be tried again.
func (r *retraining) run(ctx context.Context, queries [][]float32) (done bool, err error) {
	// One at a time, or two might choose the same planes.
	select {
	case r.s.keeper.training <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-r.s.keeper.training }()
	r.blocks = 0
	if r.view, r.watch, err = r.s.keeper.watch(ctx, r.id.table); err != nil {
		return false, err
	}
	r.gen = r.s.enterGeneration()
	defer func() {
		r.watch.end()
		r.gen.leave()
		err = firstError(err, r.view.Close())
	}()
	if there, err := r.find(); !there {
		return err == nil, err
	}
	was, outdated, err := r.t.currentTransform(r.at)
	if err != nil || r.t.sealedBlocks() == 0 || was == nil && !r.always {
		return err == nil, err
	}
	r.progress("training", 0, uint64(r.t.sealedBlocks()))
	trained, asked, sample, err := r.t.train(ctx, r.at, queries)
	r.queries = asked
	if trained == nil || err != nil {
		return err == nil, err
	}
	if r.rests { // what was asked may be anything
		queries = nil
	}
	if r.background, err = r.t.renewedBackground(r.at, was, sample, queries); err != nil {
		return false, err
	}
	r.tr = &transform{Transform: trained}
	if r.tr.base, err = r.t.freePlanes(r.at, was); err != nil {
		return false, err
	}
	catalog := r.view.catalog.generation
	var late []uint32
	for b := range r.t.sealedBlocks() {
		late = append(late, b)
	}
	for round := range mostRounds {
		if err := r.code(ctx, late, round == 0); err != nil {
			return false, err
		}
		coded := r.t.sealedBlocks()
		tx, err := r.s.Begin(ctx)
		if err != nil {
			return false, err
		}
		late, err = r.late(tx, catalog, was, outdated, coded)
		switch {
		case err != nil:
			return false, firstError(ignore(err, errChanged), tx.Rollback())
		case len(late) == 0:
			if err := r.changeOver(tx); err != nil {
				return false, firstError(err, tx.Rollback())
			}
			r.s.keeper.commits(tx.size())
			if err := tx.Commit(ctx); err != nil {
				return false, err
			}
			r.blocks = coded
			return true, nil
		}
		old := r.view
		if r.view, err = r.s.writerView(); err != nil {
			r.view = old
			return false, firstError(err, tx.Rollback())
		}
		r.watch.again()
		if err := firstError(old.Close(), tx.Rollback()); err != nil {
			return false, err
		}
		if there, err := r.find(); !there {
			return false, err
		}
	}
	return false, nil
}

// find looks the column up in the view.
func (r *retraining) find() (there bool, err error) {
	if r.t, err = r.view.tableOf(r.id.table); r.t == nil {
		return false, err
	}
	r.at = r.t.def.ColumnID(r.id.column)
	return r.at >= 0, nil
}

// errChanged says that the training has to begin again.
var errChanged = errors.New("the table was changed in the meantime")

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// late returns the blocks that were written since the view, in ascending order.
func (r *retraining) late(tx *Tx, catalog uint64, was *transform, outdated bool, coded uint32) ([]uint32, error) {
	if tx.gen != r.gen || tx.catalog.generation != catalog {
		return nil, errChanged
	}
	now, err := tx.Table(r.t.def.Name)
	if err != nil {
		return nil, err
	}
	is, old, err := now.currentTransform(r.at)
	if err != nil {
		return nil, err
	}
	if !is.same(was) || old != outdated {
		return nil, errChanged
	}
	late := slices.DeleteFunc(r.watch.blocks(r.at), func(b uint32) bool { return b >= coded })
	for b := coded; b < now.sealedBlocks(); b++ {
		late = append(late, b)
	}
	return late, nil
}

// code writes the codes of blocks of the view, and takes them in. Blocks without a live
// row have none.
func (r *retraining) code(ctx context.Context, blocks []uint32, first bool) (err error) {
	dir, err := r.s.newLoadDir()
	if err != nil {
		return err
	}
	b := &build{dir: dir, sst: r.s.newSSTWriter(dir)}
	defer func() {
		if r.s.enter() != nil {
			b.abort()
			return
		}
		r.s.cleanUp(b.abort) // after an ingestion there is nothing left of it
	}()
	if first {
		k := transformKey(r.id.table, r.id.column, r.tr.base)
		if r.background != nil {
			of := backgroundKey(r.id.table, r.id.column, r.tr.base)
			if err := b.sst.put(of, of, r.background.encode()); err != nil {
				return err
			}
		}
		if err := firstError(b.sst.put(k, k, r.tr.Marshal()), b.sst.putAsked(r.id.table, r.id.column, r.tr.base, r.queries)); err != nil {
			return err
		}
	}
	dim := r.t.def.Columns[r.at].Type.Dim
	pages, err := r.t.pages(r.at, 0, r.t.sealedBlocks())
	if err != nil {
		return err
	}
	defer pages.Close()
	vecs := make([]float32, BlockRows*dim)
	var apart *coder // on all CPUs
	var planes [2][]byte
	one := r.tr.newEncoder()
	if first && !r.rests {
		apart = newCoder(r.tr, r.id.table, r.id.column, b.set, make(chan []float32, 64))
		defer func() {
			if apart != nil {
				_ = apart.finish()
			}
		}()
	}
	for i, n := range blocks {
		begun := time.Now()
		if err := ctx.Err(); err != nil {
			return err
		}
		r.progress("coding", uint64(i), uint64(len(blocks)))
		dead, err := r.t.dead(n)
		if err != nil {
			return err
		}
		if dead != nil && dead.Count() == BlockRows {
			for p := range 2 {
				if first {
					break // there is nothing of it
				}
				if err := b.deleteKey(key.Code(nil, r.id.table, r.id.column, r.tr.base+byte(p+1), n)); err != nil {
					return err
				}
			}
			continue
		}
		if err := r.t.blockVectors(pages, dim, n, vecs); err != nil {
			return err
		}
		if apart != nil {
			apart.add(vectorBlock{n, vecs})
			select {
			case vecs = <-apart.free:
			default:
				vecs = make([]float32, BlockRows*dim)
			}
		} else if err := encodeCodes(one, b, r.id.table, r.id.column, n, vecs, &planes); err != nil {
			return err
		}
		if r.rests && first {
			rest(ctx, time.Since(begun))
		}
	}
	r.progress("coding", uint64(len(blocks)), uint64(len(blocks)))
	if apart != nil {
		c := apart
		apart = nil
		if err := c.finish(); err != nil {
			return err
		}
	}
	return r.s.ingestApart(r.gen, b.sst)
}

// changeOver makes the new codes those of the column, and deletes all others.
func (r *retraining) changeOver(tx *Tx) error {
	t, err := tx.Table(r.t.def.Name)
	if err != nil {
		return err
	}
	bases, err := t.basesOfCodes(r.at)
	if err != nil {
		return err
	}
	table, column := r.id.table, r.id.column
	for _, base := range bases {
		if base == r.tr.base {
			continue
		}
		// Nothing else is deleted, so that the next training finds nothing in memory where
		// its codes go.
		if err := tx.deleteRange(key.Plane(nil, table, column, base+1), key.Plane(nil, table, column, base+3)); err != nil {
			return err
		}
		if err := tx.deleteKey(backgroundKey(table, column, base)); err != nil {
			return err
		}
		if base == 0 {
			continue
		}
		if err := firstError(tx.deleteKey(transformKey(table, column, base)), tx.deleteKey(askedKey(table, column, base))); err != nil {
			return err
		}
	}
	return firstError(tx.deleteKey(askedKey(table, column, 0)), tx.set(key.Of(nil, table, key.Meta, column), r.tr.ref()))
}

// basesOfCodes returns the bases of planes that there are of a column: those in use, and
// those of trainings that were cut off.
func (t *Table) basesOfCodes(column int) (bases []byte, err error) {
	id := t.def.Columns[column].ID
	it, err := t.view.prefixIter(key.Of(nil, t.def.ID, key.Codes, id))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok && len(it.Key()) > 9; {
		base := (it.Key()[9] - 1) &^ 1
		bases = append(bases, base)
		ok = it.SeekGE(key.Plane(nil, t.def.ID, id, base+3))
	}
	return bases, corrupt(t.def.Name, t.def.Columns[column].Name, "codes", it.Error())
}

// mostBase is the largest number that is a base.
const mostBase = 250

// freePlanes returns a base of planes that there are not. 0 is that of codes that are made
// the first time.
func (t *Table) freePlanes(column int, was *transform) (base byte, err error) {
	bases, err := t.basesOfCodes(column)
	if err != nil {
		return 0, err
	}
	if was != nil {
		base = was.base
	}
	for range mostBase / 2 {
		if base = base%mostBase + 2; !slices.Contains(bases, base) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("%w: a column has codes in all planes", ErrCorrupt)
}
