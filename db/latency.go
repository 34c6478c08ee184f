package db

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/storage"
)

// Latency tells how long statements took, from their beginning to their last row, as a
// histogram. What a program does between rows is in it.
type Latency struct {
	Bounds []time.Duration // upper bounds, ascending
	Counts []int64         // statements up to each bound; the last, one more than Bounds, is of longer ones
	Sum    time.Duration
}

// latencyBounds are about three to a power of ten.
var latencyBounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// latencies counts statements by how long they took.
type latencies struct {
	counts [len(latencyBounds) + 1]atomic.Int64
	sum    atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	l.counts[i].Add(1)
	l.sum.Add(int64(d))
}

func (l *latencies) read() Latency {
	out := Latency{Bounds: append([]time.Duration(nil), latencyBounds[:]...), Sum: time.Duration(l.sum.Load())}
	for i := range l.counts {
		out.Counts = append(out.Counts, l.counts[i].Load())
	}
	return out
}

// TableSize is how large a table is.
type TableSize struct {
	Table string
	Rows  int64
	Bytes int64 // in the store's files, about, with its indexes; without what is in the log only
}

// TableSizes tells how large the tables of the store are, by name. It reads no rows.
func (db *DB) TableSizes(ctx context.Context) ([]TableSize, error) {
	var out []TableSize
	err := db.session().look(ctx, func(v *storage.View) error {
		for _, def := range v.Tables() {
			t, err := v.Table(def.Name)
			if err != nil {
				return err
			}
			n, err := db.store.DiskBytes(def)
			if err != nil {
				return err
			}
			out = append(out, TableSize{def.Name, int64(t.Rows()), int64(n)})
		}
		return nil
	})
	return out, err
}
