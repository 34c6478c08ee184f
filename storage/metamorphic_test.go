package storage_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// seeds is how many random histories a test runs: LUPA_SEEDS, or 150 times as many
// as usual with LUPA_SOAK.
func seeds(short int) int {
	if n, err := strconv.Atoi(os.Getenv("LUPA_SEEDS")); err == nil {
		return n
	}
	if os.Getenv("LUPA_SOAK") != "" {
		return 150 * short
	}
	return short
}

// firstSeed shifts the histories of a soak, and repeats a single one.
func firstSeed() int {
	n, _ := strconv.Atoi(os.Getenv("LUPA_FIRST_SEED"))
	return n
}

// keySpan is the number of different keys a history draws from.
const keySpan = 4000

// history is a random sequence of writes on a store and on a model, in which rows keep their
// numbers: blocks are not merged (see TestMergingBesideWriters). Every file
// operation passes through crash, which may take a picture of the disk as a power
// cut would leave it.
type history struct {
	t      *testing.T
	r      *rand.Rand
	fs     *vfs.MemFS
	crash  *crashPoint
	opts   storage.Options
	s      *storage.Store
	m      *model // what is committed
	log    []string
	backup int
	held   []heldView
	serial int
}

type heldView struct {
	v *storage.View
	m *model
}

// crashPoint takes a CrashClone when a number of file operations have gone by.
type crashPoint struct {
	fs    *vfs.MemFS
	left  atomicInt
	seed  int64
	clone chan *vfs.MemFS
}

func (c *crashPoint) MaybeError(op errorfs.Op) error {
	if c.left.dec() {
		c.clone <- c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(c.seed % 101), RNG: rand.New(rand.NewPCG(uint64(c.seed), 9))})
	}
	return nil
}

func (c *crashPoint) String() string { return "crash" }

func TestMetamorphic(t *testing.T) {
	for i := range seeds(16) {
		seed := firstSeed() + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := &history{t: t, r: rand.New(rand.NewPCG(uint64(seed), 1)), fs: vfs.NewCrashableMem(), m: newModel()}
			defer func() {
				if t.Failed() {
					for _, l := range h.log {
						t.Log(l)
					}
				}
			}()
			h.open()
			for range 30 {
				h.step()
			}
			h.release()
			healthy(t, h.s)
			check(t, h.s.Close())
		})
	}
}

func (h *history) logf(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf(format, args...)
}

func (h *history) open() {
	h.crash = &crashPoint{fs: h.fs, clone: make(chan *vfs.MemFS, 1)}
	h.opts = storage.Options{FS: errorfs.Wrap(h.fs, h.crash), CacheSize: int64(1 << (16 + h.r.IntN(10))), NoSync: false, NoMerging: true} // the model keeps the numbers of rows
	storage.SetMemTable(&h.opts, uint64(1)<<(17+h.r.IntN(6)))
	var err error
	if h.s, err = storage.Open("db", &h.opts); err != nil {
		h.fail("open: %v", err)
	}
	if h.r.IntN(2) == 0 { // large transactions, in which all or some changes are in an overlay
		storage.SetLargeTransaction(h.s, h.r.IntN(2)*h.r.IntN(1<<20))
	}
	h.compare(h.s, h.m, "after open")
}

func (h *history) compare(s *storage.Store, m *model, when string) {
	h.t.Helper()
	v, err := s.Snapshot()
	if err != nil {
		h.fail("%s: %v", when, err)
	}
	defer v.Close()
	if err := compareStore(h.r, v, m); err != nil {
		h.fail("%s: %v", when, err)
	}
}

// release checks that views held back still show what they showed.
func (h *history) release() {
	for _, held := range h.held {
		if err := compareStore(h.r, held.v, held.m); err != nil {
			h.fail("a view held back: %v", err)
		}
		check(h.t, held.v.Close())
	}
	h.held = nil
}

func (h *history) step() {
	before := h.m
	if h.r.IntN(3) == 0 {
		h.crash.seed = h.r.Int64N(1 << 40)
		h.crash.left.set(int64(1 + h.r.IntN(80)))
	}
	switch n := h.r.IntN(23); {
	case n >= 21:
		h.build()
	case n < 11:
		h.transaction()
	case n < 14:
		h.load()
	case n < 15:
		h.vacuum()
	case n < 16:
		h.backUp()
	case n < 17:
		h.logf("reopen")
		h.release()
		check(h.t, h.s.Close())
		h.open()
	case n < 18:
		h.logf("crash")
		h.release()
		h.crash.left.set(0)
		fs := h.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: h.r.IntN(101), RNG: rand.New(rand.NewPCG(uint64(h.r.Int64()), 9))})
		check(h.t, h.s.Close())
		h.drain()
		h.fs = fs
		h.open()
	default:
		v, err := h.s.Snapshot()
		check(h.t, err)
		h.held = append(h.held, heldView{v, h.m})
	}
	h.crash.left.set(0)
	if fs := h.drain(); fs != nil {
		h.afterCrash(fs, before)
	}
	if h.r.IntN(4) == 0 {
		h.compare(h.s, h.m, "after a step")
	}
	if h.r.IntN(6) == 0 {
		healthy(h.t, h.s)
	}
}

func (h *history) drain() *vfs.MemFS {
	select {
	case fs := <-h.crash.clone:
		return fs
	default:
		return nil
	}
}

// afterCrash opens the disk as it was in the middle of a step: it holds what was
// committed before the step, or all of what the step committed.
func (h *history) afterCrash(fs *vfs.MemFS, before *model) {
	s, err := storage.Open("db", &storage.Options{FS: fs, NoMerging: true})
	if err != nil {
		h.fail("open after a crash: %v", err)
	}
	v, err := s.Snapshot()
	check(h.t, err)
	old, new := compareStore(h.r, v, before), compareStore(h.r, v, h.m)
	if old != nil && new != nil {
		h.fail("after a crash in the middle of a step there is neither what was before (%v) nor what came after (%v)", old, new)
	}
	check(h.t, v.Close())
	healthy(h.t, s)
	check(h.t, s.Close())
}

func (h *history) table(m *model) *modelTable {
	names := m.names()
	if len(names) == 0 {
		return nil
	}
	return m.tables[names[h.r.IntN(len(names))]]
}

func (h *history) name(prefix string) string {
	h.serial++
	return fmt.Sprintf("%s%d", prefix, h.serial)
}

// transaction runs some statements, some of them undone, and commits or rolls back.
func (h *history) transaction() {
	tx, err := h.s.Begin(ctx)
	check(h.t, err)
	m := h.m.clone()
	for range 1 + h.r.IntN(4) {
		sp, mark := tx.Savepoint(), m.clone()
		err := h.statement(tx, m)
		if err != nil || h.r.IntN(8) == 0 {
			h.logf("  undo: %v", err)
			check(h.t, tx.RollbackTo(sp))
			m = mark
		}
		if h.r.IntN(5) == 0 {
			if err := compareStore(h.r, tx.View, m); err != nil {
				h.fail("in the transaction: %v", err)
			}
		}
	}
	if h.r.IntN(5) == 0 {
		h.logf("rollback")
		check(h.t, tx.Rollback())
		return
	}
	h.logf("commit")
	check(h.t, tx.Commit(ctx))
	h.m = m
}

// statement runs one random statement on both. The error is one that the model
// expects, too.
func (h *history) statement(tx *storage.Tx, m *model) error {
	t := h.table(m)
	if t == nil || len(m.tables) < 3 && h.r.IntN(10) == 0 {
		return h.createTable(tx, m)
	}
	switch n := h.r.IntN(31); {
	case n == 30:
		return h.setType(tx, t)
	case n < 14:
		return h.insert(tx, t)
	case n < 18:
		return h.delete(tx, t)
	case n < 22:
		return h.update(tx, t)
	case n < 24:
		return h.addColumn(tx, t)
	case n < 25:
		return h.dropColumn(tx, t)
	case n < 26:
		c := &t.cols[h.r.IntN(len(t.cols))]
		to := h.name("c")
		h.logf("rename %s.%s to %s", t.name, c.name, to)
		for i := range t.indexes {
			if t.indexes[i].of == c.name {
				t.indexes[i].of = to
			}
			for j, n := range t.indexes[i].cols {
				if n == c.name {
					t.indexes[i].cols[j] = to
				}
			}
		}
		err := tx.RenameColumn(ctx, t.name, c.name, to, nil)
		c.name = to
		check(h.t, err)
	case n < 28:
		return h.createIndex(tx, t)
	case n < 29:
		if len(t.indexes) > 0 {
			i := h.r.IntN(len(t.indexes))
			h.logf("drop index %s", t.indexes[i].name)
			check(h.t, tx.DropIndex(ctx, t.indexes[i].name))
			t.indexes = slices.Delete(t.indexes, i, i+1)
		}
	default:
		delete(m.tables, t.name)
		if h.r.IntN(2) == 0 {
			h.logf("drop table %s", t.name)
			check(h.t, tx.DropTable(ctx, t.name))
			break
		}
		to := h.name("t")
		h.logf("rename table %s to %s", t.name, to)
		check(h.t, tx.RenameTable(ctx, t.name, to))
		t.name = to
		m.tables[to] = t
	}
	return nil
}

func (h *history) createTable(tx *storage.Tx, m *model) error {
	t := &modelTable{name: h.name("t"), pk: -1}
	def := storage.TableDef{Name: t.name, PrimaryKey: -1}
	for range 1 + h.r.IntN(5) {
		c := modelColumn{h.name("c"), randomType(h.r), h.r.IntN(5) == 0}
		t.cols = append(t.cols, c)
	}
	if at := h.r.IntN(len(t.cols)); h.r.IntN(4) > 0 {
		t.cols[at].typ = value.Type{Kind: []value.Kind{value.Text, value.Integer, value.Timestamp, value.Date, value.Real, value.Numeric}[h.r.IntN(6)]}
		t.cols[at].notNull = true
		t.pk, def.PrimaryKey = at, at
	}
	for _, c := range t.cols {
		def.Columns = append(def.Columns, storage.ColumnDef{Name: c.name, Type: c.typ, NotNull: c.notNull})
	}
	m.tables[t.name] = t
	h.logf("create %+v", *t)
	_, err := tx.CreateTable(ctx, def)
	check(h.t, err)
	return nil
}

// rows draws n rows for a table.
func (h *history) rows(t *modelTable, n int) [][]value.Value {
	out := make([][]value.Value, n)
	base := h.r.IntN(keySpan)
	for i := range out {
		for j, c := range t.cols {
			v := randomValue(h.r, c.typ, keySpan, c.notNull)
			if j == t.pk && n > 20 { // many random keys would collide too often
				v = numbered(c.typ, base+i)
			}
			out[i] = append(out[i], v)
		}
	}
	return out
}

// numbered is the n-th value of a type.
func numbered(t value.Type, n int) value.Value {
	switch t.Kind {
	case value.Integer:
		return value.Int(int64(n))
	case value.Timestamp:
		return value.Micros(int64(n))
	case value.Date:
		return value.Days(int64(n))
	case value.Numeric:
		return value.NumericOfInt(int64(n))
	case value.Real:
		return value.Float(float64(n))
	}
	return value.Str(fmt.Sprintf("t%d", n))
}

func (t *modelTable) types() []value.Type {
	var out []value.Type
	for _, c := range t.cols {
		out = append(out, c.typ)
	}
	return out
}

func (h *history) size() int {
	return []int{1, 1, 3, 40, 300, 1024, 1500}[h.r.IntN(7)]
}

func (h *history) insert(tx *storage.Tx, t *modelTable) error {
	rows := h.rows(t, h.size())
	skip := h.r.IntN(3) == 0
	opts := storage.InsertOptions{}
	if skip {
		opts.OnConflict = storage.ConflictSkip
	}
	h.logf("insert %d into %s, skip %v", len(rows), t.name, skip)
	res, err := tx.Insert(ctx, t.name, batchOf(h.r, t.types(), rows), opts)
	numbers, conflict := t.insert(rows, skip)
	if conflict && !skip {
		var unique *storage.UniqueError
		if !errors.As(err, &unique) {
			h.fail("insert of a key that is there: %v", err)
		}
		return err
	}
	check(h.t, err)
	if !slices.Equal(res.Rows, numbers) && len(numbers) > 0 {
		h.fail("inserted rows %v, want %v", res.Rows, numbers)
	}
	return nil
}

// some draws live rows of a table.
func (h *history) some(t *modelTable) []modelRow {
	if len(t.rows) == 0 {
		return nil
	}
	switch h.r.IntN(4) {
	case 0:
		return slices.Clone(t.rows)
	case 1:
		from := h.r.IntN(len(t.rows))
		return slices.Clone(t.rows[from : from+h.r.IntN(len(t.rows)-from)+1])
	}
	var out []modelRow
	for _, i := range h.r.Perm(len(t.rows))[:min(len(t.rows), 1+h.r.IntN(20))] {
		out = append(out, t.rows[i])
	}
	return out
}

func (h *history) delete(tx *storage.Tx, t *modelTable) error {
	var numbers []uint64
	for _, row := range h.some(t) {
		numbers = append(numbers, row.number)
	}
	h.logf("delete %d of %d from %s", len(numbers), len(t.rows), t.name)
	n, err := tx.Delete(ctx, t.name, numbers)
	check(h.t, err)
	if n != len(numbers) {
		h.fail("deleted %d rows, want %d", n, len(numbers))
	}
	t.remove(numbers)
	return nil
}

func (h *history) update(tx *storage.Tx, t *modelTable) error {
	victims := h.some(t)
	cols := h.r.Perm(len(t.cols))[:1+h.r.IntN(len(t.cols))]
	if slices.Contains(cols, t.pk) && h.r.IntN(3) > 0 {
		cols = slices.DeleteFunc(cols, func(c int) bool { return c == t.pk })
	}
	var numbers []uint64
	var fresh, vals [][]value.Value
	var types []value.Type
	for _, c := range cols {
		types = append(types, t.cols[c].typ)
	}
	for i, row := range victims {
		numbers = append(numbers, row.number)
		full, part := slices.Clone(row.vals), []value.Value{}
		for _, c := range cols {
			v := randomValue(h.r, t.cols[c].typ, keySpan, t.cols[c].notNull)
			if c == t.pk { // rotate the keys
				v = victims[(i+1)%len(victims)].vals[c]
			}
			full[c], part = v, append(part, v)
		}
		fresh, vals = append(fresh, full), append(vals, part)
	}
	h.logf("update %d of %d in %s, columns %v", len(victims), len(t.rows), t.name, cols)
	got, err := h.applyUpdate(tx, t, numbers, cols, types, vals)
	if t.update(h, numbers, fresh, got, err == nil) {
		var unique *storage.UniqueError
		if !errors.As(err, &unique) {
			h.fail("update to a key that is there: %v", err)
		}
		return err
	}
	check(h.t, err)
	return nil
}

// applyUpdate updates rows in the transaction's batch, or in files where it serves one
// statement.
func (h *history) applyUpdate(tx *storage.Tx, t *modelTable, numbers []uint64, cols []int, types []value.Type, vals [][]value.Value) ([]uint64, error) {
	u, err := tx.NewUpdater(ctx, t.name, cols)
	check(h.t, err)
	if u == nil {
		return tx.Update(ctx, t.name, numbers, cols, batchOf(h.r, types, vals))
	}
	defer u.Close()
	order := make([]int, len(numbers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(numbers[a], numbers[b]) })
	for len(order) > 0 {
		n := 1 + h.r.IntN(min(len(order), 1500))
		var rows []uint64
		var part [][]value.Value
		for _, i := range order[:n] {
			rows, part = append(rows, numbers[i]), append(part, vals[i])
		}
		check(h.t, u.Add(ctx, rows, batchOf(h.r, types, part)))
		order = order[n:]
	}
	return numbers, u.Finish(ctx)
}

func (h *history) addColumn(tx *storage.Tx, t *modelTable) error {
	c := modelColumn{h.name("c"), randomType(h.r), h.r.IntN(4) == 0}
	fill := randomValue(h.r, c.typ, keySpan, c.notNull || h.r.IntN(2) == 0)
	h.logf("add %s.%s %v, rows get %v", t.name, c.name, c.typ, fill)
	check(h.t, tx.AddColumn(ctx, t.name, storage.ColumnDef{Name: c.name, Type: c.typ, NotNull: c.notNull}, fill))
	t.cols = append(t.cols, c)
	for i := range t.rows {
		t.rows[i].vals = append(slices.Clip(t.rows[i].vals), fill)
	}
	return nil
}

// setType makes VECTOR columns HALFVEC and the other way round.
func (h *history) setType(tx *storage.Tx, t *modelTable) error {
	for i := range t.cols {
		c := &t.cols[i]
		if c.typ.Kind != value.Vector {
			continue
		}
		c.typ.Half = !c.typ.Half
		h.logf("make %s.%s %v", t.name, c.name, c.typ)
		check(h.t, tx.SetVectorType(ctx, t.name, c.name, c.typ, nil))
		for r := range t.rows {
			if vals := slices.Clone(t.rows[r].vals); c.typ.Half {
				vals[i] = halved(vals[i])
				t.rows[r].vals = vals
			}
		}
		break
	}
	return nil
}

func (h *history) dropColumn(tx *storage.Tx, t *modelTable) error {
	at := h.r.IntN(len(t.cols))
	h.logf("drop %s.%s", t.name, t.cols[at].name)
	err := tx.DropColumn(ctx, t.name, t.cols[at].name)
	used := at == t.pk || len(t.cols) == 1
	for _, x := range t.indexes {
		used = used || slices.Contains(x.cols, t.cols[at].name) || x.where != nil && x.of == t.cols[at].name
	}
	if used {
		if err == nil {
			h.fail("dropped a column that is needed")
		}
		return err
	}
	check(h.t, err)
	t.cols = slices.Delete(t.cols, at, at+1)
	if t.pk > at {
		t.pk--
	}
	for i := range t.rows {
		t.rows[i].vals = slices.Delete(slices.Clone(t.rows[i].vals), at, at+1)
	}
	return nil
}

func (h *history) createIndex(tx *storage.Tx, t *modelTable) error {
	x := modelIndex{name: h.name("x"), unique: h.r.IntN(4) == 0, words: h.r.IntN(3) == 0}
	def := storage.IndexDef{Name: x.name, Unique: x.unique}
	if x.words {
		x.unique, def.Unique, def.Kind = false, false, storage.FullText
	}
	v, err := tx.Table(t.name)
	check(h.t, err)
	for _, i := range h.r.Perm(len(t.cols)) {
		if k := t.cols[i].typ.Kind; k == value.Vector || k == value.JSON || k == value.Interval || len(x.cols) == 2 || x.words && k != value.Text {
			continue
		}
		x.cols = append(x.cols, t.cols[i].name)
		def.Columns = append(def.Columns, v.Def().Columns[i].ID)
	}
	if len(x.cols) == 0 {
		return nil
	}
	if of := h.r.IntN(3 * len(t.cols)); !x.words && of < len(t.cols) && t.cols[of].typ.Kind != value.Vector {
		x.where, x.of = &storage.IndexTerm{Column: v.Def().Columns[of].ID, Op: []storage.TermOp{storage.TermIsNull, storage.TermNotNull}[h.r.IntN(2)]}, t.cols[of].name
		if k := t.cols[of].typ.Kind; len(t.rows) > 0 && k != value.JSON && k != value.Interval {
			if with := t.rows[h.r.IntN(len(t.rows))].vals[of]; !with.IsNull() {
				x.where.Op, x.where.Values = []storage.TermOp{storage.TermEqual, storage.TermGreater}[h.r.IntN(2)], []value.Value{with}
			}
		}
		def.Where = []storage.IndexTerm{*x.where}
	}
	h.logf("create index %+v on %s", x, t.name)
	err = tx.CreateIndex(ctx, t.name, def, nil)
	t.indexes = append(t.indexes, x)
	if x.unique {
		seen := map[string]bool{}
		for _, row := range t.rows {
			ks := t.keys(row.vals)
			k := ks[len(ks)-1]
			if k != "" && seen[k] {
				if err == nil {
					h.fail("built a unique index over repeated keys")
				}
				return err
			}
			seen[k] = true
		}
	}
	check(h.t, err)
	return nil
}

// build runs one statement that builds over the rows there are, in files.
func (h *history) build() {
	m := h.m.clone()
	t := h.table(m)
	if t == nil {
		return
	}
	storage.SetSortMemory(h.s, 1000+h.r.IntN(100000))
	storage.SetBuildRows(h.s, 1)
	tx, err := h.s.Begin(ctx)
	check(h.t, err)
	tx.OneStatement()
	statement := []func(*storage.Tx, *modelTable) error{h.createIndex, h.addColumn, h.update, h.update, h.delete, h.setType}[h.r.IntN(6)]
	if err := statement(tx, t); err != nil {
		h.logf("  undo: %v", err)
		check(h.t, tx.Rollback())
		return
	}
	check(h.t, tx.Commit(ctx))
	h.m = m
}

func (h *history) load() {
	m := h.m.clone()
	t := h.table(m)
	if t == nil {
		return
	}
	rows := h.rows(t, h.size()*(1+h.r.IntN(3)))
	h.logf("load %d into %s", len(rows), t.name)
	storage.SetSortMemory(h.s, 1000+h.r.IntN(100000))
	l, err := h.s.BulkLoad(ctx, t.name, storage.LoadOptions{})
	check(h.t, err)
	for rest := rows; len(rest) > 0; {
		n := min(len(rest), 1+h.r.IntN(2000))
		check(h.t, l.Append(ctx, batchOf(h.r, t.types(), rest[:n])))
		rest = rest[n:]
	}
	if h.r.IntN(6) == 0 {
		h.logf("  abort")
		check(h.t, l.Abort())
		return
	}
	n, err := l.Finish(ctx)
	if _, conflict := t.insert(rows, false); conflict {
		var unique *storage.UniqueError
		if !errors.As(err, &unique) {
			h.fail("load of a key that is there: %v", err)
		}
		h.logf("  %v", err)
		return
	}
	check(h.t, err)
	if n != uint64(len(rows)) {
		h.fail("loaded %d rows, want %d", n, len(rows))
	}
	h.m = m
}

func (h *history) vacuum() {
	m := h.m.clone()
	t := h.table(m)
	if t == nil {
		return
	}
	h.logf("vacuum %s", t.name)
	_, err := h.s.Vacuum(ctx, t.name, nil)
	check(h.t, err)
	t.vacuum()
	h.m = m
}

func (h *history) backUp() {
	h.backup++
	dir := fmt.Sprintf("backup%d", h.backup)
	h.logf("backup to %s", dir)
	check(h.t, h.s.Backup(ctx, dir, nil))
	s, err := storage.Open(dir, &storage.Options{FS: h.fs, NoMerging: true})
	check(h.t, err)
	h.compare(s, h.m, "in the backup")
	healthy(h.t, s)
	check(h.t, s.Close())
}
