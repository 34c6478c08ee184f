package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"

	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// SetMemTable makes memtables small, so that a short test flushes them.
func SetMemTable(o *Options, size uint64) { o.memTable = size }

// Failed reports whether the store refuses writes because one has failed.
func Failed(s *Store) bool { return s.gen.failed() != nil }

// SetCacheStart makes the cache begin with this size.
func SetCacheStart(o *Options, size int64) { o.cacheStart = size }

// SetSortMemory makes loads spill their keys to files early.
func SetSortMemory(s *Store, n int) { s.sortMemory = n }

// SetBuildRows lets transactions of one statement build in files from n rows on.
func SetBuildRows(s *Store, n uint64) { s.buildRows = n }

// SetLargeTransaction is the size from which on a transaction is kept in an overlay.
func SetLargeTransaction(s *Store, n int) { s.largeTransaction = n }

// VisitAll makes approximate searches visit every cluster, with bounds that are proven or with
// those of such searches.
func VisitAll(s *Store, proven bool) {
	s.visits = allNarrowed
	if proven {
		s.visits = allProven
	}
}

// AwaitCommits returns when the number of acknowledged commits is on the disk.
func AwaitCommits(s *Store) { s.commits.syncs.Wait() }

// SetMaxWaiting makes workers keep so many survivors for later, until the test ends.
func SetMaxWaiting(t testing.TB, n int) {
	was := maxWaiting
	maxWaiting = n
	t.Cleanup(func() { maxWaiting = was })
}

// SetPatience shortens the time that a write may hang on a failed disk.
func SetPatience(s *Store, d time.Duration) { s.patience = d }

// Editor changes keys behind the store's back, to see whether Check finds out.
type Editor struct {
	db  *pebble.DB
	err error
}

// Edit runs f on the store's keys.
func Edit(s *Store, f func(e *Editor)) error {
	e := &Editor{db: s.db}
	f(e)
	s.refresh()
	return e.err
}

func (e *Editor) do(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *Editor) Block(t, c, n uint32) []byte     { return key.Numbered(nil, t, key.Columns, c, n) }
func (e *Editor) Page(t, c, n uint32) []byte      { return key.Numbered(nil, t, key.Pages, c, n) }
func (e *Editor) Row(t uint32, row uint64) []byte { return key.Row(nil, t, row) }
func (e *Editor) Primary(t uint32) []byte         { return key.Family(nil, t, key.Primary) }
func (e *Editor) Index(t, x uint32) []byte        { return key.Of(nil, t, key.Index, x) }
func (e *Editor) Tombstones(t, b uint32) []byte   { return key.Tombstone(nil, t, b) }
func (e *Editor) Counters(t uint32) []byte        { return key.Family(nil, t, key.Counters) }
func (e *Editor) Stats(t, c uint32) []byte        { return key.Of(nil, t, key.Stats, c) }

func (e *Editor) Schema(name string) []byte    { return key.Schema(name) }
func (e *Editor) Generation() []byte           { return key.Generation }
func (e *Editor) FormatKey() []byte            { return key.Format }
func (e *Editor) Commits() []byte              { return key.Commits }
func (e *Editor) Prompts() []byte              { return key.Prompts() }
func (e *Editor) Transform(t, c uint32) []byte { return key.Of(nil, t, key.Meta, c) }

func (e *Editor) Code(t, c uint32, plane byte, b uint32) []byte {
	return key.Code(nil, t, c, plane, b)
}

func (e *Editor) value(k []byte) []byte {
	v, err := get(e.db, k)
	e.do(err)
	if v == nil {
		e.do(pebble.ErrNotFound)
	}
	return v
}

func (e *Editor) Delete(k []byte) { e.value(k); e.do(e.db.Delete(k, nil)) }
func (e *Editor) Cut(k []byte)    { v := e.value(k); e.do(e.db.Set(k, v[:len(v)-1], nil)) }
func (e *Editor) Copy(from, to []byte) {
	e.do(e.db.Set(to, e.value(from), nil))
}

func (e *Editor) Set(k, v []byte)       { e.do(e.db.Set(k, v, nil)) }
func (e *Editor) First(k []byte) []byte { return e.first(k) }

// Flip changes a bit of a value.
func (e *Editor) Flip(k []byte, at int) {
	v := e.value(k)
	v[at] ^= 2
	e.Set(k, v)
}

// SetByte changes a byte of a value.
func (e *Editor) SetByte(k []byte, at int, b byte) {
	v := e.value(k)
	v[at] = b
	e.Set(k, v)
}

// SetValue changes one value of a column's block.
func (e *Editor) SetValue(k []byte, t value.Type, row int, v value.Value) {
	var old, col value.Column
	n, err := block.Decode(e.value(k), t, &old)
	e.do(err)
	col.Reset(t)
	for i := range n {
		if i == row {
			col.Append(i, v)
		} else {
			col.Append(i, old.Value(i))
		}
	}
	e.Set(k, block.Encode(nil, &col, n))
}

// Replace changes a text in a value.
func (e *Editor) Replace(k []byte, old, with string) {
	v := e.value(k)
	if !bytes.Contains(v, []byte(old)) {
		e.do(fmt.Errorf("%q does not contain %q", v, old))
	}
	e.Set(k, bytes.ReplaceAll(v, []byte(old), []byte(with)))
}

// Poison makes the first float of a page infinite.
func (e *Editor) Poison(k []byte) {
	v := e.value(k)
	binary.LittleEndian.PutUint32(v, 0x7f800000)
	e.do(e.db.Set(k, v, nil))
}

// first returns the first key that starts with prefix.
func (e *Editor) first(prefix []byte) []byte {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: key.End(prefix)})
	e.do(err)
	defer it.Close()
	if !it.First() {
		e.do(pebble.ErrNotFound)
		return nil
	}
	return append([]byte(nil), it.Key()...)
}

func (e *Editor) DeleteFirst(prefix []byte) { e.do(e.db.Delete(e.first(prefix), nil)) }
func (e *Editor) Redirect(prefix []byte, row uint64) {
	e.do(e.db.Set(e.first(prefix), binary.BigEndian.AppendUint64(nil, row), nil))
}

// Upgrade runs steps that lead beyond Format and change one key each, from the format the
// store has. The step at number fail does not succeed.
func Upgrade(s *Store, steps, fail int) error {
	list := slices.Clone(upgrades)
	for i := range steps {
		list = append(list, func(r pebble.Reader, b *pebble.Batch) error {
			if i+1 == fail {
				return errors.New("no")
			}
			return b.Set(append(key.Prompts(), byte(i)), nil, nil)
		})
	}
	v, err := get(s.db, key.Format)
	if err != nil {
		return err
	}
	return s.upgrade(int(binary.BigEndian.Uint32(v)), list)
}

// Downgrade makes the store one of format 1, as versions before 0.2 have left it.
func Downgrade(s *Store) error {
	b := s.db.NewBatch()
	return errors.Join(
		b.Set(key.Format, binary.BigEndian.AppendUint32(nil, 1), nil),
		b.Delete(key.Commits, nil),
		s.db.Apply(b, pebble.Sync),
		writeMarker(s.fs, s.dir, marker{format: 1}),
		s.commits.close(false),
		s.fs.Remove(s.fs.PathJoin(s.dir, commitsName)),
	)
}

// StoredFormat returns the format that the store says it has, and its file.
func StoredFormat(s *Store) (store, file int) {
	v, _ := get(s.db, key.Format)
	m, _ := readMarker(s.fs, s.dir)
	return int(binary.BigEndian.Uint32(v)), m.format
}

// NewLogReader reads the records of a log with Pebble's reader.
func NewLogReader(r io.Reader, name string) *record.Reader {
	num, _ := logNumber(name)
	return newRecordReader(record.NewReader, r, num)
}

// MergeWindow is mergeWindow.
const MergeWindow = mergeWindow

// AwaitHousekeeping waits until housekeeping has nothing to do.
func AwaitHousekeeping(s *Store) {
	s.keeper.mu.Lock()
	done := s.keeper.done
	s.keeper.mu.Unlock()
	if done != nil {
		<-done
	}
}

// LargestCommit returns the bytes of the largest commit of housekeeping and of training
// codes anew: that is what writers wait for.
func LargestCommit(s *Store) int64 { return s.keeper.largest.Load() }

// FlippedBit is flippedBit.
var FlippedBit = flippedBit

// SetMergeBytes sets how many bytes of vectors one step of housekeeping moves.
func SetMergeBytes(s *Store, n int) { s.keeper.mergeBytes = n }

// BasesOfCodes returns the bases of planes that there are of a column.
func BasesOfCodes(s *Store, table string, column int) ([]byte, error) {
	v, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	t, err := v.Table(table)
	if err != nil {
		return nil, err
	}
	return t.basesOfCodes(column)
}

// SealedBlocks returns how many sealed blocks of a table have a live row, and how many rows
// those have.
func SealedBlocks(s *Store, table string) (blocks, live int) {
	v, err := s.Snapshot()
	if err != nil {
		return 0, 0
	}
	defer v.Close()
	t, err := v.Table(table)
	if err != nil {
		return 0, 0
	}
	it := &liveBlocks{t: t}
	for {
		b, ok, err := it.next()
		if err != nil || !ok {
			return blocks, live
		}
		blocks, live = blocks+1, live+b.live
	}
}

// Asked returns how many queries are kept of a vector column.
func Asked(s *Store, table string, column int) int {
	v, err := s.Snapshot()
	if err != nil {
		return -1
	}
	defer v.Close()
	t, err := v.Table(table)
	if err != nil {
		return -1
	}
	q, err := t.asked(column)
	if err != nil {
		return -1
	}
	return len(q)
}

// TableFileKeys returns the keys that salvage finds in a table file, with their newest values.
func TableFileKeys(b []byte) (map[string]string, error) {
	t := readTable(b)
	defer t.close()
	out := map[string]string{}
	err := t.all(func(k pebble.InternalKey, v []byte) error {
		if _, ok := out[string(k.UserKey)]; !ok {
			out[string(k.UserKey)] = string(v)
		}
		return nil
	})
	return out, err
}

// GiveBack gives the reserve back, and the logs that are not needed any more.
func GiveBack(s *Store) { s.room.giveBack() }

// LogsHeld returns how many logs there are whose contents are not known to be in tables.
func LogsHeld(s *Store) int {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	return len(s.room.logs)
}

// OldClusters reports whether clusters are read that an earlier version has written, without bounds of
// their rows, and whether those of this version are read with them.
func OldClusters() (old, whole bool) {
	const dim = 2
	c := &clustering{dim: dim, ends: []int{1, 2}, starts: []uint32{0, 3, 3, 7}, norms: []float32{1, 0, 2}, means: []float32{1, 0, 0, 0, 0, 1}, spread: make([]float32, 6),
		caps: []float32{0.5, 1, -0.25}, low: []float64{1, 0, 1e-40}, high: []float64{1, 0, 1e40}}
	b := c.encode()
	now, err := decodeClustering(b, dim)
	whole = err == nil && slices.Equal(now.caps, c.caps) && slices.Equal(now.low, c.low) && slices.Equal(now.high, c.high)
	was, err := decodeClustering(b[:len(b)-(4+2*8)*c.len()], dim)
	old = err == nil && was.caps == nil && slices.Equal(was.means, c.means)
	return old, whole
}
