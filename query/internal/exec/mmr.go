package exec

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

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
