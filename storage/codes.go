package storage

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

const (
	// codedBlocks is how many full blocks a table has when its vectors get codes:
	// reading the floats of fewer rows takes a moment only.
	codedBlocks = 16
	// trainRows and trainBytes limit what a load keeps in memory to train from.
	trainRows  = 100_000
	trainBytes = 256 << 20
)

// transforms keeps the transforms that are in use, by their ID, as reading one
// takes longer than a search.
type transforms struct {
	mu   sync.Mutex
	byID map[transformID]*transform
}

type transformID struct {
	id   uint64
	base byte
}

// transform is how the vectors of a column are coded, and where the codes are: in the
// planes base + 1 and base + 2. Codes that are made anew lie beside those in use until a
// commit changes over.
type transform struct {
	*code.Transform
	base byte
}

// same reports whether both are the same; nil is not one.
func (tr *transform) same(o *transform) bool {
	return tr == o || tr != nil && o != nil && tr.ID == o.ID && tr.base == o.base
}

func (tr *transform) newEncoder() *blockEncoder { return &blockEncoder{tr.NewEncoder(), tr.base} }

// blockEncoder makes codes of a transform. It is not safe for concurrent use.
type blockEncoder struct {
	*code.Encoder
	base byte
}

// Each transform but the first of a column has a key of its own, which ends with its base,
// and the column's key refers to it: with the ID, the version and the base.
const transformRefBytes = 10

func transformKey(table, column uint32, base byte) []byte {
	return append(key.Of(nil, table, key.Meta, column), base)
}

// ref returns what refers to the transform.
func (tr *transform) ref() []byte { return append(tr.Marshal()[:transformRefBytes-1], tr.base) }

// maxTransforms is how many of them are kept, some megabytes each.
const maxTransforms = 32

// get returns the transform that b is the stored form of, or refers to; with own set, b is
// that with a key of its own. It returns nil when it has to be read from there.
func (c *transforms) get(b []byte, ref transformID, own bool) (tr *transform, id transformID, err error) {
	if id.id, err = code.StoredID(b); err != nil {
		return nil, id, err
	}
	refers := len(b) == transformRefBytes
	switch {
	case own && (refers || id.id != ref.id):
		return nil, id, fmt.Errorf("%w: the transform is not the one that is referred to", code.ErrMalformed)
	case own:
		id.base = ref.base
	case refers:
		id.base = b[transformRefBytes-1]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if tr = c.byID[id]; tr != nil || refers {
		return tr, id, nil
	}
	t, err := code.Unmarshal(b)
	if err != nil {
		return nil, id, err
	}
	if c.byID == nil || len(c.byID) >= maxTransforms {
		c.byID = map[transformID]*transform{}
	}
	tr = &transform{t, id.base}
	c.byID[id] = tr
	return tr, id, nil
}

// transform returns the transform of a vector column, nil if it has none that this
// version can use.
func (t *Table) transform(column int) (*transform, error) {
	tr, _, err := t.currentTransform(column)
	return tr, err
}

// currentTransform is transform, and tells whether there is one that is outdated.
func (t *Table) currentTransform(column int) (tr *transform, outdated bool, err error) {
	def := &t.def.Columns[column]
	known, id := &t.view.store.transforms, transformID{}
	there, err := t.view.get(key.Of(nil, t.def.ID, key.Meta, def.ID), func(b []byte) (err error) {
		tr, id, err = known.get(b, id, false)
		return err
	})
	if err == nil && there && tr == nil {
		there, err = t.view.get(transformKey(t.def.ID, def.ID, id.base), func(b []byte) (err error) {
			tr, _, err = known.get(b, id, true)
			return err
		})
		if err == nil && !there {
			err = fmt.Errorf("%w: it is missing", code.ErrMalformed)
		}
	}
	if errors.Is(err, code.ErrOutdated) {
		return nil, true, nil
	}
	return tr, false, corrupt(t.def.Name, def.Name, "transform of the codes", err)
}

// coded reports whether a vector column of the table has codes: then every full block
// has. It may be asked of a table that is nil.
func (t *Table) coded() bool {
	if t == nil {
		return false
	}
	for i := range t.def.Columns {
		if t.def.Columns[i].Type.Kind != value.Vector {
			continue
		}
		if tr, err := t.transform(i); tr != nil || err != nil {
			return true // the error comes up again when the codes are made
		}
	}
	return false
}

// blockVectors reads the vectors of a sealed block into dst, NULLs as zeros.
func (t *Table) blockVectors(pages *pageReader, dim int, b uint32, dst []float32) error {
	clear(dst)
	perBlock := BlockRows / pages.rowsPerPage
	for p := range perBlock {
		data, err := pages.Page(b*uint32(perBlock) + uint32(p))
		if err != nil {
			return err
		}
		if data != nil {
			pages.floats(dst[p*pages.rowsPerPage*dim:(p+1)*pages.rowsPerPage*dim], data)
		}
	}
	return nil
}

// sampleVectors reads up to n vectors of blocks [0, to), spread evenly over the blocks.
func (t *Table) sampleVectors(ctx context.Context, column int, to uint32, n int) ([]float32, error) {
	dim := t.def.Columns[column].Type.Dim
	n = min(n, trainBytes/(4*dim))
	pages, err := t.pages(column, 0, to)
	if err != nil {
		return nil, err
	}
	defer pages.Close()
	blocks := min(int(to), max(1, n/BlockRows))
	out := make([]float32, 0, blocks*BlockRows*dim)
	for i := range blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = out[:len(out)+BlockRows*dim]
		b := uint32(uint64(i) * uint64(to) / uint64(blocks))
		if err := t.blockVectors(pages, dim, b, out[len(out)-BlockRows*dim:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// codeSink is told of every vector column of a block that is sealed. vecs are its
// 1,024 vectors, NULLs as zeros, valid during the call.
type codeSink interface {
	sealed(ctx context.Context, column int, b uint32, vecs []float32) error
}

// putCodes writes the planes of a block's codes.
func putCodes(put func(k, v []byte) error, table, column uint32, base byte, b uint32, planes *[2][]byte) error {
	for p, plane := range planes {
		if err := put(key.Code(nil, table, column, base+byte(p+1), b), plane); err != nil {
			return err
		}
	}
	return nil
}

// encodeCodes codes the vectors of a block and writes the planes, in the memory of planes.
func encodeCodes(e *blockEncoder, to sink, table, column, b uint32, vecs []float32, planes *[2][]byte) error {
	planes[0], planes[1] = e.Block(vecs, planes[0][:0], planes[1][:0])
	return putCodes(to.set, table, column, e.base, b, planes)
}

// batchCodes writes the codes of blocks that are sealed to where the blocks go.
type batchCodes struct {
	to       sink
	t        *Table
	train    bool                  // once there are enough rows, where there is no transform
	encoders map[int]*blockEncoder // by column; nil = without codes for now
	buf      [2][]byte
}

func newBatchCodes(to sink, t *Table, train bool) *batchCodes {
	return &batchCodes{to: to, t: t, train: train, encoders: map[int]*blockEncoder{}}
}

func (c *batchCodes) sealed(ctx context.Context, column int, b uint32, vecs []float32) error {
	def := &c.t.def.Columns[column]
	if def.Type.Dim < code.MinDim {
		return nil
	}
	e, ok := c.encoders[column]
	if !ok {
		tr, err := c.t.transform(column)
		if err != nil {
			return err
		}
		if tr != nil {
			e = tr.newEncoder()
		}
		c.encoders[column] = e
	}
	if e != nil {
		return c.write(e, def.ID, b, vecs)
	}
	if !c.train || b+1 < codedBlocks || (b+1)%codedBlocks != 0 {
		return nil
	}
	// Enough rows to learn from: this and all earlier blocks get codes.
	sample, err := c.t.sampleVectors(ctx, column, b+1, trainRows)
	if err != nil {
		return err
	}
	tr := code.Train(def.Type.Dim, sample, nil)
	if tr == nil {
		return nil // nothing but zeros and NULLs so far
	}
	if err := firstError(c.to.set(key.Of(nil, c.t.def.ID, key.Meta, def.ID), tr.Marshal()), putBackground(c.to.set, c.t.def.ID, def.ID, 0, def.Type.Dim, sample, nil)); err != nil {
		return err
	}
	e = (&transform{Transform: tr}).newEncoder()
	c.encoders[column] = e
	pages, err := c.t.pages(column, 0, b+1)
	if err != nil {
		return err
	}
	defer pages.Close()
	one := make([]float32, BlockRows*def.Type.Dim)
	for n := range b + 1 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.t.blockVectors(pages, def.Type.Dim, n, one); err != nil {
			return err
		}
		if err := c.write(e, def.ID, n, one); err != nil {
			return err
		}
	}
	return nil
}

func (c *batchCodes) write(e *blockEncoder, id, b uint32, vecs []float32) error {
	return encodeCodes(e, c.to, c.t.def.ID, id, b, vecs, &c.buf)
}

// loadCodes codes the blocks of a load on all CPUs, while the load goes on.
type loadCodes struct {
	l       *Loader
	columns map[int]*loadColumn
	ended   bool        // there are no more blocks
	stopped atomic.Bool // the codes are not wanted any more
}

func newLoadCodes(l *Loader) *loadCodes { return &loadCodes{l: l, columns: map[int]*loadColumn{}} }

// loadColumn codes one column. Blocks wait in memory until there are enough to
// train the transform, if there is none.
type loadColumn struct {
	t        *Table // as it was before the load; nil = new
	sst      *sstWriter
	table    uint32
	id       uint32
	dim      int
	queries  [][]float32
	blocks   chan vectorBlock
	free     chan []float32
	done     chan error
	given    *transform // to begin with
	first    uint32     // first block of the load
	existing int        // position of the column in t
	stopped  *atomic.Bool
}

type vectorBlock struct {
	n    uint32
	vecs []float32
}

var errStopped = errors.New("the load was stopped")

func (c *loadCodes) sealed(ctx context.Context, column int, b uint32, vecs []float32) error {
	col := c.columns[column]
	if col == nil {
		def := &c.l.d.Columns[column]
		if def.Type.Dim < code.MinDim {
			return nil
		}
		// As many blocks in the queue as make 64 MB.
		queue := max(1, min(64, (64<<20)/(4*BlockRows*def.Type.Dim)))
		col = &loadColumn{
			t: c.l.existing, sst: c.l.sst, table: c.l.d.ID, id: def.ID, dim: def.Type.Dim,
			queries: c.l.opts.QuerySamples[column], first: b, existing: column, stopped: &c.stopped,
			blocks: make(chan vectorBlock, queue), free: make(chan []float32, queue+64), done: make(chan error, 1),
		}
		t, at := c.l.existing, column
		if t == nil && c.l.inherit != nil {
			t = c.l.inherit
		}
		if t != nil {
			var err error
			if col.given, err = t.transform(at); err != nil {
				return err
			}
			if c.l.existing == nil && col.given != nil { // nothing lies beside the codes of a new table
				col.given = &transform{Transform: col.given.Transform}
			}
		}
		c.columns[column] = col
		go func() { col.done <- col.run() }()
	}
	select {
	case col.blocks <- vectorBlock{b, copyOf(vecs, col.free)}:
		return nil
	case err := <-col.done: // it ends before its input only on an error
		col.done <- err
		return firstError(err, errStopped)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish waits for all codes to be written.
func (c *loadCodes) finish() error {
	c.end()
	var first error
	for _, col := range c.columns {
		err := <-col.done
		col.done <- err
		first = firstError(first, err)
	}
	return first
}

// stop waits for the work to cease; the codes of blocks that wait are left out.
func (c *loadCodes) stop() {
	c.stopped.Store(true)
	_ = c.finish()
}

// end tells that no more blocks come.
func (c *loadCodes) end() {
	if c.ended {
		return
	}
	c.ended = true
	for _, col := range c.columns {
		close(col.blocks)
	}
}

// run codes what comes until there is no more.
func (c *loadColumn) run() error {
	limit := min(trainRows, trainBytes/(4*c.dim)) / BlockRows
	var waiting []vectorBlock
	var coder *coder
	start := func(tr *transform) error {
		if tr == nil {
			return nil
		}
		k := key.Of(nil, c.table, key.Meta, c.id)
		if c.given == nil || c.t == nil {
			if err := c.sst.put(k, k, tr.Marshal()); err != nil {
				return err
			}
		}
		coder = newCoder(tr, c.table, c.id, c.sst.set, c.free)
		if c.given == nil && c.t != nil {
			if err := c.earlier(coder); err != nil {
				return err
			}
		}
		for _, b := range waiting {
			coder.add(b)
		}
		waiting = nil
		return nil
	}
	train := func() error {
		sample := make([]float32, 0, len(waiting)*BlockRows*c.dim)
		for _, b := range waiting {
			sample = append(sample, b.vecs...)
		}
		tr := code.Train(c.dim, sample, forCodes(c.queries))
		if tr != nil {
			k := func(k, v []byte) error { return c.sst.put(k, k, v) }
			if err := firstError(c.sst.putAsked(c.table, c.id, 0, sampleOf(nil, c.queries)), putBackground(k, c.table, c.id, 0, c.dim, sample, c.queries)); err != nil {
				return err
			}
		}
		if tr == nil {
			return nil
		}
		return start(&transform{Transform: tr})
	}
	if err := start(c.given); err != nil {
		return err
	}
	var err error
	for b := range c.blocks {
		if c.stopped.Load() {
			waiting = nil
			continue
		}
		if coder != nil {
			coder.add(b)
			continue
		}
		if waiting = append(waiting, b); len(waiting) >= max(1, limit) {
			if err = train(); err != nil {
				break
			}
			if coder == nil { // nothing but zeros: no codes for these
				waiting = nil
			}
		}
	}
	if err == nil && coder == nil && len(waiting) > 0 && waiting[len(waiting)-1].n+1 >= codedBlocks {
		err = train()
	}
	if coder != nil {
		err = firstError(err, coder.finish())
	}
	return err
}

// earlier codes the blocks that were there before the load.
func (c *loadColumn) earlier(to *coder) error {
	pages, err := c.t.pages(c.existing, 0, c.first)
	if err != nil {
		return err
	}
	defer pages.Close()
	for n := range c.first {
		if c.stopped.Load() {
			return errStopped
		}
		vecs := make([]float32, BlockRows*c.dim)
		if err := c.t.blockVectors(pages, c.dim, n, vecs); err != nil {
			return err
		}
		to.add(vectorBlock{n, vecs})
	}
	return nil
}

// copyOf copies the vectors of a block into memory that is free, or new memory.
func copyOf(vecs []float32, free chan []float32) []float32 {
	var own []float32
	select {
	case own = <-free:
	default:
		own = make([]float32, len(vecs))
	}
	copy(own, vecs)
	return own
}

// coder codes blocks on all CPUs and writes them in their order.
type coder struct {
	table, id uint32
	base      byte
	put       func(k, v []byte) error
	free      chan []float32
	jobs      chan *codeJob
	order     chan *codeJob
	done      chan error
	spare     chan *codeJob
	workers   sync.WaitGroup
}

type codeJob struct {
	block  vectorBlock
	planes [2][]byte
	ready  chan struct{}
}

func newCoder(tr *transform, table, id uint32, put func(k, v []byte) error, free chan []float32) *coder {
	n := runtime.GOMAXPROCS(0)
	c := &coder{table: table, id: id, base: tr.base, put: put, free: free, jobs: make(chan *codeJob), order: make(chan *codeJob, 2*n),
		done: make(chan error, 1), spare: make(chan *codeJob, 3*n+1)}
	for range n {
		c.workers.Go(func() {
			e := tr.NewEncoder()
			for j := range c.jobs {
				j.planes[0], j.planes[1] = e.Block(j.block.vecs, j.planes[0][:0], j.planes[1][:0])
				j.ready <- struct{}{}
			}
		})
	}
	go func() { c.done <- c.write() }()
	return c
}

func (c *coder) add(b vectorBlock) {
	var j *codeJob
	select {
	case j = <-c.spare:
	default:
		j = &codeJob{ready: make(chan struct{}, 1)}
	}
	j.block = b
	c.order <- j
	c.jobs <- j
}

func (c *coder) write() (err error) {
	for j := range c.order {
		<-j.ready
		if err == nil {
			err = putCodes(c.put, c.table, c.id, c.base, j.block.n, &j.planes)
		}
		select {
		case c.free <- j.block.vecs:
		default:
		}
		j.block.vecs = nil
		select {
		case c.spare <- j:
		default:
		}
	}
	return err
}

func (c *coder) finish() error {
	close(c.jobs)
	close(c.order)
	c.workers.Wait()
	return <-c.done
}
