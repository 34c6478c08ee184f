package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// Problem is something Check found.
type Problem struct {
	Table, Column string
	Where         string // "block 12", "row 40", "index by_name"
	Msg           string
}

func (p Problem) String() string {
	s := p.Table
	if p.Column != "" {
		s += "." + p.Column
	}
	if p.Where != "" {
		if s != "" {
			s += ", "
		}
		s += p.Where
	}
	if s == "" {
		return p.Msg
	}
	return s + ": " + p.Msg
}

// problemOf turns an error met while reading into a Problem.
func problemOf(table string, err error) Problem {
	var c *CorruptError
	if errors.As(err, &c) {
		p := Problem{c.Table, c.Column, c.Where, c.Err.Error()}
		if p.Table == "" {
			p.Table = table
		}
		return p
	}
	return Problem{Table: table, Msg: err.Error()}
}

// Check verifies every invariant of the store and reports what it finds: that
// every block, page, row and key can be read and is where it belongs, that the
// counters, tombstones, keys and indexes agree with the rows, that vectors are finite and
// of the right length, that the statistics hold. The error is for what stops the
// check itself.
func (s *Store) Check(ctx context.Context, report func(Problem)) error {
	v, err := s.Snapshot()
	c := &checker{ctx: ctx, view: v, report: report}
	if errors.Is(err, ErrCorrupt) { // the catalog
		report(problemOf("", err))
		return s.checkFiles(ctx, c)
	}
	if err != nil {
		return err
	}
	defer v.Close()
	_, err = s.catalogItself(v.reader)
	c.found("", "", "catalog", err)
	if m, err := readMarker(s.fs, s.dir); err != nil {
		c.found("", "", "", err)
	} else if b, err := get(v.reader, key.Format); err != nil {
		c.found("", "", "", err)
	} else if len(b) != 4 || int(binary.BigEndian.Uint32(b)) != m.format {
		report(Problem{Where: "format version", Msg: fmt.Sprintf("the file %s says %d, the store %x", markerName, m.format, b)})
	}
	if err := s.checkFiles(ctx, c); err != nil {
		return err
	}
	if b, err := get(v.reader, key.Commits); err != nil || len(b) != 8 {
		c.found("", "", "number of commits", firstError(err, fmt.Errorf("%d bytes, not 8", len(b))))
	}
	if b, err := get(v.reader, key.Commits); err == nil && len(b) == 8 {
		c.commits = binary.BigEndian.Uint64(b)
	}
	if note, err := readCommits(s.fs, s.dir); !s.inMemory && (err != nil || note.damaged && s.readOnly) {
		c.found("", "", "file "+commitsName, firstError(err, errors.New("a record is damaged; opening for writing writes it again")))
	}
	if err := c.strays(); err != nil {
		return err
	}
	for _, d := range v.Tables() {
		t, err := v.Table(d.Name)
		if err != nil {
			c.found(d.Name, "", "", err)
			continue
		}
		if err := c.table(t); err != nil {
			return err
		}
	}
	return nil
}

type checker struct {
	ctx    context.Context
	view   *View
	report func(Problem)

	commits uint64 // that there are; 0: not known
}

// found reports a reading error, unless it only says that the context has ended.
func (c *checker) found(table, column, where string, err error) {
	if err != nil && c.ctx.Err() == nil {
		c.report(problemOf(table, corrupt(table, column, where, err)))
	}
}

func (c *checker) badf(t *Table, column, where, format string, args ...any) {
	c.report(Problem{t.def.Name, column, where, fmt.Sprintf(format, args...)})
}

// strays looks for tables that share an id, and for keys that belong to none.
func (c *checker) strays() error {
	ids := map[uint32]*TableDef{0: {Name: "catalog"}}
	for _, d := range c.view.Tables() {
		if o := ids[d.ID]; o != nil {
			c.report(Problem{Table: d.Name, Msg: fmt.Sprintf("has the id %d, and so has %s", d.ID, o.Name)})
		}
		ids[d.ID] = d
	}
	it, err := c.view.iter(nil, nil)
	if err != nil {
		c.found("", "", "keys", err)
		return nil
	}
	defer it.Close()
	for ok := it.First(); ok; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		k := it.Key()
		if len(k) < 5 {
			c.report(Problem{Where: "keys", Msg: fmt.Sprintf("key %x is too short", k)})
			ok = it.Next()
			continue
		}
		d := ids[binary.BigEndian.Uint32(k)]
		if d == nil {
			c.report(Problem{Where: "keys", Msg: fmt.Sprintf("keys of table id %d, which does not exist", binary.BigEndian.Uint32(k))})
			next := key.End(k[:4])
			if next == nil {
				break
			}
			ok = it.SeekGE(next)
			continue
		}
		c.family(d, k)
		// To the next family, or the next column of it.
		n := 5
		if k[4] == key.Index || slices.Contains(key.OfColumn, k[4]) {
			n = min(9, len(k))
		}
		ok = it.SeekGE(key.End(k[:n]))
	}
	c.found("", "", "keys", it.Error())
	return nil
}

// family checks that a key is of a family, column or index that is there.
func (c *checker) family(d *TableDef, k []byte) {
	if d.ID == 0 {
		if bytes.HasPrefix(k, key.Prompts()) {
			c.prompts()
		}
		if bytes.HasPrefix(k, key.Watches()) {
			c.notes()
			return
		}
		if !bytes.Equal(k, key.Format) && !bytes.Equal(k, key.Generation) && !bytes.Equal(k, key.Commits) && !bytes.HasPrefix(k, key.Schemas()) && !bytes.HasPrefix(k, key.Prompts()) {
			c.report(Problem{Where: "keys", Msg: fmt.Sprintf("unknown key %x", k)})
		}
		return
	}
	known := true
	switch family := k[4]; {
	case slices.Contains(key.OfColumn, family):
		known = len(k) >= 9 && d.ColumnID(binary.BigEndian.Uint32(k[5:])) >= 0
	case family == key.Index:
		known = false
		for _, x := range d.Indexes {
			known = known || len(k) >= 9 && x.ID == binary.BigEndian.Uint32(k[5:])
		}
	case family == key.Tombstones, family == key.Tail, family == key.Counters:
	case family == key.Primary:
		known = d.PrimaryKey >= 0
	default:
		known = false
	}
	if !known {
		c.report(Problem{Table: d.Name, Where: "keys", Msg: fmt.Sprintf("key %x belongs to nothing", k)})
	}
}

// prompts checks the vectors of texts that are kept.
func (c *checker) prompts() {
	it, err := c.view.prefixIter(key.Prompts())
	if err != nil {
		c.found("", "", "prompts", err)
		return
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v := make([]float32, len(it.Value())/4)
		if len(it.Value())%4 == 0 {
			block.Floats(v, it.Value())
		}
		if len(v) == 0 || len(it.Value())%4 != 0 || !finite(v) {
			c.report(Problem{Where: fmt.Sprintf("prompt %x", it.Key()[5:]), Msg: "its vector is not one of finite numbers"})
		}
	}
	c.found("", "", "prompts", it.Error())
}

// table checks one table. It goes on after a problem; the error is only for the end of
// the context.
func (c *checker) table(t *Table) error {
	dead := c.tombstones(t)
	if dead == nil {
		return c.ctx.Err()
	}
	for i := range t.def.Columns {
		if err := c.column(t, i, dead); err != nil {
			return err
		}
	}
	c.tail(t, dead)
	return c.keys(t)
}

// tombstones reads all tombstones, and checks them against the counters.
func (c *checker) tombstones(t *Table) []*BlockSet {
	dead := make([]*BlockSet, t.Blocks())
	it, err := t.view.prefixIter(key.Family(nil, t.def.ID, key.Tombstones))
	if err != nil {
		c.found(t.def.Name, "", "tombstones", err)
		return nil
	}
	defer it.Close()
	n := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		b := key.Number(it.Key())
		where := fmt.Sprintf("tombstones of block %d", b)
		set, err := decodeTombstones(it.Value())
		if err != nil {
			c.found(t.def.Name, "", where, err)
			return nil
		}
		if b >= t.Blocks() {
			c.badf(t, "", where, "the table has %d blocks", t.Blocks())
			continue
		}
		rows := firstRows(t.rowsIn(b))
		for i := range set {
			if set[i]&^rows[i] != 0 {
				c.badf(t, "", where, "rows are marked as deleted that never existed")
				set[i] &= rows[i]
			}
		}
		dead[b] = set
		n += uint64(set.Count())
	}
	if err := it.Error(); err != nil {
		c.found(t.def.Name, "", "tombstones", err)
		return nil
	}
	if t.counters.next-n != t.counters.live {
		c.badf(t, "", "counters", "%d live rows, but of %d rows %d are deleted", t.counters.live, t.counters.next, n)
	}
	return dead
}

// column checks the sealed blocks, pages and statistics of one column.
func (c *checker) column(t *Table, at int, dead []*BlockSet) error {
	def := &t.def.Columns[at]
	st, err := t.view.readStats(t.def, def)
	c.found(t.def.Name, def.Name, "statistics", err)
	if def.Type.Kind == value.Vector {
		_, err := t.asked(at)
		c.found(t.def.Name, def.Name, "queries", err)
	}
	to := t.sealedBlocks()
	r := &columnReader{t: t, pos: at, to: to}
	defer r.Close()
	var col value.Column
	var seen stats // of the live rows
	rows := make([]int32, 0, BlockRows)
	for b := range to {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		live := firstRows(BlockRows)
		if dead[b] != nil {
			for i := range live {
				live[i] &^= dead[b][i]
			}
		}
		if live.Count() == 0 {
			continue // its keys are dropped
		}
		if err := r.read(b, &col, &live); err != nil {
			c.found(t.def.Name, def.Name, fmt.Sprintf("block %d", b), err)
			continue
		}
		c.values(t, def, &col, &live, uint64(b)*BlockRows, st)
		for i := range BlockRows {
			if live.Has(i) {
				rows = append(rows, int32(i))
			}
		}
		seen.add(&col, rows)
		rows = rows[:0]
	}
	if st != nil {
		c.statistics(t, def, st, &seen, uint64(to)*BlockRows)
	}
	if st != nil && st.rows != uint64(to)*BlockRows {
		c.badf(t, def.Name, "statistics", "they count %d rows, there are %d in sealed blocks", st.rows, uint64(to)*BlockRows)
	}
	families := []byte{key.Columns}
	if def.Type.Kind == value.Vector {
		families = append(families, key.Pages)
	}
	for _, f := range families {
		limit := to
		if f == key.Pages {
			limit *= def.pagesPerBlock()
		}
		it, err := t.view.iter(key.Numbered(nil, t.def.ID, f, def.ID, limit), key.End(key.Of(nil, t.def.ID, f, def.ID)))
		if err == nil {
			if it.First() {
				c.badf(t, def.Name, fmt.Sprintf("key %x", it.Key()), "it lies after the last sealed block")
			}
			err = firstError(it.Error(), it.Close())
		}
		c.found(t.def.Name, def.Name, "blocks", err)
	}
	return c.codes(t, at, dead)
}

// statistics checks that what is said of n rows can be true of them, of which the
// live ones were seen; unreadable ones were not.
func (c *checker) statistics(t *Table, def *ColumnDef, st, seen *stats, n uint64) {
	if st.nulls < seen.nulls || st.nulls > n-(seen.rows-seen.nulls) {
		c.badf(t, def.Name, "statistics", "they count %d NULLs, there are %d in %d live rows of %d", st.nulls, seen.nulls, seen.rows, n)
	}
	for i, r := range seen.registers {
		if i >= len(st.registers) || st.registers[i] < r {
			c.badf(t, def.Name, "statistics", "they don't count some of the distinct values")
			return
		}
	}
}

// values checks the live values of a block, or of the tail when there are no statistics.
func (c *checker) values(t *Table, def *ColumnDef, col *value.Column, live *BlockSet, first uint64, st *stats) {
	zero := 0
	for i := range BlockRows {
		if !live.Has(i) {
			continue
		}
		where := func() string { return fmt.Sprintf("row %d", first+uint64(i)) }
		if col.Null(i) {
			if def.NotNull {
				c.badf(t, def.Name, where(), "NULL, and the column is NOT NULL")
			}
			continue
		}
		if err := col.CheckRow(i); err != nil {
			c.badf(t, def.Name, where(), "%v", err)
			continue
		}
		if st == nil || !key.Indexable(def.Type.Kind) {
			continue
		}
		if v := col.Value(i); st.min.IsNull() || value.Compare(v, st.min) < 0 || value.Compare(v, st.max) > 0 {
			if zero++; zero == 1 {
				c.badf(t, def.Name, where(), "%v is outside the statistics' bounds %v to %v", v, st.min, st.max)
			}
		}
	}
}

// tail checks that exactly the live rows of the last block have a key each.
func (c *checker) tail(t *Table, dead []*BlockSet) {
	b := t.sealedBlocks()
	n := t.rowsIn(b)
	live := firstRows(n)
	if n > 0 && dead[b] != nil {
		for i := range live {
			live[i] &^= dead[b][i]
		}
	}
	all, cols := make([]int, len(t.def.Columns)), make([]*value.Column, len(t.def.Columns))
	for i := range all {
		all[i], cols[i] = i, new(value.Column)
	}
	if err := t.readTail(all, cols, &live); err != nil {
		c.found(t.def.Name, "", "tail", err)
	} else {
		for i := range all {
			c.values(t, &t.def.Columns[i], cols[i], &live, uint64(b)*BlockRows, nil)
		}
	}
	it, err := t.view.prefixIter(key.Family(nil, t.def.ID, key.Tail))
	if err != nil {
		c.found(t.def.Name, "", "tail", err)
		return
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		row := key.RowNumber(it.Key())
		if row < uint64(b)*BlockRows || row >= t.counters.next || !live.Has(int(row%BlockRows)) {
			c.badf(t, "", fmt.Sprintf("row %d", row), "the tail has a row that is sealed, deleted or never existed")
		}
	}
	c.found(t.def.Name, "", "tail", it.Error())
}

// keys checks that the indexes hold every live row, and no other.
func (c *checker) keys(t *Table) error {
	d := t.def
	of := d.indexes()
	if len(of) == 0 {
		return nil
	}
	checks := make([]indexCheck, len(of))
	for i, x := range of {
		checks[i] = x.check(c, t)
	}
	which := indexColumns(of)
	cols := make([]*value.Column, len(d.Columns))
	for b := range t.Blocks() {
		scan := t.Scan(ScanOptions{Columns: which, FromBlock: b, ToBlock: b + 1})
		batch, err := scan.Next(c.ctx)
		if err != nil && c.ctx.Err() != nil {
			scan.Close()
			return c.ctx.Err()
		}
		if err != nil || batch == nil { // unreadable blocks are reported with their column
			scan.Close()
			continue
		}
		for i, at := range which {
			cols[at] = batch.Cols[i]
		}
		for _, p := range selected(batch) {
			for _, x := range checks {
				x.row(cols, int(p), batch.Rows[p])
			}
		}
		scan.Close()
	}
	for _, x := range checks {
		if err := x.finish(); err != nil {
			return err
		}
	}
	return nil
}

// codes checks that the codes of a vector column bound its vectors. Wrong codes would
// hide rows from a search.
func (c *checker) codes(t *Table, at int, dead []*BlockSet) error {
	def := &t.def.Columns[at]
	if def.Type.Kind != value.Vector {
		return nil
	}
	tr, err := t.transform(at)
	if err != nil || tr == nil {
		c.found(t.def.Name, def.Name, "transform", err)
		return nil
	}
	to := t.sealedBlocks()
	pages, err := t.pages(at, 0, to)
	if err != nil {
		c.found(t.def.Name, def.Name, "pages", err)
		return nil
	}
	defer pages.Close()
	var planes [2]*numbered
	for i := range planes {
		if planes[i], err = t.codes(at, tr, i, 0, to); err != nil {
			c.found(t.def.Name, def.Name, "codes", err)
			return nil
		}
		defer planes[i].Close()
	}
	c.codeStrays(t, def, tr, to)
	enc := tr.NewEncoder()
	vecs := make([]float32, BlockRows*def.Type.Dim)
	for b := range to {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if dead[b] != nil && dead[b].Count() == BlockRows {
			continue
		}
		var got [2][]byte
		for i := range planes {
			if got[i], err = planes[i].Get(b); err != nil {
				break
			}
		}
		if err != nil {
			c.found(t.def.Name, def.Name, fmt.Sprintf("codes of block %d", b), err)
			continue
		}
		if t.blockVectors(pages, def.Type.Dim, b, vecs) != nil {
			continue // reported with the pages
		}
		if got[0] == nil && got[1] == nil {
			// Before there was anything else to train from, zeros were left without codes.
			if slices.ContainsFunc(vecs, func(x float32) bool { return x != 0 }) {
				c.badf(t, def.Name, fmt.Sprintf("codes of block %d", b), "they are missing; a search reads all its vectors")
			}
			continue
		}
		if err := enc.Verify(vecs, got[0], got[1]); err != nil {
			c.badf(t, def.Name, fmt.Sprintf("codes of block %d", b), "they are not those of the vectors: %v", err)
		}
	}
	return nil
}

// codeStrays looks for codes of blocks that there are not. Other planes than those in use
// are of a training that is under way, or was cut off.
func (c *checker) codeStrays(t *Table, def *ColumnDef, tr *transform, to uint32) {
	for p := range 2 {
		plane := key.Plane(nil, t.def.ID, def.ID, tr.base+byte(p+1))
		from, upper := key.Code(nil, t.def.ID, def.ID, tr.base+byte(p+1), to), key.End(plane)
		it, err := t.view.iter(from, upper)
		if err == nil {
			if it.First() {
				c.badf(t, def.Name, fmt.Sprintf("key %x", it.Key()), "codes of a block that does not exist")
			}
			err = firstError(it.Error(), it.Close())
		}
		c.found(t.def.Name, def.Name, "codes", err)
	}
}

// checkFiles compares every table file with the checksum that the list of files has of it.
func (s *Store) checkFiles(ctx context.Context, c *checker) error {
	var files map[string]fileEntry
	switch {
	case s.inMemory:
	case s.fs.files != nil:
		files = s.fs.files.entries()
	default:
		l, _, _, err := readLists(s.fs, s.dir)
		if err != nil {
			return err
		}
		if l != nil {
			files = l.files
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		if e.kind != kindWhole && e.kind != kindTail {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := e.verify(s.fs.FS, s.dir, name, true)
		if errors.Is(err, os.ErrNotExist) && s.fs.files != nil && s.fs.files.entries()[name].kind == 0 {
			continue // removed in the meantime
		}
		var bad *FileError
		if errors.As(err, &bad) {
			err = damagedFile(name, bad.What+e.whatMends(s.fs.FS, s.dir, name))
		}
		if err != nil {
			c.found("", "", "file "+name, err)
		}
	}
	return nil
}
