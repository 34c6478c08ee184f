package query_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// photo is a row of the table that the random searches run on.
type photo struct {
	id, width int64
	tag       string
	v         []float32 // nil = NULL
}

// Random searches give what scoring every row by hand gives: rows, order and
// scores, whatever the metric, direction, condition, threshold and offset.
func TestSearchesAgainstScoringByHand(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 19))
	for _, rows := range []int{0, 3, 900, 3000} {
		f := open(t)
		photos := fill(f, rng, rows)
		for range 60 {
			q := randomSearch(rng)
			want := q.byHand(photos)
			got := f.run(q.sql)
			if !slices.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Fatalf("%d rows: %s\n got %d rows, want %d; first difference at %d: %v, want %v\n%s", rows, q.sql, len(got), len(want), i,
					at(got, i), at(want, i), strings.Join(f.run("EXPLAIN "+q.sql), "\n"))
			}
			if plan := strings.Join(f.run("EXPLAIN "+q.sql), "\n"); q.ordered && !strings.Contains(plan, "Nearest") {
				t.Fatalf("%s does not search:\n%s", q.sql, plan)
			}
		}
	}
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(3, 3)) }

func at(s []string, i int) string {
	if i < len(s) {
		return s[i]
	}
	return "(end)"
}

// fill makes a table with NULL and zero vectors, ties, and deleted rows.
func fill(f *fixture, rng *rand.Rand, rows int) []photo {
	f.run("CREATE TABLE photos (id INTEGER PRIMARY KEY, width INTEGER, tag TEXT, v VECTOR(3))")
	b := &value.Batch{Cols: []*value.Column{{Type: value.Type{Kind: value.Integer}}, {Type: value.Type{Kind: value.Integer}}, {Type: value.Type{Kind: value.Text}}, {Type: value.Type{Kind: value.Vector, Dim: 3}}}}
	var all []photo
	for i := range rows {
		p := photo{id: int64(i), width: rng.Int64N(100), tag: fmt.Sprintf("t%d", rng.IntN(5))}
		x := value.Value{}
		switch rng.IntN(12) {
		case 0:
		case 1:
			p.v = []float32{0, 0, 0}
		case 2:
			p.v = []float32{1, 1, 0} // ties
		default:
			p.v = []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64())}
		}
		if p.v != nil {
			x = value.Vec(p.v)
		}
		for k, v := range []value.Value{value.Int(p.id), value.Int(p.width), value.Str(p.tag), x} {
			b.Cols[k].Append(b.Len, v)
		}
		b.Len++
		all = append(all, p)
	}
	if _, err := f.s.CopyFrom(context.Background(), "photos", nil,
		[]value.Type{b.Cols[0].Type, b.Cols[1].Type, b.Cols[2].Type, b.Cols[3].Type}, &once{b: b}, query.Hooks{}); err != nil {
		f.t.Fatal(err)
	}
	f.run("DELETE FROM photos WHERE id % 17 = 3")
	return slices.DeleteFunc(all, func(p photo) bool { return p.id%17 == 3 })
}

// once hands out one batch in pieces.
type once struct {
	b  *value.Batch
	at int
}

func (o *once) Next(context.Context) (*value.Batch, error) {
	if o.at >= o.b.Len {
		return nil, nil
	}
	out := *o.b
	for i := o.at; i < min(o.b.Len, o.at+1000); i++ {
		out.Sel = append(out.Sel, int32(i))
	}
	o.at += 1000
	return &out, nil
}

type search struct {
	sql     string
	score   func(v []float32) (float64, bool)
	keep    func(photo) bool
	bound   func(float64) bool // nil = none
	desc    bool
	limit   int
	offset  int
	ordered bool
	thenID  bool // ties by id, the last first
}

func randomSearch(rng *rand.Rand) search {
	vec := []float32{float32(rng.IntN(7)) - 3, float32(rng.IntN(7)) - 3, 1}
	lit := literal(vec)
	var s search
	metric, sign, one := vector.Cosine, 1.0, false
	expr, better := "v_sim("+lit+")", true
	switch rng.IntN(5) {
	case 1:
		expr, metric, better = "v <-> "+lit, vector.L2, false
	case 2:
		expr, metric, sign, better = lit+" <#> v", vector.InnerProduct, -1, false
	case 3:
		expr, one, better = "cosine_distance(v, "+lit+")", true, false
	case 4:
		expr, metric, better = "v <+> "+lit, vector.L1, false
	}
	s.score = func(v []float32) (float64, bool) {
		if v == nil {
			return 0, false
		}
		x := vector.Score(metric, vec, v)
		if one {
			return 1 - x, !math.IsNaN(x)
		}
		return sign * x, !math.IsNaN(x)
	}
	s.keep = func(photo) bool { return true }
	var conds []string
	switch rng.IntN(4) {
	case 0:
		w := rng.Int64N(100)
		conds = append(conds, fmt.Sprintf("width > %d", w))
		s.keep = func(p photo) bool { return p.width > w }
	case 1:
		id := rng.Int64N(50)
		conds = append(conds, fmt.Sprintf("id IN (%d, %d, 5)", id, id+1))
		s.keep = func(p photo) bool { return p.id == id || p.id == id+1 || p.id == 5 }
	case 2:
		conds = append(conds, "tag = 't1' AND width < 70")
		s.keep = func(p photo) bool { return p.tag == "t1" && p.width < 70 }
	}
	s.desc = better
	s.ordered = true
	dir := ""
	if rng.IntN(3) == 0 {
		s.desc = rng.IntN(2) == 0
		dir = " ASC"
		if s.desc {
			dir = " DESC"
		}
	}
	if rng.IntN(3) == 0 {
		b := float64(rng.IntN(9)-4) / 4
		if metric != vector.Cosine {
			b *= 4
		}
		if better {
			conds = append(conds, fmt.Sprintf("s > %g", b))
			s.bound = func(x float64) bool { return x > b }
		} else {
			conds = append(conds, fmt.Sprintf("%g >= s", b))
			s.bound = func(x float64) bool { return x <= b }
		}
		if rng.IntN(3) == 0 {
			s.ordered = false
		}
	}
	s.limit, s.offset = rng.IntN(40), 0
	if rng.IntN(4) == 0 {
		s.limit = 5000
	}
	if rng.IntN(3) == 0 {
		s.offset = rng.IntN(20)
	}
	s.sql = fmt.Sprintf("SELECT id, %s AS s FROM photos", expr)
	if len(conds) > 0 {
		s.sql += " WHERE " + strings.Join(conds, " AND ")
	}
	if s.ordered {
		s.sql += " ORDER BY s" + dir
		if s.desc == better && rng.IntN(3) == 0 { // the worst first are not searched for with another key
			s.thenID = true
			s.sql += ", id DESC"
		}
		// The worst by cosine distance with a threshold is not searched for.
		if one && s.desc && s.bound != nil {
			return randomSearch(rng)
		}
	}
	s.sql += fmt.Sprintf(" LIMIT %d", s.limit)
	if s.offset > 0 {
		s.sql += fmt.Sprintf(" OFFSET %d", s.offset)
	}
	return s
}

func (s search) byHand(photos []photo) []string {
	type hit struct {
		id    int64
		score float64
		ok    bool
	}
	var hits []hit
	for _, p := range photos {
		x, ok := s.score(p.v)
		if !ok {
			x = 0 // a tie among the rows without a score
		}
		if s.keep(p) && (s.bound == nil || ok && s.bound(x)) {
			hits = append(hits, hit{p.id, x, ok})
		}
	}
	if s.ordered {
		slices.SortStableFunc(hits, func(a, b hit) int {
			if a.ok != b.ok {
				if a.ok {
					return -1
				}
				return 1
			}
			c := cmp.Compare(a.score, b.score)
			if s.desc {
				c = -c
			}
			if c == 0 && s.thenID {
				c = cmp.Compare(b.id, a.id)
			}
			return c
		})
	}
	hits = hits[min(s.offset, len(hits)):]
	hits = hits[:min(s.limit, len(hits))]
	var out []string
	for _, h := range hits {
		v := value.Value{}
		if h.ok {
			v = value.Float(h.score)
		}
		out = append(out, fmt.Sprintf("%d|%s", h.id, v))
	}
	return out
}

func TestDirectionOfScores(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE p (id TEXT PRIMARY KEY, n INTEGER, clip VECTOR ENCODER 'hash')")
	f.run("INSERT INTO p VALUES ('a', 1, 'one'), ('b', 2, 'two'), ('c', 3, NULL)")
	direction := func(order string) string {
		t.Helper()
		for _, l := range f.run("EXPLAIN SELECT id FROM p ORDER BY " + order + " LIMIT 2") {
			for _, d := range []string{"best first", "ascending", "descending"} {
				if strings.Contains(l, d) {
					return d
				}
			}
		}
		return ""
	}
	for order, want := range map[string]string{
		"clip_sim('x')":                           "best first",
		"hash_sim('x')":                           "best first", // by its encoder's name
		"similarity(clip, 'x')":                   "best first",
		"clip_sim('x') + clip_sim('y')":           "best first",
		"0.5 * clip_sim('x') + clip_sim('y') / 2": "best first",
		"clip_sim('x') ASC":                       "ascending",
		"clip <=> 'x'":                            "ascending",
		"clip <-> 'x' DESC":                       "descending",
		"n":                                       "ascending",
	} {
		if got := direction(order); got != want {
			t.Errorf("ORDER BY %s is %q, want %q", order, got, want)
		}
	}
	for _, order := range []string{"clip_sim('x') - clip_sim('y')", "-clip_sim('x')", "clip_sim('x') + n", "-0.5 * clip_sim('x')", "clip_sim('x') + 1", "round(clip_sim('x'))"} {
		f.fails("SELECT id FROM p ORDER BY "+order, "write ASC or DESC")
	}
	f.expect("SELECT id FROM p ORDER BY clip_sim('two') LIMIT 9", "b", "a", "c")
	f.expect("SELECT id FROM p ORDER BY clip_sim('two') DESC NULLS FIRST LIMIT 1", "c")
	f.expect("SELECT s FROM (SELECT id AS s, clip_sim('two') AS score FROM p) AS x ORDER BY score LIMIT 1", "b")
}

func TestPromptArithmetic(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE p (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	f.run("INSERT INTO p VALUES ('long', [10, 0, 0]), ('b', [0, 1, 0])")
	before := f.enc.calls.Load()
	f.run("SELECT clip_sim('horse' + 'stripes' - 0.5 * 'grass'), clip_sim('horse'), clip <=> 'sky' FROM p WHERE clip_sim('sea') < 2")
	if n := f.enc.calls.Load() - before; n != 1 {
		t.Errorf("texts of one statement were encoded in %d batches, want 1", n)
	}
	f.run("SELECT clip_sim('horse') FROM p")
	if n := f.enc.calls.Load() - before; n != 1 {
		t.Errorf("a text asked for again was encoded again")
	}
	// A stored vector counts as much as a text, however long it is.
	h := hashVector("horse")
	sum := []float32{1 + h[0], h[1], h[2]}
	norm := math.Sqrt(float64(sum[0])*float64(sum[0]) + float64(sum[1])*float64(sum[1]) + float64(sum[2])*float64(sum[2]))
	got := f.run("SELECT clip <#> ('horse' + (SELECT clip FROM p WHERE id = 'long')) FROM p WHERE id = 'long'")
	var x float64
	fmt.Sscan(got[0], &x)
	if want := -10 * float64(sum[0]) / norm; math.Abs(x-want) > 1e-5 {
		t.Errorf("inner product %v, want %v", x, want)
	}
	f.fails("SELECT clip_sim([1, 2]) FROM p", "clip_sim: vector has 2 dimensions, clip has 3")
	f.fails("SELECT clip_sim(5) FROM p", "needs a text")
	f.fails("SELECT clop_sim('x') FROM p", `did you mean "clip_sim"?`)
	f.fails("CREATE TABLE q (v VECTOR ENCODER 'hahs')", `did you mean "hash"?`)
}
