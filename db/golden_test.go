package db_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

// realData returns the directory of real CLIP vectors that is kept beside the
// repository, or skips the test.
func realData(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../shared/data/clip-real")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real data: %v", err)
	}
	return dir
}

// TestGolden searches 3,841 real CLIP vectors for 368 prompts, encoded by prompt
// tables, and compares with the ten best of each that were computed in float64.
func TestGolden(t *testing.T) {
	dir := realData(t)
	data, err := os.ReadFile(filepath.Join(dir, "photos", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Queries []struct {
			TextSet string `json:"text_set"`
			Phrase  string
			Top     [][2]any
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Queries) != 368 {
		t.Fatalf("%d golden queries, want 368", len(golden.Queries))
	}
	bySet := map[string][]int{}
	for i, q := range golden.Queries {
		bySet[q.TextSet] = append(bySet[q.TextSet], i)
	}
	for set, queries := range bySet {
		enc, err := table.Load("clip", table.Pair{
			Prompts: filepath.Join(dir, "text", set+".txt"),
			Vectors: filepath.Join(dir, "text", set+".npy"),
		})
		if err != nil {
			t.Fatal(err)
		}
		d := open(t, &db.Options{Encoders: []encoder.Encoder{enc}})
		mustExec(t, d, `CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'clip')`)
		r := mustExec(t, d, `COPY photos (clip, id) FROM $1, $2`, filepath.Join(dir, "photos", "features.npy"), filepath.Join(dir, "photos", "photo_ids.csv"))
		if r.RowsAffected != 3841 {
			t.Fatalf("COPY loaded %d rows", r.RowsAffected)
		}
		st, err := d.Prepare(ctx, `SELECT id, clip_sim($1) AS score FROM photos ORDER BY score LIMIT 10`)
		if err != nil {
			t.Fatal(err)
		}
		var lists [][]any
		for _, i := range queries {
			lists = append(lists, []any{golden.Queries[i].Phrase})
		}
		many, err := st.QueryMany(ctx, lists)
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range queries {
			q := golden.Queries[i]
			one, err := st.Query(ctx, q.Phrase)
			if err != nil {
				t.Fatal(err)
			}
			a, b := hits(t, one), hits(t, many[k])
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s: one by one %v, many at once %v", q.Phrase, a, b)
			}
			compareGolden(t, q.Phrase, q.Top, a)
		}
	}
}

type hit struct {
	id    string
	score float64
}

func hits(t *testing.T, rows *db.Rows) (out []hit) {
	t.Helper()
	defer rows.Close()
	for rows.Next() {
		var h hit
		if err := rows.Scan(&h.id, &h.score); err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// compareGolden wants the golden rows in the golden order; rows whose scores
// are as good as equal may stand in each other's place.
func compareGolden(t *testing.T, phrase string, want [][2]any, got []hit) {
	t.Helper()
	const equal = 2e-6
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", phrase, len(got), len(want))
		return
	}
	scores := map[string]float64{}
	for _, w := range want {
		scores[w[0].(string)] = w[1].(float64)
	}
	for i, g := range got {
		id, score := want[i][0].(string), want[i][1].(float64)
		if math.Abs(g.score-score) > equal {
			t.Errorf("%s: score %d is %.7f, want %.6f", phrase, i+1, g.score, score)
		}
		if g.id == id {
			continue
		}
		// Another row: it must be golden itself with an equal score, or just as
		// good as the last one.
		if s, ok := scores[g.id]; ok && math.Abs(s-score) > equal || !ok && math.Abs(g.score-want[len(want)-1][1].(float64)) > equal {
			t.Errorf("%s: row %d is %s (%.7f), want %s (%.6f)", phrase, i+1, g.id, g.score, id, score)
		}
	}
}
