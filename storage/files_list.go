package storage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fileList keeps the list of a store that is open for writing.
type fileList struct {
	fs  vfs.FS // below the guard
	dir string
	id  string       // of the store
	cut *atomic.Bool // the store has failed: nothing is written any more

	unsynced func(error) // told when the list could not be synced
	freed    func()      // told when files are gone

	mu     sync.Mutex
	turn   sync.Cond // something of the below has changed
	files  map[string]*fileState
	number uint64          // of the list on disk
	listed map[string]bool // on it, or on the one that is being written
	strays map[string]bool // tables that are not the store's
	queue  []string        // to be removed once the list is written without them
	held   bool            // the store is being opened: nothing is written yet
	due    bool            // the list is to be written
	busy   bool            // it is being written
	failed error           // why it could not be, last time
	last   bool            // the store is being closed: one more list will be written,
	asked  bool            // and none before that unless somebody waits for it
	loads  int             // ingestions under way, which write the list at their end: the same
	stop   bool

	slots [2]vfs.File
	sizes [2]int64
	done  chan struct{}
}

// ---- Keeping the list ----

// newFileList begins to watch the directory of a store that is about to be opened for
// writing. l is the list on disk, nil when there is none yet. Nothing is written, and
// removals of listed files wait, until start.
func newFileList(fs vfs.FS, dir, id string, l *list, cut *atomic.Bool, unsynced func(error)) (*fileList, error) {
	fl := &fileList{fs: fs, dir: dir, id: id, cut: cut, unsynced: unsynced, files: map[string]*fileState{}, listed: map[string]bool{}, strays: map[string]bool{}, held: true, done: make(chan struct{})}
	fl.turn.L = &fl.mu
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var before *list // what it names may be on the way out
	switch {
	case l == nil || !l.closed:
	case l.number == 1: // a copy's, which has none before
		before = &list{}
	default:
		if b, err := readAll(fs, fs.PathJoin(dir, listSlot(l.number+1))); err == nil {
			before, _ = decodeList(b)
		}
	}
	for _, n := range names {
		if !isListed(n) {
			continue
		}
		if isTable(n) && l != nil && l.stray(n, before) {
			fl.strays[n] = true
			continue
		}
		st := &fileState{durable: true}
		if l != nil {
			st.known = l.files[n]
		}
		switch {
		case st.known.kind != 0:
		case strings.HasSuffix(n, ".log"): // it is about to be replayed, and to go
			st.known.kind = kindExists
		default: // written after the list, or before there was one
			if st.known, err = entryOf(fs, dir, n, false); err != nil {
				return nil, err
			}
		}
		fl.files[n] = st
	}
	if l != nil {
		fl.number = l.number
		for n, e := range l.files {
			fl.listed[n] = e.kind != kindStray
		}
	}
	return fl, nil
}

// stray reports whether a table that is in the directory is not the store's: Close has written the
// list, and neither that names it nor the one before, whose files may not have been removed yet;
// nor does its number follow those of the list, as the numbers of files do that a process has
// made which was killed before it had written a list. Of a store that was not closed, what no list
// names may be what its process was writing.
func (l *list) stray(name string, before *list) bool {
	if e, ok := l.files[name]; ok {
		return e.kind == kindStray
	}
	if !l.closed || before == nil {
		return false
	}
	if e, was := before.files[name]; was {
		return e.kind == kindStray
	}
	last := uint64(0)
	for n := range l.files {
		last = max(last, fileNumber(n))
	}
	n := fileNumber(name)
	return n <= last || n > last+nextFiles
}

// nextFiles is more than the number of files that are made before a list names them.
const nextFiles = 100_000

// fileNumber returns the number in the name of a file of Pebble's, 0 if it has none.
func fileNumber(name string) uint64 {
	if kindOf(name) == kindExists {
		return 0
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "OPTIONS-"), "MANIFEST-"), ".")
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// key is what a file is known by: its name within the directory, or its path elsewhere,
// for tables of a load that will be linked into the directory.
func (fl *fileList) key(path string) string {
	if fl.fs.PathDir(path) == fl.fs.PathDir(fl.fs.PathJoin(fl.dir, "x")) {
		return fl.fs.PathBase(path)
	}
	return path
}

// inside reports whether a key is that of a file on the list.
func (fl *fileList) inside(key string) bool { return isListed(key) && fl.fs.PathBase(key) == key }

// created notes a new file, from its first byte on.
func (fl *fileList) created(path string) *fileState {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	st := &fileState{writing: true, late: fl.last}
	fl.files[fl.key(path)] = st
	return st
}

// opened notes a file that was opened to change it, and made unless it was there.
func (fl *fileList) opened(path string) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if k := fl.key(path); fl.files[k] == nil {
		fl.files[k] = &fileState{partly: true}
	}
}

// writes notes what is about to be written at a file's end: a file system of Pebble's may change
// the bytes that it writes.
func (fl *fileList) writes(st *fileState, p []byte) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	st.next.sum = crc32.Update(st.written.sum, crcTable, p)
	st.next.end = append(st.next.end[:0], p[max(0, len(p)-tailBytes):]...)
}

// wrote notes that the first n bytes of p were written.
func (fl *fileList) wrote(st *fileState, p []byte, n int) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	end := st.next.end
	st.written.size += int64(n)
	if n == len(p) {
		st.written.sum = st.next.sum
	} else { // on a full disk
		st.written.sum = crc32.Update(st.written.sum, crcTable, p[:n])
		end = p[max(0, n-tailBytes):n]
	}
	if over := len(st.end) + len(end) - tailBytes; over > 0 {
		st.end = append(st.end[:0], st.end[over:]...)
	}
	st.end = append(st.end, end...)
}

// wroteAt notes that a file was written to elsewhere than at its end.
func (fl *fileList) wroteAt(st *fileState) {
	fl.mu.Lock()
	st.partly = true
	fl.mu.Unlock()
}

// synced notes that what was written of a file is on disk.
func (fl *fileList) synced(st *fileState) {
	fl.mu.Lock()
	st.synced = st.written
	fl.mu.Unlock()
}

// closed notes the end of writing a file.
func (fl *fileList) closed(st *fileState) {
	fl.mu.Lock()
	st.writing = false
	st.written.tail = crc32.Checksum(st.end, crcTable)
	st.end = nil
	fl.mu.Unlock()
}

// moved notes that a file has a second name or, when the first is gone, another one.
func (fl *fileList) moved(from, to string, gone bool) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	a, b := fl.key(from), fl.key(to)
	st := fl.files[a]
	if st == nil {
		st = &fileState{partly: true}
	}
	c := *st
	c.durable = false
	fl.files[b] = &c
	if gone {
		delete(fl.files, a)
	}
}

// removedAll forgets the files below a directory.
func (fl *fileList) removedAll(path string) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	prefix := fl.fs.PathJoin(path, "x")
	prefix = prefix[:len(prefix)-1]
	maps.DeleteFunc(fl.files, func(k string, _ *fileState) bool { return strings.HasPrefix(k, prefix) })
}

// unsure notes that a file is about to get shorter than it was written.
func (fl *fileList) unsure(path string) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if st := fl.files[fl.key(path)]; st != nil {
		st.known = fileEntry{kind: kindExists}
	}
}

// undurable returns the files that were made since the directory was last synced.
func (fl *fileList) undurable() (made []*fileState) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for _, st := range fl.files {
		if !st.durable {
			made = append(made, st)
		}
	}
	return made
}

// dirSynced notes that the directory was synced after these files were made.
func (fl *fileList) dirSynced(made []*fileState) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for _, st := range made {
		st.durable = true
	}
	if fl.unlistedLog() {
		fl.due = true
		fl.turn.Broadcast()
	}
}

// folderCanWait reports whether a sync of the directory can be left to the next one, because
// nothing depends on what was made there since the last: on the markers and the log of a
// store that is being opened, before whose first commit start syncs the directory; on a log
// that is begun while the store is being closed, and stays empty.
func (fl *fileList) folderCanWait() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if !fl.last && !(fl.held && fl.number > 1) {
		return false // of a new store every step counts
	}
	for n, st := range fl.files {
		if st.durable || fl.fs.PathBase(n) != n || strings.HasSuffix(n, ".log") {
			continue
		}
		if fl.last || !strings.HasPrefix(n, "marker.") {
			return false
		}
	}
	return true
}

// remove takes a file off the list, and reports whether it may be removed at once. Else
// it is removed as soon as the list was written without it.
func (fl *fileList) remove(path string) bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	k := fl.key(path)
	delete(fl.files, k)
	if fl.strays[k] {
		return false
	}
	if !fl.inside(k) || !fl.listed[k] {
		return true
	}
	if !slices.Contains(fl.queue, k) {
		fl.queue = append(fl.queue, k)
	}
	fl.due = true
	fl.turn.Broadcast()
	return false
}

// release writes the list without a file that is to get another name. It reports
// false when that is not possible now.
func (fl *fileList) release(path string) bool {
	fl.mu.Lock()
	k := fl.key(path)
	delete(fl.files, k)
	if !fl.listed[k] {
		fl.mu.Unlock()
		return true
	}
	held := fl.held
	fl.mu.Unlock()
	return !held && fl.renewNow() == nil
}

// start writes the list of a store that was just opened, and has it kept. It does not
// wait for that.
func (fl *fileList) start() error {
	isNew := false
	for i := range fl.slots {
		f, err := fl.fs.OpenReadWrite(fl.fs.PathJoin(fl.dir, listSlot(uint64(i))), vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		fl.slots[i], fl.sizes[i] = f, info.Size()
		isNew = isNew || info.Size() == 0
	}
	made := fl.undurable()
	if isNew || len(made) > 0 { // as folderCanWait promised
		if err := syncDir(fl.fs, fl.dir); err != nil {
			return err
		}
		fl.dirSynced(made)
	}
	fl.mu.Lock()
	fl.held, fl.due = false, true
	fl.mu.Unlock()
	go fl.work()
	return nil
}

// work writes the list when that is due, and removes what it does not name any more.
func (fl *fileList) work() {
	defer close(fl.done)
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for {
		for !fl.stop && (!fl.due || (fl.last || fl.loads > 0) && !fl.asked) {
			fl.turn.Wait()
		}
		if fl.stop {
			return
		}
		fl.failed = fl.renewLocked(false)
		switch {
		case fl.failed != nil:
			fl.due = false // until somebody asks again
		case fl.number == 2:
			fl.due = true // no file keeps the empty list that a new store begins with
		}
		fl.turn.Broadcast()
	}
}

// renewLocked writes the list and removes what was waiting for that. It gives mu up
// while it does.
func (fl *fileList) renewLocked(closed bool) error {
	if fl.cut.Load() {
		return ErrFailed
	}
	files := map[string]fileEntry{}
	for n, st := range fl.files {
		if st.durable && fl.inside(n) {
			files[n] = st.entry(n)
		}
	}
	for n := range fl.strays {
		files[n] = fileEntry{kind: kindStray}
	}
	queue, number, before, id := fl.queue, fl.number+1, fl.listed, fl.id
	fl.queue, fl.due, fl.asked, fl.busy = nil, false, false, true
	fl.listed = maps.Clone(before) // until it is written both may count
	for n, e := range files {
		fl.listed[n] = e.kind != kindStray
	}
	fl.mu.Unlock()
	err := fl.write(number, closed, id, files)
	fl.mu.Lock()
	fl.busy = false
	if err != nil {
		fl.queue = append(queue, fl.queue...)
		return fmt.Errorf("the list of files: %w", err)
	}
	fl.number = number
	for n := range before {
		if _, ok := files[n]; !ok {
			delete(fl.listed, n)
		}
	}
	fl.mu.Unlock()
	for _, n := range queue {
		_ = fl.fs.Remove(fl.fs.PathJoin(fl.dir, n)) // else the next Open tries again
	}
	if len(queue) > 0 && fl.freed != nil {
		fl.freed()
	}
	fl.mu.Lock()
	return nil
}

// write writes a list in place of the one before the last.
func (fl *fileList) write(number uint64, closed bool, id string, files map[string]fileEntry) error {
	b := encodeList(number, closed, id, files)
	i := number % 2
	if n := int64(len(b)); n > fl.sizes[i] {
		full := (n + listGrain - 1) / listGrain * listGrain
		b = append(b, make([]byte, full-n)...)
		fl.sizes[i] = full
	}
	if _, err := fl.slots[i].WriteAt(b, 0); err != nil {
		return err
	}
	err := fl.slots[i].SyncData()
	if err != nil {
		fl.unsynced(err)
	}
	return err
}

// unlistedLog reports whether there is a log that a cut could lose without a word.
func (fl *fileList) unlistedLog() bool {
	for n, st := range fl.files {
		if strings.HasSuffix(n, ".log") && fl.inside(n) && !fl.listed[n] && st.known.kind == 0 {
			return true
		}
	}
	return false
}

// settle waits until every log is on the list on disk.
func (fl *fileList) settle() error {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for (fl.unlistedLog() || fl.busy) && !fl.stop && !fl.cut.Load() {
		if !fl.busy && !fl.due {
			if err := fl.failed; err != nil {
				fl.failed = nil
				return err
			}
			fl.due = true
		}
		if !fl.busy && !fl.asked {
			fl.asked = true
			fl.turn.Broadcast()
		}
		fl.turn.Wait()
	}
	return nil
}

// renewNow writes the list before something goes on.
func (fl *fileList) renewNow() error {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for fl.busy && !fl.stop {
		fl.turn.Wait()
	}
	want := fl.number + 1
	fl.due, fl.asked, fl.failed = true, true, nil
	fl.turn.Broadcast()
	for fl.number < want && !fl.stop && !fl.cut.Load() {
		if fl.failed != nil {
			return fl.failed
		}
		fl.turn.Wait()
	}
	if fl.number < want {
		return ErrFailed // nothing is written any more
	}
	return nil
}

// loading says that an ingestion begins, which asks for the list when it is done: what changes
// meanwhile, the log that Pebble begins for it, can wait for that. ended says that it is over.
func (fl *fileList) loading() (ended func()) {
	if fl == nil {
		return func() {}
	}
	add := func(n int) {
		fl.mu.Lock()
		fl.loads += n
		fl.turn.Broadcast()
		fl.mu.Unlock()
	}
	add(1)
	return func() { add(-1) }
}

// named gives the list the id of its store.
func (fl *fileList) named(id string) {
	fl.mu.Lock()
	fl.id = id
	fl.mu.Unlock()
}

// wakeAll wakes those who wait, after the store has failed.
func (fl *fileList) wakeAll() {
	fl.mu.Lock()
	fl.turn.Broadcast()
	fl.mu.Unlock()
}

// closing says that no commit follows, so that the list need not be written before close.
func (fl *fileList) closing() {
	fl.mu.Lock()
	fl.last = true
	fl.mu.Unlock()
}

// isClosing reports whether closing was called.
func (fl *fileList) isClosing() bool {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	return fl.last
}

// close ends keeping the list. With final set the store is closed, and its files are as
// they will stay, which is written.
func (fl *fileList) close(final bool) (err error) {
	fl.mu.Lock()
	fl.stop = true
	fl.turn.Broadcast()
	fl.mu.Unlock()
	if fl.slots[1] != nil {
		<-fl.done
		if final {
			fl.mu.Lock()
			err = fl.renewLocked(true)
			fl.mu.Unlock()
		}
	}
	for _, f := range fl.slots {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// entries returns what is known of the files that belong on the list.
func (fl *fileList) entries() map[string]fileEntry {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	out := map[string]fileEntry{}
	for n, st := range fl.files {
		if fl.inside(n) {
			out[n] = st.entry(n)
		}
	}
	return out
}
