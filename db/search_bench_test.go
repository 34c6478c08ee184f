//go:build unix

package db

import (
	"context"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/vector"
)

// BenchmarkSearchOverhead measures what a search by a prepared statement costs beside the
// scan: the statement and the store's own search for the same vector take turns. Reported are
// the scan's fastest, tenth and median time, its processor time, and how much more the
// statement's are: where other programs run, the processor time says most.
func BenchmarkSearchOverhead(b *testing.B) {
	const rows, dim = 20000, 384
	ctx := context.Background()
	d, err := Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Exec(ctx, "CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(384))"); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	vec := func() []float32 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	a, err := d.Appender(ctx, "t", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range rows {
		if err := a.Append(i, vec()); err != nil {
			b.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
	stmt, err := d.Prepare(ctx, "SELECT id, v <=> $1 FROM t ORDER BY v <=> $1 LIMIT 10")
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	queries := make([][]float32, 64)
	for i := range queries {
		queries[i] = vec()
	}
	statement := func(q []float32) []uint64 {
		rs, err := stmt.Query(ctx, q)
		if err != nil {
			b.Fatal(err)
		}
		var out []uint64
		for rs.Next() {
			var id int64
			var s float64
			if err := rs.Scan(&id, &s); err != nil {
				b.Fatal(err)
			}
			out = append(out, uint64(id))
		}
		if rs.Err() != nil {
			b.Fatal(rs.Err())
		}
		return out
	}
	scan := func(t *storage.Table, q []float32) []uint64 {
		query, err := vector.NewQuery(vector.Cosine, q)
		if err != nil {
			b.Fatal(err)
		}
		found, _, err := t.Nearest(ctx, storage.NearestOptions{Column: 1, Query: query, K: 10})
		if err != nil {
			b.Fatal(err)
		}
		var out []uint64
		for _, f := range found {
			out = append(out, f.Row)
		}
		return out
	}
	// The store trains its codes for the queries that come, so the table is looked up for each.
	table := func() (*storage.View, *storage.Table) {
		view, err := d.env.Store.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		t, err := view.Table("t")
		if err != nil {
			b.Fatal(err)
		}
		return view, t
	}
	for _, q := range queries {
		view, t := table()
		defer view.Close()
		if x, y := statement(q), scan(t, q); !slices.Equal(x, y) {
			b.Fatalf("%v and %v", x, y)
		}
	}
	var times [2][]time.Duration // of statements, of scans
	var cpu [2]time.Duration
	b.ResetTimer()
	for i := range b.N {
		q := queries[i%len(queries)]
		view, t := table()
		for k := range 2 {
			which := (i + k) % 2
			used, start := processorTime(), time.Now()
			if which == 0 {
				statement(q)
			} else {
				scan(t, q)
			}
			times[which] = append(times[which], time.Since(start))
			cpu[which] += processorTime() - used
		}
		view.Close()
	}
	b.StopTimer()
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	slices.Sort(times[0])
	slices.Sort(times[1])
	for name, at := range map[string]int{"fastest": 0, "tenth": b.N / 10, "median": b.N / 2} {
		b.ReportMetric(us(times[1][at]), "us-scan-"+name)
		b.ReportMetric(us(times[0][at]-times[1][at]), "us-more-"+name)
	}
	b.ReportMetric(us(cpu[1])/float64(b.N), "us-scan-cpu")
	b.ReportMetric(us(cpu[0]-cpu[1])/float64(b.N), "us-more-cpu")
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
