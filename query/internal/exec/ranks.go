package exec

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Ranks computes functions over all rows of its input, rrf, normalize and mmr, as columns behind
// those of the input. Its input's last columns are the arguments, which it leaves out.
type Ranks struct {
	input
	env   *Env
	items []RankItem
	nargs int
	from  *Fusion // what it knows of the rows that it has left out; nil = the input is all rows

	held int64
	out  *pileRows
}

// RankItem is one function.
type RankItem struct {
	RRF  bool
	K    float64
	MMR  *MMR // its Vector counts as RankArg.At does
	Args []RankArg
	Text string
}

// RankArg is an argument: the first of those columns are at 0.
type RankArg struct {
	At  int
	Low bool // the lowest value is the best
	Has bool // rows where it is 0 have no rank: a score of words
}

// NewRanks returns a Ranks over in, whose last nargs columns are the arguments of items.
func NewRanks(in Operator, env *Env, items []RankItem, nargs int, from *Fusion) *Ranks {
	return &Ranks{input: input{in}, env: env, items: items, nargs: nargs, from: from}
}

func (r *Ranks) Next(ctx context.Context) (*value.Batch, error) {
	if r.out == nil {
		if err := r.run(ctx); err != nil {
			return nil, err
		}
	}
	return r.out.next(), nil
}

func (r *Ranks) run(ctx context.Context) error {
	p, held, err := gatherAll(ctx, r.in, r.env, "the ranks of all rows")
	r.held += held
	if err != nil {
		return err
	}
	width := p.width() - r.nargs
	args := make([][]float64, r.nargs)
	if err := r.reserve(int64(p.n) * 8 * int64(r.nargs+len(r.items))); err != nil {
		return err
	}
	for i := range args {
		if slices.ContainsFunc(r.items, func(x RankItem) bool { return x.MMR != nil && x.MMR.Vector == i }) {
			continue
		}
		for _, t := range p.parts {
			args[i] = appendNumbers(args[i], t.cols[width+i], t.n)
		}
	}
	known := r.from != nil && !r.from.all
	outs := make([][]float64, len(r.items))
	for k := range r.items {
		x := &r.items[k]
		switch {
		case x.RRF && known: // of all rows of the search, not of those that are here
			for _, t := range p.parts {
				for _, row := range t.rows {
					outs[k] = append(outs[k], r.from.sums[row])
				}
			}
		case x.RRF:
			out := make([]float64, p.n)
			for _, a := range x.Args {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := r.reserve(int64(p.n) * 4); err != nil {
					return err
				}
				addReciprocals(out, args[a.At], a, x.K)
			}
			outs[k] = out
		case x.MMR != nil:
			if outs[k], err = r.mmrOf(ctx, p, width, x, args[x.Args[0].At]); err != nil {
				return err
			}
		default:
			v := args[x.Args[0].At]
			n := NormOf(v)
			if known {
				n = r.from.Norms[x.Text]
			}
			for _, f := range v {
				outs[k] = append(outs[k], n.Of(f))
			}
		}
	}
	at := 0
	for _, t := range p.parts {
		t.cols = t.cols[:width]
		for _, o := range outs {
			c := newColumn(realType)
			for i, f := range o[at : at+t.n] {
				if math.IsNaN(f) {
					c.Append(i, value.Value{})
				} else {
					c.Append(i, value.Float(f))
				}
			}
			t.cols = append(t.cols, c)
		}
		at += t.n
	}
	r.out = p.rows(nil)
	return nil
}

func (r *Ranks) reserve(n int64) error {
	r.held += n
	return r.env.Memory.Reserve(n, "the ranks of all rows")
}

// appendNumbers appends the numbers of a column, NaN for NULL.
func appendNumbers(dst []float64, c *value.Column, n int) []float64 {
	for i := range n {
		f := math.NaN()
		if c != nil && c.Type.Kind != value.Null && !c.Null(i) {
			f = numeric(c.Value(i))
		}
		dst = append(dst, f)
	}
	return dst
}

// addReciprocals adds 1 / (k + rank) to the rows that have a rank by their scores: one more
// than the number of those that are better.
func addReciprocals(out, scores []float64, a RankArg, k float64) {
	order := make([]int32, 0, len(scores))
	for i, s := range scores {
		if s == s && !(a.Has && s == 0) {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(x, y int32) int {
		switch p, q := scores[x], scores[y]; {
		case p == q:
			return 0
		case (p > q) != a.Low:
			return -1
		}
		return 1
	})
	rank := 0
	for i, row := range order {
		if i == 0 || scores[row] != scores[order[i-1]] {
			rank = i + 1
		}
		out[row] += Reciprocal(k, rank)
	}
}

// Reciprocal is what a rank is worth.
func Reciprocal(k float64, rank int) float64 { return 1 / (k + float64(rank)) }

// Norm is the range of a score over all rows.
type Norm struct{ Min, Max float64 }

// NormOf returns the range of scores, NaN aside.
func NormOf(scores []float64) Norm {
	n := Norm{math.Inf(1), math.Inf(-1)}
	for _, s := range scores {
		if s == s {
			n.Min, n.Max = min(n.Min, s), max(n.Max, s)
		}
	}
	return n
}

// Of maps a score to 0, for the lowest of all rows, to 1, for the highest; 1 where all are equal.
func (n Norm) Of(s float64) float64 {
	if n.Min == n.Max {
		return s - s + 1
	}
	return (s - n.Min) / (n.Max - n.Min)
}

func (r *Ranks) Close() error {
	r.env.Memory.Release(r.held)
	r.held, r.out = 0, (&pile{}).rows(nil)
	return r.input.Close()
}

func (r *Ranks) String() string {
	var texts []string
	for _, x := range r.items {
		texts = append(texts, x.Text)
	}
	if r.from != nil {
		return fmt.Sprintf("Ranks + %s, of the search below", strings.Join(texts, ", "))
	}
	return fmt.Sprintf("Ranks + %s, over all rows", strings.Join(texts, ", "))
}
