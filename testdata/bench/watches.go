package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

var (
	watchCount = flag.Int("watches", 0, "measure what so many watches add to inserts, and nothing else")
	watchTurns = flag.Int("turns", 21, "of -watches")
	watchKind  = flag.String("watchkind", "", "of -watches, only the tables of this kind and without watches")
)

// watchedTable is a store with a table that has watches of a kind.
type watchedTable struct {
	name string
	d    *db.DB
	next int
	used map[string][]float64 // ms of CPU, by the way in
}

// watches compares inserts into tables with watches with those into a table without, in turns,
// by the processor's time.
func watches(dir string, n int) error {
	base, err := readAll(filepath.Join(*photos, "features.npy"))
	if err != nil {
		return err
	}
	set := filepath.Join(dir, "rows.npy")
	const many = 20000
	if err := generate(set, base, many); err != nil {
		return err
	}
	rows, err := readAll(set)
	if err != nil {
		return err
	}
	vectors, err := readAll(filepath.Join(*text, "imagenet1000_a.npy"))
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(*text, "imagenet1000_a.txt"))
	if err != nil {
		return err
	}
	prompts := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	enc, err := table.New("clip", prompts, vectors)
	if err != nil {
		return err
	}
	b, err = os.ReadFile(filepath.Join(*text, "lvis1203_a.txt"))
	if err != nil {
		return err
	}
	captions := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	quoted := func(i int) string { return "'" + strings.ReplaceAll(prompts[i], "'", "''") + "'" }
	word := func(i int) string { return strings.Fields(prompts[i])[len(strings.Fields(prompts[i]))-1] }
	kinds := []struct {
		name      string
		condition func(i int) string
	}{
		{"none", nil},
		{"similarity", func(i int) string { return fmt.Sprintf("v_sim(%s) > 0.28", quoted(i)) }},
		{"relevance", func(i int) string { return fmt.Sprintf("relevance(v, %s) > 0.9", quoted(i)) }},
		{"words", func(i int) string { return fmt.Sprintf("match(caption, '%s')", strings.Trim(word(i), "'\"")) }},
		{"columns", func(i int) string { return fmt.Sprintf("n > %d AND n < %d", 1000*i, 1000*i+1) }},
	}
	ctx := context.Background()
	var all []*watchedTable
	for _, k := range kinds {
		w := &watchedTable{name: k.name, used: map[string][]float64{}}
		if w.d, err = db.Open(filepath.Join(dir, k.name+".lupa"), &db.Options{Encoders: []encoder.Encoder{enc}}); err != nil {
			return err
		}
		defer w.d.Close()
		if _, err := w.d.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, caption TEXT, v VECTOR ENCODER 'clip'); CREATE INDEX words ON t USING fulltext (caption) WITH (language = 'english')"); err != nil {
			return err
		}
		// Relevance is relative to the rows there are.
		if err := w.insert(ctx, "load", rows[:4000], captions); err != nil {
			return err
		}
		if k.condition != nil {
			for i := range n {
				if _, err := w.d.Exec(ctx, fmt.Sprintf("CREATE WATCH w%d ON t WHERE %s", i, k.condition(i))); err != nil {
					return err
				}
			}
		}
		w.used = map[string][]float64{}
		all = append(all, w)
	}
	ways := []string{"load", "statement of 1000", "commit of 10", "commit of 1"}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	for turn := range *watchTurns {
		for _, way := range ways {
			for i := range all {
				w := all[(i+turn)%len(all)]
				if *watchKind != "" && w.name != *watchKind && w.name != "none" {
					continue
				}
				m := map[string]int{"load": 4000, "statement of 1000": 2000, "commit of 10": 500, "commit of 1": 100}[way]
				from := turn * m % (len(rows) - m)
				if err := w.insert(ctx, way, rows[from:from+m], captions); err != nil {
					return err
				}
			}
		}
	}
	fmt.Printf("%d watches, CPU of inserts beside those without watches (medians of %d turns)\n", n, *watchTurns)
	for _, way := range ways {
		fmt.Printf("%-18s", way)
		var least float64
		for _, w := range all {
			if len(w.used[way]) == 0 {
				continue
			}
			x := median(w.used[way])
			if w.name == "none" {
				least = x
				fmt.Printf("  %6.1f us a row", x)
				continue
			}
			fmt.Printf("  %s %+.1f%%", w.name, 100*(x/least-1))
		}
		fmt.Println()
	}
	for _, w := range all {
		told := 0
		for i := range n {
			if w.name == "none" {
				break
			}
			r, err := w.d.Query(ctx, fmt.Sprintf("SELECT count(*) FROM watched('w%d')", i))
			if err != nil {
				return err
			}
			for row, err := range r.All() {
				if err != nil {
					return err
				}
				told += int(row[0].Int())
			}
		}
		if told > 0 {
			fmt.Printf("%s: %d of %d rows were told, by all watches together\n", w.name, told, w.next)
		}
	}
	return nil
}

// insert adds rows in one of the ways.
func (w *watchedTable) insert(ctx context.Context, way string, rows [][]float32, words []string) error {
	r := rand.New(rand.NewPCG(7, uint64(w.next)))
	type row struct {
		id, n   int
		caption string
		v       []float32
	}
	var in []row
	for _, v := range rows {
		var c []string
		for range 3 {
			c = append(c, words[r.IntN(len(words))])
		}
		in = append(in, row{w.next, r.IntN(1 << 20), strings.Join(c, " "), v})
		w.next++
	}
	begin := cpu()
	at := map[string]int{"statement of 1000": 1000, "commit of 10": 10, "commit of 1": 1}[way]
	if at == 0 {
		a, err := w.d.Appender(ctx, "t", nil, nil)
		if err != nil {
			return err
		}
		for _, x := range in {
			if err := a.Append(x.id, x.n, x.caption, x.v); err != nil {
				return err
			}
		}
		if err := a.Close(); err != nil {
			return err
		}
	} else {
		st, err := w.d.Prepare(ctx, "INSERT INTO t VALUES ($1, $2, $3, $4)"+func() string {
			s := ""
			for i := 1; i < at; i++ {
				s += fmt.Sprintf(", ($%d, $%d, $%d, $%d)", 4*i+1, 4*i+2, 4*i+3, 4*i+4)
			}
			return s
		}())
		if err != nil {
			return err
		}
		for len(in) > 0 {
			var args []any
			for _, x := range in[:at] {
				args = append(args, x.id, x.n, x.caption, x.v)
			}
			if _, err := st.Exec(ctx, args...); err != nil {
				return err
			}
			in = in[at:]
		}
		if err := st.Close(); err != nil {
			return err
		}
	}
	w.used[way] = append(w.used[way], (cpu()-begin)*1000/float64(len(rows)))
	return nil
}
