package storage

import (
	"fmt"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
)

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
	if k.noRetraining || k.s.readOnly || st.Coded < codedBlocks*BlockRows && !st.partial() || o.Worst || o.K < 0 || o.K > 100 {
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
	if st.partial() { // the rows of the clusters that it visited are none like the others
		return
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
	tr, err := t.transform(column)
	if err != nil {
		return nil, err
	}
	if tr == nil {
		tr = new(transform)
	}
	_, err = t.view.get(askedKey(t.def.ID, def.ID, tr.base), func(b []byte) error {
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

// forCodes returns the queries that codes are trained with: what approximate searches promise
// is measured with the others, for codes, and so clusters, fit those they know too well.
func forCodes(queries [][]float32) [][]float32 {
	if len(queries) < heldFrom {
		return queries
	}
	return slices.DeleteFunc(slices.Clone(queries), held)
}

// heldFrom is how many queries there are when some are held back.
const heldFrom = 4 * askedFirst

// held reports whether a query is held back: one in four.
func held(q []float32) bool { return hashVector(q)%4 == 0 }

// forRecall returns the queries that recall is measured with, nil if there are too few.
func forRecall(queries [][]float32) [][]float32 {
	if len(queries) < heldFrom {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(queries), func(q []float32) bool { return !held(q) })
}

// putAsked writes the queries that are kept of a column, if there are any.
func (w *sstWriter) putAsked(table, column uint32, base byte, queries [][]float32) error {
	if len(queries) == 0 {
		return nil
	}
	k := askedKey(table, column, base)
	return w.put(k, k, encodeAsked(queries))
}

// askedKey is the key of what was asked of a column when the codes with this base were trained.
func askedKey(table, column uint32, base byte) []byte {
	k := key.Of(nil, table, key.Asked, column)
	if base != 0 {
		k = append(k, base)
	}
	return k
}

func encodeAsked(queries [][]float32) (b []byte) {
	for _, q := range queries {
		b = block.AppendFloats(b, q)
	}
	return b
}
