package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// TestScanOfManyPictures scans the rows after the last sealed block through views of different
// ages, some columns of it, all rows or some, again and again, while commits insert, change and
// delete rows: every view has the rows of its time, and counts their bytes each time. Whoever
// scans may do with a batch what he likes.
func TestScanOfManyPictures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 18))
	s, err := storage.Open("", &storage.Options{InMemory: true})
	check(t, err)
	defer s.Close()
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, photos(2))
		return err
	})
	read := func(v *storage.View, columns []int, filter *storage.RowSet) string {
		tab, err := v.Table("photos")
		check(t, err)
		scan := tab.Scan(storage.ScanOptions{Columns: columns, Filter: filter})
		defer scan.Close()
		var out strings.Builder
		for {
			b, err := scan.Next(ctx)
			check(t, err)
			if b == nil {
				return out.String()
			}
			for _, i := range b.Selected() {
				for _, c := range b.Cols {
					fmt.Fprintf(&out, "%v,", c.Value(int(i)))
				}
				out.WriteByte('\n')
			}
			for _, c := range b.Cols { // what is written here is nobody else's
				for i := range c.Ints {
					c.Ints[i] = -1
				}
				for i := range c.Strs {
					c.Strs[i] = "spoiled"
				}
				for i := range c.Nulls {
					c.Nulls[i] = ^uint64(0)
				}
			}
		}
	}
	lists := [][]int{{0, 1}, {1}, {1, 0}, {0, 1, 2}, {2}}
	type picture struct {
		view  *storage.View
		want  []string // by list
		bytes int64
	}
	var open []picture
	next := 0
	for step := range 200 {
		switch rng.IntN(4) {
		case 0, 1:
			n := 1 + rng.IntN(200)
			update(t, s, func(tx *storage.Tx) error {
				b := photoRows(next, next+n, 2)
				for i := range n {
					if rng.IntN(7) == 0 {
						b.Cols[1] = withNull(b.Cols[1], i)
					}
				}
				_, err := tx.Insert(ctx, "photos", b, storage.InsertOptions{})
				return err
			})
			next += n
		case 2:
			update(t, s, func(tx *storage.Tx) error {
				tab, err := tx.Table("photos")
				if err != nil || tab.Rows() == 0 {
					return err
				}
				_, err = tx.Delete(ctx, "photos", []uint64{tab.NextRow() - 1})
				return err
			})
		}
		v, err := s.Snapshot()
		check(t, err)
		p := picture{view: v}
		for _, columns := range lists { // with a filter, of all rows, nothing is kept
			tab, err := v.Table("photos")
			check(t, err)
			all := new(storage.RowSet)
			for row := range tab.NextRow() {
				if row != tab.NextRow()-1 {
					all.Add(row)
				}
			}
			read(v, columns, all)
			p.want = append(p.want, read(v, columns, nil))
		}
		before := v.Reads.RowBytes.Load()
		read(v, lists[0], nil)
		p.bytes = v.Reads.RowBytes.Load() - before
		open = append(open, p)
		for range 10 {
			p := open[rng.IntN(len(open))]
			k := rng.IntN(len(lists))
			if got := read(p.view, lists[k], nil); got != p.want[k] {
				t.Fatalf("step %d: columns %v are\n%s\nnot\n%s", step, lists[k], got, p.want[k])
			}
			before := p.view.Reads.RowBytes.Load()
			read(p.view, lists[0], nil)
			if n := p.view.Reads.RowBytes.Load() - before; n != p.bytes {
				t.Fatalf("step %d: %d bytes were read, once %d", step, n, p.bytes)
			}
		}
		if len(open) > 6 {
			open[0].view.Close()
			open = slices.Delete(open, 0, 1)
		}
	}
	for _, p := range open {
		p.view.Close()
	}
}

// withNull is a column whose row i is NULL.
func withNull(c *value.Column, i int) *value.Column {
	out := &value.Column{Type: c.Type}
	for k := range c.Ints {
		v := c.Value(k)
		if k == i {
			v = value.Value{}
		}
		out.Append(k, v)
	}
	return out
}
