package storage_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// A mutation breaks one invariant on disk, behind the store's back; want is what Check
// says of it.
type mutation struct {
	what   string
	change func(e *storage.Editor)
	want   string
}

// Check names what is broken and where, for every invariant of rows, keys and
// statistics.
func TestCheckFinds(t *testing.T) {
	mem := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: mem}, 2500, 4)
	update(t, s, func(tx *storage.Tx) error {
		if _, err := tx.Delete(ctx, "photos", []uint64{7, 2100}); err != nil {
			return err
		}
		if err := tx.CreateIndex(ctx, "photos", storage.IndexDef{Name: "by_id", Unique: true, Columns: []uint32{1}}, nil); err != nil {
			return err
		}
		wide := []storage.IndexTerm{{Column: 2, Op: storage.TermGreater, Values: []value.Value{value.Int(500)}}}
		return tx.CreateIndex(ctx, "photos", storage.IndexDef{Name: "wide", Columns: []uint32{1}, Where: wide}, nil)
	})
	for s.Prompt("model", "a wolf", 4) == nil { // nothing is kept while somebody writes: housekeeping may
		s.KeepPrompts("model", []string{"a wolf"}, [][]float32{{1, 2, 3, 4}})
	}
	healthy(t, s)
	check(t, s.Close())
	const table, id, width, clip, byWidth, byID, wide = 1, 1, 2, 3, 4, 5, 6
	text, integer := value.Type{Kind: value.Text}, value.Type{Kind: value.Integer}
	mutations(t, mem, []mutation{
		{"a block is gone", func(e *storage.Editor) { e.Delete(e.Block(table, width, 1)) }, "photos.width, block 1"},
		{"a block is cut off", func(e *storage.Editor) { e.Cut(e.Block(table, id, 0)) }, "photos.id, block 0"},
		{"a block of another kind", func(e *storage.Editor) { e.Copy(e.Block(table, id, 0), e.Block(table, width, 0)) }, "photos.width, block 0"},
		{"a block after the last", func(e *storage.Editor) { e.Copy(e.Block(table, id, 0), e.Block(table, id, 2)) }, "it lies after the last sealed block"},
		{"a NULL that must not be", func(e *storage.Editor) { e.SetValue(e.Block(table, id, 0), text, 9, value.Value{}) }, "photos.id, row 9: NULL"},
		{"a value outside the bounds", func(e *storage.Editor) { e.SetValue(e.Block(table, width, 1), integer, 9, value.Int(5000)) }, "photos.width, row 1033: 5000 is outside"},
		{"a page is gone", func(e *storage.Editor) { e.Delete(e.Page(table, clip, 1)) }, "photos.clip, page 1"},
		{"a page is too short", func(e *storage.Editor) { e.Cut(e.Page(table, clip, 0)) }, "photos.clip, page 0"},
		{"a page after the last", func(e *storage.Editor) { e.Copy(e.Page(table, clip, 0), e.Page(table, clip, 2)) }, "it lies after the last sealed block"},
		{"a vector is not finite", func(e *storage.Editor) { e.Poison(e.Page(table, clip, 0)) }, "photos.clip, row 0"},
		{"a text is not UTF-8", func(e *storage.Editor) { e.SetValue(e.Block(table, id, 0), text, 9, value.Str("x\xff")) }, "photos.id, row 9: text is not valid UTF-8"},
		{"a tail row is gone", func(e *storage.Editor) { e.Delete(e.Row(table, 2200)) }, "photos, row 2200"},
		{"a tail row is cut off", func(e *storage.Editor) { e.Cut(e.Row(table, 2200)) }, "photos, row 2200"},
		{"a deleted tail row is back", func(e *storage.Editor) { e.Copy(e.Row(table, 2200), e.Row(table, 2100)) }, "photos, row 2100"},
		{"a tail row after the last", func(e *storage.Editor) { e.Copy(e.Row(table, 2200), e.Row(table, 2600)) }, "photos, row 2600"},
		{"a tail row of a sealed block", func(e *storage.Editor) { e.Copy(e.Row(table, 2200), e.Row(table, 5)) }, "photos, row 5"},
		{"a key is gone", func(e *storage.Editor) { e.DeleteFirst(e.Primary(table)) }, "photos, primary key: row 0 is missing"},
		{"a key leads elsewhere", func(e *storage.Editor) { e.Redirect(e.Primary(table), 9) }, "photos, primary key: the key of row 0 leads to row 9"},
		{"a key too many", func(e *storage.Editor) {
			k := e.First(e.Primary(table))
			e.Copy(k, append(k[:len(k)-2:len(k)-2], 'x', 0, 1))
		}, "photos, primary key: 2499 entries for 2498 live rows"},
		{"a key of no row number", func(e *storage.Editor) { e.Cut(e.First(e.Primary(table))) }, "photos, primary key"},
		{"an index entry is gone", func(e *storage.Editor) { e.DeleteFirst(e.Index(table, byWidth)) }, "photos, index by_width: row 0 is missing"},
		{"an index entry too many", func(e *storage.Editor) {
			k := e.First(e.Index(table, byWidth))
			e.Copy(k, append(k[:len(k)-1:len(k)-1], 77))
		}, "photos, index by_width: 2499 entries for 2498 live rows"},
		{"an entry of an index over a part of the rows is gone", func(e *storage.Editor) { e.DeleteFirst(e.Index(table, wide)) }, "photos, index wide: row 501 is missing"},
		{"an entry of a row that such an index leaves out", func(e *storage.Editor) {
			e.Copy(e.First(e.Index(table, byWidth)), append(e.Index(table, wide), e.First(e.Index(table, byWidth))[len(e.Index(table, byWidth)):]...))
		}, "photos, index wide: 998 entries for 997 live rows"},
		{"a value twice in a unique index", func(e *storage.Editor) {
			k := e.First(e.Index(table, byID))
			e.Copy(k, append(k[:len(k)-1:len(k)-1], 77))
		}, "photos, index by_id: "},
		{"tombstones are gone", func(e *storage.Editor) { e.Delete(e.Tombstones(table, 0)) }, "photos, counters"},
		{"tombstones are cut off", func(e *storage.Editor) { e.Cut(e.Tombstones(table, 0)) }, "photos, tombstones of block 0"},
		{"tombstones of another block", func(e *storage.Editor) { e.Copy(e.Tombstones(table, 0), e.Tombstones(table, 1)) }, "photos, counters"},
		{"tombstones after the last block", func(e *storage.Editor) { e.Copy(e.Tombstones(table, 0), e.Tombstones(table, 3)) }, "photos, tombstones of block 3"},
		{"counters are gone", func(e *storage.Editor) { e.Delete(e.Counters(table)) }, "photos, counters"},
		{"another number of rows is counted", func(e *storage.Editor) { e.Flip(e.Counters(table), 15) }, "photos, counters"},
		{"another number of row numbers is counted", func(e *storage.Editor) { e.Flip(e.Counters(table), 6) }, "photos, counters"},
		{"statistics are gone", func(e *storage.Editor) { e.Delete(e.Stats(table, width)) }, "photos.width, statistics"},
		{"statistics are cut off", func(e *storage.Editor) { e.Cut(e.Stats(table, width)) }, "photos.width, statistics"},
		{"statistics of another column", func(e *storage.Editor) { e.Copy(e.Stats(table, id), e.Stats(table, width)) }, "photos.width, statistics"},
		{"statistics count too many NULLs", func(e *storage.Editor) { e.Flip(e.Stats(table, width), 3) }, "photos.width, statistics: they count 2 NULLs, there are 0"},
		{"a key of no table", func(e *storage.Editor) { e.Copy(e.Counters(table), e.Counters(77)) }, "keys of table id 77"},
		{"a key of no column", func(e *storage.Editor) { e.Copy(e.Block(table, id, 0), e.Block(table, 55, 0)) }, "belongs to nothing"},
		{"a key of no index", func(e *storage.Editor) { e.Copy(e.First(e.Index(table, byWidth)), append(e.Index(table, 99), 1)) }, "belongs to nothing"},
		{"an unknown key of the store", func(e *storage.Editor) { e.Set([]byte{0, 0, 0, 0, 'z'}, nil) }, "unknown key 000000007a"},
		{"a key that is too short", func(e *storage.Editor) { e.Set([]byte{0, 0, 0, 7}, nil) }, "key 00000007 is too short"},
		{"a prompt is cut off", func(e *storage.Editor) { e.Cut(e.First(e.Prompts())) }, "its vector is not one of finite numbers"},
		{"a prompt is not finite", func(e *storage.Editor) { e.Poison(e.First(e.Prompts())) }, "its vector is not one of finite numbers"},
		{"the number of commits is gone", func(e *storage.Editor) { e.Delete(e.Commits()) }, "number of commits"},
		{"the format is another than the file's", func(e *storage.Editor) { e.Set(e.FormatKey(), []byte{0, 0, 0, 1}) }, "format version: the file LUPA says 3"},
	})
}

// mutations checks a copy of the store after each change.
func mutations(t *testing.T, mem *vfs.MemFS, all []mutation) {
	for _, c := range all {
		t.Run(c.what, func(t *testing.T) {
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

// A catalog that can't be read is named when the store is used: nothing in it can be
// told from damage then.
func TestCheckFindsDamagedCatalog(t *testing.T) {
	mem := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: mem}, 100, 4)
	check(t, s.Close())
	mutations(t, mem, []mutation{
		{"a schema is cut off", func(e *storage.Editor) { e.Cut(e.Schema("photos")) }, "photos, schema"},
		{"a schema of another name", func(e *storage.Editor) { e.Copy(e.Schema("photos"), e.Schema("other")) }, "other, schema"},
		{"the generation is cut off", func(e *storage.Editor) { e.Cut(e.Generation()) }, "catalog"},
		{"a schema is gone", func(e *storage.Editor) { e.Delete(e.Schema("photos")) }, "keys of table id 1"},
	})
}

// Codes that are not those of the vectors, or are missing, are found: they could hide
// a row, or make searches slow.
func TestCheckFindsWrongCodes(t *testing.T) {
	const dim, table, clip = 64, 1, 3
	mem := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: mem}, 0, dim)
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
	// Without codes is no longer possible: the column has some.
	l = must[*storage.Loader](t)(s.BulkLoad(ctx, "photos", storage.LoadOptions{WithoutCodes: true}))
	check(t, l.Append(ctx, photoRows(18*1024, 20*1024, dim)))
	must[uint64](t)(l.Finish(ctx))
	healthy(t, s)
	check(t, s.Close())
	code := func(e *storage.Editor, plane byte, b uint32) []byte { return e.Code(table, clip, plane, b) }
	mutations(t, mem, []mutation{
		{"codes of another block", func(e *storage.Editor) { e.Copy(code(e, 1, 4), code(e, 1, 5)) }, "photos.clip, codes of block 5: they are not"},
		{"the second plane of another block", func(e *storage.Editor) { e.Copy(code(e, 2, 4), code(e, 2, 7)) }, "photos.clip, codes of block 7: they are not"},
		{"one plane is gone", func(e *storage.Editor) { e.Delete(code(e, 2, 3)) }, "photos.clip, codes of block 3: they are not"},
		{"both planes are gone", func(e *storage.Editor) { e.Delete(code(e, 1, 3)); e.Delete(code(e, 2, 3)) }, "photos.clip, codes of block 3: they are missing"},
		{"codes after the last block", func(e *storage.Editor) { e.Copy(code(e, 1, 0), code(e, 1, 20)) }, "codes of a block that does not exist"},
		{"the transform is cut off", func(e *storage.Editor) { e.Cut(e.Transform(table, clip)) }, "photos.clip, transform"},
		{"the transform is another one", func(e *storage.Editor) { e.Flip(e.Transform(table, clip), 400) }, "photos.clip, "},
	})
}
