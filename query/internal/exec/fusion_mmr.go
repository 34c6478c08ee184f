package exec

import (
	"context"
	"math"
	"slices"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// candidate is a row whose relevance and vector are known.
type candidate struct {
	row       uint64
	relevance float64
	vector    []float32
	near      float64
}

const (
	mmrChunk = 64  // how many rows are evaluated at once, at first
	mmrFew   = 256 // rows from which the second plane of codes is asked
	mmrSlack = 1e-6
)

// diversity is the search for the rows that mmr chooses. With s the nearest of the rows that are
// chosen, a row x of unit length is worth
//
//	lambda * (sum of by * <q, x> and of other scores) - (1 - lambda) * <s, x>,
//
// so that one direction for each row that is chosen bounds what x is worth, and the least of
// these bounds holds. Before there is one, s counts as a row with the similarity -1.
type diversity struct {
	*fusing
	base  []float64  // lambda * (sum of by * q), of the terms of the vector that rows differ by
	rest  *sumBounds // the other terms
	slack float64

	queries []mmrQuery
	chosen  []*vector.Query
	most    []float64 // by row: what it is worth at most, without rest
	of      []uint16  // the query that bounds it so,
	fine    []bool    // by both planes
	known   []bool    // it is, or was, among all
	all     []*candidate
}

// mmrQuery is a direction that bounds what rows are worth.
type mmrQuery struct {
	opts storage.NearestOptions
	norm float64
	plus float64
}

// diverse finds the rows that mmr chooses.
func (r *fusing) diverse(ctx context.Context) (*storage.RowSet, error) {
	n := len(r.live)
	if err := r.reserve(12 * n); err != nil {
		return nil, err
	}
	d := &diversity{fusing: r, base: make([]float64, r.t.Def().Columns[r.MMR.Vector].Type.Dim), most: make([]float64, n), of: make([]uint16, n), fine: make([]bool, n), known: make([]bool, n)}
	d.split()
	for row := range d.most {
		d.most[row] = math.Inf(1)
	}
	if err := d.bound(ctx, nil); err != nil {
		return nil, err
	}
	set := new(storage.RowSet)
	last := math.Inf(-1)
	for {
		least := math.Inf(-1)
		if set.Len() >= r.Count {
			least = last // those that are equal to the last one are chosen, too
		}
		at, err := d.next(ctx, least)
		if err != nil {
			return nil, err
		}
		if at < 0 || d.worth(at) < least {
			break
		}
		last = d.worth(at)
		c := d.all[at]
		set.Add(c.row)
		d.all = slices.Delete(d.all, at, at+1)
		if err := d.bound(ctx, c); err != nil {
			return nil, err
		}
	}
	if set.Len() < r.Count {
		return nil, errTooMany // rows without a value follow
	}
	r.least = last
	return set, nil
}

// split takes the terms of the sum that are similarities of the vector that rows differ by.
func (d *diversity) split() {
	all := d.newSum()
	d.slack = float64(d.MMR.Lambda*all.slack) + mmrSlack
	d.rest = &sumBounds{plus: all.plus}
	for _, t := range d.terms {
		if t.known() || t.opts.Column != d.MMR.Vector {
			d.rest.terms = append(d.rest.terms, t)
			continue
		}
		by := float64(d.MMR.Lambda*t.by) / math.Sqrt(t.opts.Query.SquaredNorm())
		if t.FromOne {
			by, d.rest.plus = -by, d.rest.plus+t.by
		}
		for i, x := range t.opts.Query.Vector() {
			d.base[i] += float64(by * float64(x))
		}
	}
}

// worth is what a candidate is worth.
func (d *diversity) worth(at int) float64 { return d.MMR.value(d.all[at].relevance, d.all[at].near) }

// high is what a row is worth at most.
func (d *diversity) high(row int) float64 {
	high, _ := d.rest.bounds(row)
	return float64(d.MMR.Lambda*high) + d.most[row]
}

// bound lets a row count as chosen; nil before the first one.
func (d *diversity) bound(ctx context.Context, c *candidate) error {
	w := slices.Clone(d.base)
	x := mmrQuery{plus: 1 - d.MMR.Lambda}
	if c != nil {
		x.plus = 0
		q, err := vector.NewQuery(vector.Cosine, c.vector)
		if err != nil {
			return err
		}
		d.chosen = append(d.chosen, q)
		for _, o := range d.all {
			o.near = max(o.near, q.Score(o.vector))
		}
		if len(d.chosen) > math.MaxUint16-1 {
			return errTooMany
		}
		by := float64(1-d.MMR.Lambda) / math.Sqrt(q.SquaredNorm())
		for i, v := range c.vector {
			w[i] -= float64(by * float64(v))
		}
	}
	for _, v := range w {
		x.norm += float64(v * v)
	}
	x.norm = math.Sqrt(x.norm)
	if !(x.norm > 1e-9) { // no direction, or very large
		if x.norm-x.norm != 0 {
			return errTooMany
		}
		for row := range d.most {
			if most := x.plus + x.norm; most < d.most[row] {
				d.most[row], d.of[row], d.fine[row] = most, uint16(len(d.queries)), true
			}
		}
		d.queries = append(d.queries, x)
		return nil
	}
	narrow := make([]float32, len(w))
	for i, v := range w {
		narrow[i] = float32(v / x.norm)
	}
	q, err := vector.NewQuery(vector.Cosine, narrow)
	if err != nil {
		return err
	}
	x.opts = storage.NearestOptions{Column: d.MMR.Vector, Query: q, Filter: d.among, Workers: d.Env.Workers}
	b, err := d.t.ScoreBounds(ctx, x.opts)
	if err != nil {
		return err
	}
	for row, u := range b.Upper {
		if math.IsInf(float64(u), -1) {
			d.live[row] = false
		} else if most := x.plus + float64(x.norm*float64(u)); most < d.most[row] {
			d.most[row], d.of[row], d.fine[row] = most, uint16(len(d.queries)), false
		}
	}
	d.queries = append(d.queries, x)
	return nil
}

// next returns the candidate that is chosen next, -1 where none is worth least.
func (d *diversity) next(ctx context.Context, least float64) (int, error) {
	at := -1
	for chunk := mmrChunk; ; chunk *= 2 {
		at = -1
		for i, c := range d.all {
			if at < 0 || d.worth(i) > d.worth(at) || d.worth(i) == d.worth(at) && c.row < d.all[at].row {
				at = i
			}
		}
		cut := least - d.slack
		if at >= 0 {
			cut = max(cut, d.worth(at)-d.slack)
		}
		top := newBest(chunk)
		coarse := 0
		for row, live := range d.live {
			if !live || d.known[row] {
				continue
			}
			if v := d.high(row); v >= cut {
				top.offer(uint64(row), v)
				if !d.fine[row] {
					coarse++
				}
			}
		}
		// What is only promising goes through the second plane, once there is something to reach.
		if coarse > mmrFew && at >= 0 {
			if err := d.refine(ctx, cut); err != nil {
				return 0, err
			}
			chunk /= 2
			continue
		}
		rows := top.rows()
		if len(rows) == 0 {
			return at, nil
		}
		if err := d.read(ctx, rows); err != nil {
			return 0, err
		}
	}
}

// refine bounds the rows that may be worth cut by both planes of codes.
func (d *diversity) refine(ctx context.Context, cut float64) error {
	byQuery := make([][]uint64, len(d.queries))
	for row, live := range d.live {
		if live && !d.known[row] && !d.fine[row] && d.high(row) >= cut {
			byQuery[d.of[row]] = append(byQuery[d.of[row]], uint64(row))
			d.fine[row] = true
		}
	}
	for k, rows := range byQuery {
		if len(rows) == 0 {
			continue
		}
		x := &d.queries[k]
		upper, err := d.t.RefinedUpper(ctx, x.opts, rows)
		if err != nil {
			return err
		}
		for i, row := range rows {
			d.most[row] = min(d.most[row], x.plus+float64(x.norm*float64(upper[i])))
		}
	}
	return nil
}

// read makes candidates of rows.
func (d *diversity) read(ctx context.Context, rows []uint64) error {
	if err := d.evaluate(ctx, rows); err != nil { // sorts them
		return err
	}
	b, err := d.t.Fetch(ctx, rows, []int{d.MMR.Vector})
	if err != nil {
		return err
	}
	if err := d.reserve(int(batchBytes(b)) + 64*len(rows)); err != nil {
		return err
	}
	for i, row := range rows {
		d.known[row] = true
		relevance, ok := d.sums[row]
		if !ok || b.Cols[0].Null(i) {
			continue
		}
		c := &candidate{row: row, relevance: relevance, vector: b.Cols[0].Vec(i), near: -1}
		if q, err := vector.NewQuery(vector.Cosine, c.vector); err != nil {
			return err
		} else if q.Zero() {
			continue
		}
		for _, q := range d.chosen {
			c.near = max(c.near, q.Score(c.vector))
		}
		d.all = append(d.all, c)
	}
	return nil
}
