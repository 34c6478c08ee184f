package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/lupadb/lupa/db"
)

//go:embed joins.py
var joinsScript string

var joinRows = flag.Int("joins", 0, "measure joins by similarity over so many rows, of which a fiftieth are nearly the same as others, beside numpy, and nothing else")

var (
	duplicateRows   = flag.Int("duplicates", 0, "find duplicates among so many such rows, and nothing else")
	duplicateBudget = flag.Int64("budget", 0, "MiB of memory that a statement of -duplicates may take, 0 = the usual")
)

// duplicates finds duplicates, alone.
func duplicates(dir string, n int) error {
	d, _, dim, err := nearlySame(dir, n)
	if err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	if d, err = db.Open(filepath.Join(dir, "joins.lupa"), &db.Options{MemoryBudget: *duplicateBudget << 20}); err != nil {
		return err
	}
	defer d.Close()
	begin, used := time.Now(), cpu()
	fmt.Printf("%d rows of %d, budget %d MiB\n", n, dim, *duplicateBudget)
	if err := show(context.Background(), d, "EXPLAIN ANALYZE SELECT count(*) FROM duplicates('t', 'v', 0.95)"); err != nil {
		return err
	}
	fmt.Printf("%.1f s, %.1f s of CPU\n", time.Since(begin).Seconds(), (cpu()-used)/1000)
	return nil
}

// joins compares joins by similarity with blocked matrix products of numpy, in turns.
func joins(dir string, n int) error {
	d, matrix, dim, err := nearlySame(dir, n)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx := context.Background()
	var took struct{ cpu float64 }
	ask := func(sql string) (string, time.Duration, error) {
		begin, used := time.Now(), cpu()
		defer func() { took.cpu = (cpu() - used) / 1000 }()
		found, err := d.Query(ctx, sql)
		if err != nil {
			return "", 0, err
		}
		out := ""
		for row, err := range found.All() {
			if err != nil {
				return "", 0, err
			}
			out += row[0].String() + "\n"
		}
		return out, time.Since(begin), nil
	}
	for _, what := range []struct{ name, sql string }{
		{"pairs", "SELECT count(*) FROM t AS a JOIN t AS b ON a.id < b.id AND similarity(a.v, b.v) > 0.95"},
		{"duplicates", "SELECT count(*) FROM duplicates('t', 'v', 0.95)"},
	} {
		if *verbose {
			plan, _, err := ask("EXPLAIN ANALYZE " + what.sql)
			if err != nil {
				return err
			}
			fmt.Print(plan)
		}
		if *profile != "" {
			f, err := os.Create(*profile)
			if err != nil {
				return err
			}
			pprof.StartCPUProfile(f)
		}
		for range 3 {
			got, t, err := ask(what.sql)
			if err != nil {
				return err
			}
			fmt.Printf("%s: lupa %.2f s, %.2f s of CPU, %s", what.name, t.Seconds(), took.cpu, got)
			if what.name == "pairs" {
				out, err := exec.Command(*python, "-c", joinsScript, matrix, fmt.Sprint(n), fmt.Sprint(dim)).CombinedOutput()
				fmt.Printf("%s: numpy %s", what.name, out)
				if err != nil {
					fmt.Println("numpy:", err)
				}
			}
		}
		pprof.StopCPUProfile()
	}
	return nil
}

// nearlySame makes a table t of n vectors, of which a fiftieth are nearly the same as others, and a
// file with the same numbers.
func nearlySame(dir string, n int) (_ *db.DB, matrixFile string, dim int, _ error) {
	base, err := readAll(filepath.Join(*photos, "features.npy"))
	if err != nil {
		return nil, "", 0, err
	}
	set := filepath.Join(dir, "set.npy")
	if err := generate(set, base, n); err != nil {
		return nil, "", 0, err
	}
	rows, err := readAll(set)
	if err != nil {
		return nil, "", 0, err
	}
	r := rand.New(rand.NewPCG(3, 3))
	for i := range rows {
		if r.IntN(50) == 0 {
			far := r.Float64() * 0.3 / math.Sqrt(float64(len(rows[i])))
			for k, x := range rows[r.IntN(n)] {
				rows[i][k] = x + float32(far*r.NormFloat64())
			}
		}
		normalize(rows[i])
	}
	ctx := context.Background()
	d, err := db.Open(filepath.Join(dir, "joins.lupa"), nil)
	if err != nil {
		return nil, "", 0, err
	}
	if _, err := d.Exec(ctx, fmt.Sprintf("CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(%d))", len(rows[0]))); err != nil {
		return nil, "", 0, err
	}
	app, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		return nil, "", 0, err
	}
	matrix, err := os.Create(filepath.Join(dir, "set.f32"))
	if err != nil {
		return nil, "", 0, err
	}
	for i, x := range rows {
		if err := app.Append(i, x); err != nil {
			return nil, "", 0, err
		}
		b := make([]byte, 0, 4*len(x))
		for _, v := range x {
			u := math.Float32bits(v)
			b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
		}
		if _, err := matrix.Write(b); err != nil {
			return nil, "", 0, err
		}
	}
	if err := app.Close(); err != nil {
		return nil, "", 0, err
	}
	if err := matrix.Close(); err != nil {
		return nil, "", 0, err
	}
	return d, matrix.Name(), len(rows[0]), nil
}
