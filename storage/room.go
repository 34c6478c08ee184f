package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// reserveName is a file that holds nothing but space on the disk. It is given back when
// the disk is full: what is in memory can then be written to files, the store can be
// opened, and rows can be deleted.
const reserveName = "RESERVE"

const (
	reserveLeast = 384 << 10 // for opening a store, and some deleting
	logStep      = 64 << 10  // by which a log grows, at least
	logStepMost  = 16 << 20

	logEnds = 4 << 10 // what a log's end takes, and what is left of the disk's last block

	openingTakes = 64 << 10 // a log, the options and some list of files
	entryTakes   = 256      // each table file on that list
	ingestNote   = 4 << 10  // what an ingestion notes in the log
)

// room sets space on the disk aside, ahead of the writes that need it: a commit that
// there is no room for is refused before Pebble has heard of it. What is in the log has
// to go into table files one day, so the reserve is as large as the logs.
type room struct {
	s    *Store
	fs   vfs.FS // the disk's own
	name string // of the reserve

	mu       sync.Mutex
	off      bool // nothing is set aside: in memory, or the file system can't
	least    int64
	asClosed bool     // the reserve that Close has left is there, of this size
	file     vfs.File // the reserve; nil when it was given back
	size     int64
	short    bool       // it is smaller than it is to be: given back, or the disk was full
	logs     []*logRoom // those with what is not in table files yet; the last one is written to
	first    uint64     // the first log that is needed, by the list of tables on the disk
	flushing bool       // memory is being written to table files
	old      []string   // logs that are not needed; Pebble may write over one instead of beginning a new one
	commit   int64      // bytes of the commit that is being written
}

// logRoom is a log and the space that it has.
type logRoom struct {
	name     string
	number   uint64
	file     vfs.File
	promised int64 // bytes that will have been written to it
	space    int64 // that it has
}

func (l *logRoom) grow(off, n int64) error { return lengthenLog(l.file, off, n) }

func fullError(err error) error {
	if errors.Is(err, ErrFull) {
		return err
	}
	return fmt.Errorf("%w; make room on it, or delete rows: %w", ErrFull, err)
}

// fullOr says that the disk is full where that is the error.
func fullOr(err error) error {
	if isFull(err) {
		return fullError(err)
	}
	return err
}

// logRecordBytes is how much of a log a batch of n bytes takes, at most: a log is written
// in chunks of 32 KiB or less, each with a header of 19 bytes, and up to 18 before it.
func logRecordBytes(n int) int64 { return int64(n) + int64(n)/1024 + 64 }

// makeRoom sets aside what a commit of n bytes needs, in the log and later in table
// files. It fails, with nothing changed, when the disk is full. A commit that gives
// space back may use the reserve.
func (s *Store) makeRoom(n int, frees bool) error {
	g := s.gen
	s.mu.Lock()
	err := firstError(g.failure, g.stuck)
	s.mu.Unlock()
	if err != nil && !(frees && isFull(err)) {
		if isFull(err) {
			return fullError(err)
		}
		return fmt.Errorf("writes wait until this is repaired: %w", err)
	}
	if err := s.room.make(logRecordBytes(n), frees); err != nil {
		return fullError(err)
	}
	return nil
}

func (r *room) make(n int64, frees bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off || len(r.logs) == 0 {
		return nil
	}
	r.commit = n
	r.dropOld(oldLogs)
	// First the reserve, or logs for commits that are refused would take its place.
	if err := r.fill(n); err != nil && !frees {
		return err
	}
	l := r.logs[len(r.logs)-1]
	if short := l.promised + n + logEnds - l.space; short > 0 {
		step := min(max(l.promised/2, logStep), logStepMost)
		err := r.extend(l.grow, &l.space, short+step, short)
		if err != nil && frees {
			r.giveBackLocked()
			err = r.extend(l.grow, &l.space, short, short)
		}
		if err != nil {
			return err
		}
	}
	l.promised += n
	return nil
}

// done says that the commit is in the log.
func (r *room) done() {
	r.mu.Lock()
	r.commit = 0
	r.mu.Unlock()
}

// extend gives a file space after what it has: some, or at least so much.
func (r *room) extend(grow func(off, n int64) error, space *int64, some, least int64) error {
	for _, n := range []int64{some, least} {
		err := grow(*space, n)
		switch {
		case err == nil:
			*space += n
			return nil
		case !isFull(err):
			r.off = true // this file system has no such thing
			return nil
		case n == least:
			return err
		}
	}
	return nil
}

// target is the size that the reserve is to have.
func (r *room) target() int64 {
	n := r.least
	for _, l := range r.logs {
		n += l.promised
	}
	return n
}

// fill makes the reserve large enough for n more bytes of log, and not much larger.
func (r *room) fill(n int64) (err error) {
	defer func() { r.short = err != nil }()
	want := r.target() + n
	if r.size > 2*want+4<<20 {
		r.giveBackLocked()
	}
	if r.size >= want {
		return nil
	}
	if r.file == nil {
		f, err := r.fs.Create(r.name, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		r.file, r.size = f, 0
	}
	short := want - r.size
	step := int64(0)
	if r.size > 0 {
		step = min(max(want/2, 128<<10), logStepMost)
	}
	err = r.extend(r.file.Preallocate, &r.size, short+step, short)
	for n := short / 2; isFull(err) && n >= 4096 && !r.off; n /= 2 {
		_ = r.extend(r.file.Preallocate, &r.size, n, n) // a part may be enough for opening and deleting
	}
	return err
}

// refill is told that a file is gone, so that there may be space for a reserve that was given
// back. Without it a store that nobody writes to would have none when it is opened again. It
// waits for nobody: who holds mu is changing the reserve.
func (r *room) refill() {
	if !r.mu.TryLock() {
		return
	}
	defer r.mu.Unlock()
	if r.short && !r.flushing && !r.off && len(r.logs) > 0 {
		_ = r.fill(0)
	}
}

// giveBack gives the reserve back, and reports whether there was one.
func (r *room) giveBack() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.giveBackLocked()
}

func (r *room) giveBackLocked() bool {
	had := r.dropOld(0)
	if had && r.s.fs.files != nil {
		_ = r.s.fs.files.renewNow() // they are removed as soon as no list names them
	}
	if r.file == nil {
		return had
	}
	had = had || r.size > 0
	r.dropReserve()
	return had
}

// dropReserve removes the reserve, which is there.
func (r *room) dropReserve() {
	_ = r.file.Close()
	_ = r.fs.Remove(r.name)
	r.file, r.size, r.short = nil, 0, true
}

// logCreated notes the next log. It has space for the commit that made it necessary,
// which is set aside in the reserve.
func (r *room) logCreated(name string, f vfs.File, space int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.off {
		return
	}
	l := &logRoom{name: name, file: f, promised: r.commit, space: space}
	l.number, _ = logNumber(r.fs.PathBase(name))
	if short := r.commit + logEnds - space; short > 0 {
		if err := r.extend(l.grow, &l.space, short+logStep, short); err != nil && r.giveBackLocked() {
			_ = r.extend(l.grow, &l.space, short, short)
		}
	}
	r.logs = append(r.logs, l)
}

// flushBegins says that what is in some logs is being written to tables. Which ones is not
// known: an ingestion that waits in a log takes a flush of its own, and so does what follows it.
func (r *room) flushBegins() {
	r.mu.Lock()
	r.flushing = true
	r.mu.Unlock()
}

// needsLogs says that the list of tables on the disk needs the logs from a number on, and no
// earlier ones; 0 says nothing.
func (r *room) needsLogs(from uint64) {
	r.mu.Lock()
	r.first = max(r.first, from)
	r.mu.Unlock()
}

func (r *room) flushEnds(err error) {
	r.mu.Lock()
	if err == nil {
		n := 0
		for n < len(r.logs)-1 && r.logs[n].number < r.first {
			r.old = append(r.old, r.logs[n].name)
			n++
		}
		r.logs = r.logs[n:]
		if n > 0 && r.file == nil && !r.off {
			_ = r.fill(0) // it was given back for this
		}
	}
	r.flushing = false
	r.mu.Unlock()
}

// firstLog returns from which log on Pebble needs them, if a piece of its list of tables
// (MANIFEST) says so, else 0. What is written begins with a chunk: a header of seven bytes, the
// length in the fifth and sixth and the kind (1: a record, 2: its first part) in the last of
// them. A record begins with the name of the order of keys, if it has that (tag 1, length, name),
// and the number (tag 2).
func firstLog(b []byte) (log uint64) {
	for len(b) >= listHeader {
		n := int(binary.LittleEndian.Uint16(b[4:]))
		kind := b[listHeader-1]
		b = b[listHeader:]
		n = min(n, len(b))
		rec := b[:n]
		b = b[n:]
		if kind != 1 && kind != 2 || n == 0 {
			continue
		}
		if rec[0] == 1 {
			size, w := binary.Uvarint(rec[1:])
			if w <= 0 || size >= uint64(len(rec)-1-w) {
				continue
			}
			rec = rec[1+w+int(size):]
		}
		if rec[0] != 2 {
			continue
		}
		if v, w := binary.Uvarint(rec[1:]); w > 0 {
			log = v
		}
	}
	return log
}

// listHeader is the size of the header of a chunk in Pebble's list of tables.
const listHeader = 7

// oldLogs is how many logs are kept to be written over: that spares the disk some work.
const oldLogs = 2

// dropOld removes logs that are not needed, but for the last n.
func (r *room) dropOld(n int) (some bool) {
	for len(r.old) > n {
		some = r.s.fs.Remove(r.old[0]) == nil || some
		r.old = r.old[1:]
	}
	return some
}

// logReused says that a log that was not needed is written over.
func (r *room) logReused(name string) {
	r.mu.Lock()
	r.old = slices.DeleteFunc(r.old, func(n string) bool { return n == name })
	r.mu.Unlock()
}

// opened says that the database has been opened: its logs before the last are gone.
// From now on there is a reserve, if the disk has space for one.
func (r *room) opened() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.logs) > 1 {
		r.logs = r.logs[len(r.logs)-1:]
	}
	r.flushing = false // where that was cut off nobody says so
	if r.off {
		return
	}
	if r.file == nil && r.asClosed {
		if f, err := r.fs.OpenReadWrite(r.name, vfs.WriteCategoryUnspecified); err == nil {
			r.file, r.size = f, 0
			_ = r.extend(f.Preallocate, &r.size, r.least, r.least) // most often it has the space
		}
	} else if r.file == nil {
		_ = r.fs.Remove(r.name) // of a process that was killed, and perhaps large
	}
	_ = r.fill(0)
}

// closing removes what logs are left when all is in table files.
func (r *room) closing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, l := range r.logs {
		if i < len(r.logs)-1 {
			r.old = append(r.old, l.name)
		}
	}
	r.dropOld(0)
	r.logs = nil
}

// closed leaves the reserve that the next opening may need. By then the files are gone
// that nobody needs. write is false when the directory may belong to somebody else.
func (r *room) closed(write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if write && !r.off {
		if r.file != nil && r.size > r.target()+256<<10 {
			r.dropReserve()
		}
		_ = r.fill(0)
	}
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
	r.logs, r.off = nil, true
}

// roomToOpen gives the reserve back when the disk has too little space for what opening
// writes: the contents of the logs, and a new list of files. It fails when that is not
// enough.
func (s *Store) roomToOpen() error {
	if s.inMemory {
		return nil
	}
	need, there := uint64(openingTakes), false
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	logs := uint64(0)
	for _, n := range names {
		there = there || n == reserveName
		if strings.HasSuffix(n, ".sst") {
			need += entryTakes
		}
		if strings.HasSuffix(n, ".log") {
			if fi, err := s.fs.Stat(s.fs.PathJoin(s.dir, n)); err == nil {
				logs += uint64(fi.Size())
			}
		}
	}
	need += logs
	s.room.asClosed = there && logs < 64<<10
	enough := func() bool {
		u, err := s.fs.GetDiskUsage(s.dir)
		return err != nil || u.AvailBytes >= need // not every file system tells
	}
	if enough() {
		return nil
	}
	if !s.room.giveBack() {
		_ = s.fs.Remove(s.room.name)
	}
	s.room.asClosed = false
	if !enough() {
		return fullError(fmt.Errorf("opening the store for writing takes %d KiB of space", need>>10))
	}
	return nil
}

// drain waits until no operation of a file system that was cut is under way.
func (g *guardFS) drain(d time.Duration) bool {
	for end := time.Now().Add(d); ; time.Sleep(time.Millisecond) {
		if g.ops.TryLock() {
			g.ops.Unlock()
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// trim removes from the logs what was written after the commit of number acked and the
// ingestion kept, and from the list of files what was not synced.
func (g *guardFS) trim(acked, kept uint64) error {
	g.mu.Lock()
	logs := g.logs
	lists := g.lists
	g.mu.Unlock()
	var errs []error
	last, end := "", int64(0)
	for _, name := range logs {
		if last != "" {
			if g.files == nil || g.files.remove(name) {
				if err := g.FS.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
					errs = append(errs, err)
				}
			}
			continue
		}
		at, whole, err := logEnd(g.FS, name, acked, kept)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		switch {
		case err == nil && whole:
			errs = append(errs, freeBehind(g.FS, name, at))
		case err == nil:
			last, end = name, at
		}
		errs = append(errs, err)
	}
	if last != "" {
		if g.files != nil {
			g.files.unsure(last)
			errs = append(errs, g.files.renewNow())
		}
		errs = append(errs, cutFile(g.FS, last, end))
	}
	for _, l := range lists {
		errs = append(errs, cutFile(g.FS, l.name, l.synced.Load()))
	}
	return errors.Join(errs...)
}

// logEnd returns where the first record of a log begins that was not acknowledged;
// whole says that there is none, and nothing else after the records.
func logEnd(fs vfs.FS, name string, acked, kept uint64) (at int64, whole bool, err error) {
	num, ok := logNumber(fs.PathBase(name))
	if !ok {
		return 0, true, nil
	}
	f, err := fs.Open(name)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	r := newRecordReader(record.NewReader, f, num)
	for {
		at = r.Offset()
		rec, err := r.Next()
		var b []byte
		if err == nil {
			b, err = io.ReadAll(rec)
		}
		if err == io.EOF {
			return at, true, nil
		}
		if err != nil || len(b) < batchrepr.HeaderLen {
			return at, false, nil // cut off while it was written
		}
		seq := binary.LittleEndian.Uint64(b)
		for it := batchrepr.Read(b); ; {
			kind, k, v, ok, err := it.Next()
			if !ok || err != nil {
				break
			}
			if kind == pebble.InternalKeyKindSet && string(k) == string(key.Commits) && len(v) == 8 && binary.BigEndian.Uint64(v) > acked ||
				kind == pebble.InternalKeyKindIngestSST && seq > kept {
				return at, false, nil
			}
		}
	}
}

// logNumber returns the number of a log of Pebble's from its name.
func logNumber(name string) (uint64, bool) {
	text, ok := strings.CutSuffix(name, ".log")
	n, err := strconv.ParseUint(text, 10, 64)
	return n, ok && err == nil
}

// newRecordReader calls Pebble's constructor, the type of whose number has no public name.
func newRecordReader[N ~uint64](construct func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return construct(r, N(number))
}

// cutFile removes what a file holds from at on: with a full disk, so nothing is
// rewritten.
func cutFile(fs vfs.FS, name string, at int64) error {
	fi, err := fs.Stat(name)
	if err != nil || fi.Size() <= at {
		return err
	}
	if err := freeBehind(fs, name, at); err != nil {
		return err
	}
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	if fs != vfs.Default { // it can't truncate; zeros are the end, too
		zeros := make([]byte, 32<<10)
		for err == nil && at < fi.Size() {
			n := min(int64(len(zeros)), fi.Size()-at)
			_, err = f.WriteAt(zeros[:n], at)
			at += n
		}
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// freeBehind gives back the space that a file has behind at, also where it has no
// contents yet, if the file system can.
func freeBehind(fs vfs.FS, name string, at int64) error {
	if fs == vfs.Default {
		return os.Truncate(name, at)
	}
	if t, ok := fs.(interface{ Truncate(string, int64) error }); ok {
		return t.Truncate(name, at)
	}
	return nil
}
