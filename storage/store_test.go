package storage_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

var ctx = context.Background()

func photos(dim int) storage.TableDef {
	return storage.TableDef{
		Name: "photos",
		Columns: []storage.ColumnDef{
			{Name: "id", Type: value.Type{Kind: value.Text}},
			{Name: "width", Type: value.Type{Kind: value.Integer}},
			{Name: "clip", Type: value.Type{Kind: value.Vector, Dim: dim}},
		},
		PrimaryKey: 0,
		Indexes:    []storage.IndexDef{{Name: "by_width", Columns: []uint32{1}}},
	}
}

// photoRows are rows [from, to) of the table photos.
func photoRows(from, to, dim int) *value.Batch {
	id := &value.Column{Type: value.Type{Kind: value.Text}}
	width := &value.Column{Type: value.Type{Kind: value.Integer}}
	clip := &value.Column{Type: value.Type{Kind: value.Vector, Dim: dim}}
	for i := from; i < to; i++ {
		n := i - from
		id.Append(n, value.Str(fmt.Sprintf("photo%07d", i)))
		width.Append(n, value.Int(int64(i%997)))
		if i%10 == 3 {
			clip.Append(n, value.Value{})
			continue
		}
		v := make([]float32, dim)
		for j := range v {
			v[j] = float32(i*dim + j)
		}
		clip.Append(n, value.Vec(v))
	}
	return &value.Batch{Len: to - from, Cols: []*value.Column{id, width, clip}}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// update runs f in a transaction.
func update(t *testing.T, s *storage.Store, f func(tx *storage.Tx) error) {
	t.Helper()
	tx, err := s.Begin(ctx)
	check(t, err)
	if err := f(tx); err != nil {
		tx.Rollback()
		t.Fatal(err)
	}
	check(t, tx.Commit(ctx))
}

// verifyPhotos reads rows [0, n) back in every way there is.
func verifyPhotos(t *testing.T, s *storage.Store, n, dim int) {
	t.Helper()
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	tab := must[*storage.Table](t)(v.Table("photos"))
	if tab.Rows() != uint64(n) {
		t.Fatalf("%d rows, want %d", tab.Rows(), n)
	}
	scan := tab.Scan(storage.ScanOptions{Columns: []int{2, 0, 1}})
	defer scan.Close()
	at := 0
	for {
		b, err := scan.Next(ctx)
		check(t, err)
		if b == nil {
			break
		}
		want := photoRows(at, at+b.Len, dim)
		for i := range b.Len {
			for to, from := range []int{1, 2, 0} {
				if value.Compare(b.Cols[from].Value(i), want.Cols[to].Value(i)) != 0 {
					t.Fatalf("row %d column %d: %v, want %v", at+i, to, b.Cols[from].Value(i), want.Cols[to].Value(i))
				}
			}
		}
		at += b.Len
	}
	if at != n {
		t.Fatalf("scanned %d rows, want %d", at, n)
	}
	var rows []uint64
	for i := 0; i < n; i += 1 + n/50 {
		row, ok, err := tab.Lookup(ctx, value.Str(fmt.Sprintf("photo%07d", n-1-i)))
		check(t, err)
		if !ok || row != uint64(n-1-i) {
			t.Fatalf("photo %d is row %d, %v", n-1-i, row, ok)
		}
		rows = append(rows, row)
	}
	got, err := tab.Fetch(ctx, rows, []int{0, 1, 2})
	check(t, err)
	for i, row := range rows {
		want := photoRows(int(row), int(row)+1, dim)
		for c := range 3 {
			if value.Compare(got.Cols[c].Value(i), want.Cols[c].Value(0)) != 0 {
				t.Fatalf("row %d column %d: %v, want %v", row, c, got.Cols[c].Value(i), want.Cols[c].Value(0))
			}
		}
	}
	rows, err = tab.IndexScan(ctx, tab.Def().Index("by_width"), storage.Range{Low: value.Int(10), High: value.Int(12), HighOpen: true})
	check(t, err)
	want := 0
	for i := range n {
		if i%997 == 10 || i%997 == 11 {
			want++
		}
	}
	if len(rows) != want {
		t.Fatalf("index finds %d rows, want %d", len(rows), want)
	}
}

// checked closes a store that must have no problem.
func checked(t *testing.T, s *storage.Store) {
	t.Helper()
	healthy(t, s)
	check(t, s.Close())
}

func healthy(t *testing.T, s *storage.Store) {
	t.Helper()
	check(t, s.Check(ctx, func(p storage.Problem) { t.Errorf("check: %v", p) }))
}

func TestInsertAndLoad(t *testing.T) {
	for _, dim := range []int{1, 3, 512, 8192} {
		n := 2500
		if dim == 8192 {
			n = 1100
		}
		t.Run(fmt.Sprint(dim), func(t *testing.T) {
			dir := t.TempDir() + "/store"
			s := must[*storage.Store](t)(storage.Open(dir, nil))
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.CreateTable(ctx, photos(dim))
				return err
			})
			update(t, s, func(tx *storage.Tx) error {
				for i := 0; i < 700; i += 100 {
					if _, err := tx.Insert(ctx, "photos", photoRows(i, i+100, dim), storage.InsertOptions{}); err != nil {
						return err
					}
				}
				return nil
			})
			verifyPhotos(t, s, 700, dim)
			l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
			check(t, l.Append(ctx, photoRows(700, n, dim)))
			must[uint64](t)(l.Finish(ctx))
			verifyPhotos(t, s, n, dim)
			checked(t, s)
			s = must[*storage.Store](t)(storage.Open(dir, nil))
			verifyPhotos(t, s, n, dim)
			checked(t, s)
		})
	}
}
