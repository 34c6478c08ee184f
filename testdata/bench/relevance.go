package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
)

var relevantRows = flag.Int("relevance", 0, "find what is relevant among so many rows, beside the ten most similar ones, and nothing else")

// share is a part of the rows that sets have, from above the one before.
type share struct {
	name     string
	upTo     float64
	phrases  int
	rows     float64
	set, top cost
	ratios   []float64
}

// cost is what searches took together.
type cost struct{ cpu, scored, bytes float64 }

// relevant compares searches for all rows that are relevant to a phrase with those for the ten
// most similar ones, in turns, by the size of the sets.
func relevant(dir string, n int) error {
	base, err := readAll(filepath.Join(*photos, "features.npy"))
	if err != nil {
		return err
	}
	set := filepath.Join(dir, "set.npy")
	if err := generate(set, base, n); err != nil {
		return err
	}
	vectors, err := readAll(filepath.Join(*text, "imagenet1000_a.npy"))
	if err != nil {
		return err
	}
	lines, err := os.ReadFile(filepath.Join(*text, "imagenet1000_a.txt"))
	if err != nil {
		return err
	}
	phrases := strings.Split(strings.TrimRight(string(lines), "\n"), "\n")
	enc, err := table.New("clip", phrases, vectors)
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, err := db.Open(filepath.Join(dir, "relevance.lupa"), &db.Options{Encoders: []encoder.Encoder{enc}})
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, taken TIMESTAMP, v VECTOR ENCODER 'clip')"); err != nil {
		return err
	}
	a, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		return err
	}
	rows, err := readAll(set)
	if err != nil {
		return err
	}
	for i, v := range rows {
		if err := a.Append(i, fmt.Sprintf("2024-01-01 00:%02d:%02d", i*31%60, i*17%60), v); err != nil {
			return err
		}
	}
	if err := a.Close(); err != nil {
		return err
	}
	shares := []*share{{name: "none", upTo: 0}, {name: "up to 0.1%", upTo: 0.001}, {name: "up to 0.3%", upTo: 0.003}, {name: "up to 1%", upTo: 0.01}, {name: "more", upTo: 1}}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	const turns = 3
	asked := min(*queries, len(phrases))
	for i := range asked {
		phrase := "'" + strings.ReplaceAll(phrases[i*len(phrases)/asked], "'", "''") + "'"
		relevance := "SELECT id FROM t WHERE relevance(v, " + phrase + ") > 0.5 ORDER BY taken DESC"
		similar := "SELECT id FROM t ORDER BY v_sim(" + phrase + ") LIMIT 10"
		found, err := answers(ctx, d, relevance)
		if err != nil {
			return err
		}
		part := float64(found) / float64(n)
		s := shares[slices.IndexFunc(shares, func(s *share) bool { return part <= s.upTo })]
		s.phrases, s.rows = s.phrases+1, s.rows+float64(found)
		if *verbose && i < 3 {
			if err := show(ctx, d, "EXPLAIN ANALYZE "+relevance); err != nil {
				return err
			}
		}
		var took [2]float64
		for range turns {
			for k, sql := range []string{similar, relevance} {
				before := cpu()
				if _, err := answers(ctx, d, sql); err != nil {
					return err
				}
				took[k] += (cpu() - before) / turns
			}
		}
		s.ratios = append(s.ratios, took[1]/took[0])
		for k, sql := range []string{similar, relevance} {
			c := []*cost{&s.top, &s.set}[k]
			c.cpu += took[k]
			if err := c.read(ctx, d, sql); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d rows, %d phrases; CPU, vectors scored and MB read, means over phrases: for the ten most similar rows, and for all that are relevant\n", n, asked)
	for _, s := range shares {
		if s.phrases == 0 {
			continue
		}
		f := float64(s.phrases)
		fmt.Printf("%-10s %3d phrases, %5.0f rows: CPU %.2f and %.2f ms, %.2f times (of phrases: median %.2f, most %.2f); %.0f and %.0f vectors; %.1f and %.1f MB\n",
			s.name, s.phrases, s.rows/f, s.top.cpu/f, s.set.cpu/f, s.set.cpu/s.top.cpu, median(s.ratios), slices.Max(s.ratios),
			s.top.scored/f, s.set.scored/f, s.top.bytes/f, s.set.bytes/f)
	}
	return nil
}

// answers returns how many rows a query has.
func answers(ctx context.Context, d *db.DB, sql string) (n int, err error) {
	rows, err := d.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	for _, err := range rows.All() {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

var analyzed = regexp.MustCompile(`scored in float32 (\d+)(?s:.*?)read ([0-9.]+) ([KMG])iB`)

// read adds the vectors and MB that EXPLAIN ANALYZE says the search has read.
func (c *cost) read(ctx context.Context, d *db.DB, sql string) error {
	rows, err := d.Query(ctx, "EXPLAIN ANALYZE "+sql)
	if err != nil {
		return err
	}
	var plan strings.Builder
	for row, err := range rows.All() {
		if err != nil {
			return err
		}
		fmt.Fprintln(&plan, row[0])
	}
	m := analyzed.FindStringSubmatch(plan.String())
	if m == nil {
		return fmt.Errorf("EXPLAIN ANALYZE does not say what a search has read:\n%s", plan.String())
	}
	scored, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return err
	}
	read, err := strconv.ParseFloat(m[2], 64)
	if err != nil {
		return err
	}
	c.scored += scored
	c.bytes += read * map[string]float64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[m[3]] / 1e6
	return nil
}
