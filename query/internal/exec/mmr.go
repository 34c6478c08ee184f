package exec

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// MMR is maximal marginal relevance (Carbonell and Goldstein 1998): rows are chosen one by one,
// each time the one with the highest
//
//	lambda * relevance - (1 - lambda) * (highest cosine similarity with a row chosen before),
//
// which is the row's value. For the first one that similarity counts as -1, the least there is,
// so that values never rise from one choice to the next: the order of the values, and of equal
// ones that of the rows, is the order in which rows are chosen.
type MMR struct {
	Lambda float64
	Vector int // the argument that is the vector; of a Fusion, the column of the table
	Count  int // rows that are wanted; 0 = all
}

// value is what a row is worth whose highest similarity with those chosen before is near.
func (m *MMR) value(relevance, near float64) float64 {
	return float64(m.Lambda*relevance) - float64((1-m.Lambda)*near)
}

// mmrParts is how many rows are compared by one goroutine, at least.
const mmrParts = 2048

// values returns the value of each row; NaN where the relevance, a number, or the vector is not
// there. Of rows behind the first Count it may return more than they are worth, but no more than
// the last of these is.
func (m *MMR) values(ctx context.Context, relevance []float64, vectors [][]float32, workers int) ([]float64, error) {
	n := len(relevance)
	out, near := make([]float64, n), make([]float64, n)
	var open []int32 // rows that are not chosen yet
	for i, v := range relevance {
		out[i], near[i] = math.NaN(), -1
		if v != v || vectors[i] == nil {
			continue
		}
		if q, err := vector.NewQuery(vector.Cosine, vectors[i]); err != nil {
			return nil, err
		} else if q.Zero() {
			continue
		}
		out[i] = m.value(v, -1)
		open = append(open, int32(i))
	}
	last := math.Inf(-1)
	for chosen := 0; len(open) > 0; chosen++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := 0
		for k, i := range open {
			if out[i] > out[open[at]] {
				at = k
			}
		}
		row := open[at]
		if m.Count > 0 && chosen >= m.Count && out[row] < last {
			break // equal ones are chosen, too: another key may decide among them
		}
		last = out[row]
		open = slices.Delete(open, at, at+1)
		q, err := vector.NewQuery(vector.Cosine, vectors[row])
		if err != nil {
			return nil, err
		}
		compare := func(rows []int32) {
			for _, i := range rows {
				near[i] = max(near[i], q.Score(vectors[i]))
				out[i] = m.value(relevance[i], near[i])
			}
		}
		parts := max(1, min(cmp.Or(workers, runtime.GOMAXPROCS(0)), len(open)/mmrParts))
		var wait sync.WaitGroup
		for p := range parts {
			wait.Go(func() { compare(open[p*len(open)/parts : (p+1)*len(open)/parts]) })
		}
		wait.Wait()
	}
	return out, nil
}

// mmrOf computes an item of r over all rows that are there.
func (r *Ranks) mmrOf(ctx context.Context, p *pile, width int, x *RankItem, relevance []float64) ([]float64, error) {
	vectors := make([][]float32, 0, p.n)
	if err := r.reserve(int64(p.n) * 40); err != nil {
		return nil, err
	}
	dim := 0
	for _, t := range p.parts {
		c := t.cols[width+x.MMR.Vector]
		for i := range t.n {
			if c == nil || c.Type.Kind == value.Null || c.Null(i) {
				vectors = append(vectors, nil)
				continue
			}
			v := c.Vec(i)
			if dim == 0 {
				dim = len(v)
			}
			if len(v) != dim {
				return nil, fmt.Errorf("mmr: vectors have %d and %d dimensions", dim, len(v))
			}
			vectors = append(vectors, v)
		}
	}
	return x.MMR.values(ctx, relevance, vectors, r.env.Workers)
}

// candidate is a row whose relevance and vector are known.
type candidate struct {
	row       uint64
	relevance float64
	vector    []float32
	near      float64
}

// mmrChunk is how many rows are evaluated at once, at first.
const mmrChunk = 64

// diverse finds the rows that mmr chooses. Codes bound what the other rows are worth: their
// relevance from above, and from below how near they are to one that is chosen.
func (r *fusing) diverse(ctx context.Context) (*storage.RowSet, error) {
	n := len(r.live)
	if err := r.reserve(5 * n); err != nil {
		return nil, err
	}
	near := make([]float32, n)
	for i := range near {
		near[i] = -1
	}
	known := make([]bool, n)
	s := r.newSum()
	slack := float64(r.MMR.Lambda*s.slack) + 1e-9
	var all []*candidate
	set := new(storage.RowSet)
	last := math.Inf(-1)
	for set.Len() < int(r.rows) {
		// Of those that are known, and of those that may be better, the best one is next.
		at := -1
		best := func() float64 {
			at = -1
			for i, c := range all {
				if at < 0 {
					at = i
					continue
				}
				v, b := r.MMR.value(c.relevance, c.near), r.MMR.value(all[at].relevance, all[at].near)
				if v > b || v == b && c.row < all[at].row {
					at = i
				}
			}
			if at < 0 {
				return math.Inf(-1)
			}
			return r.MMR.value(all[at].relevance, all[at].near)
		}
		for chunk := mmrChunk; ; chunk *= 2 {
			least := best() - slack
			if set.Len() >= r.Count {
				least = max(least, last-slack)
			}
			top := newBest(chunk)
			for row, live := range r.live {
				if !live || known[row] {
					continue
				}
				high, _ := s.bounds(row)
				if v := r.MMR.value(high, float64(near[row])-boundSlack); v >= least {
					top.offer(uint64(row), v)
				}
			}
			rows := top.rows()
			if len(rows) == 0 {
				break
			}
			found, err := r.candidates(ctx, rows, set)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				known[row] = true
			}
			all = append(all, found...)
		}
		value := best()
		if at < 0 || set.Len() >= r.Count && value < last {
			break
		}
		last = value
		c := all[at]
		set.Add(c.row)
		all = slices.Delete(all, at, at+1)
		q, err := vector.NewQuery(vector.Cosine, c.vector)
		if err != nil {
			return nil, err
		}
		r.chosen = append(r.chosen, q)
		for _, c := range all {
			c.near = max(c.near, q.Score(c.vector))
		}
		b, err := r.t.ScoreBounds(ctx, storage.NearestOptions{Column: r.MMR.Vector, Query: q, Filter: r.among, Workers: r.Env.Workers})
		if err != nil {
			return nil, err
		}
		for row, low := range b.Lower {
			if math.IsInf(float64(b.Upper[row]), -1) {
				r.live[row] = false
			} else {
				near[row] = max(near[row], low)
			}
		}
	}
	if set.Len() < r.Count {
		return nil, errTooMany // rows without a value follow
	}
	r.least = last
	return set, nil
}

// candidates reads rows, and computes what they are worth beside those that are chosen.
func (r *fusing) candidates(ctx context.Context, rows []uint64, chosen *storage.RowSet) (out []*candidate, err error) {
	if err := r.evaluate(ctx, rows); err != nil { // sorts them
		return nil, err
	}
	b, err := r.t.Fetch(ctx, rows, []int{r.MMR.Vector})
	if err != nil {
		return nil, err
	}
	if err := r.reserve(int(batchBytes(b)) + 64*len(rows)); err != nil {
		return nil, err
	}
	for i, row := range rows {
		relevance, ok := r.sums[row]
		if !ok || b.Cols[0].Null(i) {
			continue
		}
		c := &candidate{row: row, relevance: relevance, vector: b.Cols[0].Vec(i), near: -1}
		if q, err := vector.NewQuery(vector.Cosine, c.vector); err != nil {
			return nil, err
		} else if q.Zero() {
			continue
		}
		for _, q := range r.chosen {
			c.near = max(c.near, q.Score(c.vector))
		}
		out = append(out, c)
	}
	return out, nil
}
