package storage

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/ivf"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/internal/simd"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// ClusterIndex, called ivf, lets a search of a vector column visit a part of the rows: rows are
// in clusters, and the clusters' codes lie one after the other in chunks, which are what blocks
// are in the order of the table, with the numbers of their rows. Only searches that ask for less
// than everything use it.
//
// It covers the full blocks that there were when it was built. A row that is added to one of
// them later, because its vector changed or because it was merged into the block, takes the block
// out of what is covered, by a key of its own; searches read such blocks and all newer ones in
// the order of the table. Deleted rows are in the tombstones. So what is written costs next to
// nothing, and the index is built anew, beside the writers, when much is not covered.
const ClusterIndex IndexKind = "ivf"

const (
	// clusteredBlocks is how many full blocks a table has when it gets clusters.
	clusteredBlocks = 16
	// maxLists is the largest number of clusters; searches compare their query with all of them.
	maxLists = 8192
	// clusterRank is how many coordinates clusters are made by.
	clusterRank = 96
	// trainedPoints is how many rows a cluster is made from.
	trainedPoints = 48
	// sweepBytes is what vectors take in memory while they are put in the order of clusters.
	sweepBytes = 128 << 20

	// calibrated is how many queries the rule by which a search stops is measured with,
	// calibratedDeep how many for deep searches.
	calibrated     = 192
	calibratedDeep = 48

	noEntry = ^uint32(0) // of the last chunk, after its rows
)

// calibratedFor are the numbers of rows that the rule is measured for. A filter that keeps a
// tenth of the rows makes ten rows as hard to find as a hundred.
var calibratedFor = []int{10, 100, 1000}

// Parts of the index, in its keys after the generation.
const (
	partCenters   = 'c'
	partRows      = 'r'
	partPlane     = 'p' // and the number of the plane
	partUncovered = 'u'
)

type clusterIndex struct {
	d      *TableDef
	x      *IndexDef
	column int // position
	pre    []byte
}

func openClusters(d *TableDef, x *IndexDef) index {
	return &clusterIndex{d, x, d.columnsOf(x)[0], key.Of(nil, d.ID, key.Index, x.ID)}
}

func checkClusters(d *TableDef, x *IndexDef) error {
	at := d.columnsOf(x)
	bad := func(format string, args ...any) error {
		return &DefinitionError{fmt.Sprintf("index %s: ", x.Name) + fmt.Sprintf(format, args...)}
	}
	switch {
	case len(at) != 1:
		return bad("one of kind ivf is over one column")
	case x.Unique:
		return bad("one of kind ivf can't be UNIQUE")
	case d.Columns[at[0]].Type.Kind != value.Vector:
		return bad("column %s is %v; one of kind ivf is over a column of vectors", d.Columns[at[0]].Name, d.Columns[at[0]].Type)
	}
	for name, text := range x.Options {
		if name != "lists" {
			return bad("one of kind ivf has no option %s, only lists", name)
		}
		if n, err := strconv.Atoi(text); err != nil || n < 2 || n > maxLists {
			return bad("lists is the number of clusters, 2 to %d, not %s", maxLists, text)
		}
	}
	return nil
}

func (x *clusterIndex) def() *IndexDef { return x.x }
func (x *clusterIndex) where() string  { return "index " + x.x.Name }
func (x *clusterIndex) columns() []int { return []int{x.column} }
func (x *clusterIndex) prefix() []byte { return x.pre }

func (x *clusterIndex) differs(old, fresh []*value.Column, i int) bool {
	was, is := old[x.column], fresh[x.column]
	if was == nil || is == nil || was.Null(i) || is.Null(i) {
		return (was == nil || was.Null(i)) != (is == nil || is.Null(i))
	}
	return value.CompareVectors(was.Vec(i), is.Vec(i)) != 0
}

func (x *clusterIndex) duplicate([]*value.Column, int, int64) error {
	return fmt.Errorf("internal error: index %s has no keys", x.x.Name)
}

// header is the key of what says which generation there is, and part the prefix of one of its
// parts.
func (x *clusterIndex) header() []byte { return append(slices.Clone(x.pre), 0) }

func (x *clusterIndex) generation(gen uint32) []byte {
	return binary.BigEndian.AppendUint32(append(slices.Clone(x.pre), 1), gen)
}

func (x *clusterIndex) part(gen uint32, part ...byte) []byte {
	return append(x.generation(gen), part...)
}

func numberedKey(prefix []byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(prefix), n)
}

// clusterHead is what is read of an index for every search and every change.
type clusterHead struct {
	gen       uint32
	id        uint64 // of the content of the centres
	transform uint64 // of the codes
	blocks    uint32 // that were full when it was built: 0 to blocks - 1 are covered
	entries   uint32
	asked     uint32 // queries of searches that the curves were measured with; 0: others
	alike     bool   // the norms of the rows are about the same, so that the measures agree
	entire    bool   // every row has an entry: there are neither NULLs nor zero vectors
	spread    float32
	narrow    float32 // what part of the codes' proven allowances searches need, see clusterBuild.need
	curves    []ivf.Curve
}

// clusterVersion is that of the header. Before 2 there was no narrow, before 3 clusters had no caps.
const clusterVersion = 3

func (h *clusterHead) encode() []byte {
	b := []byte{clusterVersion, 0}
	if h.alike {
		b[1] |= 1
	}
	if h.entire {
		b[1] |= 2
	}
	b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, h.id), h.transform)
	for _, n := range []uint32{h.gen, h.blocks, h.entries, h.asked, math.Float32bits(h.spread), math.Float32bits(h.narrow)} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return ivf.AppendCurves(b, h.curves)
}

func decodeClusterHead(b []byte) (*clusterHead, error) {
	if len(b) < 42 || b[0] < 1 || b[0] > clusterVersion {
		return nil, fmt.Errorf("%w: header of %d bytes", block.ErrMalformed, len(b))
	}
	version := b[0]
	h := &clusterHead{narrow: 1, alike: b[1]&1 != 0, entire: b[1]&2 != 0, id: binary.LittleEndian.Uint64(b[2:]), transform: binary.LittleEndian.Uint64(b[10:])}
	b = b[18:]
	for _, p := range []*uint32{&h.gen, &h.blocks, &h.entries, &h.asked} {
		*p = binary.LittleEndian.Uint32(b)
		b = b[4:]
	}
	h.spread = math.Float32frombits(binary.LittleEndian.Uint32(b))
	if b = b[4:]; version > 1 {
		h.narrow = math.Float32frombits(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	var err error
	if h.curves, b, err = ivf.ReadCurves(b); err != nil || len(b) > 0 || !(h.spread >= 0 && h.spread < 100) || !(h.narrow > 0 && h.narrow <= 1) {
		return nil, fmt.Errorf("%w: header of an index", block.ErrMalformed)
	}
	return h, nil
}

// head returns the index's header, nil while there are no clusters.
func (x *clusterIndex) head(v *View) (h *clusterHead, err error) {
	_, err = v.get(x.header(), func(b []byte) (err error) {
		h, err = decodeClusterHead(b)
		return err
	})
	return h, corrupt(x.d.Name, "", x.where(), err)
}

// uncovered returns the blocks among the covered ones whose rows have changed.
func (x *clusterIndex) uncovered(v *View, h *clusterHead) (map[uint32]bool, error) {
	prefix := x.part(h.gen, partUncovered)
	it, err := v.prefixIter(prefix)
	if err != nil {
		return nil, corrupt(x.d.Name, "", x.where(), err)
	}
	defer it.Close()
	var out map[uint32]bool
	for ok := it.First(); ok; ok = it.Next() {
		if out == nil {
			out = map[uint32]bool{}
		}
		out[key.Number(it.Key())] = true
	}
	return out, corrupt(x.d.Name, "", x.where(), it.Error())
}

// clusterEditor takes blocks out of what the index covers.
type clusterEditor struct {
	x    *clusterIndex
	v    *View // nil: there is nothing yet
	mark func(prefix, k []byte) error
	read bool
	h    *clusterHead
	last uint32
	any  bool
}

func (x *clusterIndex) edit(v *View, to editor) (indexEditor, error) {
	return &clusterEditor{x: x, v: v, mark: func(_, k []byte) error { return to.set(k, nil) }}, nil
}

func (x *clusterIndex) build(f *indexFiles) indexEditor {
	return &clusterEditor{x: x, v: f.view, mark: func(prefix, k []byte) error { return f.sst.put(prefix, k, nil) }}
}

func (e *clusterEditor) close()                                              {}
func (e *clusterEditor) finish(context.Context) error                        { return nil }
func (e *clusterEditor) conflict([]*value.Column, int) (uint64, bool, error) { return 0, false, nil }
func (e *clusterEditor) remove([]*value.Column, int, uint64) error           { return nil }
func (e *clusterEditor) forget(cols []*value.Column, i int, row uint64) error {
	return e.add(cols, i, row)
}

func (e *clusterEditor) add(_ []*value.Column, _ int, row uint64) (err error) {
	b := uint32(row / BlockRows)
	if e.any && e.last == b {
		return nil
	}
	if !e.read && e.v != nil {
		if e.h, err = e.x.head(e.v); err != nil {
			return err
		}
	}
	e.read = true
	if e.h == nil || b >= e.h.blocks {
		return nil
	}
	e.any, e.last = true, b
	prefix := e.x.part(e.h.gen, partUncovered)
	return e.mark(prefix, numberedKey(prefix, b))
}

// spreadGroups is where the groups of coordinates end by which the spread of clusters is known.
func spreadGroups(rank int) []int {
	var ends []int
	for n := 4; n < rank; n *= 2 {
		ends = append(ends, n)
	}
	return append(ends, rank)
}

// clustering is what a search needs to know of all clusters. It is immutable.
type clustering struct {
	dim    int
	ends   []int     // see spreadGroups
	starts []uint32  // of the clusters among the entries, and how many there are
	norms  []float32 // mean norms
	means  []float32 // mean unit vectors
	spread []float32 // variance of a coordinate, by group

	// Of the rows: the least cosine of the angle with the mean, rounded down, and the range of the
	// norms. Nil in indexes of versions that did not have it.
	caps      []float32
	low, high []float64

	lengths []float64 // of the means
}

func (c *clustering) len() int { return len(c.norms) }

func (c *clustering) encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(c.len()))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(c.ends)))
	for _, n := range c.ends {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, n := range c.starts {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	for _, f := range [][]float32{c.norms, c.means, c.spread} {
		b = block.AppendFloats(b, f)
	}
	b = block.AppendFloats(b, c.caps)
	for _, f := range append(slices.Clone(c.low), c.high...) {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return b
}

func decodeClustering(b []byte, dim int) (*clustering, error) {
	bad := fmt.Errorf("%w: clusters of %d bytes", block.ErrMalformed, len(b))
	if len(b) < 8 {
		return nil, bad
	}
	n, groups := int(binary.LittleEndian.Uint32(b)), int(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	if n < 1 || n > maxLists || groups > 32 {
		return nil, bad
	}
	old := 4 * (groups + n + 1 + n + n*dim + n*groups)
	capped := len(b) == old+(4+2*8)*n
	if len(b) != old && !capped {
		return nil, bad
	}
	number := func() uint32 {
		x := binary.LittleEndian.Uint32(b)
		b = b[4:]
		return x
	}
	floats := func(n int) []float32 {
		f := make([]float32, n)
		block.Floats(f, b)
		b = b[4*n:]
		return f
	}
	c := &clustering{dim: dim}
	for range groups {
		c.ends = append(c.ends, int(number()))
	}
	for range n + 1 {
		c.starts = append(c.starts, number())
	}
	c.norms, c.means, c.spread = floats(n), floats(n*dim), floats(n*groups)
	if capped {
		c.caps, c.low, c.high = floats(n), make([]float64, n), make([]float64, n)
		for _, f := range [][]float64{c.low, c.high} {
			for i := range f {
				f[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
				b = b[8:]
			}
		}
		for i, cos := range c.caps {
			if !(cos >= -2 && cos <= 1 && c.low[i] >= 0 && c.low[i] <= c.high[i] && c.high[i] <= math.MaxFloat64) {
				return nil, bad
			}
		}
	}
	c.measure()
	if !slices.IsSorted(c.starts) || !slices.IsSorted(c.ends) || groups > 0 && c.ends[0] < 0 || !finite(c.norms) || !finite(c.means) || !finite(c.spread) {
		return nil, bad
	}
	return c, nil
}

// clusterings keeps the clusterings that are in use, by their IDs.
type clusterings struct {
	mu   sync.Mutex
	byID map[uint64]*clustering
}

// maxClusterings is how many of them are kept, some megabytes each.
const maxClusterings = 16

// clusters returns the clustering of a header.
func (x *clusterIndex) clusters(v *View, h *clusterHead) (*clustering, error) {
	cache := &v.store.clusterings
	cache.mu.Lock()
	c := cache.byID[h.id]
	cache.mu.Unlock()
	if c != nil {
		return c, nil
	}
	ok, err := v.get(x.part(h.gen, partCenters), func(b []byte) (err error) {
		if clusterID(b) != h.id {
			return fmt.Errorf("%w: they are not those of the header", block.ErrMalformed)
		}
		c, err = decodeClustering(b, x.d.Columns[x.column].Type.Dim)
		return err
	})
	if err == nil && !ok {
		err = fmt.Errorf("%w: the clusters are missing", block.ErrMalformed)
	}
	if err == nil && c.starts[c.len()] != h.entries {
		err = fmt.Errorf("%w: clusters of %d rows, not %d", block.ErrMalformed, c.starts[c.len()], h.entries)
	}
	if err != nil {
		return nil, corrupt(x.d.Name, "", x.where(), err)
	}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if cache.byID == nil || len(cache.byID) >= maxClusterings {
		cache.byID = map[uint64]*clustering{}
	}
	cache.byID[h.id] = c
	return c, nil
}

func clusterID(b []byte) uint64 {
	f := fnv.New64a()
	f.Write(b)
	return f.Sum64()
}

// measure notes how long the means are.
func (c *clustering) measure() {
	c.lengths = make([]float64, c.len())
	for i := range c.lengths {
		c.lengths[i] = math.Sqrt(squares(c.means[i*c.dim : (i+1)*c.dim]))
	}
}

func squares(v []float32) (sum float64) {
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	return sum
}

// products returns the inner products of a query, as the codes have it, with the means.
func (c *clustering) products(unit []float64) []float64 {
	wide := make([]float64, simd.Pad(c.dim))
	copy(wide, unit)
	out := make([]float64, c.len())
	for i := range out {
		out[i] = simd.DotWide(wide, c.means[i*c.dim:(i+1)*c.dim])
	}
	return out
}

// capSlack makes up for the rounding of the cosines of angles with means.
const capSlack = 1e-9

// reach returns the most goodness that a row of cluster i can have, whose mean has this inner product
// with the query. The rows are within an angle of the mean, and none can be nearer to the query
// than the two angles differ.
func (c *clustering) reach(s *search, i int, product float64) float64 {
	if c.caps == nil {
		return s.most()
	}
	upper := 1.0
	if l := c.lengths[i]; l > 0 {
		query, rows := max(-1, product/l+capSlack), float64(c.caps[i])-capSlack
		if query < rows {
			upper = float64(query*rows) + math.Sqrt(float64((1-float64(query*query))*(1-float64(rows*rows)))) + capSlack
		}
	}
	return s.coded.goodness(min(1, upper), c.low[i], c.high[i])
}

// order returns the clusters, best first, for a query: those of which the mean of the rows'
// scores plus some of their deviations is best. products are those with the query, and weights how it
// weighs coordinates.
func (c *clustering) order(coded *coded, products, weights []float64, deviations float64) []uint32 {
	groups := len(c.ends)
	sizes := make([]float64, groups) // squares of the weights
	from := 0
	for g, end := range c.ends {
		for _, w := range weights[min(from, len(weights)):min(end, len(weights))] {
			sizes[g] += float64(w * w)
		}
		from = end
	}
	good := make([]float64, c.len())
	out := make([]uint32, c.len())
	for i := range out {
		out[i] = uint32(i)
		variance := 0.0
		for g, v := range c.spread[i*groups : (i+1)*groups] {
			variance += float64(sizes[g] * float64(v))
		}
		n := float64(c.norms[i])
		good[i] = coded.goodness(products[i]+float64(deviations*math.Sqrt(variance)), n, n)
	}
	slices.SortFunc(out, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(good[b], good[a]), cmp.Compare(a, b))
	})
	return out
}

// unitOf returns the query as the codes have it, see coded.
func unitOf(q *vector.Query, worst bool) (unit []float64, norm float64) {
	norm = math.Sqrt(q.SquaredNorm())
	unit = make([]float64, q.Dim())
	for j, x := range q.Vector() {
		unit[j] = float64(x) / norm
		if worst {
			unit[j] = -unit[j]
		}
	}
	return unit, norm
}

// clusterIndex returns the index over a vector column, nil if it has none.
func (t *Table) clusterIndex(column int) *clusterIndex {
	for _, x := range t.def.indexes() {
		if c, ok := x.(*clusterIndex); ok && c.column == column {
			return c
		}
	}
	return nil
}

// lists is the number of clusters for a number of rows.
func (x *clusterIndex) lists(rows uint64) int {
	if n, err := strconv.Atoi(x.x.Options["lists"]); err == nil {
		return n
	}
	return max(16, min(maxLists/2, int(2*math.Sqrt(float64(rows)))))
}
