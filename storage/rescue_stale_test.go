package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// versions is a store whose rows say which change wrote them last, and what it has held.
type versions struct {
	s       *storage.Store
	now     map[int64]int64           // version by id
	numbers map[int64]map[uint64]bool // numbers that a row has ever had
	last    int64
}

func versionsTable() storage.TableDef {
	return storage.TableDef{
		Name: "rows",
		Columns: []storage.ColumnDef{
			{Name: "id", Type: value.Type{Kind: value.Integer}},
			{Name: "version", Type: value.Type{Kind: value.Integer}},
			{Name: "v", Type: value.Type{Kind: value.Vector, Dim: 8}},
		},
		PrimaryKey: 0,
	}
}

// batch makes rows of ids, of the version that is written next.
func (m *versions) batch(ids []int64) *value.Batch {
	d := versionsTable()
	b := &value.Batch{Len: len(ids)}
	for i := range d.Columns {
		b.Cols = append(b.Cols, &value.Column{Type: d.Columns[i].Type})
	}
	for i, id := range ids {
		b.Cols[0].Append(i, value.Int(id))
		b.Cols[1].Append(i, value.Int(m.last))
		b.Cols[2].Append(i, value.Vec([]float32{float32(id), float32(m.last), 1, 2, 3, 4, 5, 6}))
	}
	return b
}

// readVersions returns the rows of a store: their numbers and versions, by id.
func readVersions(t *testing.T, s *storage.Store) (numbers map[int64]uint64, version map[int64]value.Value, vectors map[int64]value.Value) {
	t.Helper()
	numbers, version, vectors = map[int64]uint64{}, map[int64]value.Value{}, map[int64]value.Value{}
	v := must[*storage.View](t)(s.Snapshot())
	defer v.Close()
	tab, err := v.Table("rows")
	if err != nil {
		return
	}
	scan := tab.Scan(storage.ScanOptions{Columns: []int{0, 1, 2}})
	defer scan.Close()
	for {
		b := must[*value.Batch](t)(scan.Next(ctx))
		if b == nil {
			return
		}
		for i := range b.Len {
			if b.Sel != nil && !slices.Contains(b.Sel, int32(i)) {
				continue
			}
			id := b.Cols[0].Value(i).Int()
			numbers[id], version[id] = b.Rows[i], b.Cols[1].Value(i)
			vectors[id] = value.Value{}
			if x := b.Cols[2].Value(i); !x.IsNull() {
				vectors[id] = value.Int(int64(x.Vec()[1]))
			}
		}
	}
}

func (m *versions) look(t *testing.T) {
	numbers, version, _ := readVersions(t, m.s)
	if len(version) != len(m.now) {
		t.Fatalf("%d rows, want %d", len(version), len(m.now))
	}
	for id, n := range numbers {
		if version[id].Int() != m.now[id] {
			t.Fatalf("row %d is of version %v, want %d", id, version[id], m.now[id])
		}
		if m.numbers[id] == nil {
			m.numbers[id] = map[uint64]bool{}
		}
		m.numbers[id][n] = true
	}
}

// some returns ids that are there, in sequence.
func (m *versions) some(r *rand.Rand, most int) (ids []int64) {
	from, n := r.Int64N(6000), 1+r.Int64N(int64(most))
	for id := from; id < from+n; id++ {
		if _, ok := m.now[id]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *versions) change(t *testing.T, r *rand.Rand) {
	m.last++
	numbers, _, _ := readVersions(t, m.s)
	rowsOf := func(ids []int64) (rows []uint64) {
		for _, id := range ids {
			rows = append(rows, numbers[id])
		}
		return rows
	}
	switch k := r.IntN(12); {
	case k < 5: // one column, in place
		ids := m.some(r, 2500)
		b := m.batch(ids)
		b.Cols = b.Cols[1:2]
		update(t, m.s, func(tx *storage.Tx) error {
			_, err := tx.Update(ctx, "rows", rowsOf(ids), []int{1}, b)
			return err
		})
		for _, id := range ids {
			m.now[id] = m.last
		}
	case k < 7: // vectors as well
		ids := m.some(r, 100)
		b := m.batch(ids)
		b.Cols = b.Cols[1:]
		update(t, m.s, func(tx *storage.Tx) error {
			_, err := tx.Update(ctx, "rows", rowsOf(ids), []int{1, 2}, b)
			return err
		})
		for _, id := range ids {
			m.now[id] = m.last
		}
	case k < 9:
		ids := m.some(r, 600)
		update(t, m.s, func(tx *storage.Tx) error {
			_, err := tx.Delete(ctx, "rows", rowsOf(ids))
			return err
		})
		for _, id := range ids {
			delete(m.now, id)
		}
	case k < 10:
		var ids []int64
		for id := range int64(6000) {
			if _, ok := m.now[id]; !ok && len(ids) < 300 {
				ids = append(ids, id)
			}
		}
		update(t, m.s, func(tx *storage.Tx) error {
			_, err := tx.Insert(ctx, "rows", m.batch(ids), storage.InsertOptions{})
			return err
		})
		for _, id := range ids {
			m.now[id] = m.last
		}
	default:
		must[storage.VacuumResult](t)(m.s.Vacuum(ctx, "rows", nil))
	}
	m.look(t)
}

// versionsCase makes a store with many changes of the same rows in its files.
func versionsCase(t *testing.T, r *rand.Rand, closed bool) (*vfs.MemFS, *versions) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	opts := &storage.Options{FS: fs, NoMerging: true}
	storage.SetMemTable(opts, 1<<17)
	m := &versions{now: map[int64]int64{}, numbers: map[int64]map[uint64]bool{}}
	m.s = must[*storage.Store](t)(storage.Open("db", opts))
	update(t, m.s, func(tx *storage.Tx) error {
		_, err := tx.CreateTable(ctx, versionsTable())
		return err
	})
	l := must[*storage.Loader](t)(m.s.BulkLoad(ctx, "rows", storage.LoadOptions{}))
	var ids []int64
	for id := range int64(5000) {
		ids, m.now[id] = append(ids, id), 0
	}
	check(t, l.Append(ctx, m.batch(ids)))
	must[uint64](t)(l.Finish(ctx))
	m.look(t)
	for range 4 + r.IntN(12) {
		if m.change(t, r); r.IntN(6) == 0 {
			check(t, m.s.Close())
			m.s = must[*storage.Store](t)(storage.Open("db", opts))
		}
	}
	if closed {
		check(t, m.s.Close())
		return fs, m
	}
	killed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	check(t, m.s.Close())
	return killed, m
}

// Whatever is lost: rows of a version that is not the last one, and rows that were deleted,
// are named in the report.
func TestSalvageNamesStaleRows(t *testing.T) {
	old, named, saved, cases := 0, uint64(0), 0, 0
	for i := range seeds(12) {
		r := rand.New(rand.NewPCG(uint64(i+firstSeed()), 51))
		closed := r.IntN(2) == 0
		whole, m := versionsCase(t, r, closed)
		for try := range 8 {
			fs := copyOf(t, whole)
			what := fmt.Sprintf("seed %d, try %d, closed %v", i+firstSeed(), try, closed)
			if try > 0 {
				what += ": " + damageVersions(t, r, fs)
			}
			report, err := storage.Salvage(ctx, "db", "new", &storage.SalvageOptions{FS: fs})
			if err != nil {
				if !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, storage.ErrNotStore) {
					t.Fatalf("%s: %v", what, err)
				}
				continue
			}
			var stale []storage.StaleRows
			for _, tab := range report.Tables {
				stale = append(stale, tab.Stale...)
			}
			if try == 0 && (len(stale) > 0 || len(report.Notes) > 0) {
				t.Errorf("%s: nothing is damaged, and it is said that %v, %v", what, stale, report.Notes)
			}
			s := must[*storage.Store](t)(storage.Open("new", &storage.Options{FS: fs}))
			_, version, vectors := readVersions(t, s)
			checked(t, s)
			covered := func(id int64) bool {
				for n := range m.numbers[id] {
					if slices.ContainsFunc(stale, func(s storage.StaleRows) bool { return s.From <= n && n <= s.To }) {
						return true
					}
				}
				return false
			}
			cases++
			saved += len(version)
			for _, s := range stale {
				named += s.Rows
				if s.First == "" || s.Why == "" {
					t.Errorf("%s: %+v", what, s)
				}
			}
			wrong := 0
			for id, got := range version {
				want, there := m.now[id]
				if there && (got.IsNull() || got.Int() == want) {
					continue
				}
				old++
				if !covered(id) {
					if wrong++; wrong < 4 {
						t.Errorf("%s: row %d (numbers %v) is of version %v, want %d (%v), %v, and nothing says so: %v, %q", what, id, m.numbers[id], got, want, there, vectors[id], stale, report.Notes)
					}
				}
			}
			if wrong > 3 {
				t.Errorf("%s: %d rows", what, wrong)
			}
		}
	}
	t.Logf("%d salvages, %d rows saved, %d of them old, %d named as possibly old", cases, saved, old, named)
	if old == 0 && cases > 50 {
		t.Error("no row was old: nothing was tested")
	}
}

// damageVersions takes away or damages files, and says which.
func damageVersions(t *testing.T, r *rand.Rand, fs vfs.FS) string {
	names := must[[]string](t)(fs.List("db"))
	slices.Sort(names)
	of := func(part string) string {
		some := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.Contains(n, part) })
		if len(some) == 0 {
			return ""
		}
		return some[r.IntN(len(some))]
	}
	what := ""
	for range 1 + r.IntN(2) {
		n := of([]string{".sst", ".sst", ".sst", ".log", "MANIFEST", "FILES"}[r.IntN(6)])
		if n == "" || !slices.Contains(must[[]string](t)(fs.List("db")), n) {
			continue
		}
		b := fileBytes(t, fs, "db/"+n)
		at := 0
		if len(b) > 0 {
			at = r.IntN(len(b))
		}
		switch how := r.IntN(6); {
		case how == 0 || len(b) == 0:
			check(t, fs.Remove("db/"+n))
			what += n + " removed, "
		case how == 1:
			overwrite(t, fs, "db/"+n, b[:at])
			what += fmt.Sprintf("%s cut to %d of %d, ", n, at, len(b))
		case how == 2:
			clear(b[at:min(len(b), at+4096)])
			overwrite(t, fs, "db/"+n, b)
			what += fmt.Sprintf("%s zeros at %d of %d, ", n, at, len(b))
		case how == 3:
			clear(b[len(b)-1-r.IntN(min(len(b), 3000)):])
			overwrite(t, fs, "db/"+n, b)
			what += fmt.Sprintf("%s zeros at its end of %d, ", n, len(b))
		case how == 4: // in the index and in the rows
			clear(b[len(b)-1-r.IntN(min(len(b), 1000)):])
			clear(b[at:min(len(b), at+100)])
			overwrite(t, fs, "db/"+n, b)
			what += fmt.Sprintf("%s zeros at its end and at %d of %d, ", n, at, len(b))
		default:
			b[at] ^= 1 << r.IntN(8)
			overwrite(t, fs, "db/"+n, b)
			what += fmt.Sprintf("%s a bit at %d of %d, ", n, at, len(b))
		}
	}
	return what
}
