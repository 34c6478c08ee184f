//go:build unix

package storage_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// churned is a table whose rows come and go, beside what it should hold.
type churned struct {
	t     *testing.T
	s     *storage.Store
	r     *rand.Rand
	dim   int
	next  int
	rows  map[string]int64 // version of each key
	order []string         // keys in the order of insertion; some are gone
}

func newChurned(t *testing.T, s *storage.Store, dim int, seed uint64) *churned {
	c := &churned{t: t, s: s, r: rand.New(rand.NewPCG(seed, 5)), dim: dim, rows: map[string]int64{}}
	d := storage.TableDef{Name: "churned", PrimaryKey: 0, Columns: []storage.ColumnDef{
		{Name: "id", Type: value.Type{Kind: value.Text}, NotNull: true},
		{Name: "version", Type: value.Type{Kind: value.Integer}, NotNull: true},
		{Name: "place", Type: value.Type{Kind: value.Text}},
		{Name: "clip", Type: value.Type{Kind: value.Vector, Dim: dim}},
	}}
	update(t, s, func(tx *storage.Tx) error {
		if _, err := tx.CreateTable(ctx, d); err != nil {
			return err
		}
		if err := tx.CreateIndex(ctx, "churned", storage.IndexDef{Name: "by_version", Columns: []uint32{2}, Unique: true}, nil); err != nil {
			return err
		}
		placed := []storage.IndexTerm{{Column: 3, Op: storage.TermNotNull}, {Column: 2, Op: storage.TermGreater, Values: []value.Value{value.Int(40)}}}
		if err := tx.CreateIndex(ctx, "churned", storage.IndexDef{Name: "placed", Columns: []uint32{2}, Unique: true, Where: placed}, nil); err != nil {
			return err
		}
		return tx.CreateIndex(ctx, "churned", storage.IndexDef{Name: "by_place", Columns: []uint32{3}}, nil)
	})
	return c
}

// values are those of a row of a certain version: all of them follow from it.
func (c *churned) values(ids []string, versions []int64) *value.Batch {
	b := &value.Batch{Len: len(ids)}
	for _, typ := range []value.Type{{Kind: value.Text}, {Kind: value.Integer}, {Kind: value.Text}, {Kind: value.Vector, Dim: c.dim}} {
		b.Cols = append(b.Cols, &value.Column{Type: typ})
	}
	for i, id := range ids {
		v := versions[i]
		b.Cols[0].Append(i, value.Str(id))
		b.Cols[1].Append(i, value.Int(v))
		place := value.Str(fmt.Sprint("place ", v%7))
		if v%5 == 0 {
			place = value.Value{}
		}
		b.Cols[2].Append(i, place)
		clip := make([]float32, c.dim)
		for j := range clip {
			clip[j] = float32((v*31+int64(j)*17)%101) - 50
		}
		vec := value.Vec(clip)
		if v%11 == 0 {
			vec = value.Value{}
		}
		b.Cols[3].Append(i, vec)
	}
	return b
}

func (c *churned) insert(n int) {
	var ids []string
	var versions []int64
	for range n {
		id := fmt.Sprintf("row%09d", c.next)
		ids, versions = append(ids, id), append(versions, int64(c.next)*1000)
		c.rows[id] = int64(c.next) * 1000
		c.order = append(c.order, id)
		c.next++
	}
	update(c.t, c.s, func(tx *storage.Tx) error {
		_, err := tx.Insert(ctx, "churned", c.values(ids, versions), storage.InsertOptions{})
		return err
	})
}

// some returns up to n keys that are there, and their rows.
func (c *churned) some(tx *storage.Tx, n int) (ids []string, rows []uint64) {
	tab := must[*storage.Table](c.t)(tx.Table("churned"))
	for range n {
		id := c.order[c.r.IntN(len(c.order))]
		if _, ok := c.rows[id]; !ok || slices.Contains(ids, id) {
			continue
		}
		row, ok, err := tab.Lookup(ctx, value.Str(id))
		check(c.t, err)
		if !ok {
			c.t.Fatalf("%s is missing", id)
		}
		ids, rows = append(ids, id), append(rows, row)
	}
	return ids, rows
}

func (c *churned) remove(n int) {
	update(c.t, c.s, func(tx *storage.Tx) error {
		ids, rows := c.some(tx, n)
		got, err := tx.Delete(ctx, "churned", rows)
		if got != len(rows) {
			c.t.Fatalf("%d rows deleted of %d", got, len(rows))
		}
		for _, id := range ids {
			delete(c.rows, id)
		}
		return err
	})
}

// change updates rows, of which some stay where they are; without new vectors all of them.
func (c *churned) change(n int, vectors bool) {
	update(c.t, c.s, func(tx *storage.Tx) error {
		ids, rows := c.some(tx, n)
		versions := make([]int64, len(ids))
		for i, id := range ids {
			c.rows[id]++
			versions[i] = c.rows[id]
		}
		b := c.values(ids, versions)
		cols := []int{1, 2, 3}
		b.Cols = b.Cols[1:]
		if !vectors { // the row's vector is checked only where its version fits
			cols, b.Cols = cols[:2], b.Cols[:2]
		}
		_, err := tx.Update(ctx, "churned", rows, cols, b)
		return err
	})
}

// verify reads all rows, in three ways. sameOrder says that no row was ever moved to the
// end.
func (c *churned) verify(sameOrder, vectors bool) {
	c.t.Helper()
	v := must[*storage.View](c.t)(c.s.Snapshot())
	defer v.Close()
	tab := must[*storage.Table](c.t)(v.Table("churned"))
	if int(tab.Rows()) != len(c.rows) {
		c.t.Fatalf("%d rows, want %d", tab.Rows(), len(c.rows))
	}
	var ids []string
	var rows []uint64
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2, 3}})
	defer scan.Close()
	for {
		b := must[*value.Batch](c.t)(scan.Next(ctx))
		if b == nil {
			break
		}
		sel := b.Sel
		if sel == nil {
			for i := range b.Len {
				sel = append(sel, int32(i))
			}
		}
		for _, p := range sel {
			id := b.Cols[0].Value(int(p)).Str()
			version, ok := c.rows[id]
			if !ok {
				c.t.Fatalf("%s was deleted", id)
			}
			want := c.values([]string{id}, []int64{version})
			for i := range want.Cols {
				if i == 3 && !vectors {
					continue
				}
				if value.Compare(b.Cols[i].Value(int(p)), want.Cols[i].Value(0)) != 0 {
					c.t.Fatalf("%s, column %d: %v", id, i, b.Cols[i].Value(int(p)))
				}
			}
			ids, rows = append(ids, id), append(rows, b.Rows[p])
		}
	}
	if sameOrder && !slices.IsSorted(ids) {
		c.t.Fatal("the order of the rows has changed")
	}
	if len(ids) != len(c.rows) {
		c.t.Fatalf("%d rows read, want %d", len(ids), len(c.rows))
	}
	for i, id := range ids {
		if i%17 != 0 {
			continue
		}
		row, ok, err := tab.Lookup(ctx, value.Str(id))
		check(c.t, err)
		if !ok || row != rows[i] {
			c.t.Fatalf("%s is row %d, its key says %d, %v", id, rows[i], row, ok)
		}
		one := must[*value.Batch](c.t)(tab.Fetch(ctx, []uint64{row}, []int{0, 1, 2, 3}))
		if got := one.Cols[0].Value(0).Str(); got != id || one.Cols[1].Value(0).Int() != c.rows[id] {
			c.t.Fatalf("row %d of %s is that of %s, %v", row, id, got, one.Cols[1].Value(0))
		}
		for _, x := range tab.Def().Indexes {
			val, place := value.Int(c.rows[id]), c.values([]string{id}, []int64{c.rows[id]}).Cols[2].Value(0)
			if x.Name == "by_place" {
				if val = place; val.IsNull() {
					continue
				}
			}
			in := x.Name != "placed" || !place.IsNull() && c.rows[id] > 40
			found := must[[]uint64](c.t)(tab.IndexScan(ctx, &x, storage.Range{Eq: []value.Value{val}}))
			if slices.Contains(found, row) != in {
				c.t.Fatalf("%s is in index %s: %v", id, x.Name, !in)
			}
		}
	}
}

// dense fails when many rows of the sealed blocks are deleted ones.
func (c *churned) dense() {
	c.t.Helper()
	st := c.s.Stats()
	blocks, live := storage.SealedBlocks(c.s, "churned")
	if live*5 < (blocks-storage.MergeWindow)*storage.BlockRows*4 {
		c.t.Errorf("%d live rows in %d blocks (%d merged, %d freed, %s)", live, blocks, st.MergedBlocks, st.FreedBlocks, st.BackgroundError)
	}
}

// Rows are deleted here and there; their space is given back without a VACUUM, and rows
// keep their order.
func TestMergingOfBlocks(t *testing.T) {
	for dim, step := range map[int]int{3: 4 * 3 * 100, 64: 1 << 20} {
		t.Run(fmt.Sprint(dim), func(t *testing.T) {
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem()}))
			storage.SetMergeBytes(s, step)
			c := newChurned(t, s, dim, 1)
			c.insert(20 * storage.BlockRows)
			old := must[*storage.View](t)(s.Snapshot())
			for i := range 40 {
				c.remove(400)
				c.insert(100)
				if i%4 == 0 {
					c.verify(true, true)
				}
			}
			storage.AwaitHousekeeping(s)
			c.verify(true, true)
			c.dense()
			if st := s.Stats(); st.MergedBlocks == 0 || st.FreedBlocks == 0 || st.BackgroundError != "" {
				t.Errorf("nothing was merged: %+v", st)
			}
			if n := must[*storage.Table](t)(old.Table("churned")).Rows(); n != 20*storage.BlockRows {
				t.Errorf("the old view has %d rows", n)
			}
			check(t, old.Close())
			// Down to a few rows, and none.
			for len(c.rows) > 100 {
				c.remove(2000)
			}
			c.insert(1100) // so that the tail is sealed
			storage.AwaitHousekeeping(s)
			c.verify(true, true)
			c.dense()
			healthy(t, s)
			for len(c.rows) > 0 {
				c.remove(5000)
			}
			storage.AwaitHousekeeping(s)
			c.insert(10)
			c.verify(true, true)
			checked(t, s)
		})
	}
}

// Merging goes on beside writers of all kinds, which change the very blocks.
func TestMergingBesideWriters(t *testing.T) {
	for seed := range seeds(3) {
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem(), NoSync: true}))
		if seed%2 == 0 {
			storage.SetMergeBytes(s, 4*32*150) // several steps a block
		}
		c := newChurned(t, s, 32, uint64(seed+firstSeed()))
		c.insert(18 * storage.BlockRows)
		for i := range 70 {
			switch n := 1 + c.r.IntN(400); c.r.IntN(6) {
			case 0:
				c.insert(n)
			case 1, 2:
				c.remove(n)
			case 3, 4:
				c.change(n, true)
			case 5:
				if i%3 == 0 {
					c.change(300+n*10, true)
				}
			}
			if i%30 == 29 {
				c.verify(false, true)
			}
		}
		storage.AwaitHousekeeping(s)
		c.verify(false, true)
		c.dense()
		if s.Stats().MergedBlocks == 0 {
			t.Error("nothing was merged")
		}
		healthy(t, s)
		must[storage.VacuumResult](t)(s.Vacuum(ctx, "churned", nil))
		c.verify(false, true)
		checked(t, s)
	}
}

// Writers wait for two megabytes at most while blocks of wide vectors are merged, each of which
// holds six or twelve.
func TestMergingOfWideVectors(t *testing.T) {
	for _, dim := range []int{1536, 3072}[seeds(1)%2:] { // the soak takes both
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem(), NoSync: true}))
		c := newChurned(t, s, dim, 3)
		c.insert(6 * storage.BlockRows)
		for range 8 {
			c.remove(300)
		}
		storage.AwaitHousekeeping(s)
		c.verify(true, true)
		c.dense()
		st := s.Stats()
		t.Logf("%d dimensions: %d rows moved, the largest commit of %d bytes", dim, st.MovedRows, storage.LargestCommit(s))
		if n := storage.LargestCommit(s); n > 2<<20 || st.MovedRows < 1500 || st.MergedBlocks == 0 {
			t.Errorf("%d dimensions: %+v, writers waited for %d bytes", dim, st, n)
		}
		checked(t, s)
	}
}

// Many readers see whole rows while blocks are merged below them.
func TestMergingBesideReaders(t *testing.T) {
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem(), NoSync: true}))
	c := newChurned(t, s, 16, 9)
	c.insert(12 * storage.BlockRows)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				v, err := s.Snapshot()
				if err != nil {
					t.Error(err)
					return
				}
				tab := must[*storage.Table](t)(v.Table("churned"))
				scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1}})
				n := uint64(0)
				for {
					b, err := scan.Next(ctx)
					if err != nil {
						t.Error(err)
						break
					}
					if b == nil {
						break
					}
					for _, p := range b.Sel {
						if !strings.HasPrefix(b.Cols[0].Value(int(p)).Str(), "row") {
							t.Error("a row without its key")
						}
					}
					if n += uint64(len(b.Sel)); b.Sel == nil {
						n += uint64(b.Len)
					}
				}
				if n != tab.Rows() {
					t.Errorf("%d rows read of %d", n, tab.Rows())
				}
				scan.Close()
				v.Close()
			}
		})
	}
	for range 60 {
		c.remove(200)
	}
	storage.AwaitHousekeeping(s)
	close(stop)
	readers.Wait()
	c.verify(true, true)
	c.dense()
	checked(t, s)
}

// The space comes back also for what was deleted before the store was opened; it does not
// where merging is switched off, or nobody deletes anything.
func TestMergingSwitch(t *testing.T) {
	fs := vfs.NewMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs, NoMerging: true}))
	c := newChurned(t, s, 4, 2)
	c.insert(10 * storage.BlockRows)
	for range 20 {
		c.remove(300)
	}
	storage.AwaitHousekeeping(s)
	if st := s.Stats(); st.MergedBlocks != 0 {
		t.Errorf("%d blocks were merged", st.MergedBlocks)
	}
	checked(t, s)
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	c.s = s
	c.remove(1)
	storage.AwaitHousekeeping(s)
	if st := s.Stats(); st.FreedBlocks == 0 {
		t.Error("nothing was freed")
	}
	c.verify(true, true)
	c.dense()
	checked(t, s)
}

// Closing the store does not wait for more than the step that is under way.
func TestCloseWhileMerging(t *testing.T) {
	for i := range 5 {
		fs := vfs.NewMem()
		s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs, NoSync: true}))
		c := newChurned(t, s, 8, uint64(i))
		c.insert(16 * storage.BlockRows)
		for range 12 {
			c.remove(700)
		}
		time.Sleep(time.Duration(i) * 5 * time.Millisecond)
		check(t, s.Close())
		s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
		c.s = s
		c.verify(true, true)
		checked(t, s)
	}
}

// Rows get new vectors, ten a commit, without a VACUUM: files stay within three times the
// size of the rows and searches within 1.3 times the bytes of a fresh table. In the soak
// for 20 minutes.
func TestChurn(t *testing.T) {
	const dim, blocks = 384, 20
	d, pause := 2*time.Second, time.Duration(0)
	if os.Getenv("LUPA_SOAK") != "" {
		d, pause = 20*time.Minute, 2*time.Millisecond
	}
	dir := t.TempDir()
	s := must[*storage.Store](t)(storage.Open(dir, &storage.Options{NoSync: true}))
	c := newChurned(t, s, dim, 1)
	c.insert(blocks * storage.BlockRows)
	read := func() (codes int64) {
		v := must[*storage.View](t)(s.Snapshot())
		defer v.Close()
		tab := must[*storage.Table](t)(v.Table("churned"))
		q := make([]float32, dim)
		for i := range q {
			q[i] = c.r.Float32()
		}
		_, _, err := tab.Nearest(ctx, storage.NearestOptions{Column: 3, Query: must[*vector.Query](t)(vector.NewQuery(vector.Cosine, q)), K: 10})
		check(t, err)
		return v.Reads.CodeBytes.Load()
	}
	fresh := read()
	commits := 0
	for end := time.Now().Add(d); time.Now().Before(end) || commits < 200; commits++ {
		c.change(10, true)
		time.Sleep(pause)
	}
	storage.AwaitHousekeeping(s)
	st := s.Stats()
	t.Logf("%d commits: %d blocks merged, %d freed; a search reads %d bytes of codes, %d when fresh", commits, st.MergedBlocks, st.FreedBlocks, read(), fresh)
	if got := read(); float64(got) > 1.3*float64(fresh) {
		t.Errorf("a search reads %d bytes of codes, %d when fresh", got, fresh)
	}
	c.verify(false, true)
	checked(t, s)
	size := diskUsed(t, dir) // without logs
	t.Logf("%d MB on the disk", size>>20)
	if live := int64(blocks * storage.BlockRows * dim * 4); size > 3*live {
		t.Errorf("%d MB on the disk", size>>20)
	}
}

// Salvage finds the rows of merged blocks where they are now, also without the list of
// tables.
func TestSalvageOfMergedBlocks(t *testing.T) {
	fs := vfs.NewMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs}))
	c := newChurned(t, s, 16, 4)
	c.insert(12 * storage.BlockRows)
	for range 20 {
		c.remove(400)
		c.insert(50)
	}
	storage.AwaitHousekeeping(s)
	if s.Stats().FreedBlocks == 0 {
		t.Fatal("nothing was merged")
	}
	checked(t, s)
	for _, n := range must[[]string](t)(fs.List("db")) {
		if strings.HasPrefix(n, "MANIFEST-") {
			check(t, fs.Remove("db/"+n))
		}
	}
	must[*storage.SalvageReport](t)(storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs}))
	c.s = must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
	c.verify(true, true)
	checked(t, c.s)
}
