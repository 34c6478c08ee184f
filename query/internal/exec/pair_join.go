package exec

import (
	"context"
	"math"
	"slices"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// PairJoin joins rows of tables whose vectors have a cosine similarity from Least on. Its
// batches hold columns of the left row, those of the right one, and the similarity, or with
// FromOne 1 less it.
type PairJoin struct {
	Env         *Env
	Ctx         *fn.Ctx
	Left, Right PairInput
	Least       fn.Expr // with FromOne, the most
	Open        bool
	FromOne     bool
	Distinct    bool // of a table with itself: Rest leaves out pairs of a row with itself
	Rest        []fn.Expr
	Text        string

	run   *pairRun
	stats *storage.PairStats
	held  int64
	left  storage.Fetcher
	right storage.Fetcher
	narrowing
}

// PairInput is one side of a PairJoin.
type PairInput struct {
	Table   *storage.Table
	Vector  int
	Columns []int    // of the table
	Among   Operator // gives the rows; nil = all
}

// pairRun is a storage.Pairs that goes on while its pairs are used.
type pairRun struct {
	pairs  chan []storage.Pair
	done   chan struct{} // closed when it has ended, after
	err    error
	stats  *storage.PairStats
	cancel context.CancelFunc
}

const pairWork = "a join by similarity"

// pairMemory is what comparing pairs may take: what it finds needs room, too.
func pairMemory(env *Env) int64 { return (env.Memory.room() + 1) / 2 }

// pairsSlack is how far 1 - similarity may be off from a bound of it.
const pairsSlack = 1e-12

func (j *PairJoin) start(ctx context.Context) error {
	o := storage.PairOptions{Open: j.Open && !j.FromOne, Ascending: j.Distinct, Workers: j.Env.Workers, Memory: pairMemory(j.Env)}
	for i, in := range []*PairInput{&j.Left, &j.Right} {
		side := storage.PairSide{Table: in.Table, Column: in.Vector}
		if in.Among != nil {
			side.Filter = new(storage.RowSet)
			err := Drain(ctx, in.Among, func(b *value.Batch) error {
				side.Filter.AddBatch(b)
				return nil
			})
			if err != nil {
				return err
			}
		}
		*[]*storage.PairSide{&o.Left, &o.Right}[i] = side
	}
	a, err := j.Least.Eval(j.Ctx, oneRow, nil)
	if err != nil {
		return err
	}
	r := &pairRun{pairs: make(chan []storage.Pair, 4), done: make(chan struct{}), cancel: func() {}}
	j.run = r
	if a.Type.Kind == value.Null || a.IsNull(0) || math.IsNaN(numeric(a.At(0))) {
		close(r.pairs)
		close(r.done)
		return nil
	}
	if o.Least = numeric(a.At(0)); j.FromOne {
		o.Least = 1 - o.Least - pairsSlack
	}
	j.held = storage.PairBytes(o)
	if err := j.Env.Memory.Reserve(j.held, pairWork); err != nil {
		close(r.pairs)
		close(r.done)
		return err
	}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		defer close(r.pairs)
		r.stats, r.err = storage.Pairs(ctx, o, func(p []storage.Pair) error {
			for len(p) > 0 {
				some := slices.Clone(p[:min(len(p), value.BatchSize)])
				p = p[len(some):]
				if j.Distinct { // the other way round as well
					for _, x := range some {
						some = append(some, storage.Pair{Left: x.Right, Right: x.Left, Score: x.Score})
					}
				}
				select {
				case r.pairs <- some:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	return nil
}

func (j *PairJoin) Next(ctx context.Context) (*value.Batch, error) {
	if j.run == nil {
		if err := j.start(ctx); err != nil {
			return nil, err
		}
	}
	for {
		pairs, ok := <-j.run.pairs
		if !ok {
			<-j.run.done
			j.stats = j.run.stats
			return nil, j.run.err
		}
		b, err := j.batch(ctx, pairs)
		if err != nil {
			return nil, err
		}
		if len(j.Rest) > 0 {
			if err := j.narrow(j.Ctx, j.Rest, b); err != nil {
				return nil, err
			}
		}
		if b.Count() > 0 {
			return b, nil
		}
	}
}

// batch reads the columns of pairs.
func (j *PairJoin) batch(ctx context.Context, pairs []storage.Pair) (*value.Batch, error) {
	l, r := make([]uint64, len(pairs)), make([]uint64, len(pairs))
	scores := newColumn(realType)
	for i, p := range pairs {
		l[i], r[i] = p.Left, p.Right
		s := p.Score
		if j.FromOne {
			s = 1 - s
		}
		scores.Append(i, value.Float(s))
	}
	out := &value.Batch{Len: len(pairs)}
	for _, side := range []struct {
		in   *PairInput
		rows []uint64
		f    *storage.Fetcher
	}{{&j.Left, l, &j.left}, {&j.Right, r, &j.right}} {
		if len(side.in.Columns) == 0 {
			continue
		}
		b, err := side.f.Fetch(ctx, side.in.Table, side.rows, side.in.Columns)
		if err != nil {
			return nil, err
		}
		out.Cols = append(out.Cols, b.Cols...)
	}
	out.Cols = append(out.Cols, scores)
	return out, nil
}

// stop ends the run, if there is one.
func (j *PairJoin) stop() {
	if j.run != nil {
		j.run.cancel()
		for range j.run.pairs {
		}
		<-j.run.done
		j.run = nil
	}
	j.Env.Memory.Release(j.held)
	j.held = 0
}

func (j *PairJoin) Close() error {
	j.stop()
	for _, in := range j.Inputs() {
		if err := in.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (j *PairJoin) Inputs() (out []Operator) {
	for _, in := range []*PairInput{&j.Left, &j.Right} {
		if in.Among != nil {
			out = append(out, in.Among)
		}
	}
	return out
}

func (j *PairJoin) String() string { return "PairJoin " + j.Text }

// Details tell what was compared.
func (j *PairJoin) Details() []string {
	if j.stats == nil {
		return nil
	}
	return pairDetails(j.stats)
}
