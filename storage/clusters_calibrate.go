package storage

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/lupadb/lupa/storage/internal/code"
	"github.com/lupadb/lupa/storage/internal/ivf"
	"github.com/lupadb/lupa/storage/vector"
)

// calibrate measures how much of the rows queries have to visit. It asks what searches have
// asked before; as long as those are few, rows, and directions without regard to them, and
// expects of a search what the harder ones have found.
func (b *clusterBuild) calibrate(ctx context.Context, h *clusterHead, asked [][]float32) (err error) {
	b.need = 0
	var sets [][][]float32
	if asked = forRecall(asked); len(asked) >= askedFirst/2 {
		rng := rand.New(rand.NewPCG(uint64(len(asked)), 5))
		rng.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
		asked = asked[:min(len(asked), calibrated)]
		sets, h.asked = [][][]float32{asked}, uint32(len(asked))
	} else if sets, err = b.strangers(ctx); err != nil {
		return err
	}
	measured := make([]map[float64][]ivf.Curve, len(sets)) // by deviations
	for i, queries := range sets {
		if measured[i], err = b.measure(ctx, queries); err != nil {
			return err
		}
	}
	h.narrow = float32(max(leastNarrow, min(1, needMargin*b.need)))
	best := 2.0
	for _, deviations := range deviationsTried {
		curves := make([]ivf.Curve, len(calibratedFor))
		for i := range sets {
			for k, c := range measured[i][deviations] {
				if i == 0 {
					curves[k] = c
				} else {
					curves[k] = curves[k].Worse(c)
				}
			}
		}
		curves = slices.DeleteFunc(curves, func(c ivf.Curve) bool { return len(c.Points) == 0 })
		if len(curves) == 0 {
			continue
		}
		if visited, _ := curves[0].Visit(0.95); visited < best {
			best, h.spread, h.curves = visited, float32(deviations), curves
		}
	}
	return nil
}

// deviationsTried are how many deviations above the mean of its scores a cluster may be
// taken for.
var deviationsTried = []float64{1, 2, 3}

// Searches that may miss rows need not take codes for as wrong as they can be: a residual
// and a direction have an angle that is seldom far from a right one, and the proven bound
// is for an angle of zero. What part of the allowance the nearest rows of the queries of a
// calibration have needed, some thousands of rows, and half as much again, is what searches allow for.
const (
	needMargin  = 1.5
	leastNarrow = 0.05
)

// needs notes what part of the allowances of their codes the nearest rows of a query have
// needed not to be discarded.
func (b *clusterBuild) needs(ctx context.Context, query *vector.Query, rows []Neighbor) error {
	least := math.Inf(1)
	numbers := make([]uint64, len(rows))
	for i, r := range rows {
		least, numbers[i] = min(least, r.Score), r.Row
	}
	slices.Sort(numbers)
	return b.t.refine(ctx, NearestOptions{Column: b.x.column, Query: query}, numbers, func(w *worker, q *code.Query, k, _ int) {
		r := int(w.scratch.Rows[k])
		for plane, upper := range []float64{float64(w.scratch.Upper[r]), w.scratch.Upper2[k]} {
			if spread := q.Spread(&w.planes[plane], plane, r); spread > 0 {
				b.mu.Lock()
				b.need = max(b.need, 1-(upper-least)/spread)
				b.mu.Unlock()
			}
		}
	})
}

// strangers are queries where none are known: rows, and directions.
func (b *clusterBuild) strangers(ctx context.Context) ([][][]float32, error) {
	dim := b.t.def.Columns[b.x.column].Type.Dim
	sample, err := b.t.sampleVectors(ctx, b.x.column, b.t.sealedBlocks(), 16*BlockRows)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(uint64(len(sample)), 6))
	n := calibrated / 2
	var rows, directions [][]float32
	for range 20 * n {
		i := rng.IntN(len(sample) / dim)
		if v := sample[i*dim : (i+1)*dim]; len(rows) < n && slices.ContainsFunc(v, func(x float32) bool { return x != 0 }) {
			rows = append(rows, v)
		}
	}
	for range n {
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		directions = append(directions, v)
	}
	return [][][]float32{rows, directions}, nil
}

// measure finds where the nearest rows of queries are, by exact searches.
func (b *clusterBuild) measure(ctx context.Context, queries [][]float32) (map[float64][]ivf.Curve, error) {
	found := map[float64][][][]float32{} // by deviations, the k, the query
	for _, d := range deviationsTried {
		found[d] = make([][][]float32, len(calibratedFor))
	}
	for i, k := range calibratedFor {
		of := queries
		if k >= 1000 {
			of = of[:min(len(of), calibratedDeep)]
		}
		if uint64(k) > b.t.Rows()/16 {
			continue
		}
		for len(of) > 0 {
			n := min(len(of), 32)
			if err := b.ask(ctx, of[:n], k, func(d float64, at []float32) { found[d][i] = append(found[d][i], at) }); err != nil {
				return nil, err
			}
			of = of[n:]
			b.report("measuring recall", uint64(len(queries)-len(of)), uint64(len(queries)))
		}
	}
	out := map[float64][]ivf.Curve{}
	for _, d := range deviationsTried {
		out[d] = make([]ivf.Curve, len(calibratedFor))
		for i, k := range calibratedFor {
			if len(found[d][i]) > 0 {
				out[d][i] = ivf.NewCurve(k, found[d][i])
			}
		}
	}
	return out, nil
}

// ask searches for some queries, and tells for each of the nearest rows which part of the rows
// was visited before.
func (b *clusterBuild) ask(ctx context.Context, queries [][]float32, k int, tell func(deviations float64, at []float32)) error {
	var opts []NearestOptions
	for _, q := range queries {
		query, err := vector.NewQuery(vector.Cosine, q)
		if err != nil || query.Zero() {
			continue
		}
		opts = append(opts, NearestOptions{Column: b.x.column, Query: query, K: k})
	}
	if len(opts) == 0 {
		return nil
	}
	p, err := b.t.newPass(opts)
	if err == nil {
		err = p.run(ctx)
	}
	if err != nil {
		return err
	}
	c := b.clusters
	total := float32(c.starts[c.len()])
	for _, s := range p.searches {
		rows, _ := s.finish()
		if err := b.needs(ctx, s.query, rows); err != nil {
			return err
		}
		unit, norm := unitOf(s.query, false)
		weights := b.transform.Weights(unit)
		coded, products := &coded{m: vector.Cosine, norm: norm}, c.products(unit)
		for _, d := range deviationsTried {
			visited := make([]float32, c.len())
			sum := float32(0)
			for _, i := range c.order(coded, products, weights, d) {
				sum += float32(c.starts[i+1] - c.starts[i])
				visited[i] = sum / total
			}
			var at []float32
			for _, r := range rows {
				if r.Row < uint64(len(b.own)) && b.own[r.Row] != noEntry { // others are always found
					at = append(at, visited[b.own[r.Row]])
				}
			}
			if len(at) > 0 {
				tell(d, at)
			}
		}
	}
	return nil
}

// remeasure measures the curves of an index again and writes its header.
func (x *clusterIndex) remeasure(ctx context.Context, t *Table, old *clusterHead, queries [][]float32, put func(prefix, k, v []byte) error) (*clusterHead, error) {
	tr, err := t.transform(x.column)
	if err != nil || tr == nil || tr.ID != old.transform {
		return nil, err
	}
	b := &clusterBuild{x: x, t: t, transform: tr.Transform}
	if b.clusters, err = x.clusters(t.view, old); err != nil {
		return nil, err
	}
	if b.own, err = x.owners(t, old, b.clusters); err != nil {
		return nil, err
	}
	h := *old
	h.curves, h.asked = nil, 0
	if err := b.calibrate(ctx, &h, queries); err != nil {
		return nil, err
	}
	k := x.header()
	return &h, put(k, k, h.encode())
}
