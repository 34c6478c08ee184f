package storage

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// SalvageOptions change what Salvage does. The zero value, and nil, mean the defaults.
type SalvageOptions struct {
	// Progress is told of rows saved.
	Progress Progress
	// FS is the file system, for tests; nil is the machine's own.
	FS vfs.FS
}

// SalvagedTable is what Salvage has saved of a table.
type SalvagedTable struct {
	Table string
	Rows  uint64
	Lost  []Problem   // what could not be read, and where
	Stale []StaleRows // what may be older than the last commit
}

// SalvageReport says what Salvage has saved and lost.
type SalvageReport struct {
	Tables []SalvagedTable
	Notes  []string // what is wrong with the store as a whole, and how its rows were found
}

// Salvage reads what can be read of a damaged store and writes it into a new one in dir,
// which must not exist or be empty. Nothing is changed in damaged. When the list of
// tables, a table file, the catalog or other files are missing or can't be read, the rows
// are found from the blocks that can. A value that is lost is NULL; a row that has lost
// its key or a value that may not be NULL is left out, which the report says, too.
func Salvage(ctx context.Context, damaged, dir string, opts *SalvageOptions) (*SalvageReport, error) {
	o := SalvageOptions{}
	if opts != nil {
		o = *opts
	}
	r := &rescuer{ctx: ctx, opts: o, base: o.FS, from: damaged, to: dir, report: &SalvageReport{}, stale: map[string][]StaleRows{}}
	if r.base == nil {
		r.base = vfs.Default
	}
	if err := r.run(); err != nil {
		return r.report, fmt.Errorf("salvage %s: %w", damaged, err)
	}
	return r.report, nil
}

type rescuer struct {
	ctx    context.Context
	opts   SalvageOptions
	base   vfs.FS
	from   string
	to     string
	report *SalvageReport
	done   uint64

	fs     *scratchFS // the damaged store with what can be repaired repaired
	mended string     // directory of table files made anew
	unsure error      // why the list of tables may not be complete

	listed bool        // a list of all files could be read: of a store that was closed
	lost   []lostTable // what was found to be missing
	unused []lostTable // the same, of files that were perhaps being written when the process ended
	marks  []logMark   // of all logs, in order
	logged uint64      // the number of the last commit in a log
	stale  map[string][]StaleRows
}

func (r *rescuer) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

func (r *rescuer) run() (err error) {
	names, err := r.base.List(r.from)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") }) {
		return fmt.Errorf("%w: the directory has neither tables nor logs", ErrNotStore)
	}
	if there, err := r.base.List(r.to); err == nil && len(there) > 0 {
		return fmt.Errorf("the directory %s is not empty; name a new one", r.to)
	}
	if r.base == vfs.Default && slices.Contains(names, lockName) {
		lock, err := lockFolder(r.base.PathJoin(r.from, lockName), true)
		if err != nil {
			return err
		}
		defer lock.Close()
	}
	work := r.to + ".work"
	r.mended = r.to + ".repaired"
	defer func() { err = errors.Join(err, r.base.RemoveAll(work), r.base.RemoveAll(r.mended)) }()
	r.fs = newScratchFS(r.base)
	if err := r.mend(names); err != nil {
		return err
	}
	src, err := r.asFound()
	if err != nil {
		r.note("%s; its rows are looked for in every file", plainError(err))
		if src, err = r.fromBlocks(work); err != nil {
			return err
		}
	}
	defer src.Close()
	if err := r.copyRows(src); err != nil {
		return errors.Join(err, r.base.RemoveAll(r.to))
	}
	return nil
}

// mend makes the files anew that Pebble could read less of than there is to be read. They
// are seen through r.fs.
func (r *rescuer) mend(names []string) error {
	known := map[string]fileEntry{}
	closed, id := false, ""
	if l, _, _, err := readLists(r.base, r.from); err == nil && l != nil {
		known, closed, r.listed = l.files, l.closed, l.closed
		id = l.id
	}
	switch m, err := readMarker(r.base, r.from); {
	case err != nil || m.id == "" || id == "":
		id = "" // nothing is left out for being of another store
	case m.id != id:
		r.note("%s names another store than the list of files does: what is saved may be of both", markerName)
		id = ""
	}
	all := slices.Clone(names)
	for n := range known { // the log of a store that was closed is empty
		if (strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") && !closed) && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	for _, n := range all {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		var err error
		switch {
		case strings.HasSuffix(n, ".sst"):
			err = r.mendTable(n, known[n], names)
		case strings.HasSuffix(n, ".log"):
			err = r.mendLog(n, known[n], id)
		case strings.HasPrefix(n, "MANIFEST-"):
			err = r.mendList(n, known[n])
		}
		if err != nil {
			r.note("%s: %s", n, plainError(err))
		}
	}
	return nil
}

// mendTable makes a table anew whose blocks can't be found in the ordinary way. e is what
// the list of files says of it, and names are the files that are there.
func (r *rescuer) mendTable(name string, e fileEntry, names []string) error {
	path := r.base.PathJoin(r.from, name)
	b, err := readAll(r.base, path)
	why := ""
	switch {
	case errors.Is(err, os.ErrNotExist):
		why = name + " is missing"
	case err != nil:
		return err
	case isAnother(b, e):
		why = name + " is another file than the one of this name on the list of files"
	}
	if why != "" {
		if at := r.find(e, names); at != "" {
			r.note("%s; it is there as %s", why, at)
			r.fs.moved[path] = r.base.PathJoin(r.from, at)
			r.fs.sizes[path] = e.size
			return nil
		}
		r.loses(lostTable{name: name, holes: []keySpan{{}}, deletions: true, why: why, note: why + ", and what was in it is lost"})
		if err := emptyTable(r.fs, path); err != nil {
			return err
		}
		r.fs.sizes[path] = e.size
		return nil
	}
	size := int64(len(b))
	known := e.kind == kindWhole || e.kind == kindTail
	if known && size > e.size { // the copy of a longer file
		b = b[:e.size]
	}
	if e.kind == kindWhole && size >= e.size && crc32.Checksum(b, crcTable) == e.sum {
		if size > e.size {
			r.note("%s is longer than it was written", name)
			return writeFile(r.fs, path, b)
		}
		return nil
	}
	t := readTable(b)
	defer t.close()
	if t.sound && (!known || size == e.size) {
		return nil // Pebble finds the blocks, and says of each whether it can be read
	}
	if err := r.base.MkdirAll(r.mended, 0o755); err != nil {
		return err
	}
	made := r.base.PathJoin(r.mended, name)
	if err := t.rewrite(r.base, made); err != nil {
		return err
	}
	r.fs.moved[path] = made
	lost := lostTable{name: name, holes: t.holes(t.indexed), why: name + " is damaged"}
	lost.deletions = !t.deletions(func(keySpan, uint64) {})
	lost.note = fmt.Sprintf("%s is damaged where the places of its blocks are kept: %d blocks were found and read", name, len(t.blocks)-t.lost)
	if known {
		r.fs.sizes[path] = e.size
		r.loses(lost)
	} else {
		r.unused = append(r.unused, lost)
	}
	return nil
}

// isAnother reports whether a table file is not a damaged one but another: of another store, say,
// or swapped with a second one. e is what the list of files says of the name.
func isAnother(b []byte, e fileEntry) bool {
	if e.kind != kindWhole || crc32.Checksum(b[max(0, len(b)-tailBytes):], crcTable) == e.tail {
		return false
	}
	t := readTable(b)
	defer t.close()
	return t.sound && t.lost == 0
}

// find looks for the file that the list of files tells of under another name: as tools that
// copy, and people, leave it.
func (r *rescuer) find(e fileEntry, names []string) string {
	if e.kind != kindWhole {
		return ""
	}
	for _, n := range names {
		path := r.base.PathJoin(r.from, n)
		if info, err := r.base.Stat(path); err != nil || info.IsDir() || info.Size() != e.size {
			continue
		}
		if b, err := readAll(r.base, path); err == nil && crc32.Checksum(b, crcTable) == e.sum {
			return n
		}
	}
	return ""
}

// loses notes what can't be read of a table file.
func (r *rescuer) loses(l lostTable) {
	r.note("%s", l.note)
	if len(l.holes) > 0 || l.deletions {
		r.lost = append(r.lost, l)
	}
}

// mendLog makes a log anew that has valid records beyond a damaged one. e is what the list of
// files says of it, and id the store's, if that is known: commits of another are left out.
func (r *rescuer) mendLog(name string, e fileEntry, id string) error {
	num, ok := logNumber(name)
	if !ok {
		return nil
	}
	path := r.base.PathJoin(r.from, name)
	b, err := readAll(r.base, path)
	if errors.Is(err, os.ErrNotExist) {
		r.marks = append(r.marks, logMark{hole: name + " is missing"})
		return nil
	}
	if err != nil {
		return err
	}
	if owner, _, err := ownerOf(r.base, path); err == nil && id != "" && owner != "" && owner != id {
		r.note("%s %s, and is left out", name, foreign)
		if e.kind != 0 {
			r.marks = append(r.marks, logMark{hole: name + " " + foreign})
		}
		return writeFile(r.fs, path, nil)
	}
	r.marksOf(name, b, num, e)
	b, err = mendLog(b, num)
	if err != nil || b == nil {
		return err
	}
	r.note("%s is damaged: what can be read of its records is taken", name)
	return writeFile(r.fs, path, b)
}

// mendList makes the list of tables anew, when it is damaged. e is what the list of files
// says of it.
func (r *rescuer) mendList(name string, e fileEntry) error {
	err := e.verify(r.base, r.from, name, true)
	if e.kind == 0 || err == nil {
		return nil
	}
	r.unsure = plainError(err)
	path := r.base.PathJoin(r.from, name)
	b, err := readAll(r.base, path)
	if err != nil {
		return err
	}
	if b, err = mendList(b); err != nil {
		return err
	}
	return writeFile(r.fs, path, b)
}

// asFound opens the store for reading, with what can be put back put back in memory.
func (r *rescuer) asFound() (*Store, error) {
	fs := r.fs
	did, err := Repair(r.from, &RepairOptions{FS: fs})
	for _, d := range did {
		r.note("without it (%s)", d)
	}
	if err != nil && len(r.report.Notes) == len(did) { // else it complains of what was said before
		r.note("%v", plainError(err))
	}
	s, err := OpenContext(r.ctx, r.from, &Options{AsFound: true, FS: fs, CacheSize: 64 << 20})
	if err != nil {
		return nil, err
	}
	if r.unsure != nil {
		if err := r.sameTables(s); err != nil {
			return nil, errors.Join(r.unsure, err, s.Close())
		}
	}
	v, err := s.Snapshot()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	// A catalog that can be read is compared with its second copy.
	generation := v.catalog.generation
	if _, err := get(v.reader, key.Generation); err != nil {
		generation = 0
	}
	second, kept, kerr := readSchemas(r.base, r.from, generation)
	if generation == 0 && second.old {
		return nil, errors.Join(fmt.Errorf("%w: the catalog can't be read, and a change of it was under way", ErrCorrupt), v.Close(), s.Close())
	}
	if second.old {
		kept = nil // it may name tables that were dropped
	}
	missing := ""
	for name := range kept {
		if kerr == nil && v.catalog.free(name) == nil {
			missing = name
		}
	}
	behind := kerr == nil && !second.old && second.Generation > v.catalog.generation
	if err := v.Close(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if missing != "" {
		return nil, errors.Join(fmt.Errorf("%w: the catalog lacks table %s", ErrCorrupt, missing), s.Close())
	}
	if len(kept) == 0 && len(v.catalog.byName) == 0 {
		return nil, errors.Join(fmt.Errorf("%w: there are no tables in the catalog", ErrCorrupt), s.Close())
	}
	if behind {
		return nil, errors.Join(fmt.Errorf("%w: the catalog is older than its second copy", ErrCorrupt), s.Close())
	}
	if err := r.findStale(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sameTables returns an error unless the list of tables that a store was opened with
// names the files that are there.
func (r *rescuer) sameTables(s *Store) error {
	levels, err := s.db.SSTables()
	if err != nil {
		return err
	}
	names, err := r.fs.List(r.from)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") {
			there[n] = true
		}
	}
	for _, level := range levels {
		for _, t := range level {
			delete(there, fmt.Sprintf("%s.sst", t.FileNum))
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%w: %d table files are not listed", ErrCorrupt, len(there))
	}
	return nil
}

// emptyTable makes a table file that holds nothing.
func emptyTable(fs vfs.FS, path string) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{TableFormat: sstable.TableFormatPebblev5})
	return w.Close()
}

// copyRows writes what can be read of all tables into the new store.
func (r *rescuer) copyRows(src *Store) error {
	dst, err := Open(r.to, &Options{NoSync: true, FS: r.opts.FS})
	if err != nil {
		return err
	}
	v, err := src.Snapshot()
	if err != nil {
		return errors.Join(err, dst.Close())
	}
	tables, views := v.Tables(), v.Views()
	if err := v.Close(); err != nil {
		return err
	}
	for _, d := range tables {
		if err := r.copyTable(src, dst, d); err != nil {
			return errors.Join(fmt.Errorf("table %s: %w", d.Name, err), dst.Close())
		}
	}
	if err := r.copyViews(dst, views); err != nil {
		return errors.Join(err, dst.Close())
	}
	return dst.Close()
}

// copyViews makes the views that can be: one whose table is lost is left out.
func (r *rescuer) copyViews(dst *Store, views []*ViewDef) error {
	if len(views) == 0 {
		return nil
	}
	tx, err := dst.Begin(r.ctx)
	if err != nil {
		return err
	}
	for _, d := range views {
		var missing *NoTableError
		if err := tx.PutView(r.ctx, *d, false); errors.As(err, &missing) {
			r.note("view %s is left out: there is no %s", d.Name, missing.Table)
		} else if err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit(r.ctx)
}

func (r *rescuer) copyTable(src, dst *Store, d *TableDef) error {
	out := &SalvagedTable{Table: d.Name}
	defer func() { r.report.Tables = append(r.report.Tables, *out) }()
	def := d.clone()
	for i := range def.Indexes { // columns of a new index are given by position
		for j, id := range def.Indexes[i].Columns {
			def.Indexes[i].Columns[j] = uint32(d.ColumnID(id))
		}
		def.Indexes[i].Where = slices.Clone(def.Indexes[i].Where)
		for j := range def.Indexes[i].Where {
			t := &def.Indexes[i].Where[j]
			t.Column = uint32(d.ColumnID(t.Column))
		}
	}
	var tx *Tx
	begin := func() (err error) { tx, err = dst.Begin(r.ctx); return err }
	if err := begin(); err != nil {
		return err
	}
	if _, err := tx.CreateTable(r.ctx, *def); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	out.Stale = r.staleRows(d.Name)
	defer func() { // where nothing was saved nothing is old
		out.Stale = slices.DeleteFunc(out.Stale, func(s StaleRows) bool { return s.Rows == 0 })
	}()
	lose := func(format string, args ...any) {
		out.Lost = append(out.Lost, Problem{Table: d.Name, Msg: fmt.Sprintf(format, args...)})
	}
	insert := func(b *value.Batch) error {
		sel := b.Sel
		b.Sel = make([]int32, 0, len(sel))
		for _, p := range sel {
			whole := true
			for i := range d.Columns {
				if (d.Columns[i].NotNull || i == d.PrimaryKey) && b.Cols[i].Null(int(p)) {
					lose("a row without its %s is left out", d.Columns[i].Name)
					whole = false
					break
				}
			}
			if whole {
				b.Sel = append(b.Sel, p)
			}
		}
		if len(b.Sel) == 0 {
			return nil
		}
		noteStale(out.Stale, b, d.PrimaryKey)
		res, err := tx.Insert(r.ctx, d.Name, b, InsertOptions{OnConflict: ConflictSkip})
		if err != nil {
			return err
		}
		for range res.Conflicts {
			lose("a row whose key is given twice is left out")
		}
		n := uint64(len(b.Sel) - len(res.Conflicts))
		out.Rows += n
		r.done += n
		if r.opts.Progress != nil {
			r.opts.Progress("saving "+d.Name, r.done, 0)
		}
		if tx.batch.Len() > largeTransaction/2 {
			if err := tx.Commit(r.ctx); err != nil {
				return err
			}
			return begin()
		}
		return nil
	}
	err := src.salvage(r.ctx, d.Name, insert, func(p Problem) { out.Lost = append(out.Lost, p) }, func(from, to uint64, why string) {
		out.Stale = append(out.Stale, StaleRows{From: from, To: to, Why: why})
	})
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(r.ctx); err != nil || len(d.Watches) == 0 {
		return err
	}
	return r.copyWatches(src, dst, d, lose)
}

// ---- Finding rows without the list of tables ----

// fromBlocks makes a store in work of all keys that can be read in any file. Newer
// versions of a key go before older ones; of a table's definition, the newest.
func (r *rescuer) fromBlocks(work string) (*Store, error) {
	names, err := r.fs.List(r.from)
	if err != nil {
		return nil, err
	}
	if err := r.base.RemoveAll(work); err != nil {
		return nil, err
	}
	s, err := Open(work, &Options{NoSync: true, FS: r.opts.FS})
	if err != nil {
		return nil, err
	}
	for _, l := range r.unused {
		r.loses(l)
	}
	c := &collector{s: s, seqs: map[string]seenKey{}, unsure: map[string]bool{}, gone: map[string]uint64{}, schemas: map[string]*schemaSeen{}, counters: map[string]counters{}, dead: map[string][]byte{}}
	slices.Sort(names)
	for _, n := range names {
		if err := r.ctx.Err(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		path := r.base.PathJoin(r.from, n)
		var err error
		switch {
		case strings.HasSuffix(n, ".sst"):
			err = c.table(r.fs, path)
		case strings.HasSuffix(n, ".log"):
			err = c.log(r.fs, path)
		}
		if err != nil {
			r.note("%s: %s", n, plainError(err))
		}
	}
	if second, kept, err := readSchemas(r.base, r.from, c.generation); err == nil {
		for name, d := range c.schemas {
			if k := kept[name]; !second.old && k == nil && d.def != nil && d.def.ID < second.NextID { // dropped, or renamed
				delete(c.schemas, name)
			}
		}
		for name, d := range kept {
			was := c.schemas[name]
			if was == nil || !second.old && (was.def == nil || was.def.ID <= d.ID) {
				c.schemas[name] = &schemaSeen{def: d}
			}
		}
	}
	if len(c.schemas) == 0 {
		return nil, errors.Join(fmt.Errorf("%w: no definition of a table can be read", ErrCorrupt), s.Close())
	}
	if err := c.finish(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	v, err := s.Snapshot()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r.staleUnlisted(c, v)
	if err := v.Close(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// refresh shows views what was written past the transactions.
func (s *Store) refresh() {
	g := s.gen
	snap := g.db.NewSnapshot()
	s.mu.Lock()
	old := g.latest
	g.hot = newHotBlocks(s.hotSize) // no commit tells what was written
	g.latest = g.picture(snap, g.acked)
	s.mu.Unlock()
	_ = g.release(old)
}
