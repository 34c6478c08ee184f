package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
)

// spillQuestions hold far more than the budget. Each answers with few values, so that nobody's way
// of handing out rows counts; LAST is where the last ten rows begin. An order with an OFFSET and
// no LIMIT is a whole sort for both.
var spillQuestions = []struct{ job, sql string }{
	{"ORDER BY an integer", "SELECT id, k, s FROM t ORDER BY k, id OFFSET LAST"},
	{"ORDER BY a text", "SELECT id, s FROM t ORDER BY s, id OFFSET LAST"},
	{"GROUP BY, a quarter as many groups", "SELECT count(*), max(n), sum(n * a), sum(g) FROM (SELECT g, count(*) AS n, sum(id) % 1000 AS a FROM t GROUP BY g)"},
	{"GROUP BY texts, a quarter as many groups", "SELECT count(*), max(n), sum(n * a), max(s) FROM (SELECT s, count(*) AS n, sum(id) % 1000 AS a FROM t GROUP BY s)"},
	{"DISTINCT, a quarter as many values", "SELECT count(*), sum(length(s)) FROM (SELECT DISTINCT s FROM t)"},
	{"join of a quarter with a quarter", "SELECT count(*), sum(a.id + b.v), min(b.s) FROM u a JOIN u b ON a.v = b.id"},
}

// spillTables are made of n rows; the numbers have no order, and all of them are whole on both sides.
var spillTables = []string{
	"CREATE TABLE t (id %[1]s, k %[1]s, g %[1]s, s %[2]s)",
	`INSERT INTO t SELECT i, (i * i %% %[3]d * 7919 + i * 104729) %% 1000000007, (i * i %% %[3]d * 7 + i) %% %[5]d, 'text ' || ((i * i %% %[3]d * 11 + i * 13) %% %[5]d)
	   FROM generate_series(1, %[4]d) AS r (i)`,
	"CREATE TABLE u (id %[1]s, v %[1]s, s %[2]s)",
	"INSERT INTO u SELECT i, (i * i %% %[3]d * 7 + i * 3) %% %[5]d, 'name ' || (i %% 100003) FROM generate_series(1, %[5]d) AS r (i)",
}

// spillBench compares what has no room in memory, with DuckDB, whose files lie in the same directory.
func spillBench(args []string) error {
	flags := flag.NewFlagSet("spill", flag.ExitOnError)
	rows := flags.Int("rows", 20_000_000, "rows of the table")
	budget := flags.Int("budget", 64, "MiB that a statement may hold: MemoryBudget, and memory_limit")
	threads := flags.Int("threads", 1, "threads of both")
	rounds := flags.Int("rounds", 3, "runs of each statement, of which the median counts")
	folder := flags.String("duckdb", os.Getenv("DUCKDB_NODE"), "directory with node_modules/@duckdb/node-api; without it DuckDB is left out")
	cpu := flags.Bool("cpu", false, "measure processor time: on a machine that others use as well")
	profile := flags.String("profile", "", "write CPU profiles of Lupa's runs to files with this prefix")
	only := flags.String("only", "", "only the jobs with this in their name")
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "rivals")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := db.Open(filepath.Join(dir, "lupa"), &db.Options{Workers: *threads})
	if err != nil {
		return err
	}
	for _, q := range spillTables {
		if _, err := store.Exec(ctx, fmt.Sprintf(q, "INTEGER", "TEXT", spillPrime, *rows, *rows/4)); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	if err := store.Close(); err != nil {
		return err
	}
	if store, err = db.Open(filepath.Join(dir, "lupa"), &db.Options{Workers: *threads, MemoryBudget: int64(*budget) << 20}); err != nil {
		return err
	}
	defer store.Close()
	r := &report{names: []string{"Lupa"}, pids: []int{os.Getpid()}, profile: *profile, cpu: *cpu}
	ask := []func(q string) (string, error){func(q string) (string, error) { return lupaAsk(store, q) }}
	if *folder == "" {
		fmt.Println("DuckDB is left out: make bench-rivals fetches it where there is npm, -duckdb says where it is")
	} else {
		var statements []string
		for _, q := range spillTables {
			statements = append(statements, fmt.Sprintf(q, "BIGINT", "VARCHAR", spillPrime, *rows, *rows/4))
		}
		d, err := startDuck(*folder, filepath.Join(dir, "duck.db"), append(statements, "CHECKPOINT",
			fmt.Sprintf("SET threads = %d", *threads), fmt.Sprintf("SET memory_limit = '%dMiB'", *budget))...)
		if err != nil {
			return err
		}
		defer d.close()
		r.names = append(r.names, "DuckDB")
		ask, r.pids = append(ask, d.ask), append(r.pids, d.cmd.Process.Pid)
	}
	fmt.Printf("%d rows, %d MiB, %d threads\n", *rows, *budget, *threads)
	for _, q := range spillQuestions {
		if !strings.Contains(q.job, *only) {
			continue
		}
		answers, most := make([]string, len(ask)), make([]float64, len(ask))
		var all []contender
		for i, f := range ask {
			all = append(all, contender{r.names[i], func(int) (err error) {
				resetPeak(r.pids[i])
				answers[i], err = f(strings.ReplaceAll(q.sql, "LAST", strconv.Itoa(*rows-10)))
				most[i] = max(most[i], peak(r.pids[i]))
				// DuckDB can be out of memory with little of it: that is its answer then.
				if i > 0 && err != nil && strings.Contains(err.Error(), "Out of Memory") {
					fmt.Printf("%s: %.200s\n", q.job, err)
					answers[i], all[i].run, err = "", nil, nil
				}
				return err
			}})
		}
		if err := r.measure(q.job, *rounds, 1, false, all); err != nil {
			return err
		}
		for i, a := range answers {
			if all[i].run == nil {
				r.rows[len(r.rows)-1].times[i] = 0
			} else if a != answers[0] {
				return fmt.Errorf("%s: %s answers %.200s, %s %.200s", q.sql, r.names[0], answers[0], r.names[i], a)
			}
			if most[i] > 0 {
				fmt.Printf("    %s held at most %.0f MB, its program included\n", r.names[i], most[i]/1e6)
			}
		}
	}
	r.write(os.Stdout)
	return nil
}

// spillPrime is a prime larger than the number of rows, small enough for products with it.
const spillPrime = 1_000_000_007

// resetPeak makes peak begin anew; both know Linux only.
func resetPeak(pid int) { os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// peak returns the most memory that a process has had in use since, 0 where nobody tells.
func peak(pid int) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb * 1024
		}
	}
	return 0
}
