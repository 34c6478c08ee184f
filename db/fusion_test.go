package db_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// fusionTable makes a table of vectors, captions and numbers, with NULLs and duplicates.
func fusionTable(t *testing.T, r *rand.Rand, rows int) *db.DB {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open("", &db.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	exec := func(sql string) {
		t.Helper()
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	exec("CREATE TABLE f (id INTEGER PRIMARY KEY, v VECTOR(16), w VECTOR(8), caption TEXT, title TEXT, recency REAL, n INTEGER)")
	app, err := d.Appender(ctx, "f", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	vec := func(dim int) any {
		if r.IntN(40) == 0 {
			return nil
		}
		v := make([]float32, dim)
		if r.IntN(60) == 0 {
			return v // no direction
		}
		far := float64(r.IntN(4))
		for i := range v {
			v[i] = float32(r.NormFloat64())
			if i < 2 {
				v[i] += float32(far)
			}
		}
		return v
	}
	words := func(most int) any {
		if r.IntN(20) == 0 {
			return nil
		}
		var b strings.Builder
		for range r.IntN(most) {
			fmt.Fprintf(&b, "w%d ", int(math.Exp(r.Float64()*5))-1)
		}
		return b.String()
	}
	var last []any
	for i := range rows {
		row := []any{i, vec(16), vec(8), words(12), words(4), any(r.Float64()), r.IntN(50)}
		if r.IntN(30) == 0 {
			row[5] = nil
		}
		if last != nil && r.IntN(25) == 0 {
			copy(row[1:], last[1:])
		}
		if err := app.Append(row...); err != nil {
			t.Fatal(err)
		}
		last = row
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	exec("CREATE INDEX ON f USING fulltext (caption)")
	exec("CREATE INDEX both ON f USING fulltext (caption, title) WITH (weights = '1, 3')")
	exec("ALTER TABLE f RETRAIN v; ALTER TABLE f RETRAIN w")
	exec("DELETE FROM f WHERE id % 17 = 3")
	exec(fmt.Sprintf("INSERT INTO f SELECT id + %d, v, w, caption, title, recency, n FROM f WHERE id %% 23 = 1", 10*rows))
	return d
}

// scored is a row with what it is ordered by.
type scored struct {
	id    int64
	score *float64
}

func (s scored) String() string {
	if s.score == nil {
		return fmt.Sprint(s.id, " NULL")
	}
	return fmt.Sprint(s.id, " ", *s.score)
}

func scores(t *testing.T, d *db.DB, sql string, args ...any) (out []scored) {
	t.Helper()
	rows, err := d.Query(context.Background(), sql, args...)
	if err != nil {
		t.Fatal(sql, err)
	}
	for row, err := range rows.All() {
		if err != nil {
			t.Fatal(sql, err)
		}
		s := scored{id: row[0].Int()}
		if !row[1].IsNull() {
			x := row[1].Float()
			s.score = &x
		}
		out = append(out, s)
	}
	return out
}

// The best rows by several scores are those of scoring every row, to the last bit, whatever
// the scores and conditions are.
func TestFusionIsExact(t *testing.T) {
	rounds := 60
	if os.Getenv("LUPA_SOAK") != "" {
		rounds = 3000
	}
	fusionIsExact(t, 9000, rounds)
}

// So they are in a table of which a part is enough to count ranks.
func TestFusionOfManyRowsIsExact(t *testing.T) {
	rounds := 8
	if os.Getenv("LUPA_SOAK") != "" {
		rounds = 200
	}
	fusionIsExact(t, 60000, rounds)
}

func fusionIsExact(t *testing.T, size, rounds int) {
	r := rand.New(rand.NewPCG(3, 9))
	d := fusionTable(t, r, size)
	vec := func(dim int) string {
		var parts []string
		for range dim {
			parts = append(parts, fmt.Sprintf("%.3f", r.NormFloat64()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	word := func() string { return fmt.Sprintf("w%d", int(math.Exp(r.Float64()*5))-1) }
	sim := func() string {
		if r.IntN(2) == 0 {
			return "similarity(v, " + vec(16) + ")"
		}
		return "similarity(w, " + vec(8) + ")"
	}
	bm25 := func() string {
		q := word()
		for r.IntN(2) == 0 {
			q += " " + word()
		}
		return fmt.Sprintf("bm25(%s, '%s')", []string{"caption", "both"}[r.IntN(2)], q)
	}
	column := func() string {
		return []string{"recency", "n / 50.0", "coalesce(recency, 0.5)", "length(caption) / 30.0", "abs(recency - 0.5)"}[r.IntN(5)]
	}
	score := func() string {
		switch r.IntN(5) {
		case 0, 1:
			return sim()
		case 2, 3:
			return bm25()
		}
		return column()
	}
	fused := 0
	for round := range rounds {
		var by string
		parts := []string{sim(), bm25()}
		for r.IntN(2) == 0 {
			parts = append(parts, score())
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		if r.IntN(4) == 0 {
			parts = parts[:1+r.IntN(len(parts))]
		}
		rrf := r.IntN(3) == 0
		if rrf {
			by = "rrf(" + strings.Join(parts, ", ")
			if r.IntN(2) == 0 {
				by += fmt.Sprintf(", %d", []int{0, 1, 10, 60, 1000}[r.IntN(5)])
			}
			by += ")"
		} else {
			for i, p := range parts {
				weight := []float64{0.01, 0.1, 0.5, 1, 3}[r.IntN(5)]
				sign := "+"
				if i > 0 && r.IntN(5) == 0 {
					sign = "-"
				}
				if r.IntN(3) == 0 {
					p = "normalize(" + p + ")"
				}
				if i > 0 {
					by += " " + sign + " "
				}
				by += fmt.Sprintf("%v * %s", weight, p)
			}
			if r.IntN(4) == 0 {
				by = "(" + by + ") / 2 + 1"
			}
		}
		where := ""
		switch r.IntN(6) {
		case 0:
			where = fmt.Sprintf(" WHERE n < %d", r.IntN(50))
		case 1:
			where = fmt.Sprintf(" WHERE match(both, '%s OR %s')", word(), word())
		case 2:
			where = fmt.Sprintf(" WHERE id BETWEEN %d AND %d", r.IntN(size*4/9), size/3+r.IntN(size*2/3))
		}
		k := []int{1, 3, 10, 10, 40}[r.IntN(5)]
		offset := 0
		if r.IntN(5) == 0 {
			offset = r.IntN(20)
		}
		sql := fmt.Sprintf("SELECT id, %s AS s FROM f%s ORDER BY s DESC NULLS LAST", by, where)
		limited := fmt.Sprintf("%s LIMIT %d OFFSET %d", sql, k, offset)
		want := scores(t, d, sql)
		got := scores(t, d, limited)
		want = want[min(offset, len(want)):min(offset+k, len(want))]
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("round %d: %s\ngot  %v\nwant %v\n%s", round, limited, got, want, explain(t, d, limited))
		}
		// Where the score is not asked for, ranks need not be known exactly.
		alone := strings.Replace(limited, "SELECT id, "+by+" AS s FROM", "SELECT id, NULL FROM", 1)
		alone = strings.Replace(alone, "ORDER BY s DESC", "ORDER BY "+by+" DESC", 1)
		for i, s := range scores(t, d, alone) {
			if s.id != want[i].id {
				t.Fatalf("round %d: %s: row %d is %d, want %d\n%s", round, alone, i, s.id, want[i].id, explain(t, d, alone))
			}
		}
		if plan := explain(t, d, limited); strings.Contains(plan, "exact: yes") && !strings.Contains(plan, "all ") {
			fused++
		} else if os.Getenv("LUPA_SHOW") != "" {
			t.Log(limited, "\n", plan)
		}
	}
	if fused < rounds/2 {
		t.Errorf("of %d searches %d left rows out by bounds", rounds, fused)
	}
	t.Logf("%d of %d searches left rows out", fused, rounds)
}

func explain(t *testing.T, d *db.DB, sql string) string {
	t.Helper()
	rows, err := d.Query(context.Background(), "EXPLAIN ANALYZE "+sql)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for row, err := range rows.All() {
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(row[0].Str() + "\n")
	}
	return b.String()
}

// rrf and normalize are what their definitions say.
func TestRanksByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	d := fusionTable(t, r, 3000)
	q := "[1, 0.5, -1, 2, 0, 0, 1, 1, 0, 0.2, 0, -1, 0, 1, 2, 0]"
	sims := scores(t, d, "SELECT id, similarity(v, "+q+") FROM f")
	words := scores(t, d, "SELECT id, bm25(caption, 'w0 w3') FROM f")
	rank := func(in []scored, words bool) map[int64]int {
		in = slices.DeleteFunc(slices.Clone(in), func(s scored) bool { return s.score == nil || words && *s.score == 0 })
		out := map[int64]int{}
		for _, s := range in {
			out[s.id] = 1
			for _, o := range in {
				if *o.score > *s.score {
					out[s.id]++
				}
			}
		}
		return out
	}
	bySim, byWords := rank(sims, false), rank(words, true)
	var want []scored
	for _, s := range sims {
		sum := 0.0
		if n := bySim[s.id]; n > 0 {
			sum += 1 / (10 + float64(n))
		}
		if n := byWords[s.id]; n > 0 {
			sum += 1 / (10 + float64(n))
		}
		want = append(want, scored{s.id, &sum})
	}
	slices.SortStableFunc(want, func(a, b scored) int { return cmp.Compare(*b.score, *a.score) })
	got := scores(t, d, "SELECT id, rrf(similarity(v, "+q+"), bm25(caption, 'w0 w3'), 10) AS s FROM f ORDER BY s LIMIT 50")
	if fmt.Sprint(got) != fmt.Sprint(want[:50]) {
		t.Errorf("got  %v\nwant %v", got, want[:50])
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range sims {
		if s.score != nil {
			low, high = min(low, *s.score), max(high, *s.score)
		}
	}
	for i, s := range scores(t, d, "SELECT id, normalize(similarity(v, "+q+")) FROM f") {
		switch {
		case s.score == nil != (sims[i].score == nil):
			t.Fatalf("%v, %v", s, sims[i])
		case s.score != nil && *s.score != (*sims[i].score-low)/(high-low):
			t.Fatalf("%v, want %v", s, (*sims[i].score-low)/(high-low))
		}
	}
}
