package storage

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

const loadDirPrefix = "load-"

// loadDir are the names of directories of loads: the time in nanoseconds and, but in early builds, a number.
var loadDir = regexp.MustCompile("^" + loadDirPrefix + `[0-9]{15,}(\.[0-9]+)?$`)

// sstFileBytes is the size at which a table file of a load is closed and the next
// one begun.
const sstFileBytes = 64 << 20

// codeBlockBytes is the size of the blocks that hold codes: several planes each. A
// search reads plane 1 from end to end, and stepping to the next block of a table
// file costs as much as bounding some hundred rows.
const codeBlockBytes = 1 << 20

// sstWriter writes ascending keys into table files of a directory, to be ingested
// together. Keys of different prefixes may come interleaved, those of one prefix
// ascend: every prefix has files of its own. It is a sink, and safe for concurrent
// use on different prefixes.
type sstWriter struct {
	raises *catalog // that it brings; nil: none
	most   int      // see sstFileBytes

	s      *Store
	dir    string
	mu     sync.Mutex
	open   map[string]*sstStream
	files  []string // all that were begun
	ranges []span   // of keys in each file that is written; not that of the store's own keys
	bytes  uint64
	wait   sync.WaitGroup // closing files
	slots  chan struct{}
	err    error // of closing a file
}

type sstStream struct {
	mu sync.Mutex
	w  *sstable.Writer
	n  int // bytes in the open file

	keys   span // of the open file's keys, to included
	began  bool
	codes  bool
	counts bool // it begins with the number of commits
	whole  bool // it stays one file, however large
}

func (s *Store) newSSTWriter(dir string) *sstWriter {
	return &sstWriter{most: sstFileBytes, s: s, dir: dir, open: map[string]*sstStream{}, slots: make(chan struct{}, 2)}
}

// stream returns the open stream of a prefix.
func (w *sstWriter) stream(prefix []byte) *sstStream {
	prefix = streamPrefix(prefix)
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.open[string(prefix)]
	if st == nil {
		own := bytes.Equal(prefix, ofStore)
		st = &sstStream{codes: len(prefix) > 4 && prefix[4] == key.Codes, counts: own, whole: own}
		w.open[string(prefix)] = st
	}
	return st
}

// begin opens the next file of a stream.
func (w *sstWriter) begin(st *sstStream) error {
	w.mu.Lock()
	name := w.s.fs.PathJoin(w.dir, fmt.Sprintf("%06d.sst", len(w.files)))
	w.files = append(w.files, name)
	err := w.err
	w.mu.Unlock()
	if err != nil {
		return err
	}
	f, err := w.s.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 4 << 20})
	o := w.s.opts.MakeWriterOptions(6, w.s.db.TableFormat())
	// The files are ingested above older ones. A table of the lowest level has nothing
	// below it, and Pebble's readers skip the deletions in it.
	o.WritingToLowestLevel = false
	if st.codes {
		o.BlockSize = codeBlockBytes
	}
	st.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), o)
	st.n, st.began = 0, true
	if st.counts {
		return st.w.Set(key.Commits, w.s.commits.countedCommit())
	}
	return nil
}

// ofStore is the stream of the keys of the store itself: the number of commits, and the catalog.
// They are one file, which begins with the first of all keys. So wherever there are others of
// them Pebble takes the file in above without a look at these, and a damaged block of theirs is in
// nobody's way.
var ofStore = key.Table(nil, 0)

// streamPrefix returns the prefix of the stream that the keys of a prefix go into. Many notes of
// watches come interleaved, and have streams of their own.
func streamPrefix(prefix []byte) []byte {
	if len(prefix) <= len(ofStore)+1 && bytes.HasPrefix(prefix, ofStore) {
		return ofStore
	}
	return prefix
}

// countCommit counts the files as one commit.
func (w *sstWriter) countCommit() error {
	st := w.stream(ofStore)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.began {
		return nil // it was the first that went in
	}
	return w.begin(st)
}

// changeCatalog makes c the catalog, which has another definition of one table.
func (w *sstWriter) changeCatalog(c *catalog, d *TableDef) error {
	w.raises = c
	if err := w.put(ofStore, key.Generation, encodeGeneration(c)); err != nil {
		return err
	}
	return w.put(ofStore, key.Schema(d.Name), encodeSchema(d))
}

// set writes a key whose last four bytes are a number: blocks, pages, codes.
func (w *sstWriter) set(k, v []byte) error { return w.put(k[:len(k)-4], k, v) }

// put writes a key into the stream of a prefix.
func (w *sstWriter) put(prefix, k, v []byte) error {
	return w.write(prefix, k, len(v), func(to *sstable.Writer) error { return to.Set(k, v) })
}

// merge appends to the value of a key.
func (w *sstWriter) merge(prefix, k, v []byte) error {
	return w.write(prefix, k, len(v), func(to *sstable.Writer) error { return to.Merge(k, v) })
}

// remove deletes a key that is there before the files are ingested.
func (w *sstWriter) remove(prefix, k []byte) error {
	return w.write(prefix, k, 0, func(to *sstable.Writer) error { return to.Delete(k) })
}

// write adds an entry, whose value has some size, to the stream of a prefix.
func (w *sstWriter) write(prefix, k []byte, size int, f func(to *sstable.Writer) error) error {
	st := w.stream(prefix)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.w == nil {
		if err := w.begin(st); err != nil {
			return err
		}
	}
	if err := f(st.w); err != nil {
		return err
	}
	st.covers(k, k)
	st.n += len(k) + size
	if st.n < w.most || st.whole {
		return nil
	}
	done := st.w
	st.w = nil
	w.slots <- struct{}{}
	w.wait.Add(1)
	w.mu.Lock()
	w.bytes += uint64(st.n)
	w.ended(st)
	w.mu.Unlock()
	go func() { // waiting for the disk need not hold up the load
		defer func() { <-w.slots; w.wait.Done() }()
		w.failed(done.Close())
	}()
	return nil
}

// deleteRange deletes the keys of [from, to) that are there before the files are
// ingested; it comes before the stream's keys, and after those of an earlier range.
func (w *sstWriter) deleteRange(prefix, from, to []byte) error {
	st := w.stream(prefix)
	if st.w == nil {
		if err := w.begin(st); err != nil {
			return err
		}
	}
	st.covers(from, to)
	return st.w.DeleteRange(from, to)
}

// covers notes that keys of [from, to] are in the open file.
func (st *sstStream) covers(from, to []byte) {
	if len(st.keys.from) == 0 || bytes.Compare(from, st.keys.from) < 0 {
		st.keys.from = append(st.keys.from[:0], from...)
	}
	if bytes.Compare(to, st.keys.to) > 0 {
		st.keys.to = append(st.keys.to[:0], to...)
	}
}

// ended keeps the range of a file that is written. mu is held.
func (w *sstWriter) ended(st *sstStream) {
	if !st.counts {
		w.ranges = append(w.ranges, st.keys)
	}
	st.keys = span{}
}

// meetsDamage reports whether what Pebble may look at to take the files in, to find out whether
// there are keys between those of a file, can't be read.
func (w *sstWriter) meetsDamage(r pebble.Reader) bool {
	if len(w.ranges) == 0 {
		return false
	}
	it, err := r.NewIter(nil)
	if err != nil {
		return errors.Is(err, pebble.ErrCorruption)
	}
	for _, s := range w.ranges {
		it.SeekGEWithLimit(s.from, append(s.to, 0))
		if err = it.Error(); err != nil {
			break
		}
	}
	return errors.Is(firstError(err, it.Close()), pebble.ErrCorruption)
}

// deleteWithin is deleteRange where keys of the stream may lie inside the range: then the
// rest of the stream is one file, as those of one ingestion must not overlap.
func (w *sstWriter) deleteWithin(prefix, from, to []byte) error {
	w.stream(prefix).whole = true
	return w.deleteRange(prefix, from, to)
}

func (w *sstWriter) failed(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// finish closes all files and returns their names.
func (w *sstWriter) finish() ([]string, error) {
	for _, st := range w.open {
		if st.w != nil {
			w.failed(st.w.Close())
			st.w = nil
			w.mu.Lock()
			w.ended(st)
			w.mu.Unlock()
		}
	}
	w.wait.Wait()
	return w.files, w.err
}

// abort closes what is open.
func (w *sstWriter) abort() {
	_, err := w.finish()
	_ = errors.Join(err)
}
