package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lupadb/lupa/db"
)

// Store is what prompts are asked of: a *db.DB, *db.Tx or *db.Conn.
type Store interface {
	Prepare(ctx context.Context, sql string) (*db.Stmt, error)
	Query(ctx context.Context, sql string, args ...any) (*db.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) *db.Row
}

// Judge runs every prompt. A prompt without a right row among the first ten is
// looked into once more for the best right row there is, and its rank: one more
// than the number of rows with a higher score.
func Judge(ctx context.Context, store Store, t Target, all []Prompt, progress func(db.Progress)) error {
	columns := []string{db.Quote(t.Key)}
	at := map[string]int{}
	for _, j := range all {
		for _, c := range j.Where {
			if _, ok := at[c.Column.Name]; !ok {
				at[c.Column.Name] = len(columns)
				columns = append(columns, db.Quote(c.Column.Name))
			}
		}
	}
	st, err := store.Prepare(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s ORDER BY score LIMIT %d",
		strings.Join(columns, ", "), t.Sim(), db.Quote(t.Table.Name), Depth))
	if err != nil {
		return err
	}
	defer st.Close()
	prompts := make([]string, len(all))
	for i, j := range all {
		prompts[i] = j.Text
	}
	err = ForEach(ctx, st, prompts, func(i int, rows *db.Rows) error {
		j := &all[i]
		progress(db.Progress{Stage: "prompts", Done: int64(i), Total: int64(len(all)), Unit: "prompts"})
		for ; rows.Next(); j.N++ {
			v := rows.Values()
			ok := true
			for _, c := range j.Where {
				ok = ok && c.holds(v[at[c.Column.Name]])
			}
			j.Right[j.N] = ok
			score := v[len(v)-1].Float()
			if j.N == 0 {
				j.First, j.Top = v[0], score
			}
			if ok && j.Rank == 0 {
				j.Rank, j.Best, j.BestScore = j.N+1, v[0], score
			}
		}
		return rows.Err()
	}, func(i int, err error) error { return fmt.Errorf("%s: %w", all[i].Place, Plain(err)) })
	if err != nil {
		return err
	}
	if err := countRight(ctx, store, t, all); err != nil {
		return err
	}
	for i := range all {
		if all[i].Rank == 0 && all[i].Relevant > 0 {
			if err := findRight(ctx, store, t, &all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// countedAtOnce is how many predicates are counted in one pass over the table.
const countedAtOnce = 64

// countRight counts the rows of the table that are right for each prompt. Prompts of the same
// predicate share a count, and predicates a pass; one that names the key needs a look-up only.
func countRight(ctx context.Context, store Store, t Target, all []Prompt) error {
	of := map[string][]*Prompt{}
	var pass, byKey []string // predicates, each once
	for i := range all {
		j := &all[i]
		if len(j.Where) == 0 {
			continue
		}
		p := j.predicate()
		of[p] = append(of[p], j)
		switch {
		case len(of[p]) > 1:
		case slices.ContainsFunc(j.Where, func(c Condition) bool { return c.Column.Name == t.Key && !c.Not && !slices.Contains(c.Values, "") }):
			byKey = append(byKey, p)
		default:
			pass = append(pass, p)
		}
	}
	count := func(columns, where string, predicates ...string) error {
		counts := make([]int64, len(predicates))
		into := make([]any, len(counts))
		for i := range counts {
			into[i] = &counts[i]
		}
		if err := store.QueryRow(ctx, "SELECT "+columns+" FROM "+db.Quote(t.Table.Name)+where).Scan(into...); err != nil {
			return err
		}
		for i, p := range predicates {
			for _, j := range of[p] {
				j.Relevant = int(counts[i])
			}
		}
		return nil
	}
	for _, p := range byKey {
		if err := count("count(*)", " WHERE "+p, p); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(pass, countedAtOnce) {
		columns := make([]string, len(some))
		for i, p := range some {
			columns[i] = "count(*) FILTER (WHERE " + p + ")"
		}
		if err := count(strings.Join(columns, ", "), "", some...); err != nil {
			return err
		}
	}
	return nil
}

func findRight(ctx context.Context, store Store, t Target, j *Prompt) error {
	rows, err := store.Query(ctx, fmt.Sprintf("SELECT %s, %s AS score FROM %s WHERE %s ORDER BY score LIMIT 1",
		db.Quote(t.Key), t.Sim(), db.Quote(t.Table.Name), j.predicate()), j.Text)
	if err != nil {
		return err
	}
	found := rows.Next()
	if found {
		v := rows.Values()
		j.Best, j.BestScore = v[0], v[1].Float()
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || !found {
		return err
	}
	var better int64
	err = store.QueryRow(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s > $2", db.Quote(t.Table.Name), t.Sim()),
		j.Text, j.BestScore).Scan(&better)
	j.Rank = int(better) + 1
	return err
}

// hits is the number of right ones among the first k hits.
func (j *Prompt) hits(k int) int {
	n := 0
	for _, ok := range j.Right[:k] {
		if ok {
			n++
		}
	}
	return n
}

// Precision is the share of right ones among the first k hits.
func (j *Prompt) Precision(k int) float64 { return float64(j.hits(k)) / float64(k) }

// hit is 1 where one of the first k hits is right, otherwise 0.
func (j *Prompt) hit(k int) float64 { return float64(min(1, j.hits(k))) }

// recall is the share of the right rows that the first k hits have; 0 where no row is right.
func (j *Prompt) recall(k int) float64 { return float64(j.hits(k)) / float64(max(1, j.Relevant)) }

// nDCG is the normalized discounted cumulative gain of the first k hits, with a gain of 1 for a
// right row and a discount of log2(1 + rank) (Järvelin and Kekäläinen 2002): 1 where
// right rows come first, as far as there are any, and 0 where no row is right.
func (j *Prompt) nDCG(k int) float64 {
	gain, best := 0.0, 0.0
	for i, ok := range j.Right[:k] {
		if ok {
			gain += 1 / math.Log2(float64(i+2))
		}
		if i < j.Relevant {
			best += 1 / math.Log2(float64(i+2))
		}
	}
	if best == 0 {
		return 0
	}
	return gain / best
}

// reciprocalRank is that of the first right hit, 0 where no row is right.
func (j *Prompt) reciprocalRank() float64 {
	if j.Rank == 0 {
		return 0
	}
	return 1 / float64(j.Rank)
}

// At are the numbers of hits that figures are for.
var At = [3]int{1, 3, Depth}

// Figure is one of a prompt, of which the mean over prompts is shown.
type Figure struct {
	Name string
	Of   func(*Prompt) float64
}

// Figures are those that are shown, in this order: scripts read the first ones by their place.
func Figures() []Figure {
	at := func(name string, of func(*Prompt, int) float64) (out []Figure) {
		for _, k := range At {
			out = append(out, Figure{fmt.Sprintf("%s@%d", name, k), func(j *Prompt) float64 { return of(j, k) }})
		}
		return out
	}
	return slices.Concat(at("precision", (*Prompt).Precision), []Figure{{"MRR", (*Prompt).reciprocalRank}},
		at("hit", (*Prompt).hit), at("recall", (*Prompt).recall), at("nDCG", (*Prompt).nDCG))
}

// Means are the number of the prompts of a kind or, for "", of all, and the means of their figures.
func Means(all []Prompt, kind string) (n int, means []float64) {
	shown := Figures()
	means = make([]float64, len(shown))
	for i := range all {
		j := &all[i]
		if kind != "" && j.Kind != kind {
			continue
		}
		n++
		for x, f := range shown {
			means[x] += f.Of(j)
		}
	}
	for x := range means {
		means[x] /= float64(n)
	}
	return n, means
}
