package main

import (
	"bufio"
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/lupadb/lupa/db"
)

//go:embed neighbours.py
var neighboursScript string

var (
	neighbourRows  = flag.Int("neighbours", 0, "find the 5 nearest others of each of so many rows, beside Faiss, and nothing else")
	neighbourBatch = flag.Int("faiss", 8, "how many batches of 1024 rows Faiss is asked for, 0 = all")
)

// neighbours compares the nearest rows of each row with those of Faiss's flat index, which takes
// batches in turns with ours.
func neighbours(dir string, n int) error {
	d, matrix, dim, err := nearlySame(dir, n)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx := context.Background()
	if *verbose {
		if err := show(ctx, d, "EXPLAIN ANALYZE "+neighbourQuery(0, n)); err != nil {
			return err
		}
	}
	// Faiss finds the row itself as well.
	const batch = 1024
	py := exec.Command(*python, "-c", neighboursScript, matrix, fmt.Sprint(n), fmt.Sprint(dim), "6", fmt.Sprint(batch), fmt.Sprint(runtime.GOMAXPROCS(0)))
	py.Stderr = os.Stderr
	in, err := py.StdinPipe()
	if err != nil {
		return err
	}
	out, err := py.StdoutPipe()
	if err != nil {
		return err
	}
	if err := py.Start(); err != nil {
		return err
	}
	defer py.Wait()
	defer in.Close()
	answers := bufio.NewReader(out)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	rounds := (n + batch - 1) / batch
	if *neighbourBatch > 0 {
		rounds = min(rounds, *neighbourBatch)
	}
	var faissRows int
	var faissTime, faissCPU, faissSum float64
	ask := func(k int) error {
		var rows, own int
		var took, used, sum float64
		fmt.Fprintln(in, k)
		line, err := answers.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if _, err := fmt.Sscan(line, &rows, &took, &used, &sum, &own); err != nil {
			return fmt.Errorf("faiss: %w", err)
		}
		faissRows, faissTime, faissCPU, faissSum = faissRows+rows, faissTime+took, faissCPU+used, faissSum+sum-float64(rows)
		return nil
	}
	total := (n + batch - 1) / batch
	const turns = 2
	for t := range turns {
		for r := t * rounds / turns; r < (t+1)*rounds/turns; r++ {
			if err := ask(r * total / rounds); err != nil {
				return err
			}
		}
		for _, sql := range []string{
			neighbourQuery(0, n),
			"SELECT count(s), sum(s) FROM (SELECT (SELECT similarity(b.v, a.v) FROM t AS b WHERE b.id <> a.id ORDER BY similarity(b.v, a.v) LIMIT 1) AS s FROM t AS a) AS x",
		} {
			begin, used := time.Now(), cpu()
			if err := show(ctx, d, sql); err != nil {
				return err
			}
			fmt.Printf("lupa: %.2f s, %.2f s of CPU\n", time.Since(begin).Seconds(), (cpu()-used)/1000)
		}
		if faissRows > 0 {
			f := float64(n) / float64(faissRows)
			fmt.Printf("faiss: %.1f s, %.1f s of CPU for all, from %d rows\n", faissTime*f, faissCPU*f, faissRows)
		}
	}
	// The sums of the similarities of the same rows.
	sum := 0.0
	for r := range rounds {
		from := r * total / rounds * batch
		rows, err := d.Query(ctx, neighbourQuery(from, min(n, from+batch)))
		if err != nil {
			return err
		}
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			sum += row[1].Float()
		}
	}
	fmt.Printf("sum of similarities %.6f, of faiss %.6f\n", sum, faissSum)
	if math.Abs(sum-faissSum) > 1e-6*sum {
		return fmt.Errorf("faiss finds other rows")
	}
	return nil
}

func neighbourQuery(from, to int) string {
	return fmt.Sprintf(`SELECT count(*), sum(x.s) FROM t AS a JOIN LATERAL (SELECT b.id, similarity(b.v, a.v) AS s FROM t AS b WHERE b.id <> a.id
ORDER BY similarity(b.v, a.v) LIMIT 5) AS x ON true WHERE a.id >= %d AND a.id < %d`, from, to)
}

// show prints the rows of a query.
func show(ctx context.Context, d *db.DB, sql string) error {
	rows, err := d.Query(ctx, sql)
	if err != nil {
		return err
	}
	for row, err := range rows.All() {
		if err != nil {
			return err
		}
		for _, v := range row {
			fmt.Print(v, " ")
		}
		fmt.Println()
	}
	return nil
}
