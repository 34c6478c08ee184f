package storage

import (
	"context"
	"slices"
	"time"

	"github.com/lupadb/lupa/storage/vector"
)

// NearestOptions say what to search for.
type NearestOptions struct {
	Column int           // position in Def().Columns of a vector column
	Query  *vector.Query // of the column's dimension
	K      int           // number of rows wanted; < 0 = all
	// Filter restricts the search to these rows; nil = all.
	Filter *RowSet
	// Min and Max restrict the search to rows with a score between them; nil = no
	// bound. Rows without a score (see Neighbor) are outside any bound.
	Min, Max *ScoreBound
	// Plus is added to the scores of a cosine similarity: the rows with the largest sums are
	// wanted, and Neighbor.Score is the sum. All rows come out whose sum is at most PlusSlack
	// below that of the K-th, for what is exact to less than that. Nil adds nothing. Its blocks
	// are bounded.
	Plus      *RowScores
	PlusSlack float64
	// Worst asks for the rows with the worst scores, worst first: ORDER BY in the
	// direction opposite to the metric's own.
	Worst bool
	// BruteForce scores every row from its floats and leaves the codes alone. The
	// answer is the same.
	BruteForce bool
	// Margin also finds the row after the last one, for NearestStats.Margin.
	Margin bool
	// Above counts the rows with a higher score than each of these numbers, which ascend, in
	// NearestStats.Above, instead of giving them; Min is the first of them, and K negative.
	Above []float64
	// Workers is the number of goroutines; 0 = one per CPU.
	Workers int
	// Recall, if between 0 and 1, allows for an answer that lacks some of the nearest rows: on
	// average over queries it has that part of them. It takes a cluster index; without one, or
	// where that would not be quicker, the answer is exact. See NearestStats.Approximate.
	Recall float64
	// Stop, if not nil, allows for an answer of what was found until it gave true. Several
	// goroutines call it, before each group of up to BlockRows rows but the first. See
	// NearestStats.Stopped.
	Stop func() bool
}

// ScoreBound is one end of an interval of scores.
type ScoreBound struct {
	Score float64
	Open  bool // Score itself is outside
}

// Neighbor is one row of the answer. Score is the value of the SQL function,
// see vector.Query.Score. Rows without a score never come out of a search: those
// whose vector is NULL and, for cosine similarity, those whose vector is zero.
type Neighbor struct {
	Row   uint64
	Score float64
}

// NearestStats tell what a search did, for EXPLAIN ANALYZE. The answer is exact,
// whatever they say.
type NearestStats struct {
	Rows       uint64 // live rows that passed the filter
	Coded      uint64 // of them with codes; the others were scored from their floats
	Discarded1 uint64 // by the bound of the first plane
	Discarded2 uint64 // by the bound of both planes
	Late       uint64 // survivors of both planes that better rows made superfluous
	Scored     uint64 // from their float32 values
	BytesRead  uint64 // codes, floats and tail rows
	// Drift is how much wider the first plane's bounds are than for the rows its
	// codes were trained on, as a ratio: about 1, and more when rows have changed since.
	// NaN without codes. RetrainColumn renews them.
	Drift float64
	// Outdated is set if the codes are of a version that is no longer used: RetrainColumn
	// renews them.
	Outdated bool
	Workers  int
	Above    []uint64 // see NearestOptions

	Seed   time.Duration // scoring promising rows for a first cut
	Scan   time.Duration // codes, and floats of rows without codes
	Rerank time.Duration // floats of the last survivors

	// Approximate says that only a part of the clusters of an index was visited: some of the
	// nearest rows may be missing. Scores are exact.
	Approximate     bool
	Clusters        int     // there are, and
	ClustersVisited int     // of them visited
	ExpectedRecall  float64 // the part of the nearest rows that such searches find on average
	Calibrated      int     // queries of searches that this was measured with; 0 = others

	// Stopped says that Stop has ended the search, or Recall one that has Stop, before it was known
	// which rows are the nearest. Of a search with Stop the first Proven rows of the answer are those
	// of the exact one, and of one that was stopped no row outside of the answer has a better score
	// than Unseen, which is proven, too; it may be infinite.
	Stopped bool
	Proven  int
	Unseen  float64

	KthScore float64 // score of the last row of the answer, NaN if there is none
	// Margin is the difference between the last score of the answer and that of
	// the next row, NaN when not asked for or when there is no next row.
	Margin float64
}

// Nearest returns the K rows nearest to the query, nearest first, ties in row
// order: exactly what scoring every row would give, to the last bit of every score.
func (t *Table) Nearest(ctx context.Context, opts NearestOptions) ([]Neighbor, *NearestStats, error) {
	rows, stats, err := t.NearestMany(ctx, []NearestOptions{opts})
	if err != nil {
		return nil, nil, err
	}
	return rows[0], stats[0], nil
}

// NearestMany answers several searches of one column in one pass over the data, but for those
// that may be approximate or stopped. result[i] belongs to opts[i]. The times in stats are those of the
// whole pass.
func (t *Table) NearestMany(ctx context.Context, opts []NearestOptions) (result [][]Neighbor, stats []*NearestStats, err error) {
	if len(opts) == 0 {
		return nil, nil, nil
	}
	if len(opts) > 1 && slices.ContainsFunc(opts, func(o NearestOptions) bool { return o.Stop != nil || o.Recall > 0 && o.Recall < 1 }) {
		return t.nearestEach(ctx, opts)
	}
	p, err := t.newPass(opts)
	if err != nil {
		return nil, nil, err
	}
	if err := p.run(ctx); err != nil {
		return nil, nil, err
	}
	for _, s := range p.searches {
		rows, st := s.finish()
		t.view.store.keeper.searched(t, s.opts, st)
		result, stats = append(result, rows), append(stats, st)
	}
	return result, stats, nil
}

// nearestEach answers searches of which some visit parts of the rows, each by itself.
func (t *Table) nearestEach(ctx context.Context, opts []NearestOptions) (result [][]Neighbor, stats []*NearestStats, err error) {
	for i := range opts {
		rows, st, err := t.Nearest(ctx, opts[i])
		if err != nil {
			return nil, nil, err
		}
		result, stats = append(result, rows), append(stats, st)
	}
	return result, stats, nil
}
