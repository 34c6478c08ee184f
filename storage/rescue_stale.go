package storage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// StaleRows are rows that Salvage has saved and that may be older than the last commit: what
// a later one has changed or deleted of them may be in what is lost.
type StaleRows struct {
	From, To uint64 // their numbers in the damaged store, To included
	Rows     uint64 // how many of them were saved
	// The primary keys of the first and the last of them, in the order of their numbers; ""
	// without a primary key.
	First, Last string
	Why         string
}

func (s StaleRows) String() string {
	text := fmt.Sprintf("rows %d to %d", s.From, s.To)
	if s.From == s.To {
		text = fmt.Sprintf("row %d", s.From)
	}
	switch {
	case s.First == "":
	case s.First == s.Last:
		text += fmt.Sprintf(" (key %s)", s.First)
	default:
		text += fmt.Sprintf(" (keys %s to %s)", s.First, s.Last)
	}
	return fmt.Sprintf("%s may be older than the last commit: %s", text, s.Why)
}

// keySpan is a range of keys, both ends included; nil is no bound.
type keySpan struct{ from, to []byte }

func (s keySpan) has(k []byte) bool {
	return bytes.Compare(s.from, k) <= 0 && (s.to == nil || bytes.Compare(k, s.to) <= 0)
}

// overlaps reports whether a key may lie in both.
func (s keySpan) overlaps(o keySpan) bool {
	return (o.to == nil || bytes.Compare(s.from, o.to) <= 0) && (s.to == nil || bytes.Compare(o.from, s.to) <= 0)
}

// lostTable is what can't be read of a table file.
type lostTable struct {
	name      string
	holes     []keySpan // where keys may be lost
	deletions bool      // deletions of ranges may be lost
	why       string
	note      string
}

// logMark is a record of a log, by its first sequence number, or a place where records may
// be lost.
type logMark struct {
	seq  uint64
	hole string // why; "" for a record
}

// gap is where changes are lost: those of keys in span, with sequence numbers up to seq.
type gap struct {
	keySpan
	seq uint64
	but string // a file whose own keys are as they were
	why string
}

// version is the newest change of a key that is there.
type version struct {
	seq  uint64
	file string
}

// holes returns where keys of the table may be lost.
func (t *tableFile) holes(complete bool) (holes []keySpan) {
	var last []byte
	lost := false // a block before this one
	for _, h := range t.blocks {
		first, end, err := t.ends(h)
		if err != nil || first == nil {
			lost = true
			continue
		}
		if lost {
			holes = append(holes, keySpan{last, first})
		}
		last, lost = end, false
	}
	if lost || !complete {
		holes = append(holes, keySpan{from: last})
	}
	return holes
}

// deletions returns the ranges of keys that the table deletes, with the sequence numbers of
// that; ok is false when they can't be read.
func (t *tableFile) deletions(f func(span keySpan, seq uint64)) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if t.reader == nil {
		return false
	}
	it, err := t.reader.NewRawRangeDelIter(context.Background(), sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil {
		return false
	}
	if it == nil {
		return true
	}
	defer it.Close()
	s, err := it.First()
	for ; s != nil && err == nil; s, err = it.Next() {
		for _, k := range s.Keys {
			f(keySpan{bytes.Clone(s.Start), bytes.Clone(s.End)}, uint64(k.SeqNum()))
		}
	}
	return err == nil
}

// marksOf notes the records of a log, and the places where some are lost.
func (r *rescuer) marksOf(name string, b []byte, number uint64, e fileEntry) {
	why := name + " is damaged"
	at := len(r.marks)
	readRecords(b, number, func(rec []byte, whole bool) {
		if h, ok := batchrepr.ReadHeader(rec); ok && whole {
			r.marks = append(r.marks, logMark{seq: uint64(h.SeqNum)})
			for it := batchrepr.Read(rec); ; {
				_, k, v, ok, err := it.Next()
				if !ok || err != nil {
					return
				}
				if bytes.Equal(k, key.Commits) && len(v) == 8 {
					r.logged = max(r.logged, binary.BigEndian.Uint64(v))
				}
			}
		}
		r.marks = append(r.marks, logMark{hole: why})
	})
	// The end of a log that was being written when the process ended may be cut off; then the
	// number of commits tells whether one is lost.
	if n := len(r.marks); n > at && r.marks[n-1].hole != "" {
		r.marks = r.marks[:n-1]
	}
	if e.kind == kindPrefix && e.verify(r.base, r.from, name, true) != nil {
		r.marks = append(r.marks, logMark{hole: why})
	}
}

// logGaps returns what the logs have lost. made is the number of commits that are there.
func (r *rescuer) logGaps(made uint64) (gaps []gap) {
	next := uint64(math.MaxUint64)
	if note, err := readCommits(r.base, r.from); err == nil && made < note.acknowledged {
		gaps = append(gaps, gap{seq: next, why: "the last commits are lost, or nothing tells that they are not"})
	}
	for _, m := range slices.Backward(r.marks) {
		switch {
		case m.hole == "":
			next = m.seq
		case len(gaps) == 0 || gaps[len(gaps)-1].seq != next:
			gaps = append(gaps, gap{seq: next, why: m.hole})
		}
	}
	return gaps
}

// isRows reports whether a key holds rows, or what is deleted of them.
func isRows(k []byte) bool {
	if len(k) < 9 || binary.BigEndian.Uint32(k) == 0 {
		return false
	}
	switch k[4] {
	case key.Columns, key.Pages, key.Tail, key.Tombstones:
		return true
	}
	return false
}

// findStale works out which rows of a store, that was opened as it was found, may be older
// than the last commit.
func (r *rescuer) findStale(s *Store) error {
	levels, err := s.db.SSTables()
	if err != nil {
		return err
	}
	type table struct {
		keySpan
		file     string
		ingested uint64 // the sequence number of all its keys, or 0
	}
	var tables []table
	var gaps []gap
	for _, level := range levels {
		for _, info := range level {
			r.unused = slices.DeleteFunc(r.unused, func(l lostTable) bool {
				used := l.name == fmt.Sprintf("%s.sst", info.BackingSSTNum)
				if used {
					r.loses(l)
				}
				return used
			})
			t := table{keySpan: keySpan{info.Smallest.UserKey, info.Largest.UserKey}, file: fmt.Sprintf("%s.sst", info.BackingSSTNum)}
			if info.SmallestSeqNum == info.LargestSeqNum {
				t.ingested = uint64(info.LargestSeqNum)
			}
			tables = append(tables, t)
			for _, l := range r.lost {
				if l.name != t.file {
					continue
				}
				for _, h := range l.holes {
					if h.overlaps(t.keySpan) {
						if bytes.Compare(h.from, t.from) < 0 {
							h.from = t.from
						}
						if h.to == nil || bytes.Compare(h.to, t.to) > 0 {
							h.to = t.to
						}
						gaps = append(gaps, gap{keySpan: h, seq: uint64(info.LargestSeqNum), why: l.why})
					}
				}
				if l.deletions {
					gaps = append(gaps, gap{keySpan: t.keySpan, seq: uint64(info.LargestSeqNum), but: t.file, why: l.why})
				}
			}
		}
	}
	made := r.logged // where the store's own can't be read
	if b, err := get(s.db, key.Commits); err == nil && len(b) == 8 {
		made = binary.BigEndian.Uint64(b)
	} else if r.listed { // it was closed: the last commits are in no log
		made = math.MaxUint64
	}
	gaps = append(gaps, r.logGaps(made)...)
	if len(gaps) == 0 {
		return nil
	}
	newest := map[string]version{}
	see := func(k []byte, seq uint64, file string) {
		if !isRows(k) || !slices.ContainsFunc(gaps, func(g gap) bool { return g.has(k) }) {
			return
		}
		if was, ok := newest[string(k)]; !ok || was.seq < seq {
			newest[string(k)] = version{seq, file}
		}
	}
	for _, t := range tables {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if !slices.ContainsFunc(gaps, func(g gap) bool { return g.overlaps(t.keySpan) }) {
			continue
		}
		b, err := readAll(r.fs, r.fs.PathJoin(r.from, t.file))
		if err != nil {
			return err
		}
		f := readTable(b)
		err = f.all(func(k pebble.InternalKey, _ []byte) error {
			if t.has(k.UserKey) {
				see(k.UserKey, max(uint64(k.SeqNum()), t.ingested), t.file)
			}
			return nil
		})
		f.close()
		if err != nil {
			return err
		}
	}
	logged := map[string]loggedKey{}
	err = r.logKeys(func(k []byte, l loggedKey) {
		if was, ok := logged[string(k)]; isRows(k) && (!ok || was.seq < l.seq) {
			logged[string(k)] = l
		}
	})
	if err != nil {
		return err
	}
	v, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer v.Close()
	for k, l := range logged {
		// What a log says counts only if the log is in use: tables may have taken it in.
		got, err := get(s.db, []byte(k))
		if err == nil && (l.deleted && got == nil || !l.deleted && got != nil && crc32.Checksum(got, crcTable) == l.sum) {
			see([]byte(k), l.seq, l.file)
		}
	}
	for _, d := range v.Tables() {
		r.staleRowsOf(v, d, gaps, newest)
	}
	return nil
}

// loggedKey is what a record of a log does to a key.
type loggedKey struct {
	seq     uint64
	sum     uint32 // of the value
	deleted bool
	file    string
}

// logKeys hands out the keys of all records of the logs that can be read.
func (r *rescuer) logKeys(see func(k []byte, l loggedKey)) error {
	names, err := r.fs.List(r.from)
	if err != nil {
		return err
	}
	for _, n := range names {
		number, ok := logNumber(n)
		if !ok || !strings.HasSuffix(n, ".log") {
			continue
		}
		b, err := readAll(r.base, r.base.PathJoin(r.from, n))
		if err != nil {
			return err
		}
		readRecords(b, number, func(rec []byte, whole bool) {
			h, ok := batchrepr.ReadHeader(rec)
			if !ok || !whole {
				return
			}
			seq := uint64(h.SeqNum)
			for it := batchrepr.Read(rec); ; seq++ {
				kind, k, v, ok, err := it.Next()
				if !ok || err != nil {
					break
				}
				if kind == pebble.InternalKeyKindSet || kind == pebble.InternalKeyKindDelete {
					see(k, loggedKey{seq, crc32.Checksum(v, crcTable), kind == pebble.InternalKeyKindDelete, n})
				}
			}
		})
	}
	return nil
}

// staleRowsOf notes the rows of a table whose newest version that is there is older than
// what is lost in its place.
func (r *rescuer) staleRowsOf(v *View, d *TableDef, gaps []gap, newest map[string]version) {
	next := v.rowsGiven(d)
	blocks := uint32((next + BlockRows - 1) / BlockRows)
	for _, g := range gaps {
		old := map[uint32]bool{} // blocks that hold something older
		for k, got := range newest {
			if binary.BigEndian.Uint32([]byte(k)) != d.ID || !g.has([]byte(k)) || got.seq >= g.seq || g.but != "" && got.file == g.but {
				continue
			}
			from, to, ok := rowsOfKey(d, []byte(k))
			if !ok || from >= next {
				continue
			}
			old[uint32(from/BlockRows)] = true
			r.addStale(d.Name, from, min(to, next-1), g.why)
		}
		// Rows that were deleted come back where that is lost.
		for b := range blocks {
			k := key.Tombstone(nil, d.ID, b)
			if !g.has(k) || g.from == nil && !old[b] {
				continue
			}
			if got, ok := newest[string(k)]; !ok || got.seq < g.seq && got.file != g.but {
				from := uint64(b) * BlockRows
				r.addStale(d.Name, from, min(from+BlockRows, next)-1, g.why)
			}
		}
	}
}

// rowsOfKey returns the first and the last row that a key tells of.
func rowsOfKey(d *TableDef, k []byte) (from, to uint64, ok bool) {
	n, width := uint64(key.Number(k)), uint64(BlockRows)
	switch k[4] {
	case key.Tail:
		n, width = key.RowNumber(k), 1
	case key.Pages:
		i := d.ColumnID(binary.BigEndian.Uint32(k[5:]))
		if i < 0 {
			return 0, 0, false
		}
		width = uint64(d.Columns[i].pageRows)
	case key.Columns:
		if d.ColumnID(binary.BigEndian.Uint32(k[5:])) < 0 {
			return 0, 0, false
		}
	}
	return n * width, n*width + width - 1, true
}

func (r *rescuer) addStale(table string, from, to uint64, why string) {
	r.stale[table] = append(r.stale[table], StaleRows{From: from, To: to, Why: why})
}

// staleRows returns what is known of a table: in order, ranges for one reason that touch made
// one.
func (r *rescuer) staleRows(table string) (out []StaleRows) {
	all := r.stale[table]
	slices.SortFunc(all, func(a, b StaleRows) int {
		return cmp.Or(strings.Compare(a.Why, b.Why), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	for _, s := range all {
		if n := len(out); n > 0 && out[n-1].Why == s.Why && s.From <= out[n-1].To+1 {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b StaleRows) int { return cmp.Compare(a.From, b.From) })
	return out
}

// staleUnlisted is findStale for a store whose rows were found without the list of tables.
func (r *rescuer) staleUnlisted(c *collector, v *View) {
	lost := r.logGaps(c.commits)
	for _, l := range r.lost {
		lost = append(lost, gap{why: l.why})
	}
	if !r.listed {
		lost = append(lost, gap{why: "nothing says which files there were last"})
	}
	unsure := slices.Sorted(maps.Keys(c.unsure))
	for _, d := range v.Tables() {
		next := v.rowsGiven(d)
		if next == 0 {
			continue
		}
		for _, g := range lost {
			r.addStale(d.Name, 0, next-1, g.why)
		}
		for _, k := range unsure {
			if binary.BigEndian.Uint32([]byte(k)) == d.ID {
				if from, to, ok := rowsOfKey(d, []byte(k)); ok && from < next {
					r.addStale(d.Name, from, min(to, next-1), "there are several versions, and nothing says which one is newest")
				}
			}
		}
		for k, seen := range c.seqs {
			if binary.BigEndian.Uint32([]byte(k)) != d.ID || k[4] == key.Tail {
				continue
			}
			deleted := c.gone[k] > seen.seq
			for _, del := range c.deletions {
				deleted = deleted || del.has([]byte(k)) && (del.seq > seen.seq || del.seq == 0) && del.but != seen.file
			}
			if from, to, ok := rowsOfKey(d, []byte(k)); deleted && ok && from < next {
				r.addStale(d.Name, from, min(to, next-1), "they may have been deleted")
			}
		}
	}
}

// rowsGiven is the number of row numbers that a table has given out, as far as it can be told.
func (v *View) rowsGiven(d *TableDef) uint64 {
	c, err := v.readCounters(d)
	if err != nil {
		c = counters{}
	}
	if guess, err := v.guessCounters(d); err == nil {
		c.next = max(c.next, guess.next)
	}
	return c.next
}

// noteStale counts the rows of a batch that lie in the ranges, and notes their keys.
func noteStale(stale []StaleRows, b *value.Batch, primaryKey int) {
	if len(b.Rows) == 0 {
		return
	}
	for i := range stale {
		s := &stale[i]
		if b.Rows[len(b.Rows)-1] < s.From || s.To < b.Rows[0] {
			continue
		}
		for _, p := range b.Sel {
			if row := b.Rows[p]; row < s.From || s.To < row {
				continue
			}
			s.Rows++
			if primaryKey >= 0 {
				s.Last = b.Cols[primaryKey].Value(int(p)).String()
				if s.First == "" {
					s.First = s.Last
				}
			}
		}
	}
}
