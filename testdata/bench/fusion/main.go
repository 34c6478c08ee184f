// Fusion measures searches by words and vectors together beside those by vectors alone: rows of
// real CLIP vectors plus noise, with captions of words by Zipf's law. Every figure is a median
// over prompts that take turns; processor times are means.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

func main() {
	log.SetFlags(0)
	rows := flag.Int("rows", 200_000, "rows")
	data := flag.String("data", "../shared/data/clip-real", "directory with photos and text")
	explain := flag.Bool("explain", false, "print how the first prompt is answered")
	keep := flag.String("dir", "", "keep the store in this directory, and use the one that is there")
	profile := flag.String("profile", "", "write a profile of the processor time to this file")
	with := flag.String("with", "", "measure only the orders that contain this text, and vectors alone")
	flag.Parse()
	dir := *keep
	if dir == "" {
		var err error
		dir, err = os.MkdirTemp("", "fusion")
		check(err)
		defer os.RemoveAll(dir)
	}
	ctx := context.Background()
	enc, err := table.Load("clip", table.Pair{Prompts: filepath.Join(*data, "text", "objects365_a.txt"), Vectors: filepath.Join(*data, "text", "objects365_a.npy")})
	check(err)
	d, err := db.Open(filepath.Join(dir, "f.lupa"), &db.Options{Encoders: []encoder.Encoder{enc}})
	check(err)
	defer d.Close()
	if _, err := d.Exec(ctx, "SELECT 1 FROM f LIMIT 1"); err != nil {
		fill(ctx, d, *data, *rows)
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		check(err)
		defer f.Close()
		check(pprof.StartCPUProfile(f))
		defer pprof.StopCPUProfile()
	}
	phrases, err := os.ReadFile(filepath.Join(*data, "text", "objects365_a.txt"))
	check(err)
	prompts := strings.Split(strings.TrimSpace(string(phrases)), "\n")[:40]
	orders := []struct{ what, by string }{
		{"vectors alone", "clip_sim($1)"},
		{"words alone", "bm25(caption, $2)"},
		{"sum of both", "0.7 * clip_sim($1) + 0.02 * bm25(caption, $2)"},
		{"sum with a column", "0.7 * clip_sim($1) + 0.02 * bm25(caption, $2) + 0.05 * recency DESC"},
		{"sum, normalized", "0.5 * normalize(clip_sim($1)) + 0.5 * normalize(bm25(caption, $2))"},
		{"mmr", "mmr(clip_sim($1), clip, 0.7)"},
		{"rrf", "rrf(clip_sim($1), bm25(caption, $2))"},
	}
	for _, p := range prompts { // brings the codes into memory
		rows, err := d.Query(ctx, "SELECT id FROM f ORDER BY clip_sim($1) LIMIT 10", p)
		check(err)
		for _, err := range rows.All() {
			check(err)
		}
	}
	for _, words := range []string{"w3 w40", "w0 w1", "w2000"} {
		times, cpu := make([][]float64, len(orders)), make([]float64, len(orders))
		for n, p := range prompts {
			for i, o := range orders {
				if i > 0 && !strings.Contains(o.what, *with) {
					continue
				}
				sql := "SELECT id FROM f ORDER BY " + o.by + " LIMIT 10"
				if strings.Contains(sql, "$2") && !strings.Contains(sql, "$1") {
					sql = strings.ReplaceAll(sql, "$2", "$1")
				}
				args := []any{p, words}
				switch {
				case !strings.Contains(sql, "$2") && o.what == "words alone":
					args = args[1:]
				case !strings.Contains(sql, "$2"):
					args = args[:1]
				}
				if n == 0 && *explain {
					sql = "EXPLAIN ANALYZE " + sql
				}
				begin, before := time.Now(), processor()
				rows, err := d.Query(ctx, sql, args...)
				check(err)
				for row, err := range rows.All() {
					check(err)
					if n == 0 && *explain {
						fmt.Println(row[0].Str())
					}
				}
				if n > 1 {
					times[i] = append(times[i], float64(time.Since(begin).Microseconds())/1000)
					cpu[i] += processor() - before
				}
			}
		}
		for i, o := range orders {
			if len(times[i]) == 0 {
				continue
			}
			slices.Sort(times[i])
			ms, alone := times[i][len(times[i])/2], times[0][len(times[0])/2]
			fmt.Printf("| %s, %s | %.2f ms | %.2f | processor %.2f ms | %.2f |\n", words, o.what, ms, ms/alone, cpu[i]/float64(len(times[i])), cpu[i]/cpu[0])
		}
	}
}

// fill makes the rows.
func fill(ctx context.Context, d *db.DB, data string, rows int) {
	run := func(sql string, args ...any) {
		_, err := d.Exec(ctx, sql, args...)
		check(err)
	}
	run("CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'clip')")
	run("COPY photos (clip, id) FROM $1, $2", filepath.Join(data, "photos", "features.npy"), filepath.Join(data, "photos", "photo_ids.csv"))
	var vecs [][]float32
	found, err := d.Query(ctx, "SELECT clip FROM photos")
	check(err)
	for row, err := range found.All() {
		check(err)
		vecs = append(vecs, slices.Clone(row[0].Vec()))
	}
	run("CREATE TABLE f (id INTEGER PRIMARY KEY, clip VECTOR ENCODER 'clip', caption TEXT, recency REAL)")
	app, err := d.Appender(ctx, "f", nil, nil)
	check(err)
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.07, 4, 60_000)
	v := make([]float32, len(vecs[0]))
	for i := range rows {
		sum := 0.0
		for k, x := range vecs[r.IntN(len(vecs))] {
			v[k] = x + float32(0.02*r.NormFloat64())
			sum += float64(v[k] * v[k])
		}
		for k := range v {
			v[k] /= float32(math.Sqrt(sum))
		}
		var b strings.Builder
		for range 6 + r.IntN(9) {
			fmt.Fprintf(&b, "w%d ", zipf.Uint64())
		}
		check(app.Append(i, v, b.String(), r.Float64()))
	}
	check(app.Close())
	run("CREATE INDEX words ON f USING fulltext (caption)")
	run("ALTER TABLE f RETRAIN clip")
}

// processor is the processor time of this process, in milliseconds.
func processor() float64 {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
