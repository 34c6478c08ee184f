package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// clusterCheck checks a cluster index: every live row that it covers has one entry, with codes
// that bound its vector.
type clusterCheck struct {
	x       *clusterIndex
	c       *checker
	t       *Table
	h       *clusterHead
	all     *clustering
	stale   map[uint32]bool // blocks that are not covered any more
	entries []byte          // of every row: 1 = has one, 2 = must have one
	bad     bool
}

func (x *clusterIndex) check(c *checker, t *Table) indexCheck {
	k := &clusterCheck{x: x, c: c, t: t}
	var err error
	if k.h, err = x.head(t.view); err == nil && k.h != nil {
		k.stale, err = x.uncovered(t.view, k.h)
	}
	c.found(x.d.Name, "", x.where(), err)
	k.bad = err != nil || k.h != nil && k.h.blocks > t.sealedBlocks()
	if err == nil && k.bad {
		c.badf(t, "", x.where(), "it covers %d blocks of %d", k.h.blocks, t.sealedBlocks())
	}
	if k.h != nil && !k.bad {
		k.entries = make([]byte, int(k.h.blocks)*BlockRows)
	}
	return k
}

func (k *clusterCheck) row(cols []*value.Column, i int, row uint64) {
	if row >= uint64(len(k.entries)) || k.stale[uint32(row/BlockRows)] {
		return
	}
	c := cols[k.x.column]
	if c == nil || c.Null(i) || !slices.ContainsFunc(c.Vec(i), func(x float32) bool { return x != 0 }) {
		return
	}
	k.entries[row] |= 2
}

func (k *clusterCheck) finish() error {
	if k.bad {
		return nil
	}
	k.strays()
	if k.h == nil {
		return nil
	}
	v := k.t.view
	var err error
	if k.all, err = k.x.clusters(v, k.h); err != nil {
		k.c.found(k.x.d.Name, "", k.x.where(), err)
		return nil
	}
	r, err := k.x.chunks(k.t, k.h)
	if err != nil {
		k.c.found(k.x.d.Name, "", k.x.where(), err)
		return nil
	}
	defer r.close()
	def := &k.t.def.Columns[k.x.column]
	tr, err := k.t.transform(k.x.column)
	if err != nil || tr != nil && tr.ID != k.h.transform {
		tr = nil // the column has been trained anew since; the index is not used
	}
	pages, err := k.t.pages(k.x.column, 0, k.t.sealedBlocks())
	if err != nil {
		k.c.found(k.x.d.Name, def.Name, "pages", err)
		return nil
	}
	defer pages.Close()
	var enc *code.Encoder
	if tr != nil {
		enc = tr.NewEncoder()
	}
	vecs := make([]float32, BlockRows*def.Type.Dim)
	for n := range r.number {
		if err := k.c.ctx.Err(); err != nil {
			return err
		}
		k.chunk(r, n, pages, enc, vecs)
	}
	for row, e := range k.entries {
		if e == 2 {
			k.c.badf(k.t, "", k.x.where(), "row %d is missing", row)
		}
	}
	return nil
}

// chunk checks one chunk. Its codes can be verified if it has no rows that have changed since.
func (k *clusterCheck) chunk(r *clusterChunks, n uint32, pages *pageReader, enc *code.Encoder, vecs []float32) {
	ids, err := r.ids(n)
	if err != nil {
		k.c.found(k.x.d.Name, "", k.x.where(), err)
		return
	}
	clear(vecs)
	same := enc != nil
	dim := len(vecs) / BlockRows
	for i, row := range ids {
		if n*BlockRows+uint32(i) >= k.h.entries {
			if row != noEntry {
				k.c.badf(k.t, "", k.x.where(), "chunk %d has too many entries", n)
			}
			continue
		}
		if uint64(row) >= uint64(len(k.entries)) || k.entries[row]&1 != 0 {
			k.c.badf(k.t, "", k.x.where(), "an entry for row %d, which does not exist or already has one", row)
			return
		}
		k.entries[row] |= 1
		if k.entries[row]&2 == 0 {
			same = false
			continue
		}
		if src, err := pages.Row(uint64(row)); err == nil && src != nil {
			pages.floats(vecs[i*dim:(i+1)*dim], src)
		}
	}
	if c, end := k.all, min(BlockRows, k.h.entries-n*BlockRows); c.caps != nil {
		c.capsOf(n*BlockRows, vecs[:int(end)*dim], func(i int, least float32, low, high float64) {
			if c.caps[i] > least || c.low[i] > low || c.high[i] < high {
				k.c.badf(k.t, "", k.x.where(), "cluster %d has a row beyond its bounds", i)
			}
		})
	}
	var planes [2][]byte
	for p := range planes {
		b, err := r.planes[p].Get(n)
		if err == nil && b == nil {
			err = fmt.Errorf("%w: chunk %d has no codes", block.ErrMalformed, n)
		}
		if err != nil {
			k.c.found(k.x.d.Name, "", k.x.where(), err)
			return
		}
		planes[p] = b
	}
	if !same {
		return
	}
	if err := enc.Verify(vecs, planes[0], planes[1]); err != nil {
		k.c.badf(k.t, "", k.x.where(), "the codes of chunk %d are not those of its rows: %v", n, err)
	}
}

// strays looks for keys that don't belong to the index as it is.
func (k *clusterCheck) strays() {
	it, err := k.t.view.prefixIter(k.x.pre)
	if err != nil {
		k.c.found(k.x.d.Name, "", k.x.where(), err)
		return
	}
	defer it.Close()
	report := func() {
		k.c.badf(k.t, "", k.x.where(), "key %x belongs to nothing", it.Key())
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if bytes.Equal(it.Key(), k.x.header()) {
			continue
		}
		if n++; k.h == nil || !bytes.HasPrefix(it.Key(), k.x.generation(k.h.gen)) {
			report()
			return
		}
		rest := it.Key()[len(k.x.generation(k.h.gen)):]
		chunks := (k.h.entries + BlockRows - 1) / BlockRows
		known := false
		switch {
		case len(rest) == 1:
			known = rest[0] == partCenters
		case len(rest) == 5 && rest[0] == partRows, len(rest) == 6 && rest[0] == partPlane && (rest[1] == 1 || rest[1] == 2):
			known = binary.BigEndian.Uint32(rest[len(rest)-4:]) < chunks
		case len(rest) == 5 && rest[0] == partUncovered:
			known = key.Number(it.Key()) < k.h.blocks
		}
		if !known {
			report()
			return
		}
	}
	k.c.found(k.x.d.Name, "", k.x.where(), it.Error())
}

// clusterChunks reads the chunks of an index. It belongs to one goroutine.
type clusterChunks struct {
	x      *clusterIndex
	t      *Table
	number uint32 // of chunks
	rows   *numbered
	planes [2]*numbered
	at     uint32
	list   []uint32 // the rows of chunk at
}

// chunks opens a reader over the chunks.
func (x *clusterIndex) chunks(t *Table, h *clusterHead) (r *clusterChunks, err error) {
	r = &clusterChunks{x: x, t: t, number: (h.entries + BlockRows - 1) / BlockRows}
	if r.rows, err = t.numbersOf(x.part(h.gen, partRows), x.column, 0, r.number); err != nil {
		return nil, err
	}
	for p := range r.planes {
		if r.planes[p], err = t.numbersOf(x.part(h.gen, partPlane, byte(p+1)), x.column, 0, r.number); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *clusterChunks) close() error {
	return firstError(r.rows.Close(), r.planes[0].Close(), r.planes[1].Close())
}

// ids returns the rows of a chunk, valid until the next call.
func (r *clusterChunks) ids(n uint32) ([]uint32, error) {
	if r.list != nil && r.at == n {
		return r.list, nil
	}
	b, err := r.rows.Get(n)
	if err == nil && len(b) != 4*BlockRows {
		err = corrupt(r.t.def.Name, "", r.x.where(), fmt.Errorf("%w: the rows of chunk %d take %d bytes", block.ErrMalformed, n, len(b)))
	}
	if err != nil {
		return nil, err
	}
	r.list, r.at = r.list[:0], n
	for ; len(b) > 0; b = b[4:] {
		r.list = append(r.list, binary.LittleEndian.Uint32(b))
	}
	return r.list, nil
}
