package exec

import (
	"context"
	"math"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// biased finds the rows with the highest sums of a similarity and of scores that are known: a
// search by the similarity, to which the others are added, does so by the codes, as without them.
func (r *fusing) biased(ctx context.Context, sim *term) (*storage.RowSet, error) {
	// The sum is by times what the search finds, and rest.
	by, rest := sim.by, r.Rest
	opts := sim.opts
	if sim.FromOne {
		by, rest = -by, rest+by
	}
	if by < 0 {
		opposite := make([]float32, opts.Query.Dim())
		for i, x := range opts.Query.Vector() {
			opposite[i] = -x
		}
		var err error
		if opts.Query, err = vector.NewQuery(vector.Cosine, opposite); err != nil {
			return nil, err
		}
		by = -by
	}
	if by == 0 {
		return nil, errTooMany
	}
	size := 1 + math.Abs(rest/by)
	for _, t := range r.terms {
		rest += t.plus
		size += math.Abs(t.plus / by)
	}
	var err error
	if opts.Plus, err = r.plus(ctx, sim, by, &size); err != nil {
		return nil, err
	}
	// Sums are computed in another order than here, and of other products.
	opts.PlusSlack = float64(1e-9 * size)
	if !(opts.PlusSlack < 0.1) { // the similarity is nothing beside the others
		return nil, errTooMany
	}
	opts.Filter = r.valued()
	opts.K = r.Count
	found, st, err := r.t.Nearest(ctx, opts)
	if err != nil {
		return nil, err
	}
	if len(found) < r.Count { // rows without a sum follow
		return nil, errTooMany
	}
	if len(found) > int(r.rows/fusionShare)+8*r.Count {
		return nil, errTooMany
	}
	r.first, r.evaluated = r.rows-st.Rows+st.Discarded1, int(st.Scored)
	r.least = float64(by*found[r.Count-1].Score) + rest
	set := new(storage.RowSet)
	for _, n := range found {
		set.Add(n.Row)
	}
	return set, nil
}

// plus returns what the terms other than a similarity add, divided by what that is times, and adds
// to size how large the numbers are.
func (r *fusing) plus(ctx context.Context, sim *term, by float64, size *float64) (*storage.RowScores, error) {
	postings, known := uint64(0), false
	for _, t := range r.terms {
		if t.words != nil {
			postings += t.words.Postings()
		}
		known = known || t.exact != nil
	}
	if known {
		postings = math.MaxInt64
	}
	out, err := r.newScores(postings)
	if err != nil {
		return nil, err
	}
	for _, t := range r.terms {
		times := t.by / by
		switch {
		case t == sim:
		case t.known():
			n := r.rangeOf(t)
			if !(n.Min <= n.Max) {
				continue
			}
			*size += float64(math.Abs(times) * max(-n.Min, n.Max))
			err := r.eachBlocks(func(from, to int) error {
				for b := from; b < to; b++ {
					t.addTo(out, uint32(b), times)
				}
				out.Bound(uint32(from), uint32(to))
				return nil
			})
			if err != nil {
				return nil, err
			}
		default:
			*size += float64(math.Abs(times) * t.words.Most())
			if err := t.words.AddScores(ctx, out, times, r.Env.Workers); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// addTo adds the known values of a block's rows, each times a number.
func (t *term) addTo(out *storage.RowScores, b uint32, times float64) {
	values := t.block(b)
	if values == nil {
		return
	}
	of := out.Open(b)
	for i, v := range values {
		if v == v {
			of[i] += float64(v * times)
		}
	}
}

// valued are the rows to search among that have a value by every term of columns; nil: all.
func (r *fusing) valued() *storage.RowSet {
	missing := false
	for _, t := range r.terms {
		if t.exact == nil {
			continue
		}
		for row, there := range r.there {
			if there && t.exact[row] != t.exact[row] {
				r.there[row], missing = false, true
			}
		}
	}
	if !missing {
		return r.among
	}
	set := new(storage.RowSet)
	for row, there := range r.there {
		if there {
			set.Add(uint64(row))
		}
	}
	return set
}
