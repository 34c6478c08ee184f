package exec

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Ahead finds the nearest rows of a table for the vectors of many rows at once, where a subquery
// searches for those of each row of the query around it. Nearest looks there before it searches;
// what it finds is the same. At first some searches share a pass over the codes; of very many,
// blocks are compared with sketches of all rows.
type Ahead struct {
	Workers int
	Memory  *Budget
	Table   *storage.Table
	Column  int
	Metric  vector.Metric
	Count   int
	Arg     int      // of the subquery's arguments, the vector
	Filter  Operator // gives the rows to search among, the same ones for all; nil = all

	seed   maphash.Seed
	found  map[uint64]foundAhead
	among  *storage.RowSet
	narrow bool // among is known
	many   *storage.Neighbours
	held   int64
	no     bool // sketches don't help

	vectors, passes int
	sketched        int // of the vectors
	stats           storage.NeighbourStats
	size            int64 // of the sketches
}

type foundAhead struct {
	of    []float32
	rows  []storage.Neighbor
	there bool
}

const (
	aheadLeast    = 4   // vectors, fewer are searched for one by one
	aheadSome     = 64  // searches of a pass
	aheadMost     = 960 // vectors at a time
	aheadDeep     = 100 // rows of each
	aheadSketches = 192 // vectors after which sketches are made
	aheadRows     = 2048
)

// Prepare finds the nearest rows of the vectors of some rows.
func (a *Ahead) Prepare(ctx context.Context, args []fn.Arg, rows []int32) error {
	if a.Count > aheadDeep || len(rows) < aheadLeast || args[a.Arg].Const || args[a.Arg].Type.Kind != value.Vector {
		return nil
	}
	x := args[a.Arg]
	if a.found == nil {
		a.seed = maphash.MakeSeed()
	}
	a.found = map[uint64]foundAhead{}
	dim := a.Table.Def().Columns[a.Column].Type.Dim
	var hashes []uint64
	var queries []*vector.Query
	for _, i := range rows {
		if x.IsNull(int(i)) || x.Type.Dim != dim {
			continue
		}
		v := x.Vec(int(i))
		h := a.hash(v)
		if _, there := a.found[h]; there {
			continue
		}
		q, err := vector.NewQuery(a.Metric, v)
		if err != nil || q.Zero() { // the search itself tells
			continue
		}
		a.found[h] = foundAhead{of: q.Vector()}
		hashes = append(hashes, h)
		queries = append(queries, q)
	}
	if len(queries) < aheadLeast {
		clear(a.found)
		return nil
	}
	if err := a.narrowed(ctx); err != nil {
		return err
	}
	for len(queries) > 0 {
		n := min(aheadMost, len(queries))
		near, n, err := a.some(ctx, queries[:n])
		if err != nil {
			return err
		}
		for k, h := range hashes[:n] {
			a.found[h] = foundAhead{a.found[h].of, near[k], true}
		}
		a.vectors += n
		a.passes++
		queries, hashes = queries[n:], hashes[n:]
	}
	return nil
}

// narrowed finds the rows to search among.
func (a *Ahead) narrowed(ctx context.Context) error {
	if a.Filter == nil || a.narrow {
		return nil
	}
	a.among = new(storage.RowSet)
	err := Drain(ctx, a.Filter, func(b *value.Batch) error {
		a.among.AddBatch(b)
		return nil
	})
	a.narrow = err == nil
	return err
}

// some finds the rows of the first ones of some queries, and returns how many.
func (a *Ahead) some(ctx context.Context, queries []*vector.Query) (near [][]storage.Neighbor, n int, err error) {
	if err := a.sketch(ctx); err != nil {
		return nil, 0, err
	}
	if a.many != nil {
		near, st, err := a.many.Find(ctx, queries, a.Count)
		if err == nil {
			a.sketched += len(queries)
			a.stats.Pairs += st.Pairs
			a.stats.Scored += st.Scored
			return near, len(queries), nil
		}
		if !errors.Is(err, storage.ErrUnselective) {
			return nil, 0, err
		}
		a.drop()
		a.no = true
	}
	n = min(aheadSome, len(queries))
	opts := make([]storage.NearestOptions, n)
	for i, q := range queries[:n] {
		opts[i] = storage.NearestOptions{Column: a.Column, Query: q, K: min(a.Count, int(a.Table.Rows())), Filter: a.among, Workers: a.Workers}
	}
	near, _, err = a.Table.NearestMany(ctx, opts)
	return near, n, err
}

// sketch makes sketches if they pay and there is memory for them.
func (a *Ahead) sketch(ctx context.Context) (err error) {
	rows := int(a.Table.Rows())
	if a.among != nil {
		rows = a.among.Len()
	}
	if a.many != nil || a.no || a.Metric != vector.Cosine || a.vectors < aheadSketches || rows < aheadRows {
		return nil
	}
	a.held = a.Table.NeighbourBytes(a.Column) / int64(max(1, a.Table.Rows())) * int64(rows)
	if a.Memory.Reserve(a.held, "sketches") != nil {
		a.drop()
		a.no = true
		return nil
	}
	a.many, err = storage.NewNeighbours(ctx, storage.PairSide{Table: a.Table, Column: a.Column, Filter: a.among}, a.Workers)
	if err == nil {
		a.size = a.many.Bytes()
	}
	return err
}

func (a *Ahead) drop() {
	a.Memory.Release(a.held)
	a.held, a.many = 0, nil
}

// Close gives back what it holds.
func (a *Ahead) Close() error {
	a.drop()
	a.found = nil
	if a.Filter != nil {
		return a.Filter.Close()
	}
	return nil
}

func (a *Ahead) hash(v []float32) uint64 {
	var h maphash.Hash
	h.SetSeed(a.seed)
	var b [4 * 64]byte
	for len(v) > 0 {
		n := min(len(v), 64)
		for k, x := range v[:n] {
			u := math.Float32bits(x)
			b[4*k], b[4*k+1], b[4*k+2], b[4*k+3] = byte(u), byte(u>>8), byte(u>>16), byte(u>>24)
		}
		h.Write(b[:4*n])
		v = v[n:]
	}
	return h.Sum64()
}

// of returns the rows that were found for a vector.
func (a *Ahead) of(v []float32) ([]storage.Neighbor, bool) {
	if a == nil || len(a.found) == 0 {
		return nil, false
	}
	f, ok := a.found[a.hash(v)]
	if !ok || !f.there || !slices.Equal(f.of, v) {
		return nil, false
	}
	return slices.Clone(f.rows), true
}

// String tells what was found ahead, "" if nothing was.
func (a *Ahead) String() string {
	if a == nil || a.vectors == 0 {
		return ""
	}
	text := fmt.Sprintf("the nearest of %d vectors found in %d passes", a.vectors, a.passes)
	if a.sketched > 0 {
		text += fmt.Sprintf(", of %d by sketches of %s: %d pairs bounded, %d scored", a.sketched, shortBytes(a.size), a.stats.Pairs, a.stats.Scored)
	}
	return text
}
