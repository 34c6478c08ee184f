//go:build unix

package db_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// BenchmarkLoad loads files of 20,000 and 60,000 rows with a vector of 384 dimensions into a
// table, durably, and tells beside it how long DuckDB takes to read the same file into a table of
// its own and checkpoint it: medians of turns taken one after the other. DuckDB is that of
// .tools/duckdb, which `make bench` fetches. (Ours has the codes that searches go by in it, of
// which finding them takes the same time however many the rows.)
func BenchmarkLoad(b *testing.B) {
	for _, rows := range []int{20_000, 60_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { benchmarkLoad(b, rows) })
	}
}

func benchmarkLoad(b *testing.B, rows int) {
	const dim = 384
	ctx := context.Background()
	dir := b.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	rng := rand.New(rand.NewSource(1))
	csv, err := os.Create(in("t.csv"))
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(csv)
	fmt.Fprintln(w, "id,caption,v")
	vec := make(db.Floats, dim)
	for id := range rows {
		for i := range vec {
			vec[i] = float32(rng.NormFloat64() / 20)
		}
		fmt.Fprintf(w, "%d,a picture of number %d,\"%s\"\n", id, id, value.Vec(vec))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	csv.Close()
	open := func(name string) *db.DB {
		os.RemoveAll(in(name))
		store, err := db.Open(in(name), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := store.Exec(ctx, fmt.Sprintf("CREATE TABLE t (id INTEGER, caption TEXT, v VECTOR(%d))", dim)); err != nil {
			b.Fatal(err)
		}
		return store
	}
	store := open("first.lupa")
	for _, sql := range []string{"COPY t FROM '" + in("t.csv") + "'", "COPY t TO '" + in("t.jsonl") + "'", "COPY t TO '" + in("t.parquet") + "'"} {
		if _, err := store.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
	store.Close()
	for _, format := range []string{"csv", "jsonl", "parquet"} {
		file := in("t." + format)
		b.Run(format, func(b *testing.B) {
			var ours, theirs, oursCPU, theirsCPU []float64
			for b.Loop() {
				for range 5 { // turns
					store := open("l.lupa")
					start, cpu := time.Now(), cpuSeconds()
					if _, err := store.Exec(ctx, "COPY t FROM '"+file+"'"); err != nil {
						b.Fatal(err)
					}
					ours = append(ours, float64(time.Since(start).Milliseconds()))
					oursCPU = append(oursCPU, 1000*(cpuSeconds()-cpu))
					store.Close()
					if ms, cpu, err := duckDB(file, in("d.duckdb"), dim); err == nil {
						theirs, theirsCPU = append(theirs, ms), append(theirsCPU, cpu)
					}
				}
			}
			median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ours), "ms/load")
			b.ReportMetric(median(oursCPU), "cpu-ms/load")
			if len(theirs) > 0 {
				b.ReportMetric(median(theirs), "duckdb-ms/load")
				b.ReportMetric(median(theirsCPU), "duckdb-cpu-ms/load")
				b.ReportMetric(median(ours)/median(theirs), "times-duckdb")
				b.ReportMetric(median(oursCPU)/median(theirsCPU), "times-duckdb-cpu")
			}
		})
	}
}

// duckDB returns how long DuckDB takes to read a file into a table, and how much processor
// time, in milliseconds.
func duckDB(file, store string, dim int) (ms, cpu float64, err error) {
	const script = `
const [file, store, dim, threads, lib] = process.argv.slice(1);
const { DuckDBInstance } = await import(lib);
const { rmSync } = await import('node:fs');
for (const f of [store, store + '.wal']) rmSync(f, { force: true });
const db = await (await DuckDBInstance.create(store)).connect();
await db.run('SET threads=' + threads);
await db.run('CREATE TABLE t (id BIGINT, caption VARCHAR, v FLOAT[' + dim + '])');
const columns = "columns={'id': 'BIGINT', 'caption': 'VARCHAR', 'v': 'FLOAT[" + dim + "]'}";
const from = file.endsWith('csv') ? "read_csv('" + file + "', " + columns + ')' : file.endsWith('jsonl') ? "read_json('" + file + "', " + columns + ')' : "read_parquet('" + file + "')";
const start = performance.now(), before = process.cpuUsage();
await db.run('INSERT INTO t SELECT id, caption, v FROM ' + from);
await db.run('CHECKPOINT');
const used = process.cpuUsage(before);
console.log(performance.now() - start, (used.user + used.system) / 1000);`
	root := os.Getenv("LUPA_DUCKDB")
	if root == "" {
		root, _ = filepath.Abs("../.tools/duckdb")
	}
	lib := filepath.Join(root, "node_modules/@duckdb/node-api/lib/index.js")
	out, err := exec.Command("node", "--input-type=module", "-e", script, file, store, fmt.Sprint(dim), fmt.Sprint(runtime.GOMAXPROCS(0)), lib).Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &ms, &cpu)
	}
	return ms, cpu, err
}

// cpuSeconds is the processor time of this process so far.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
