package db_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

const (
	goroutines = 64
	writers    = 16 // of the goroutines, those that write too
	accounts   = 200
	balance    = 100 // of each at the start
)

// soakTime is how long TestMixed is to run: LUPA_SOAK where that is a time such as
// 10m, as make soak sets it, and otherwise 0, for a short test.
func soakTime() time.Duration {
	d, _ := time.ParseDuration(os.Getenv("LUPA_SOAK"))
	return d
}

// TestMixed lets 64 goroutines read and write: transfers between accounts must
// never change the sum that a reader sees, searches must be sorted and full, and
// neither the heap nor the process may grow. By default it is short; make soak lets
// it run for minutes and prints what it measured.
func TestMixed(t *testing.T) {
	noLeaks(t)
	soak := soakTime()
	d := open(t, &db.Options{NoSync: soak == 0, CacheSize: 64 << 20, Encoders: []encoder.Encoder{newWords(16)}})
	mustExec(t, d, `CREATE TABLE accounts (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, v VECTOR ENCODER 'words');
		CREATE TABLE log (who INTEGER, what TEXT); CREATE INDEX by_who ON log (who);
		CREATE TABLE photos (id INTEGER PRIMARY KEY, width INTEGER, v VECTOR(16))`)
	if err := d.Update(ctx, func(tx *db.Tx) error {
		for i := range accounts {
			if _, err := tx.Exec(ctx, `INSERT INTO accounts VALUES ($1, $2, $3)`, i, balance, fmt.Sprintf("account %d", i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := replacePhotos(d, rand.New(rand.NewPCG(5, 5)), photosOfMix); err != nil {
		t.Fatal(err)
	}

	var (
		wg     sync.WaitGroup
		failed atomic.Bool
		begin  = time.Now()
		took   = make([][]histogram, goroutines)
		memory [][2]int64 // heap and process, over time
	)
	for g := range goroutines {
		took[g] = make([]histogram, len(mix))
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for i := 0; !failed.Load() && (soak > 0 && time.Since(begin) < soak || soak == 0 && i < 12); i++ {
				what := pick(rng, g < writers)
				start := time.Now()
				if err := mix[what].run(d, rng, g); err != nil {
					failed.Store(true)
					t.Errorf("goroutine %d, step %d, %s: %v", g, i, mix[what].name, err)
					return
				}
				took[g][what].add(time.Since(start))
			}
		})
	}
	if soak > 0 {
		ended := make(chan struct{})
		go func() {
			wg.Wait()
			close(ended)
		}()
		for tick := time.Tick(max(soak/30, time.Second)); ; {
			select {
			case <-tick:
				memory = append(memory, [2]int64{heapInUse(), residentBytes()})
				continue
			case <-ended:
			}
			break
		}
	}
	wg.Wait()
	elapsed := time.Since(begin)
	if n := count(t, d, `SELECT sum(n) FROM accounts`); n != accounts*balance {
		t.Errorf("the sum is %d, want %d", n, accounts*balance)
	}
	if n := count(t, d, `SELECT count(*) FROM photos`); n != photosOfMix {
		t.Errorf("%d photos, want %d", n, photosOfMix)
	}
	if s := d.Stats(); s.Open != 0 || s.Running != 0 {
		t.Errorf("%d handles open and %d statements running at the end", s.Open, s.Running)
	}
	if soak > 0 && !failed.Load() {
		reportMix(t, took, elapsed, d.Stats())
		steady(t, "heap", memory, 0)
		steady(t, "process", memory, 1)
	}
}

// reportMix prints throughput and latencies by operation.
func reportMix(t *testing.T, took [][]histogram, elapsed time.Duration, stats db.Stats) {
	var all histogram
	var b strings.Builder
	row := func(name string, h *histogram) {
		fmt.Fprintf(&b, "%-28s %9d %9.1f %10v %10v %10v\n", name, h.n, float64(h.n)/elapsed.Seconds(), h.quantile(0.5), h.quantile(0.99), h.max.Round(10*time.Microsecond))
	}
	fmt.Fprintf(&b, "%d goroutines, %d of them writing, for %v\n", goroutines, writers, elapsed.Round(time.Second))
	fmt.Fprintf(&b, "%-28s %9s %9s %10s %10s %10s\n", "", "times", "a second", "p50", "p99", "longest")
	for i := range mix {
		var h histogram
		for g := range took {
			h.merge(&took[g][i])
		}
		all.merge(&h)
		row(mix[i].name, &h)
	}
	row("all", &all)
	fmt.Fprintf(&b, "store at the end: %d MB on disk, %d MB of cache", stats.DiskBytes>>20, stats.CacheBytes>>20)
	t.Log("\n" + b.String())
}

// steady fails the test if memory has grown from the second third of the run to
// the last by more than a fifth and 32 MB.
func steady(t *testing.T, what string, samples [][2]int64, which int) {
	mb := func(s [][2]int64) []int64 {
		out := make([]int64, len(s))
		for i := range s {
			out[i] = s[i][which] >> 20
		}
		return out
	}
	n := len(samples) / 3
	if n == 0 || samples[0][which] == 0 {
		t.Logf("%s: not enough samples of memory", what)
		return
	}
	before, after := slices.Max(mb(samples[n:2*n])), slices.Max(mb(samples[2*n:]))
	t.Logf("%s in MB over time: %v", what, mb(samples))
	if after > before+before/5+32 {
		t.Errorf("the %s grows: at most %d MB in the second third, %d MB in the last", what, before, after)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// residentBytes is the memory of the process, where the system tells.
func residentBytes() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// histogram counts times in buckets that are 5% wide, in constant memory.
type histogram struct {
	buckets [512]int64
	n       int64
	max     time.Duration
}

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(float64(max(d, 1))) / math.Log(1.05))
	h.buckets[min(i, len(h.buckets)-1)]++
	h.n++
	h.max = max(h.max, d)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

func (h *histogram) quantile(q float64) time.Duration {
	left := int64(q * float64(h.n))
	for i, n := range h.buckets {
		if left -= n; left < 0 {
			return min(h.max, time.Duration(math.Pow(1.05, float64(i+1)))).Round(10 * time.Microsecond)
		}
	}
	return h.max
}

// photosOfMix is how many vectors the searches go over; they are replaced now and
// then, and their number stays.
const photosOfMix = 20_000

// operation is one thing a goroutine may do, and how often.
type operation struct {
	name   string
	weight int
	writes bool
	run    func(d *db.DB, rng *rand.Rand, g int) error
}

func pick(rng *rand.Rand, writes bool) int {
	for {
		i := rng.IntN(len(mix))
		if mix[i].writes && !writes || rng.IntN(100) >= mix[i].weight {
			continue
		}
		return i
	}
}

var mix = []operation{
	{"sum, one statement", 50, false, func(d *db.DB, rng *rand.Rand, g int) error { return wantSum(d) }},
	{"two sums, one transaction", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		return d.View(ctx, func(tx *db.Tx) error {
			var a, b int
			if err := tx.QueryRow(ctx, `SELECT sum(n) FROM accounts`).Scan(&a); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `SELECT sum(n) FROM accounts WHERE n > 0`).Scan(&b); err != nil {
				return err
			}
			if a != b || a != accounts*balance {
				return fmt.Errorf("sums are %d and %d", a, b)
			}
			return nil
		})
	}},
	{"nearest, encoded text", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		m, err := d.Nearest(ctx, "accounts", "v", fmt.Sprintf("account %d", rng.IntN(accounts)), 7, nil)
		if err != nil {
			return err
		}
		if len(m) != 7 || !slices.IsSortedFunc(m, byScore) || m[0].Score < 0.999 {
			return fmt.Errorf("search gave %v", m)
		}
		return nil
	}},
	{"nearest of 20,000, filtered", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		m, err := d.Nearest(ctx, "photos", "v", randomVector(rng), 10, &db.NearestOptions{Where: "width < $1", Args: []any{500}})
		if err != nil {
			return err
		}
		if len(m) != 10 || !slices.IsSortedFunc(m, byScore) {
			return fmt.Errorf("search gave %v", m)
		}
		return nil
	}},
	{"row by key", 100, false, func(d *db.DB, rng *rand.Rand, g int) error {
		id := rng.IntN(photosOfMix)
		var got int
		var v []float32
		if err := d.QueryRow(ctx, `SELECT id, v FROM photos WHERE id = $1`, id).Scan(&got, &v); err != nil {
			return err
		}
		if got != id || len(v) != 16 {
			return fmt.Errorf("row %d is %d, %v", id, got, v)
		}
		return nil
	}},
	{"rows left in the middle", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		rows, err := d.Query(ctx, `SELECT id, n FROM accounts ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for i := 0; i < 10 && rows.Next(); i++ {
			var id, n int
			if err := rows.Scan(&id, &n); err != nil {
				return err
			}
			if id != i {
				return fmt.Errorf("row %d is %d", i, id)
			}
		}
		return rows.Err()
	}},
	{"search given up", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		cctx, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
		defer cancel()
		_, err := d.Nearest(cctx, "photos", "v", randomVector(rng), 3, nil)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}},
	{"transfer", 100, true, func(d *db.DB, rng *rand.Rand, g int) error {
		from, to, amount := rng.IntN(accounts), rng.IntN(accounts), 1+rng.IntN(5)
		rollback := errors.New("changed my mind")
		err := d.Update(ctx, func(tx *db.Tx) error {
			var have int
			if err := tx.QueryRow(ctx, `SELECT n FROM accounts WHERE id = $1`, from).Scan(&have); err != nil {
				return err
			}
			if have <= amount {
				return nil
			}
			if _, err := tx.Exec(ctx, `UPDATE accounts SET n = n - $1 WHERE id = $2`, amount, from); err != nil {
				return err
			}
			if rng.IntN(8) == 0 {
				return rollback
			}
			_, err := tx.Exec(ctx, `UPDATE accounts SET n = n + $1 WHERE id = $2`, amount, to)
			return err
		})
		if errors.Is(err, rollback) {
			return nil
		}
		return err
	}},
	{"insert two rows", 60, true, func(d *db.DB, rng *rand.Rand, g int) error {
		_, err := d.Exec(ctx, `INSERT INTO log VALUES ($1, 'note'), ($1, 'more')`, g)
		return err
	}},
	{"delete one's rows", 15, true, func(d *db.DB, rng *rand.Rand, g int) error {
		_, err := d.Exec(ctx, `DELETE FROM log WHERE who = $1`, g)
		return err
	}},
	{"count", 50, false, func(d *db.DB, rng *rand.Rand, g int) error {
		n, err := db.Get[int](ctx, d, `SELECT count(*) % 2 FROM log`)
		if err == nil && n != 0 {
			err = errors.New("half of an insert is visible")
		}
		return err
	}},
	{"replace 500 vectors", 3, true, func(d *db.DB, rng *rand.Rand, g int) error { return replacePhotos(d, rng, 500) }},
	{"vacuum", 1, true, func(d *db.DB, rng *rand.Rand, g int) error { return d.Vacuum(ctx, "") }},
	{"check", 1, true, func(d *db.DB, rng *rand.Rand, g int) error {
		problems, err := d.Check(ctx)
		if err == nil && len(problems) > 0 {
			err = fmt.Errorf("check: %v", problems)
		}
		return err
	}},
}

func byScore(a, b db.Match) int { return int(1e9 * (b.Score - a.Score)) }

func randomVector(rng *rand.Rand) []float32 {
	v := make([]float32, 16)
	for i := range v {
		v[i] = rng.Float32() - 0.5
	}
	return v
}

// replacePhotos gives n photos other vectors, in one transaction.
func replacePhotos(d *db.DB, rng *rand.Rand, n int) error {
	first := rng.IntN(photosOfMix - n + 1)
	return d.Update(ctx, func(tx *db.Tx) error {
		put, err := tx.Prepare(ctx, `INSERT INTO photos VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET width = excluded.width, v = excluded.v`)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := put.Exec(ctx, first+i, rng.IntN(1000), randomVector(rng)); err != nil {
				return err
			}
		}
		return nil
	})
}

func wantSum(d *db.DB) error {
	n, err := db.Get[int](ctx, d, `SELECT sum(n) FROM accounts`)
	if err == nil && n != accounts*balance {
		err = fmt.Errorf("the sum is %d", n)
	}
	return err
}
