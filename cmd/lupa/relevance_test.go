package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/onnx"
	"github.com/lupadb/lupa/encoder/table"
)

// The orders that are compared.
var relevanceOrders = []struct{ name, by string }{
	{"words", "bm25(caption, websearch($1))"},
	{"vectors", "clip_sim($1)"},
	{"sum, normalized", "0.5 * normalize(clip_sim($1)) + 0.5 * normalize(bm25(caption, websearch($1)))"},
	{"rrf", "rrf(clip_sim($1), bm25(caption, websearch($1)))"},
}

// relevance is nDCG and recall of the first ten, as means over queries.
type relevance struct{ ndcg, recall, n float64 }

// add takes the ids that a query has found, and how relevant those are that are.
func (r *relevance) add(found []string, grades map[string]float64) {
	var ideal []float64
	for _, g := range grades {
		ideal = append(ideal, g)
	}
	slices.Sort(ideal)
	slices.Reverse(ideal)
	dcg, best, hits := 0.0, 0.0, 0.0
	for i := range 10 {
		if i < len(found) && grades[found[i]] > 0 {
			dcg += (math.Exp2(grades[found[i]]) - 1) / math.Log2(float64(i+2))
			hits++
		}
		if i < len(ideal) {
			best += (math.Exp2(ideal[i]) - 1) / math.Log2(float64(i+2))
		}
	}
	r.ndcg += dcg / best
	r.recall += hits / float64(min(10, len(ideal)))
	r.n++
}

// relevanceTable searches for prompts in each order and prints what comes of it.
func relevanceTable(t *testing.T, d *db.DB, title string, grades map[string]map[string]float64) map[string]relevance {
	t.Helper()
	out := map[string]relevance{}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d prompts\n\n| order | nDCG@10 | recall@10 |\n|---|---|---|\n", title, len(grades))
	prompts := make([]string, 0, len(grades))
	for p := range grades {
		prompts = append(prompts, p)
	}
	slices.Sort(prompts)
	for _, o := range relevanceOrders {
		var r relevance
		st, err := d.Prepare(context.Background(), "SELECT id FROM photos ORDER BY "+o.by+" LIMIT 10")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range prompts {
			rows, err := st.Query(context.Background(), p)
			if err != nil {
				t.Fatal(p, err)
			}
			var found []string
			for row, err := range rows.All() {
				if err != nil {
					t.Fatal(p, err)
				}
				found = append(found, row[0].Str())
			}
			r.add(found, grades[p])
		}
		r.ndcg, r.recall = r.ndcg/r.n, r.recall/r.n
		out[o.name] = r
		fmt.Fprintf(&b, "| %s | %.3f | %.3f |\n", o.name, r.ndcg, r.recall)
	}
	t.Log("\n" + b.String())
	return out
}

func readCSV(t *testing.T, path string) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(path, err)
	}
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// Words and vectors of 1,000 real photos, each with five captions: a noun is looked for in the
// pictures and in one caption; how many of the other four name it says how relevant a photo is.
func TestRelevanceOfRealPhotos(t *testing.T) {
	dir := "../../../shared/data/clip-real"
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	flickr := readCSV(t, filepath.Join(dir, "images", "flickr8k-1000", "ids.csv"))
	pairs := map[string][]string{}
	for _, set := range []string{"lvis1203_a", "objects365_a", "imagenet1000_a"} {
		text, err := os.ReadFile(filepath.Join(dir, "text", set+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			pairs[set] = append(pairs[set], strings.TrimSpace(line))
		}
	}
	total := map[string]relevance{}
	for set, phrases := range pairs {
		enc, err := table.Load("clip", table.Pair{Prompts: filepath.Join(dir, "text", set+".txt"), Vectors: filepath.Join(dir, "text", set+".npy")})
		if err != nil {
			t.Fatal(err)
		}
		d := openStore(t, &db.Options{Encoders: []encoder.Encoder{enc}})
		execute(t, d, `CREATE TABLE photos (row INTEGER PRIMARY KEY, id TEXT, clip VECTOR ENCODER 'clip', file TEXT, url TEXT, caption TEXT, captions TEXT);
			CREATE TABLE others (row INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT);
			CREATE INDEX ON others USING fulltext (a) WITH (language = 'english');
			CREATE INDEX ON others USING fulltext (b) WITH (language = 'english');
			CREATE INDEX ON others USING fulltext (c) WITH (language = 'english');
			CREATE INDEX ON others USING fulltext (d) WITH (language = 'english')`)
		execute(t, d, `COPY photos (clip, row, file, url, caption, captions) FROM $1, $2`, filepath.Join(dir, "images", "flickr8k-1000", "embeddings.npy"), filepath.Join(dir, "images", "flickr8k-1000", "ids.csv"))
		execute(t, d, `UPDATE photos SET id = CAST(row AS TEXT); CREATE INDEX ON photos USING fulltext (caption) WITH (language = 'english')`)
		app, err := d.Appender(context.Background(), "others", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range flickr {
			var rest []any
			for _, s := range strings.Split(row["all_captions"], " | ") {
				if s != row["caption"] {
					rest = append(rest, s)
				}
			}
			for len(rest) < 4 {
				rest = append(rest, nil)
			}
			if err := app.Append(append([]any{i}, rest[:4]...)...); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		grades := map[string]map[string]float64{}
		for _, p := range phrases {
			noun := `"` + strings.NewReplacer("_", " ", `"`, " ").Replace(strings.TrimPrefix(strings.TrimPrefix(p, "a "), "an ")) + `"`
			g := map[string]float64{}
			for _, col := range []string{"a", "b", "c", "d"} {
				rows, err := d.Query(context.Background(), "SELECT CAST(row AS TEXT) FROM others WHERE match("+col+", websearch($1))", noun)
				if err != nil {
					t.Fatal(err)
				}
				for row, err := range rows.All() {
					if err != nil {
						t.Fatal(err)
					}
					g[row[0].Str()]++
				}
			}
			for id, n := range g { // one person alone may be wrong
				if n < 2 {
					delete(g, id)
				}
			}
			if len(g) >= 5 {
				grades[p] = g
			}
		}
		if len(grades) == 0 {
			continue
		}
		for name, r := range relevanceTable(t, d, "1,000 photos, "+set, grades) {
			sum := total[name]
			n := float64(len(grades))
			total[name] = relevance{sum.ndcg + n*r.ndcg, sum.recall + n*r.recall, sum.n + n}
		}
	}
	for _, fused := range []string{"sum, normalized", "rrf"} {
		for _, part := range []string{"words", "vectors"} {
			if total[fused].ndcg < total[part].ndcg {
				t.Logf("nDCG of %s is %.3f, that of %s %.3f", fused, total[fused].ndcg/total[fused].n, part, total[part].ndcg/total[part].n)
			}
		}
	}
	if best := max(total["words"].ndcg, total["vectors"].ndcg); max(total["rrf"].ndcg, total["sum, normalized"].ndcg) < best {
		t.Errorf("no fusion is better than its parts: %v", total)
	}
}

// The same for 20,000 drawn scenes with captions, and 200 prompts with what has to be in a scene.
func TestRelevanceOfScenes(t *testing.T) {
	dir := "../../testdata/toy-clip/"
	d := openStore(t, &db.Options{OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{"../../testdata/models"}})})
	if err := create(d, `CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'toy-clip', caption TEXT)`); err != nil {
		t.Skip(err) // no runtime
	}
	execute(t, d, "COPY photos (clip, id) FROM $1, $2", dir+"corpus/features.npy", dir+"corpus/photo_ids.csv")
	execute(t, d, "UPDATE photos SET caption = m.caption FROM read_csv('"+dir+"corpus/metadata.csv') AS m WHERE m.photo_id = photos.id")
	execute(t, d, "CREATE INDEX ON photos USING fulltext (caption) WITH (language = 'english')")
	scenes := readCSV(t, dir+"corpus/metadata.csv")
	grades := map[string]map[string]float64{}
	for _, q := range readCSV(t, dir+"queries.csv") {
		g := map[string]float64{}
		for _, s := range scenes {
			all := true
			for _, c := range strings.Split(q["predicate"], ";") {
				name, want, _ := strings.Cut(c, "=")
				all = all && slices.Contains(strings.Split(want, "|"), s[name])
			}
			if all {
				g[s["photo_id"]] = 1
			}
		}
		if len(g) > 0 && (os.Getenv("LUPA_SOAK") != "" || len(grades) < 30) {
			grades[q["query"]] = g
		}
	}
	if len(grades) < 30 {
		t.Fatalf("%d prompts have scenes", len(grades))
	}
	got := relevanceTable(t, d, "20,000 scenes", grades)
	if best := max(got["words"].ndcg, got["vectors"].ndcg); max(got["rrf"].ndcg, got["sum, normalized"].ndcg) < best {
		t.Logf("no fusion is better than its parts")
	}
}

func openStore(t *testing.T, opts *db.Options) *db.DB {
	t.Helper()
	opts.InMemory = true
	d, err := db.Open("", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func create(d *db.DB, sql string) error {
	_, err := d.Exec(context.Background(), sql)
	return err
}

func execute(t *testing.T, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(sql, err)
	}
}
