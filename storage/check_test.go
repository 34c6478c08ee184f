package storage_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// Check names what is broken and where, for every kind of key that is missing,
// changed or too many.
func TestCheckFinds(t *testing.T) {
	mem := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: mem}, 2500, 4)
	update(t, s, func(tx *storage.Tx) error {
		_, err := tx.Delete(ctx, "photos", []uint64{7, 2100})
		return err
	})
	healthy(t, s)
	check(t, s.Close())
	const table = 1
	for name, c := range map[string]struct {
		change func(e *storage.Editor)
		want   string
	}{
		"a block is gone":            {func(e *storage.Editor) { e.Delete(e.Block(table, 2, 1)) }, "photos.width, block 1"},
		"a block is cut off":         {func(e *storage.Editor) { e.Cut(e.Block(table, 1, 0)) }, "photos.id, block 0"},
		"a page is gone":             {func(e *storage.Editor) { e.Delete(e.Page(table, 3, 1)) }, "photos.clip, page 1"},
		"a page is too short":        {func(e *storage.Editor) { e.Cut(e.Page(table, 3, 0)) }, "photos.clip, page 0"},
		"a vector is not finite":     {func(e *storage.Editor) { e.Poison(e.Page(table, 3, 0)) }, "photos.clip, row 0"},
		"a tail row is gone":         {func(e *storage.Editor) { e.Delete(e.Row(table, 2200)) }, "photos, row 2200"},
		"a deleted tail row is back": {func(e *storage.Editor) { e.Copy(e.Row(table, 2200), e.Row(table, 2100)) }, "photos, row 2100"},
		"a key is gone":              {func(e *storage.Editor) { e.DeleteFirst(e.Primary(table)) }, "photos, primary key: row 0 is missing"},
		"a key leads elsewhere":      {func(e *storage.Editor) { e.Redirect(e.Primary(table), 9) }, "photos, primary key: the key of row 0 leads to row 9"},
		"an index entry is gone":     {func(e *storage.Editor) { e.DeleteFirst(e.Index(table, 4)) }, "photos, index by_width: row 0 is missing"},
		"tombstones are gone":        {func(e *storage.Editor) { e.Delete(e.Tombstones(table, 0)) }, "photos, counters"},
		"counters are gone":          {func(e *storage.Editor) { e.Delete(e.Counters(table)) }, "photos, counters"},
		"statistics are gone":        {func(e *storage.Editor) { e.Delete(e.Stats(table, 2)) }, "photos.width, statistics"},
		"a key of no table":          {func(e *storage.Editor) { e.Copy(e.Counters(table), e.Counters(77)) }, "keys of table id 77"},
		"a key of no column":         {func(e *storage.Editor) { e.Copy(e.Block(table, 1, 0), e.Block(table, 55, 0)) }, "belongs to nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: copyOf(t, mem)}))
			defer s.Close()
			check(t, storage.Edit(s, c.change))
			var found []string
			check(t, s.Check(ctx, func(p storage.Problem) { found = append(found, p.String()) }))
			if !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("want %q among\n%s", c.want, strings.Join(found, "\n"))
			}
		})
	}
}

// Codes that are not those of the vectors are found: they could hide a row.
func TestCheckFindsWrongCodes(t *testing.T) {
	const dim = 64
	s := newPhotos(t, "", &storage.Options{InMemory: true}, 0, dim)
	l := must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{}))
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 18 {
		b := photoRows(i*1024, (i+1)*1024, dim)
		for j := range b.Cols[2].Vecs {
			b.Cols[2].Vecs[j] = r.Float32() - 0.3
		}
		check(t, l.Append(ctx, b))
	}
	must[uint64](t)(l.Finish(ctx))
	healthy(t, s)
	check(t, storage.Edit(s, func(e *storage.Editor) { e.Copy(e.Code(1, 3, 1, 4), e.Code(1, 3, 1, 5)) }))
	var found []string
	check(t, s.Check(ctx, func(p storage.Problem) { found = append(found, p.String()) }))
	if len(found) != 1 || !strings.Contains(found[0], "photos.clip, codes of block 5: ") {
		t.Errorf("found %q", found)
	}
	check(t, s.Close())
}
