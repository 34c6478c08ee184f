package storage_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// rescued salvages the store db and returns how many rows were saved of the table photos.
func rescued(t *testing.T, fs vfs.FS, what string) (rows int, report *storage.SalvageReport) {
	t.Helper()
	before := folderHash(t, fs, "db")
	report, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0, report
	}
	if folderHash(t, fs, "db") != before {
		t.Fatalf("%s: the damaged store was changed", what)
	}
	s := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
	defer s.Close()
	v := must[*storage.View](t)(s.Snapshot())
	if tab, err := v.Table("photos"); err == nil {
		rows = int(tab.Rows())
	}
	check(t, v.Close())
	healthy(t, s)
	return rows, report
}

// Rows are saved whichever file is missing, cut off, or not what it was.
func TestSalvageWithoutAFile(t *testing.T) {
	for state, unsynced := range map[string]int{"closed": -1, "killed": 100} {
		whole := damaged(t, unsynced)
		all, _ := rescued(t, copyOf(t, whole), "whole")
		for _, n := range must[[]string](t)(whole.List("db")) {
			for _, how := range []string{"remove", "zeros", "cut"} {
				fs := copyOf(t, whole)
				name := "db/" + n
				b := fileBytes(t, fs, name)
				switch how {
				case "remove":
					check(t, fs.Remove(name))
				case "zeros":
					overwrite(t, fs, name, make([]byte, len(b)))
				case "cut":
					overwrite(t, fs, name, b[:len(b)/2])
				}
				what := fmt.Sprintf("%s, %s: %s", state, how, n)
				rows, report := rescued(t, fs, what)
				t.Logf("%s: %d of %d rows; %q", what, rows, all, report.Notes)
				if rows > all {
					t.Errorf("%s: %d rows saved of %d", what, rows, all)
				}
				if !strings.HasSuffix(n, ".sst") && !strings.HasSuffix(n, ".log") && rows < all*99/100 {
					t.Errorf("%s: %d rows saved of %d", what, rows, all)
				}
			}
		}
	}
}

// salvageCase makes a store whose files hold rows in all ways: loaded, inserted one by
// one, changed where they are, deleted; in several files, and, unless it was closed, in
// logs.
func salvageCase(t *testing.T, closed bool) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	opts := &storage.Options{FS: fs}
	open := func() *storage.Store { return must[*storage.Store](t)(storage.Open("db", opts)) }
	s := open()
	for _, name := range []string{"photos", "other"} {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, named(name))
			return err
		})
		l := must[*storage.Loader](t)(s.BulkLoad(ctx, name, storage.LoadOptions{}))
		check(t, l.Append(ctx, photoRows(0, 5000, 16)))
		must[uint64](t)(l.Finish(ctx))
	}
	insert := func(name string, from, to int) {
		for i := from; i < to; i += 250 {
			update(t, s, func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, name, photoRows(i, i+250, 16), storage.InsertOptions{})
				return err
			})
		}
	}
	insert("photos", 5000, 6000)
	check(t, s.Close())
	s = open()
	insert("other", 5000, 7500)
	insert("photos", 6000, 7500)
	if closed {
		check(t, s.Close())
		return fs
	}
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	check(t, s.Close())
	return killed
}

// salvaged salvages db and returns which rows of each table were saved whole.
func salvaged(t *testing.T, fs vfs.FS, what string) (rows map[string]map[int]bool, report *storage.SalvageReport) {
	t.Helper()
	rows = map[string]map[int]bool{"photos": {}, "other": {}}
	before := folderHash(t, fs, "db")
	report, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return rows, report
	}
	if folderHash(t, fs, "db") != before {
		t.Fatalf("%s: the damaged store was changed", what)
	}
	s := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
	defer s.Close()
	v := must[*storage.View](t)(s.Snapshot())
	for name, got := range rows {
		tab, err := v.Table(name)
		if err != nil {
			continue
		}
		scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2}})
		for {
			b := must[*value.Batch](t)(scan.Next(ctx))
			if b == nil {
				break
			}
			for i := range b.Len {
				if b.Sel != nil && !slices.Contains(b.Sel, int32(i)) {
					continue
				}
				var n int
				must[int](t)(fmt.Sscanf(b.Cols[0].Value(i).Str(), "photo%d", &n))
				want, whole := photoRows(n, n+1, 16), true
				for c := range 3 {
					x := b.Cols[c].Value(i)
					if value.Compare(x, want.Cols[c].Value(0)) != 0 {
						if !x.IsNull() {
							t.Errorf("%s: row %d of %s, column %d: %v", what, n, name, c, x)
						}
						whole = false
					}
				}
				if whole {
					got[n] = true
				}
			}
		}
		scan.Close()
	}
	check(t, v.Close())
	healthy(t, s)
	return rows, report
}

// wholeTables reads the keys of all table files, in their order.
func wholeTables(t *testing.T, fs vfs.FS) map[string][]string {
	out := map[string][]string{}
	for _, n := range must[[]string](t)(fs.List("db")) {
		if strings.HasSuffix(n, ".sst") {
			out[n], _ = readableKeys(t, fileBytes(t, fs, "db/"+n))
		}
	}
	return out
}

// readableKeys reads a table from both ends.
func readableKeys(t *testing.T, b []byte) (fromStart, fromEnd []string) {
	r, err := sstable.NewMemReader(b, sstable.ReaderOptions{})
	if err != nil {
		return nil, nil
	}
	defer r.Close()
	for _, back := range []bool{false, true} {
		it := must[sstable.Iterator](t)(r.NewIter(sstable.NoTransforms, nil, nil, sstable.AssertNoBlobHandles))
		if !back {
			for kv := it.First(); kv != nil; kv = it.Next() {
				fromStart = append(fromStart, string(kv.K.UserKey))
			}
		} else {
			for kv := it.Last(); kv != nil; kv = it.Prev() {
				fromEnd = append(fromEnd, string(kv.K.UserKey))
			}
		}
		_ = it.Close()
	}
	return fromStart, fromEnd
}

// damagedBlocks says which blocks of which tables (name and number) lie where the bytes
// [from, to) of a file were damaged. keys are those of the file when it was whole.
func damagedBlocks(t *testing.T, fs vfs.FS, name string, whole []byte, keys []string, from, to int) map[string]bool {
	lost := map[string]bool{}
	tables := map[uint32]string{1: "photos", 2: "other"}
	note := func(k string) {
		if len(k) < 9 {
			return
		}
		table := tables[binary.BigEndian.Uint32([]byte(k))]
		last := binary.BigEndian.Uint32([]byte(k[len(k)-4:]))
		switch k[4] {
		case 'c', 'q', 'x':
			lost[fmt.Sprint(table, last)] = true
		case 'v': // 16 dimensions: 64 KiB hold a block
			lost[fmt.Sprint(table, last)] = true
		case 'r':
			lost[fmt.Sprint(table, last/storage.BlockRows)] = true
		}
	}
	switch {
	case strings.HasSuffix(name, ".sst"):
		r, err := sstable.NewMemReader(whole, sstable.ReaderOptions{})
		if err != nil {
			break // it was being written when the process was killed
		}
		layout := must[*sstable.Layout](t)(r.Layout())
		check(t, r.Close())
		for _, d := range layout.Data {
			if int(d.Offset+d.Length)+5 <= from || int(d.Offset) >= to {
				continue
			}
			// The keys of this block are those that can't be read when it is damaged.
			b := bytes.Clone(whole)
			b[d.Offset] ^= 1
			start, end := readableKeys(t, b)
			for _, k := range keys[len(start) : len(keys)-len(end)] {
				note(k)
			}
		}
	case strings.HasSuffix(name, ".log"):
		// Of a log, the records that lie in the damaged part.
		r := storage.NewLogReader(bytes.NewReader(whole), name)
		for at := 0; ; {
			rec, err := r.Next()
			if err != nil {
				break
			}
			b, err := io.ReadAll(rec)
			if err != nil {
				break
			}
			end := int(r.Offset())
			if at < to && from < end {
				for it := batchrepr.Read(b); ; {
					_, k, _, ok, err := it.Next()
					if !ok || err != nil {
						break
					}
					note(string(k))
				}
			}
			at = end
		}
	}
	return lost
}

// Of the rows of undamaged blocks at least 99 in 100 are saved whole, whatever is damaged.
func TestSalvageRandomDamage(t *testing.T) {
	for _, state := range []string{"closed", "killed"} {
		t.Run(state, func(t *testing.T) {
			whole := salvageCase(t, state == "closed")
			all, _ := salvaged(t, copyOf(t, whole), "whole")
			if len(all["photos"]) != 7500 || len(all["other"]) != 7500 {
				t.Fatalf("%d and %d rows of a store without damage", len(all["photos"]), len(all["other"]))
			}
			keys := wholeTables(t, whole)
			names := slices.DeleteFunc(must[[]string](t)(whole.List("db")), func(n string) bool {
				info := must[vfs.FileInfo](t)(whole.Stat("db/" + n))
				return info.Size() == 0 || info.IsDir()
			})
			slices.Sort(names)
			saved, most, worst, at := 0, 0, 1.0, ""
			for i := range seeds(20) {
				r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 11))
				fs := copyOf(t, whole)
				n := names[r.IntN(len(names))]
				b := fileBytes(t, fs, "db/"+n)
				from := r.IntN(len(b))
				if r.IntN(4) == 0 { // where what leads to the rows is
					from = len(b) - 1 - r.IntN(min(len(b), 6000))
				}
				to, how := from+1, "a bit"
				damaged := bytes.Clone(b)
				switch r.IntN(8) {
				default:
					damaged[from] ^= 1 << r.IntN(8)
				case 4:
					to, how = min(len(b), from+512), "512 zeros"
					clear(damaged[from:to])
				case 5:
					to, how = min(len(b), from+4096), "4096 zeros"
					clear(damaged[from:to])
				case 6:
					to, how = len(b), "cut"
					damaged = damaged[:from]
				case 7:
					from, to, how = len(b), len(b), "longer"
					damaged = append(damaged, b[:min(len(b), 600)]...)
				}
				overwrite(t, fs, "db/"+n, damaged)
				what := fmt.Sprintf("seed %d: %s, %s at %d of %d", i+firstSeed(), n, how, from, len(b))
				lost := damagedBlocks(t, whole, n, b, keys[n], from, to)
				rows, report := salvaged(t, fs, what)
				have, could := 0, 0
				for table, got := range all {
					for row := range got {
						if lost[fmt.Sprint(table, row/storage.BlockRows)] {
							continue
						}
						could++
						if rows[table][row] {
							have++
						}
					}
				}
				saved, most = saved+have, most+could
				if could > 0 && have < could {
					t.Logf("%s: %d of %d rows of blocks that are not damaged; %q", what, have, could, report.Notes)
					for _, tab := range report.Tables {
						for _, p := range tab.Lost[:min(len(tab.Lost), 4)] {
							t.Logf("  lost of %s: %v", tab.Table, p)
						}
					}
					if part := float64(have) / float64(could); part < worst {
						worst, at = part, what
					}
				}
			}
			t.Logf("saved %d of %d rows of undamaged blocks (%.3f%%); the worst: %.1f%%, %s", saved, most, 100*float64(saved)/float64(most), 100*worst, at)
			if saved*100 < most*99 {
				t.Errorf("saved %d of %d rows of undamaged blocks", saved, most)
			}
		})
	}
}

func fileBytes(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f := must[vfs.File](t)(fs.Open(name))
	info := must[vfs.FileInfo](t)(f.Stat())
	b := make([]byte, info.Size())
	if len(b) > 0 {
		must[int](t)(f.ReadAt(b, 0))
	}
	check(t, f.Close())
	return b
}

func overwrite(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f := must[vfs.File](t)(fs.Create(name, vfs.WriteCategoryUnspecified))
	must[int](t)(f.Write(bytes.Clone(b)))
	check(t, f.Close())
}

// Files under the wrong names, and files of another store, as people and tools that copy leave
// them: what is there under any name is saved, and nothing of the other store.
func TestSalvageOfMixedFiles(t *testing.T) {
	stranger := vfs.NewCrashableMem()
	s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: stranger}))
	for _, name := range []string{"photos", "other"} {
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.CreateTable(ctx, named(name))
			return err
		})
		check(t, load(s, name, photoRows(90000, 93000, 16)))
	}
	check(t, s.Close())
	s = must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: stranger}))
	for i := range 30 { // later commits than those of the store itself
		update(t, s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "photos", photoRows(93000+i, 93001+i, 16), storage.InsertOptions{})
			return err
		})
	}
	strangers := stranger.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	check(t, s.Close())
	filesOf := func(fs vfs.FS, end string) (out []string) {
		for _, n := range must[[]string](t)(fs.List("db")) {
			if strings.HasSuffix(n, end) && len(fileBytes(t, fs, "db/"+n)) > 0 {
				out = append(out, n)
			}
		}
		slices.Sort(out)
		return out
	}
	put := func(fs *vfs.MemFS, n string, b []byte) {
		f := must[vfs.File](t)(fs.Create("db/"+n, vfs.WriteCategoryUnspecified))
		must[int](t)(f.Write(bytes.Clone(b)))
		check(t, f.Close())
	}
	for _, closed := range []bool{true, false} {
		whole := salvageCase(t, closed)
		all, _ := salvaged(t, copyOf(t, whole), "whole")
		try := func(what string, least int, hurt func(fs *vfs.MemFS)) {
			t.Helper()
			what = fmt.Sprintf("%s, closed: %v", what, closed)
			fs := copyOf(t, whole)
			hurt(fs)
			rows, report := salvaged(t, fs, what)
			saved := 0
			for name, got := range rows {
				saved += len(got)
				for n := range got {
					if n >= 90000 {
						t.Fatalf("%s: row %d of %s is the other store's: %q", what, n, name, report.Notes)
					}
				}
			}
			want := len(all["photos"]) + len(all["other"])
			if least == 100 && saved != want || saved == 0 {
				t.Errorf("%s: %d rows saved of %d: %q", what, saved, want, report.Notes)
			}
			if len(report.Notes) == 0 && saved < want {
				t.Errorf("%s: nothing is said", what)
			}
		}
		tables := filesOf(whole, ".sst")
		for i, a := range tables {
			for _, b := range tables[i+1:] {
				try(a+" and "+b+" swapped", 100, func(fs *vfs.MemFS) {
					put(fs, a, fileBytes(t, whole, "db/"+b))
					put(fs, b, fileBytes(t, whole, "db/"+a))
				})
			}
			for _, to := range []string{strings.TrimSuffix(a, ".sst") + " (1).sst", "copy of " + a + ".bin"} {
				try(a+" is "+to, 100, func(fs *vfs.MemFS) { check(t, fs.Rename("db/"+a, "db/"+to)) })
			}
			for _, b := range filesOf(strangers, ".sst") {
				try(a+" is "+b+" of another store", 0, func(fs *vfs.MemFS) { put(fs, a, fileBytes(t, strangers, "db/"+b)) })
			}
		}
		for _, b := range filesOf(strangers, ".log") { // a log is read under its own number only
			try(b+" is another store's", 0, func(fs *vfs.MemFS) { put(fs, b, fileBytes(t, strangers, "db/"+b)) })
		}
	}
}
