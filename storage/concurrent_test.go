package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Writers move amounts between accounts, readers add them up: a reader that sees half
// a commit sees another sum. LUPA_SOAK makes it a minute.
func TestConcurrentReadersAndWriters(t *testing.T) {
	const accounts, total = 2500, 2500 * 100
	s := must[*storage.Store](t)(storage.Open(t.TempDir()+"/db", &storage.Options{NoSync: true}))
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, storage.TableDef{Name: "accounts", PrimaryKey: 0, Columns: []storage.ColumnDef{
			{Name: "id", Type: value.Type{Kind: value.Integer}},
			{Name: "amount", Type: value.Type{Kind: value.Integer}},
		}})
		if err != nil {
			return err
		}
		id, amount := &value.Column{Type: value.Type{Kind: value.Integer}}, &value.Column{Type: value.Type{Kind: value.Integer}}
		for i := range accounts {
			id.Append(i, value.Int(int64(i)))
			amount.Append(i, value.Int(100))
		}
		_, err = tx.Insert(ctx, "accounts", &value.Batch{Len: accounts, Cols: []*value.Column{id, amount}}, storage.InsertOptions{})
		return err
	})
	var stop atomic.Bool
	var wg sync.WaitGroup
	var commits, sums atomic.Int64
	run := func(f func() error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for w := range 3 {
		n := int64(w)
		run(func() error {
			n += 7
			tx, err := s.Begin(ctx)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			tab, err := tx.Table("accounts")
			if err != nil {
				return err
			}
			var rows []uint64
			for _, id := range []int64{n % accounts, (n*31 + 1) % accounts} {
				row, ok, err := tab.Lookup(ctx, value.Int(id))
				if err != nil || !ok {
					return fmt.Errorf("account %d: %v", id, err)
				}
				rows = append(rows, row)
			}
			if rows[0] == rows[1] {
				return nil
			}
			old, err := tab.Fetch(ctx, rows, []int{1})
			if err != nil {
				return err
			}
			c := &value.Column{Type: value.Type{Kind: value.Integer}}
			c.Append(0, value.Int(old.Cols[0].Ints[0]-n%50))
			c.Append(1, value.Int(old.Cols[0].Ints[1]+n%50))
			if _, err := tx.Update(ctx, "accounts", rows, []int{1}, &value.Batch{Len: 2, Cols: []*value.Column{c}}); err != nil {
				return err
			}
			commits.Add(1)
			return tx.Commit(ctx)
		})
	}
	for range 3 {
		run(func() error {
			v, err := s.Snapshot()
			if err != nil {
				return err
			}
			defer v.Close()
			tab, err := v.Table("accounts")
			if err != nil {
				return err
			}
			scan := tab.Scan(storage.ScanOptions{Columns: []int{1}})
			defer scan.Close()
			sum, n := int64(0), 0
			for {
				b, err := scan.Next(ctx)
				if err != nil {
					return err
				}
				if b == nil {
					break
				}
				for i := range b.Len {
					if b.Sel == nil {
						sum += b.Cols[0].Ints[i]
						n++
					}
				}
				for _, i := range b.Sel {
					sum += b.Cols[0].Ints[i]
					n++
				}
			}
			if sum != total || n != accounts {
				return fmt.Errorf("%d accounts hold %d, want %d and %d", n, sum, accounts, total)
			}
			sums.Add(1)
			return nil
		})
	}
	run(func() error {
		time.Sleep(50 * time.Millisecond)
		_, err := s.Vacuum(ctx, "accounts", nil)
		return err
	})
	d := 2 * time.Second
	if os.Getenv("LUPA_SOAK") != "" {
		d = time.Minute
	}
	time.Sleep(d)
	stop.Store(true)
	wg.Wait()
	if commits.Load() == 0 || sums.Load() == 0 {
		t.Fatal("nothing happened")
	}
	t.Logf("%d commits, %d sums", commits.Load(), sums.Load())
	checked(t, s)
}

// Waiting for the writer lock, and every long operation, ends with its context.
func TestCancel(t *testing.T) {
	s := newPhotos(t, "", &storage.Options{InMemory: true}, 3000, 8)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	busy := must[*storage.Tx](t)(s.Begin(ctx))
	soon, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	if _, err := s.Begin(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for the writer: %v", err)
	}
	for name, f := range map[string]func() error{
		"insert": func() error {
			_, err := busy.Insert(gone, "photos", photoRows(9000, 9100, 8), storage.InsertOptions{})
			return err
		},
		"delete": func() error { _, err := busy.Delete(gone, "photos", []uint64{1, 2}); return err },
		"index": func() error {
			return busy.CreateIndex(gone, "photos", storage.IndexDef{Name: "x", Columns: []uint32{1}}, nil)
		},
		"scan": func() error {
			tab := must[*storage.Table](t)(busy.Table("photos"))
			scan := tab.Scan(storage.ScanOptions{Columns: []int{0}})
			defer scan.Close()
			_, err := scan.Next(gone)
			return err
		},
		"commit": func() error { return busy.Commit(gone) },
		"check":  func() error { return s.Check(gone, func(storage.Problem) {}) },
		"vacuum": func() error { _, err := s.Vacuum(gone, "photos", nil); return err },
		"backup": func() error { return s.Backup(gone, t.TempDir()+"/x", nil) },
		"load":   func() error { _, err := s.BulkLoad(gone, "photos", storage.LoadOptions{}); return err },
	} {
		if name == "commit" {
			continue
		}
		if name == "vacuum" || name == "load" { // wait for the writer lock
			soon, stop := context.WithTimeout(ctx, time.Millisecond)
			gone = soon
			defer stop()
		}
		if err := f(); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := busy.Commit(gone); err == nil {
		t.Error("commit after the end of its context")
	}
	// A load that is cancelled half way leaves nothing.
	half, cancelHalf := context.WithCancel(ctx)
	l := must[*storage.Loader](t)(s.BulkLoad(half, "photos", storage.LoadOptions{}))
	check(t, l.Append(half, photoRows(3000, 6000, 8)))
	cancelHalf()
	if _, err := l.Finish(half); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v", err)
	}
	verifyPhotos(t, s, 3000, 8)
	checked(t, s)
}

// What is read from storage, in exact numbers.
func TestReadCosts(t *testing.T) {
	const dim, rows = 512, 4096
	s := newPhotos(t, "", &storage.Options{InMemory: true}, rows, dim)
	measure := func(f func(tab *storage.Table)) *storage.View {
		v := must[*storage.View](t)(s.Snapshot())
		f(must[*storage.Table](t)(v.Table("photos")))
		check(t, v.Close())
		return v
	}
	v := measure(func(tab *storage.Table) {
		scan := tab.Scan(storage.ScanOptions{Columns: []int{1}})
		defer scan.Close()
		for {
			b, err := scan.Next(ctx)
			check(t, err)
			if b == nil {
				return
			}
		}
	})
	// Four blocks of 1,024 integers in 2 bytes each, with two headers.
	if n := v.Reads.ScalarBytes.Load(); n != 4*(6+9+2048) || v.Reads.Pages.Load() != 0 {
		t.Errorf("scan of a column: %d bytes of it, %d pages", n, v.Reads.Pages.Load())
	}
	v = measure(func(tab *storage.Table) {
		row, ok, err := tab.Lookup(ctx, value.Str("photo0002000"))
		check(t, err)
		if !ok {
			t.Fatal("not there")
		}
		if v := tab; v.Rows() != rows {
			t.Fatal("rows")
		}
		_, err = tab.Fetch(ctx, []uint64{row}, []int{2})
		check(t, err)
	})
	// The key is 4+1 bytes of prefix, a marker, 12 letters and 2 for the end; its value is a
	// row number. The vector lies on one page of 32 rows.
	if k, p, b := v.Reads.KeyBytes.Load(), v.Reads.Pages.Load(), v.Reads.PageBytes.Load(); k != 20+8 || p != 1 || b != 32*dim*4 {
		t.Errorf("point look-up: %d bytes of keys, %d pages, %d bytes of pages", k, p, b)
	}
	v = measure(func(tab *storage.Table) {
		for c := range 3 {
			_, err := tab.Stats(ctx, c)
			check(t, err)
		}
		tab.Rows()
	})
	if n := v.Reads.ScalarBytes.Load() + v.Reads.PageBytes.Load() + v.Reads.CodeBytes.Load() + v.Reads.RowBytes.Load(); n != 0 {
		t.Errorf("statistics: %d bytes of rows", n)
	}
	v = measure(func(tab *storage.Table) {
		scan := tab.Scan(storage.ScanOptions{Columns: []int{2}, Filter: storage.RowsOf([]uint64{5, 6, 2000})})
		defer scan.Close()
		for {
			b, err := scan.Next(ctx)
			check(t, err)
			if b == nil {
				return
			}
		}
	})
	if n := v.Reads.Pages.Load(); n != 2 {
		t.Errorf("three rows on two pages: %d pages read", n)
	}
	// The best of three rows: their two pages and nothing else.
	v = measure(func(tab *storage.Table) {
		q, err := vector.NewQuery(vector.Cosine, photoRows(2000, 2001, dim).Cols[2].Vec(0))
		check(t, err)
		best, _, err := tab.Nearest(ctx, storage.NearestOptions{Query: q, K: 2, Column: 2, Filter: storage.RowsOf([]uint64{5, 6, 2000})})
		check(t, err)
		if len(best) != 2 || best[0].Row != 2000 {
			t.Errorf("the best of three rows: %v", best)
		}
	})
	if p, b, n, c := v.Reads.Pages.Load(), v.Reads.PageBytes.Load(), v.Reads.ScalarBytes.Load(), v.Reads.CodeBytes.Load(); p != 2 || b != 2*32*dim*4 || n != 0 || c != 0 {
		t.Errorf("filtered top-k: %d pages, %d bytes of pages, %d of scalars, %d of codes", p, b, n, c)
	}
	// Looking up a row and fetching all its columns.
	w0 := must[*storage.View](t)(s.Snapshot())
	defer w0.Close()
	t0 := must[*storage.Table](t)(w0.Table("photos"))
	if n := testing.AllocsPerRun(20, func() {
		row, _, err := t0.Lookup(ctx, value.Str("photo0002000"))
		check(t, err)
		must[*value.Batch](t)(t0.Fetch(ctx, []uint64{row}, []int{0, 1, 2}))
	}); n > 40 {
		t.Errorf("%v allocations for a look-up", n)
	}
	// A scan of a warm store allocates per block, not per row.
	w := must[*storage.View](t)(s.Snapshot())
	defer w.Close()
	tab := must[*storage.Table](t)(w.Table("photos"))
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1}})
	defer scan.Close()
	must[*value.Batch](t)(scan.Next(ctx))
	if n := testing.AllocsPerRun(2, func() { scan.Next(ctx) }); n > 8 {
		t.Errorf("%v allocations for a block of 1,024 rows", n)
	}
}
