package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A store keeps a list of its own of the files it consists of. Pebble finds its files
// through one another (an empty marker file names the list of tables, whose last valid
// record counts, the log is whatever logs there are), and takes what is missing or
// damaged there for the end of what was written, or for a database that does not exist
// yet; then it deletes whatever is not led to any more. The list is compared with the
// folder before Pebble sees it.
//
// What makes the list true at every moment:
//
//   - A file is put on it only when its folder was synced since the file was made.
//   - Before a file that is on the list is removed or renamed, the list is written
//     without it. Removals wait for that in a queue.
//   - A commit is acknowledged only when the log that holds it is on the list.
//   - It says how long the list of tables (MANIFEST) is, and its checksum, as of its
//     last sync before the list was written. What was added since can be lost to damage
//     without harm: the logs and tables that it made obsolete are still there, for
//     their removal would have written the list. A bulk load, which has no log, writes
//     it before it is acknowledged.
//
// The list is in two files that are written in turns, in place, so that it can be
// renewed on a full disk, and a cut while one is written leaves the other.
const (
	listName  = "FILES"
	listMagic = "Lupa files "
	// listGrain is what the size of the two files is rounded up to.
	listGrain = 16 << 10
	// tailBytes is how much of a table's end is read when a store is opened: its
	// footer, properties and at least the end of its index.
	tailBytes = 4 << 10
)

func listSlot(i uint64) string { return fmt.Sprintf("%s.%d", listName, i%2) }

// fileKind says what is known of a file.
type fileKind byte

const (
	kindExists fileKind = 'e' // that it is there: a log being written, markers, COMMITS
	kindWhole  fileKind = 'w' // size and checksum: tables, options
	kindTail   fileKind = 't' // size and checksum of the end: tables that an older version or a killed process left
	kindPrefix fileKind = 'p' // of its first bytes: the list of tables, logs that are full
)

// fileEntry is a file on the list.
type fileEntry struct {
	kind fileKind
	size int64
	sum  uint32 // CRC-32C of the first size bytes; 0 for kindTail
	tail uint32 // of the last tailBytes of them; of tables
}

// fileState is a file of the folder, or of a load that is to be linked into it.
type fileState struct {
	known   fileEntry // from the list, or from looking; kind 0 while the file is written here
	durable bool      // its folder was synced since it was made

	// While it is written here, from its first byte on.
	writing bool
	late    bool // the store is being closed: of a log, nothing comes into it
	partly  bool // not only at its end: nothing is known
	written fileEntry
	synced  fileEntry
	end     []byte // the last tailBytes written
}

// entry returns what the list is to say of the file under this name.
func (st *fileState) entry(name string) fileEntry {
	e := st.known
	switch kind := kindOf(name); {
	case e.kind != 0:
	case st.partly:
		e.kind = kindExists
	case strings.HasPrefix(name, "MANIFEST-"):
		e = st.synced
		e.kind = kindPrefix
	case st.writing:
		e.kind = kindExists
	default:
		e = st.written
		if strings.HasSuffix(name, ".log") {
			e = st.synced // so that it never says more than there is
		}
		e.kind = kind
		if kind == kindExists {
			e = fileEntry{kind: kind}
		}
	}
	return e
}

// fileList keeps the list of a store that is open for writing.
type fileList struct {
	fs  vfs.FS // below the guard
	dir string
	cut *atomic.Bool // the store has failed: nothing is written any more

	unsynced func(error) // told when the list could not be synced

	mu     sync.Mutex
	turn   sync.Cond // something of the below has changed
	files  map[string]*fileState
	number uint64          // of the list on disk
	listed map[string]bool // on it, or on the one that is being written
	queue  []string        // to be removed once the list is written without them
	held   bool            // the store is being opened: nothing is written yet
	due    bool            // the list is to be written
	busy   bool            // it is being written
	failed error           // why it could not be, last time
	last   bool            // the store is being closed: one more list will be written,
	asked  bool            // and none before that unless somebody waits for it
	stop   bool

	slots [2]vfs.File
	sizes [2]int64
	done  chan struct{}
}

// isListed reports whether a file of the folder belongs on the list.
func isListed(name string) bool {
	return kindOf(name) != kindExists || name == commitsName || strings.HasPrefix(name, "marker.")
}

// kindOf returns what can be known of a file.
func kindOf(name string) fileKind {
	switch {
	case strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") || strings.HasPrefix(name, "OPTIONS-"):
		return kindWhole
	case strings.HasPrefix(name, "MANIFEST-") || strings.HasSuffix(name, ".log"):
		return kindPrefix
	}
	return kindExists
}

// ---- The list as bytes ----

// encodeList returns the list: a line that says its number, its length and its
// checksum, then a line a file: kind, size, checksums, name.
func encodeList(number uint64, closed bool, files map[string]fileEntry) []byte {
	var body bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		e := files[name]
		fmt.Fprintf(&body, "%c %d %08x %08x %s\n", e.kind, e.size, e.sum, e.tail, name)
	}
	state := "open"
	if closed {
		state = "closed"
	}
	head := fmt.Sprintf("%d %s %d ", number, state, body.Len())
	sum := crc32.Update(crc32.Checksum([]byte(head), crcTable), crcTable, body.Bytes())
	return append(fmt.Appendf(nil, "%s%s%08x\n", listMagic, head, sum), body.Bytes()...)
}

// list is a list as it was read.
type list struct {
	number uint64
	closed bool // Close has written it: nothing was changed since
	files  map[string]fileEntry
}

var errList = errors.New("it is not a list of files, or damaged")

// decodeList reads a list; what follows it in the file is left over from a longer one.
func decodeList(b []byte) (*list, error) {
	b, ok := bytes.CutPrefix(b, []byte(listMagic))
	line, rest, found := bytes.Cut(b, []byte("\n"))
	if !ok || !found {
		return nil, errList
	}
	l := &list{files: map[string]fileEntry{}}
	var state string
	var n int
	var sum uint32
	if c, err := fmt.Sscanf(string(line), "%d %s %d %08x", &l.number, &state, &n, &sum); c != 4 || err != nil || n < 0 || n > len(rest) || len(line) < 8 {
		return nil, errList
	}
	body := rest[:n]
	if crc32.Update(crc32.Checksum(line[:len(line)-8], crcTable), crcTable, body) != sum {
		return nil, errList
	}
	l.closed = state == "closed"
	for text := range strings.Lines(string(body)) {
		f := strings.SplitN(strings.TrimSuffix(text, "\n"), " ", 5)
		if len(f) != 5 || len(f[0]) != 1 {
			return nil, errList
		}
		size, err1 := strconv.ParseInt(f[1], 10, 64)
		sum, err2 := strconv.ParseUint(f[2], 16, 32)
		tail, err3 := strconv.ParseUint(f[3], 16, 32)
		if firstError(err1, err2, err3) != nil {
			return nil, errList
		}
		l.files[f[4]] = fileEntry{fileKind(f[0][0]), size, uint32(sum), uint32(tail)}
	}
	return l, nil
}

// readLists returns the newest valid list in dir, nil when there is none. found is how
// many of the two files are there, and damaged how many of those do not hold the list that
// must have been there.
func readLists(fs vfs.FS, dir string) (newest *list, found, damaged int, err error) {
	empty := 0
	for i := range uint64(2) {
		b, err := readAll(fs, fs.PathJoin(dir, listSlot(i)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, found, damaged, err
		}
		found++
		l, err := decodeList(b)
		switch {
		case err == nil && (newest == nil || l.number > newest.number):
			newest = l
		case err != nil && len(bytes.Trim(b, "\x00")) > 0:
			damaged++
		case err != nil:
			empty++
		}
	}
	if newest != nil && newest.number > 1 {
		damaged += empty // only the first list has none beside it
	}
	return newest, found, damaged, nil
}

func readAll(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	var b []byte
	info, err := f.Stat()
	if err == nil {
		b = make([]byte, info.Size())
		_, err = io.ReadFull(f, b)
	}
	return b, errors.Join(err, f.Close())
}

// ---- Comparing the list with the folder ----

// verifyList compares a list with the folder, and changes nothing. The error names the
// file. Of tables only the ends are read; CHECK reads the rest.
func verifyList(ctx context.Context, fs vfs.FS, dir string, l *list) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, n := range names {
		there[n] = true
	}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !there[name] {
			return damagedFile(name, missing)
		}
		if err := l.files[name].verify(fs, dir, name, false); err != nil {
			return err
		}
	}
	return nil
}

// verify compares a file with its entry; all says to read it to the end.
func (e fileEntry) verify(fs vfs.FS, dir, name string, all bool) error {
	if e.kind == kindExists {
		return nil
	}
	fs = plainFS(fs)
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.Size() < e.size:
		return damagedFile(name, fmt.Sprintf("has %d bytes of %d", info.Size(), e.size))
	case e.kind != kindPrefix && info.Size() > e.size:
		return damagedFile(name, fmt.Sprintf("has %d bytes, %d more than it was written with", info.Size(), info.Size()-e.size))
	}
	from, want := int64(0), e.sum
	if e.kind == kindTail || e.kind == kindWhole && !all {
		from, want = max(0, e.size-tailBytes), e.tail
	}
	got, err := sumFile(f, from, e.size)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if got != want {
		return damagedFile(name, "is not what was written: its checksum differs")
	}
	return nil
}

// plainFS is the file system below the store's guard, which takes what is read of a table
// at once for a block, and verifies it.
func plainFS(fs vfs.FS) vfs.FS {
	if g, ok := fs.(*guardFS); ok {
		return g.FS
	}
	return fs
}

// sumFile returns the checksum of a part of a file.
func sumFile(f io.ReaderAt, from, to int64) (sum uint32, err error) {
	buf := make([]byte, min(to-from, 256<<10))
	for from < to {
		n := min(int64(len(buf)), to-from)
		if _, err := f.ReadAt(buf[:n], from); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, crcTable, buf[:n])
		from += n
	}
	return sum, nil
}

// damagedFile is the error for a file that differs from the list.
func damagedFile(name, what string) error {
	return &FileError{File: name, What: what}
}

// entryOf finds out what the list is to say of a file that nobody is writing; all says
// to read tables to their ends.
func entryOf(fs vfs.FS, dir, name string, all bool) (e fileEntry, err error) {
	e.kind = kindOf(name)
	if e.kind == kindExists {
		return e, nil
	}
	fs = plainFS(fs)
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return e, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	e.size = info.Size()
	if e.kind == kindWhole {
		if e.tail, err = sumFile(f, max(0, e.size-tailBytes), e.size); err != nil {
			return e, err
		}
		if !all && e.size > tailBytes {
			e.kind = kindTail
			return e, nil
		}
	}
	e.sum, err = sumFile(f, 0, e.size)
	return e, err
}

// writeEmptyList writes the list that a new store begins with.
func writeEmptyList(fs vfs.FS, dir string) error {
	for i := range uint64(2) {
		b := make([]byte, listGrain)
		if i == 1 {
			copy(b, encodeList(i, false, nil))
		}
		if err := writeFile(fs, fs.PathJoin(dir, listSlot(i)), b); err != nil {
			return err
		}
	}
	return syncDir(fs, dir)
}

// writeFile makes a file of these bytes, and syncs it.
func writeFile(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// writeListOf writes the list of a folder that nobody is writing to, as closed: of a
// copy, or of a store that is repaired. known are entries that need not be found out.
func writeListOf(fs vfs.FS, dir string, known map[string]fileEntry) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	files := map[string]fileEntry{}
	for _, n := range names {
		if !isListed(n) {
			continue
		}
		e, ok := known[n]
		if !ok {
			if e, err = entryOf(fs, dir, n, true); err != nil {
				return err
			}
		}
		files[n] = e
	}
	if err := writeFile(fs, fs.PathJoin(dir, listSlot(0)), make([]byte, listGrain)); err != nil {
		return err
	}
	if err := writeFile(fs, fs.PathJoin(dir, listSlot(1)), encodeList(1, true, files)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// ---- Keeping the list ----

// newFileList begins to watch the folder of a store that is about to be opened for
// writing. l is the list on disk, nil when there is none yet. Nothing is written, and
// removals of listed files wait, until start.
func newFileList(fs vfs.FS, dir string, l *list, cut *atomic.Bool, unsynced func(error)) (*fileList, error) {
	fl := &fileList{fs: fs, dir: dir, cut: cut, unsynced: unsynced, files: map[string]*fileState{}, listed: map[string]bool{}, held: true, done: make(chan struct{})}
	fl.turn.L = &fl.mu
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !isListed(n) {
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
		for n := range l.files {
			fl.listed[n] = true
		}
	}
	return fl, nil
}

// key is what a file is known by: its name within the folder, or its path elsewhere,
// for tables of a load that will be linked into the folder.
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

// wrote notes bytes written at a file's end.
func (fl *fileList) wrote(st *fileState, p []byte) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	st.written.size += int64(len(p))
	st.written.sum = crc32.Update(st.written.sum, crcTable, p)
	if len(p) >= tailBytes {
		st.end = append(st.end[:0], p[len(p)-tailBytes:]...)
		return
	}
	if over := len(st.end) + len(p) - tailBytes; over > 0 {
		st.end = append(st.end[:0], st.end[over:]...)
	}
	st.end = append(st.end, p...)
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

// removedAll forgets the files below a folder.
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

// undurable returns the files that were made since the folder was last synced.
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

// dirSynced notes that the folder was synced after these files were made.
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

// folderCanWait reports whether a sync of the folder can be left to the next one, because
// nothing depends on what was made there since the last: on the markers and the log of a
// store that is being opened, before whose first commit start syncs the folder; on a log
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
		for !fl.stop && (!fl.due || fl.last && !fl.asked) {
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
	queue, number, before := fl.queue, fl.number+1, fl.listed
	fl.queue, fl.due, fl.asked, fl.busy = nil, false, false, true
	fl.listed = maps.Clone(before) // until it is written both may count
	for n := range files {
		fl.listed[n] = true
	}
	fl.mu.Unlock()
	err := fl.write(number, closed, files)
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
	fl.mu.Lock()
	return nil
}

// write writes a list in place of the one before the last.
func (fl *fileList) write(number uint64, closed bool, files map[string]fileEntry) error {
	b := encodeList(number, closed, files)
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
			fl.due, fl.asked = true, true
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
