package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/text"
)

var textColumns = []string{"caption", "title"}

// filtered is a query with filters, and what it means for the texts of a row.
type filtered struct {
	src     string
	matches func(row [2]*string) bool
	words   []filteredWord // those with a score
}

// filteredWord is words that follow each other in a column.
type filteredWord struct {
	col    int
	words  []string
	near   []filteredWord // instead of words: those that are near each other
	within int
}

func (w filteredWord) in(row [2]*string) (n int) {
	if row[w.col] == nil {
		return 0
	}
	all := strings.Fields(*row[w.col])
	if w.near != nil {
		for last := range all {
			starts, every := false, true
			for _, part := range w.near {
				found := false
				for i := 0; i <= last; i++ {
					end := i + len(part.words)
					if end <= len(all) && slices.Equal(all[i:end], part.words) {
						found = found || last-end <= w.within
						starts = starts || i == last
					}
				}
				every = every && found
			}
			if starts && every {
				n++
			}
		}
		return n
	}
	for i := range all {
		if i+len(w.words) <= len(all) && slices.Equal(all[i:i+len(w.words)], w.words) {
			n++
		}
	}
	return n
}

// randomFiltered makes a query for some columns.
func randomFiltered(r *rand.Rand, depth int, cols []int) filtered {
	word := func() string { return fmt.Sprintf("w%d", int(math.Exp(r.Float64()*4))-1) }
	if depth == 0 || r.IntN(4) == 0 {
		words := []string{word()}
		src := words[0]
		if r.IntN(4) == 0 {
			words = append(words, word())
			src = `"` + strings.Join(words, " ") + `"`
		}
		f := filtered{src: src}
		var near []filteredWord
		within := r.IntN(6)
		if r.IntN(3) == 0 {
			f.src = "NEAR("
			for range 2 + r.IntN(2) {
				part := []string{word(), word()}[:1+r.IntN(8)/7]
				near = append(near, filteredWord{words: part})
				f.src += `"` + strings.Join(part, " ") + `" `
			}
			f.src += fmt.Sprintf(", %d)", within)
		}
		for _, c := range cols {
			f.words = append(f.words, filteredWord{c, words, near, within})
		}
		any := f.words
		f.matches = func(row [2]*string) bool {
			return slices.ContainsFunc(any, func(w filteredWord) bool { return w.in(row) > 0 })
		}
		return f
	}
	switch r.IntN(4) {
	case 0:
		a, b := randomFiltered(r, depth-1, cols), randomFiltered(r, depth-1, cols)
		return filtered{"(" + a.src + " " + b.src + ")", func(row [2]*string) bool { return a.matches(row) && b.matches(row) }, append(a.words, b.words...)}
	case 1:
		a, b := randomFiltered(r, depth-1, cols), randomFiltered(r, depth-1, cols)
		return filtered{"(" + a.src + " OR " + b.src + ")", func(row [2]*string) bool { return a.matches(row) || b.matches(row) }, append(a.words, b.words...)}
	case 2:
		a, b := randomFiltered(r, depth-1, cols), randomFiltered(r, depth-1, cols)
		return filtered{"(" + a.src + " -" + b.src + ")", func(row [2]*string) bool { return a.matches(row) && !b.matches(row) }, a.words}
	}
	to := cols
	filter := "{" + textColumns[cols[0]] + " " + textColumns[cols[len(cols)-1]] + "}: "
	if len(cols) == 1 || r.IntN(3) > 0 {
		c := cols[r.IntN(len(cols))]
		to = []int{c}
		filter = []string{textColumns[c] + ":", strings.ToUpper(textColumns[c]) + " : ", `"` + textColumns[c] + `":`}[r.IntN(3)]
	}
	a := randomFiltered(r, depth-1, to)
	a.src = filter + a.src
	return a
}

// verifyFilters compares queries with filters with what they mean for every text.
func (x *texts) verifyFilters(weights []float64) {
	x.t.Helper()
	v := must[*storage.View](x.t)(x.s.Snapshot())
	defer v.Close()
	t := must[*storage.Table](x.t)(v.Table("texts"))
	ids := x.some(len(x.rows))
	slices.Sort(ids)
	rows := x.rowsOf(v, ids)
	o := x.oracle(weights)
	var queries []*storage.TextQuery
	var want [][]bool
	for range 6 {
		f := randomFiltered(x.r, 3, []int{0, 1})
		query := must[text.Query](x.t)(text.ParseQuery(f.src, textColumns))
		q := must[*storage.TextQuery](x.t)(t.TextQuery(ctx, t.Def().Index("words"), nil, query))
		set := must[*storage.RowSet](x.t)(q.Match(ctx))
		hits, _, err := q.Top(ctx, -1, nil)
		check(x.t, err)
		top := map[uint64]float64{}
		for _, h := range hits {
			top[h.Row] = h.Score
		}
		scores := make([]float64, len(ids))
		for _, w := range f.words {
			freq, n := make([]float64, len(ids)), 0.0
			for i, id := range ids {
				if freq[i] = float64(w.in(x.rows[id])); freq[i] > 0 {
					n++
				}
			}
			idf := math.Log(1 + (o.n[w.col]-n+0.5)/(n+0.5))
			for i, id := range ids {
				if freq[i] > 0 {
					scores[i] += weights[w.col] * idf * freq[i] * 2.2 / (freq[i] + 1.2*(0.25+0.75*o.length[id][w.col]/(o.sum[w.col]/o.n[w.col])))
				}
			}
		}
		matches := make([]bool, len(ids))
		for i, id := range ids {
			row := x.rows[id]
			matches[i] = f.matches(row)
			if set.Has(rows[i]) != matches[i] || q.Matches(row[:]) != matches[i] {
				x.t.Fatalf("%s: row %d is found: %v, matches: %v, want %v", f.src, rows[i], set.Has(rows[i]), q.Matches(row[:]), matches[i])
			}
			if got := q.Score(row[:]); math.Abs(got-scores[i]) > 1e-9*(1+scores[i]) || got != top[rows[i]] {
				x.t.Fatalf("%s: row %d: %v, in Top %v, want %v", f.src, rows[i], got, top[rows[i]], scores[i])
			}
			if matches[i] {
				x.filtered++
			}
		}
		queries, want = append(queries, q), append(want, matches)
	}
	// What watches leave out does not match.
	pos := make([]int32, len(ids))
	for i := range pos {
		pos[i] = int32(i)
	}
	may := make([][]int32, len(queries))
	storage.NewWordBounds(queries).MayMatch(x.batch(ids).Cols, pos, may)
	for k := range queries {
		for i, m := range want[k] {
			if m && !slices.Contains(may[k], int32(i)) {
				x.t.Fatalf("query %d: row %d, which matches, is left out", k, rows[i])
			}
		}
	}
}
