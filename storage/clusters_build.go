package storage

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/ivf"
	"github.com/lupadb/lupa/storage/internal/simd"
)

// clusterBuild makes the clusters of the full blocks of a table. It reads the vectors twice,
// and keeps a number of four bytes a row in memory besides.
type clusterBuild struct {
	x         *clusterIndex
	t         *Table
	transform *code.Transform
	rank      int
	put       func(prefix, k, v []byte) error
	progress  Progress

	centers  *ivf.Centers
	clusters *clustering
	own      []uint32 // the cluster of every row, noEntry without one
	alike    bool
	entire   bool

	mu   sync.Mutex
	need float64 // see needs
}

// fill builds the index over the full blocks of t as a generation of its own, by writes of
// ascending keys in streams of a prefix each. There is nothing to build, and h is nil, where
// rows are few or have no codes.
func (x *clusterIndex) fill(ctx context.Context, t *Table, gen uint32, put func(prefix, k, v []byte) error, progress Progress) (h *clusterHead, err error) {
	asked, err := t.asked(x.column)
	if err != nil {
		return nil, err
	}
	return x.fillFor(ctx, t, gen, asked, put, progress)
}

// fillFor is fill for queries that are known.
func (x *clusterIndex) fillFor(ctx context.Context, t *Table, gen uint32, asked [][]float32, put func(prefix, k, v []byte) error, progress Progress) (h *clusterHead, err error) {
	tr, err := t.transform(x.column)
	if err != nil || tr == nil || t.sealedBlocks() < clusteredBlocks {
		return nil, err
	}
	if uint64(t.sealedBlocks())*BlockRows >= uint64(noEntry) {
		return nil, errors.New("an index of kind ivf is for at most four billion rows")
	}
	b := &clusterBuild{x: x, t: t, transform: tr.Transform, rank: min(clusterRank, tr.Rank), put: put, progress: progress}
	if err := b.train(ctx); err != nil || b.centers == nil {
		return nil, err
	}
	if err := b.assign(ctx); err != nil {
		return nil, err
	}
	h = &clusterHead{gen: gen, transform: tr.ID, blocks: t.sealedBlocks(), entries: b.clusters.starts[b.clusters.len()], alike: b.alike, entire: b.entire}
	if h.entries == 0 {
		return nil, nil
	}
	if err := b.write(ctx, gen); err != nil {
		return nil, err
	}
	if err := b.calibrate(ctx, h, asked); err != nil {
		return nil, err
	}
	blob := b.clusters.encode()
	h.id = clusterID(blob)
	k := x.part(gen, partCenters)
	if err := put(k, k, blob); err != nil {
		return nil, err
	}
	k = x.header()
	return h, put(k, k, h.encode())
}

func (b *clusterBuild) report(stage string, done, total uint64) {
	if b.progress != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.progress(stage, done, total)
	}
}

// train finds the centres.
func (b *clusterBuild) train(ctx context.Context) error {
	lists := b.x.lists(b.t.Rows())
	dim := b.t.def.Columns[b.x.column].Type.Dim
	b.report("finding clusters", 0, b.t.Rows())
	sample, err := b.t.sampleVectors(ctx, b.x.column, b.t.sealedBlocks(), max(trainedPoints*lists, 16*BlockRows))
	if err != nil {
		return err
	}
	at := 0
	for v := range slices.Chunk(sample, dim) { // NULLs are stored as zeros
		if slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
			at += copy(sample[at:], v)
		}
	}
	sample = sample[:at]
	e := b.transform.NewEncoder()
	var tiles []float32
	for from := 0; from < len(sample); from += BlockRows * dim {
		e.Coordinates(sample[from:min(len(sample), from+BlockRows*dim)], b.rank, func(_ int, y []float32, norms []float64) {
			if !slices.Contains(norms, 0) {
				tiles = append(tiles, y...)
			}
		})
	}
	if len(tiles) == 0 {
		return nil
	}
	b.centers = ivf.Train(b.rank, lists, tiles)
	return ctx.Err()
}

// eachBlock calls what begin makes, once for each worker, with the vectors of all blocks.
func (b *clusterBuild) eachBlock(ctx context.Context, begin func() func(n uint32, vecs []float32) error) error {
	dim := b.t.def.Columns[b.x.column].Type.Dim
	var next atomic.Uint32
	return b.parallel(func() error {
		pages, err := b.t.pages(b.x.column, 0, b.t.sealedBlocks())
		if err != nil {
			return err
		}
		defer pages.Close()
		f := begin()
		vecs := make([]float32, BlockRows*dim)
		for {
			n := next.Add(1) - 1
			if n >= b.t.sealedBlocks() {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.t.blockVectors(pages, dim, n, vecs); err != nil {
				return err
			}
			if err := f(n, vecs); err != nil {
				return err
			}
		}
	})
}

// parallel runs f on all CPUs.
func (b *clusterBuild) parallel(f func() error) error {
	var wait sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		wait.Go(func() { errs[i] = f() })
	}
	wait.Wait()
	return firstError(errs...)
}

// clusterSums are what a worker has seen of the clusters.
type clusterSums struct {
	sizes  []uint32
	means  []float64 // of unit vectors
	norms  []float64
	firsts []float64 // of coordinates
	second []float64 // of their squares, by group
}

// assign finds the cluster of every live row, and what is to be known of the clusters.
func (b *clusterBuild) assign(ctx context.Context) error {
	dead, err := b.t.deadBlocks(0, b.t.sealedBlocks())
	if err != nil {
		return err
	}
	dim, lists, ends := b.t.def.Columns[b.x.column].Type.Dim, b.centers.Len(), spreadGroups(b.rank)
	b.own = make([]uint32, int(b.t.sealedBlocks())*BlockRows)
	var all []*clusterSums
	var done atomic.Uint64
	least, most := math.Inf(1), 0.0
	err = b.eachBlock(ctx, func() func(uint32, []float32) error {
		s := &clusterSums{make([]uint32, lists), make([]float64, lists*dim), make([]float64, lists), make([]float64, lists*b.rank), make([]float64, lists*len(ends))}
		e, a := b.transform.NewEncoder(), b.centers.NewAssigner()
		b.mu.Lock()
		all = append(all, s)
		b.mu.Unlock()
		return func(n uint32, vecs []float32) error {
			low, high := math.Inf(1), 0.0
			e.Coordinates(vecs, b.rank, func(tile int, y []float32, norms []float64) {
				var to [simd.TileRows]uint32
				a.Tile(y, &to)
				for r, k := range to {
					i := tile*simd.TileRows + r
					row := int(n)*BlockRows + i
					if gone := dead != nil && dead[n] != nil && dead[n].Has(i); gone || norms[r] == 0 {
						b.own[row] = noEntry
						if !gone {
							low = 0
						}
						continue
					}
					b.own[row] = k
					low, high = min(low, norms[r]), max(high, norms[r])
					c := int(k)
					s.sizes[c]++
					s.norms[c] += norms[r]
					inv := 1 / norms[r]
					mean := s.means[c*dim : (c+1)*dim]
					for j, v := range vecs[i*dim : (i+1)*dim] {
						mean[j] += float64(float64(v) * inv)
					}
					from := 0
					for g, end := range ends {
						for j := from; j < end; j++ {
							v := float64(y[j*simd.TileRows+r])
							s.firsts[c*b.rank+j] += v
							s.second[c*len(ends)+g] += float64(v * v)
						}
						from = end
					}
				}
			})
			b.mu.Lock()
			least, most = min(least, low), max(most, high)
			b.mu.Unlock()
			b.report("clustering", done.Add(BlockRows), b.t.Rows())
			return nil
		}
	})
	if err != nil {
		return err
	}
	b.alike, b.entire = least > 0.99*most, least > 0
	b.sum(all, ends)
	return nil
}

// sum makes the clustering of what the workers have seen.
func (b *clusterBuild) sum(all []*clusterSums, ends []int) {
	dim, lists := b.t.def.Columns[b.x.column].Type.Dim, b.centers.Len()
	c := &clustering{dim: dim, ends: ends, starts: make([]uint32, lists+1), norms: make([]float32, lists),
		means: make([]float32, lists*dim), spread: make([]float32, lists*len(ends))}
	for k := range lists {
		size := uint32(0)
		for _, s := range all {
			size += s.sizes[k]
		}
		c.starts[k+1] = c.starts[k] + size
		if size == 0 {
			continue
		}
		n := float64(size)
		mean := func(i int, of func(*clusterSums) []float64) (sum float64) {
			for _, s := range all {
				sum += of(s)[i]
			}
			return sum / n
		}
		c.norms[k] = float32(min(math.MaxFloat32, mean(k, func(s *clusterSums) []float64 { return s.norms })))
		for j := range dim {
			c.means[k*dim+j] = float32(mean(k*dim+j, func(s *clusterSums) []float64 { return s.means }))
		}
		from := 0
		for g, end := range ends {
			variance := mean(k*len(ends)+g, func(s *clusterSums) []float64 { return s.second })
			for j := from; j < end; j++ {
				f := mean(k*b.rank+j, func(s *clusterSums) []float64 { return s.firsts })
				variance -= float64(f * f)
			}
			c.spread[k*len(ends)+g] = float32(max(0, variance) / float64(end-from))
			from = end
		}
	}
	c.caps, c.low, c.high = make([]float32, lists), make([]float64, lists), make([]float64, lists)
	for k := range lists {
		c.caps[k] = 1
		if c.starts[k] < c.starts[k+1] {
			c.low[k] = math.Inf(1)
		}
	}
	c.measure()
	b.clusters = c
}

// capsOf tells what the rows from an entry on need of the caps of their clusters: see clustering.
// Zero vectors need nothing.
func (c *clustering) capsOf(from uint32, vecs []float32, tell func(k int, least float32, low, high float64)) {
	k, _ := slices.BinarySearch(c.starts[1:], from+1) // the first that ends behind it
	mean := make([]float64, simd.Pad(c.dim))
	for ; len(vecs) > 0; k++ {
		n := min(len(vecs)/c.dim, int(c.starts[k+1]-from))
		if n == 0 {
			continue
		}
		for j, x := range c.means[k*c.dim : (k+1)*c.dim] {
			mean[j] = float64(x) / max(c.lengths[k], math.SmallestNonzeroFloat64)
		}
		cos, low, high := 1.0, math.Inf(1), 0.0
		for i := range n {
			v := vecs[i*c.dim : (i+1)*c.dim]
			if norm := math.Sqrt(squares(v)); norm > 0 {
				cos = min(cos, simd.DotWide(mean, v)/norm)
				low, high = min(low, norm), max(high, norm)
			}
		}
		least := float32(cos)
		if float64(least) > cos {
			least = math.Nextafter32(least, -2)
		}
		if high > 0 {
			tell(k, least, low, high)
		}
		vecs, from = vecs[n*c.dim:], from+uint32(n)
	}
}

// write writes the rows in the order of clusters, and their codes.
func (b *clusterBuild) write(ctx context.Context, gen uint32) error {
	c := b.clusters
	entries := make([]uint32, c.starts[c.len()])
	at := slices.Clone(c.starts)
	for row, k := range b.own {
		if k != noEntry {
			entries[at[k]] = uint32(row)
			at[k]++
		}
	}
	dim := b.t.def.Columns[b.x.column].Type.Dim
	chunks := (len(entries) + BlockRows - 1) / BlockRows
	sweep := max(1, min(chunks, sweepBytes/(4*BlockRows*dim)))
	vecs := make([]float32, sweep*BlockRows*dim)
	planes := make([][2][]byte, sweep)
	order := make([]uint32, 0, sweep*BlockRows) // positions, by row
	for first := 0; first < chunks; first += sweep {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(sweep, chunks-first)
		part := entries[first*BlockRows : min(len(entries), (first+n)*BlockRows)]
		clear(vecs)
		order = order[:0]
		for i := range part {
			order = append(order, uint32(i))
		}
		slices.SortFunc(order, func(i, j uint32) int { return int(int64(part[i]) - int64(part[j])) })
		if err := b.gather(part, order, vecs); err != nil {
			return err
		}
		var next atomic.Int64
		err := b.parallel(func() error {
			e := b.transform.NewEncoder()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				rows := vecs[i*BlockRows*dim : min((i+1)*BlockRows, len(part))*dim]
				c.capsOf(uint32(first+i)*BlockRows, rows, func(k int, least float32, low, high float64) {
					b.mu.Lock()
					defer b.mu.Unlock()
					c.caps[k] = min(c.caps[k], least)
					c.low[k], c.high[k] = min(c.low[k], low), max(c.high[k], high)
				})
				planes[i][0], planes[i][1] = e.Block(vecs[i*BlockRows*dim:(i+1)*BlockRows*dim], planes[i][0][:0], planes[i][1][:0])
			}
		})
		if err != nil {
			return err
		}
		for i := range n {
			if err := b.writeChunk(gen, uint32(first+i), part[i*BlockRows:min(len(part), (i+1)*BlockRows)], &planes[i]); err != nil {
				return err
			}
		}
		b.report("writing clusters", uint64(first+n)*BlockRows, uint64(len(entries)))
	}
	return nil
}

// gather reads the vectors of rows into vecs, in the order of the table.
func (b *clusterBuild) gather(rows, order []uint32, vecs []float32) error {
	dim := b.t.def.Columns[b.x.column].Type.Dim
	workers := runtime.GOMAXPROCS(0)
	var next atomic.Int64
	return b.parallel(func() error {
		i := int(next.Add(1)) - 1
		mine := order[i*len(order)/workers : (i+1)*len(order)/workers]
		pages, err := b.t.pages(b.x.column, 0, b.t.sealedBlocks())
		if err != nil {
			return err
		}
		defer pages.Close()
		for _, at := range mine {
			src, err := pages.Row(uint64(rows[at]))
			if err != nil {
				return err
			}
			if src != nil {
				pages.floats(vecs[int(at)*dim:(int(at)+1)*dim], src)
			}
		}
		return nil
	})
}

func (b *clusterBuild) writeChunk(gen, n uint32, rows []uint32, planes *[2][]byte) error {
	ids := make([]byte, 0, 4*BlockRows)
	for i := range BlockRows {
		row := noEntry
		if i < len(rows) {
			row = rows[i]
		}
		ids = append(ids, byte(row), byte(row>>8), byte(row>>16), byte(row>>24))
	}
	prefix := b.x.part(gen, partRows)
	if err := b.put(prefix, numberedKey(prefix, n), ids); err != nil {
		return err
	}
	for p, plane := range planes {
		prefix := b.x.part(gen, partPlane, byte(p+1))
		if err := b.put(prefix, numberedKey(prefix, n), plane); err != nil {
			return err
		}
	}
	return nil
}

// buildWhole builds the index over the rows of t.
func (x *clusterIndex) buildWhole(ctx context.Context, t *Table, put func(prefix, k, v []byte) error, progress Progress) error {
	_, err := x.fill(ctx, t, 1, put, progress)
	return err
}

// owners returns the cluster of every covered row, from the chunks.
func (x *clusterIndex) owners(t *Table, h *clusterHead, c *clustering) ([]uint32, error) {
	own := make([]uint32, int(h.blocks)*BlockRows)
	for i := range own {
		own[i] = noEntry
	}
	r, err := x.chunks(t, h)
	if err != nil {
		return nil, err
	}
	defer r.close()
	k := 0
	for n := range r.number {
		ids, err := r.ids(n)
		if err != nil {
			return nil, err
		}
		for i, row := range ids {
			at := n*BlockRows + uint32(i)
			for k < c.len()-1 && c.starts[k+1] <= at {
				k++
			}
			if row != noEntry && int(row) < len(own) {
				own[row] = uint32(k)
			}
		}
	}
	return own, nil
}
