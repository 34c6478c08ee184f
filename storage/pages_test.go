package storage_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Tables made when pages were of 256 KiB keep such pages, whatever happens to them,
// until VACUUM rewrites them.
func TestPagesOfVersion1(t *testing.T) {
	const dim = 512
	dir := filepath.Join(t.TempDir(), "db")
	s := newPhotos(t, dir, nil, 0, dim)
	check(t, storage.Edit(s, func(e *storage.Editor) {
		e.Replace(e.Schema("photos"), `{"version":2,`, `{"version":1,`)
		e.Replace(e.Schema("photos"), `,"page_rows":32`, ``)
	}))
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open(dir, nil))
	defer func() { checked(t, s) }()

	pageBytes := func(column int) int64 {
		t.Helper()
		healthy(t, s)
		v := must[*storage.View](t)(s.Snapshot())
		defer v.Close()
		table := must[*storage.Table](t)(v.Table("photos"))
		q, err := vector.NewQuery(vector.Cosine, photoRows(700, 701, dim).Cols[2].Vec(0))
		check(t, err)
		best, _, err := table.Nearest(ctx, storage.NearestOptions{Query: q, K: 1, Column: column, BruteForce: true})
		check(t, err)
		v.Reads.PageBytes.Store(0)
		rows, err := table.Fetch(ctx, []uint64{best[0].Row}, []int{1, column})
		check(t, err)
		if got, want := rows.Cols[0].Value(0).String(), photoRows(700, 701, dim).Cols[1].Value(0).String(); got != want {
			t.Fatalf("found %v, want %v", got, want)
		}
		return v.Reads.PageBytes.Load()
	}
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "photos", photoRows(0, 1500, dim), storage.InsertOptions{})
		return err
	})
	if n := pageBytes(2); n != 256<<10 {
		t.Errorf("a page of an old column has %d bytes", n)
	}
	update(t, s, func(tx *storage.Tx) error { return tx.RenameTable(ctx, "photos", "pictures") })
	update(t, s, func(tx *storage.Tx) error { return tx.RenameTable(ctx, "pictures", "photos") })
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Delete(ctx, "photos", []uint64{1, 2, 3})
		return err
	})
	if n := pageBytes(2); n != 256<<10 {
		t.Errorf("a page of an old column has %d bytes after changes of its schema", n)
	}
	must[storage.VacuumResult](t)(s.Vacuum(ctx, "photos", nil))
	if n := pageBytes(2); n != 64<<10 {
		t.Errorf("a page has %d bytes after VACUUM", n)
	}
}

// A page holds a power of two of vectors, which belong to one block.
func TestBadPageRows(t *testing.T) {
	for _, rows := range []string{`3`, `0`, `-1`, `2048`, `256`} {
		dir := filepath.Join(t.TempDir(), "db")
		s := newPhotos(t, dir, nil, 0, 512)
		check(t, storage.Edit(s, func(e *storage.Editor) {
			e.Replace(e.Schema("photos"), `"page_rows":32`, `"page_rows":`+rows)
		}))
		check(t, s.Close())
		s = must[*storage.Store](t)(storage.Open(dir, nil))
		if v, err := s.Snapshot(); !errors.Is(err, storage.ErrCorrupt) {
			t.Errorf("%s rows a page: %v", rows, err)
			v.Close()
		}
		check(t, s.Close())
	}
}

// A new store works with a small cache, which grows while blocks are read again and
// again, until they need not be.
func TestCacheGrowth(t *testing.T) {
	const dim, rows, start = 64, 40 * 1024, 1 << 20 // 10 MiB of vectors
	dir := t.TempDir()
	s := must[*storage.Store](t)(storage.Open(dir, nil))
	v := &vectorTable{store: s, dim: dim}
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, storage.TableDef{Name: "v", PrimaryKey: -1, Columns: []storage.ColumnDef{
			{Name: "v", Type: value.Type{Kind: value.Vector, Dim: dim}},
		}})
		return err
	})
	rng := rand.New(rand.NewPCG(1, 1))
	v.load(t, rng, "unit", rows)
	check(t, s.Close())
	o := storage.Options{CacheSize: 64 << 20}
	storage.SetCacheStart(&o, start)
	s = must[*storage.Store](t)(storage.Open(dir, &o))
	defer func() { checked(t, s) }()
	view := must[*storage.View](t)(s.Snapshot())
	defer view.Close()
	table := must[*storage.Table](t)(view.Table("v"))
	q := must[*vector.Query](t)(vector.NewQuery(vector.Cosine, gauss(rng, dim, 1)))
	var cached, missed []int64
	for range 150 {
		before := s.Stats().CacheMiss
		_, _, err := table.Nearest(ctx, storage.NearestOptions{Query: q, K: 1, BruteForce: true, Workers: 1})
		check(t, err)
		cached, missed = append(cached, s.Stats().CacheBytes), append(missed, s.Stats().CacheMiss-before)
	}
	if n := cached[0]; n > start+rows*dim*4/8+start/4 {
		t.Errorf("the first pass left %d bytes in a cache that began with %d", n, start)
	}
	if n := cached[len(cached)-1]; n < rows*dim*4 {
		t.Errorf("after many passes %d bytes are in the cache, want all", n)
	}
	if n := missed[len(missed)-1]; n > 0 {
		t.Errorf("the last pass read %d blocks from files", n)
	}
}
