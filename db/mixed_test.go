package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

const (
	accounts = 200
	balance  = 100 // of each at the start
)

// TestMixed lets 64 goroutines read and write: transfers between accounts must
// never change the sum that a reader sees, searches must be sorted and full. By
// default it is short; LUPA_SOAK=10m makes it run that long and report.
func TestMixed(t *testing.T) {
	noLeaks(t)
	d := open(t, &db.Options{NoSync: true, Encoders: []encoder.Encoder{newWords(16)}})
	mustExec(t, d, `CREATE TABLE accounts (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, v VECTOR ENCODER 'words');
		CREATE TABLE log (who INTEGER, what TEXT)`)
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

	soak, _ := time.ParseDuration(os.Getenv("LUPA_SOAK"))
	const goroutines = 64
	perGoroutine := 12
	var (
		wg     sync.WaitGroup
		failed atomic.Bool
		ops    atomic.Int64
		end    = time.Now().Add(soak)
		took   = make([][]time.Duration, goroutines)
		heap   []uint64
	)
	for g := range goroutines {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for i := 0; !failed.Load() && (soak > 0 && time.Now().Before(end) || soak == 0 && i < perGoroutine); i++ {
				begin := time.Now()
				if err := mixedStep(d, rng, g); err != nil {
					failed.Store(true)
					t.Errorf("goroutine %d, step %d: %v", g, i, err)
					return
				}
				if soak > 0 && len(took[g]) < 1<<17 {
					took[g] = append(took[g], time.Since(begin))
				}
				ops.Add(1)
			}
		})
	}
	if soak > 0 {
		stop := make(chan struct{})
		go func() {
			wg.Wait()
			close(stop)
		}()
		for tick := time.Tick(max(soak/20, time.Second)); ; {
			select {
			case <-tick:
				heap = append(heap, heapInUse())
				continue
			case <-stop:
			}
			break
		}
	}
	wg.Wait()
	if n := count(t, d, `SELECT sum(n) FROM accounts`); n != accounts*balance {
		t.Errorf("the sum is %d, want %d", n, accounts*balance)
	}
	if s := d.Stats(); s.Open != 0 || s.Running != 0 {
		t.Errorf("%d handles open and %d statements running at the end", s.Open, s.Running)
	}
	if soak > 0 {
		all := slices.Concat(took...)
		slices.Sort(all)
		t.Logf("%d operations in %v, %.0f a second; p50 %v, p99 %v", ops.Load(), soak, float64(ops.Load())/soak.Seconds(),
			all[len(all)/2], all[len(all)*99/100])
		t.Logf("heap in MB over time: %v", heap)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse >> 20
}

// mixedStep does one random thing. Goroutines up to 15 write as well.
func mixedStep(d *db.DB, rng *rand.Rand, g int) error {
	what := rng.IntN(5)
	if g < 16 && rng.IntN(2) == 0 {
		what = 5 + rng.IntN(4)
	}
	switch what {
	case 0: // one statement sees one state
		return wantSum(d)
	case 1: // so do two of one transaction
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
	case 2:
		m, err := d.Nearest(ctx, "accounts", "v", fmt.Sprintf("account %d", rng.IntN(accounts)), 7, nil)
		if err != nil {
			return err
		}
		if len(m) != 7 || !slices.IsSortedFunc(m, func(a, b db.Match) int { return int(1e9 * (b.Score - a.Score)) }) || m[0].Score < 0.999 {
			return fmt.Errorf("search gave %v", m)
		}
		return nil
	case 3: // rows left in the middle
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
	case 4: // given up
		cctx, cancel := context.WithTimeout(ctx, time.Duration(rng.IntN(2000))*time.Microsecond)
		defer cancel()
		_, err := d.Nearest(cctx, "accounts", "v", "account 1", 3, nil)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	case 5, 6:
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
	case 7:
		if _, err := d.Exec(ctx, `INSERT INTO log VALUES ($1, 'note'), ($1, 'more')`, g); err != nil {
			return err
		}
		if rng.IntN(4) > 0 {
			return nil
		}
		_, err := d.Exec(ctx, `DELETE FROM log WHERE who = $1`, g)
		return err
	default:
		n, err := db.Get[int](ctx, d, `SELECT count(*) % 2 FROM log`)
		if err == nil && n != 0 {
			err = errors.New("half of an insert is visible")
		}
		return err
	}
}

func wantSum(d *db.DB) error {
	n, err := db.Get[int](ctx, d, `SELECT sum(n) FROM accounts`)
	if err == nil && n != accounts*balance {
		err = fmt.Errorf("the sum is %d", n)
	}
	return err
}
