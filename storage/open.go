package storage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// Format is the version of the format this package writes. History:
//
//	1  first version
//	2  commits are counted: see commits
//	3  the store keeps a list of its files: see fileList
const Format = 3

// markerName is the file that makes a directory a store, and says of which format, to
// whoever looks before opening it. It is written before anything else in a new store.
const markerName = "LUPA"

// Open opens the store in dir, and creates it when the directory is missing or
// empty (unless Options.ReadOnly). Errors: ErrNotStore, ErrFormat, ErrLocked,
// ErrCorrupt; with ErrCorrupt nothing in the directory was changed.
func Open(dir string, opts *Options) (*Store, error) {
	return OpenContext(context.Background(), dir, opts)
}

// OpenContext is Open, which gives up when ctx ends while the files are verified and the
// log is read.
func OpenContext(ctx context.Context, dir string, opts *Options) (*Store, error) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	s := &Store{dir: dir, readOnly: o.ReadOnly || o.AsFound, noSync: o.NoSync, writerTimeout: o.WriterTimeout, inMemory: o.InMemory, writer: make(chan struct{}, 1), prompts: -1, sortMemory: defaultSortMemory, buildRows: defaultBuildRows, largeTransaction: largeTransaction, patience: 10 * time.Second, done: make(chan struct{})}
	s.keeper = keeper{s: s, training: make(chan struct{}, 1), mergeBytes: mergeBytes, noMerging: o.NoMerging, noRetraining: o.NoRetraining}
	g := &guardFS{FS: o.FS, home: s.home, failStore: s.fail}
	if o.InMemory {
		if s.readOnly {
			return nil, errors.New("a store in memory can't be read-only: it would be empty")
		}
		s.dir = "memory"
		g.FS = vfs.NewMem()
	} else if o.FS == nil {
		g.FS = vfs.Default
	}
	g.dir = g.PathDir(g.PathJoin(s.dir, "x")) // as Pebble will write it
	s.fs = g
	s.room = &room{s: s, fs: g.FS, name: g.PathJoin(s.dir, reserveName), off: o.InMemory || s.readOnly, least: reserveLeast}
	if err := s.open(ctx, &o); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.dir, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o *Options) (err error) {
	version, err := s.inspect()
	if err != nil {
		return err
	}
	isNew := version == 0
	if isNew {
		if s.readOnly {
			return fmt.Errorf("%w, and reading only does not create one", ErrNotStore)
		}
		if err := s.fs.MkdirAll(s.dir, 0o755); err != nil {
			return err
		}
	}
	// A directory from version 3 on has its LOCK: one that was removed may be that of a
	// process which is at work there.
	if s.lock, err = s.lockDir(isNew || version < listFormat || o.AsFound); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.fs.cutOff()
			if s.fs.files != nil {
				err = errors.Join(err, s.fs.files.close(false))
			}
			s.lock.Close()
		}
	}()
	if isNew {
		m := newMarker(Format)
		if !s.inMemory {
			if err := writeEmptyList(s.fs, s.dir, m.id); err != nil {
				return err
			}
		}
		if err := writeMarker(s.fs, s.dir, m); err != nil {
			return err
		}
		s.id = m.id
	}
	var files *list
	if !s.inMemory && !o.AsFound {
		if files, err = s.verifyFiles(ctx, max(version, 1), isNew); err != nil {
			return err
		}
	}
	size := o.CacheSize
	if size == 0 {
		size = defaultCacheSize()
	}
	s.cache = pebble.NewCache(size)
	defer func() {
		if err != nil {
			s.cache.Unref()
		}
	}()
	s.hotSize = min(max(size/8, 1<<20), 128<<20)
	s.fs.growth = growCache(s.cache, size, cmp.Or(o.cacheStart, cacheStart))
	s.opts = s.pebbleOptions(o, s.cache)
	s.opts.ReadOnly = s.readOnly
	if !isNew && !s.readOnly {
		if err := s.previewCommits(ctx, files); err != nil {
			return s.orUnlisted(files, err)
		}
	}
	if !s.readOnly {
		if err := s.markFormat(); err != nil {
			return err
		}
	}
	s.schemas.closed = files != nil && files.closed
	if !s.readOnly && !s.inMemory {
		if s.fs.files, err = newFileList(s.fs.FS, s.dir, s.id, files, &s.fs.cut, s.fs.syncFailed); err != nil {
			return err
		}
		s.fs.files.freed = s.room.refill
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.openDatabase(isNew, o.AsFound); err != nil {
		return s.orUnlisted(files, err)
	}
	if s.writes() {
		s.removeLeftovers()
		s.room.opened()
		if !s.inMemory && !s.schemasCurrent() { // of an older version, or of a change that was cut off
			if c, err := s.loadCatalog(s.db); err == nil && c.generation > 0 {
				s.keepSchemas(c)
			}
			s.catalog = nil
		}
	}
	return nil
}

// orUnlisted returns why a store could not be opened: err or, if that is damage and there is a log
// or a marker that the store's list does not name, that file. No commit in such a log was
// acknowledged.
func (s *Store) orUnlisted(files *list, err error) error {
	if files == nil || !errors.Is(err, ErrCorrupt) {
		return err
	}
	var known *FileError
	if names, lerr := s.fs.List(s.dir); lerr == nil && !errors.As(err, &known) {
		slices.Sort(names)
		for _, n := range names {
			if _, listed := files.files[n]; !listed && (strings.HasSuffix(n, ".log") || strings.HasPrefix(n, "marker.")) {
				return damagedFile(n, unlisted)
			}
		}
	}
	return err
}

// pebbleFormat is the format of Pebble's files.
const pebbleFormat = pebble.FormatValueSeparation

// formatMarker is the name of Pebble's marker of it, in a new store.
var formatMarker = fmt.Sprintf("marker.format-version.000001.%03d", pebbleFormat)

// markFormat makes Pebble's marker of its format in a store that was never filled. Pebble would
// begin with its oldest one and go through all up to this one, with two syncs of the directory for
// each. The next sync of the directory, before the first list of tables is in use, is its own.
func (s *Store) markFormat() error {
	names, err := s.fs.List(s.dir)
	if s.inMemory && errors.Is(err, os.ErrNotExist) {
		err = s.fs.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n, "marker.") || kindOf(n) != kindExists {
			return nil
		}
	}
	f, err := s.fs.Create(s.fs.PathJoin(s.dir, formatMarker), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return f.Close()
}

// openDatabase begins the first generation. On a full disk it is one for reading only,
// as long as there is something to read; the first write after there is space again
// begins one for writing.
func (s *Store) openDatabase(isNew, asFound bool) error {
	var full error
	if !s.readOnly && !isNew {
		full = s.roomToOpen()
	}
	g, err := s.beginGeneration(s.readOnly || isFull(full))
	if err != nil && !s.readOnly && !isNew && full == nil && isFull(err) {
		full = err
		g, err = s.beginGeneration(true)
	}
	if err != nil {
		return err
	}
	s.gen, s.db = g, g.db
	if full != nil {
		g.fail(full)
	}
	if s.fs.files != nil {
		err = s.fs.files.start()
	}
	if err == nil {
		err = s.checkFormat()
	}
	if err == nil && !asFound {
		err = s.openCommits()
	}
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	s.gen = nil
	s.current(g, s.commits.made)
	openStores.Add(1)
	return nil
}

// listFormat is the first format whose stores keep a list of their files.
const listFormat = 3

// verifyFiles compares the directory of a store with its list of files, before anything in
// it is changed, and returns the list; nil for a store of a format that had none.
func (s *Store) verifyFiles(ctx context.Context, version int, isNew bool) (*list, error) {
	l, found, damaged, err := readLists(s.fs, s.dir)
	if err != nil {
		return nil, err
	}
	if found < 2 {
		if version < listFormat {
			return nil, s.verifyUnlisted()
		}
		slot := listSlot(0)
		if _, err := s.fs.Stat(s.fs.PathJoin(s.dir, slot)); err == nil {
			slot = listSlot(1)
		}
		return nil, damagedFile(slot, missing)
	}
	if l == nil {
		return nil, damagedFile(listSlot(0), "and "+listSlot(1)+" are damaged: the files of the store can't be verified")
	}
	if l.id != "" && s.id != "" && l.id != s.id {
		return nil, damagedFile(markerName, "names another store than the list of files does")
	}
	if err = verifyList(ctx, s.fs, s.dir, l); err == nil && damaged == 0 {
		err = verifyLogs(s.fs, s.dir, s.id, l)
	}
	var file *FileError
	if errors.As(err, &file) && damaged > 0 {
		// What looks like a missing file may have been removed since: the newer list would
		// say so.
		return nil, damagedFile(listSlot(l.number+1), fmt.Sprintf("is damaged, and by the list before it, in %s, the file %s %s", listSlot(l.number), file.File, file.What))
	}
	if err != nil {
		return nil, err
	}
	if len(l.files) == 0 && !isNew {
		// The list a new store begins with: nothing was acknowledged yet.
		return l, s.verifyUnlisted()
	}
	return l, nil
}

// verifyUnlisted looks at a store without a list, or with an empty one. What Pebble would
// take for a new database is one only when there is nothing else.
func (s *Store) verifyUnlisted() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	manifest, format, filled := false, false, ""
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, "marker.manifest."):
			manifest = true
		case strings.HasPrefix(n, "marker.format-version."):
			format = true
		case n == commitsName || strings.HasSuffix(n, ".sst"):
			filled = n
		}
	}
	if filled == "" {
		return nil
	}
	if !manifest {
		return damagedFile("marker.manifest.*", missing)
	}
	if !format {
		return damagedFile("marker.format-version.*", missing)
	}
	return nil
}

// writes reports whether the current generation can write.
func (s *Store) writes() bool { return !s.readOnly && !s.gen.readOnly }

// lockDir locks the directory, against every other user or, to read, against writers.
// create says that the lock file may be made.
func (s *Store) lockDir(create bool) (io.Closer, error) {
	name := s.fs.PathJoin(s.dir, lockName)
	if _, err := s.fs.Stat(name); errors.Is(err, os.ErrNotExist) && !create {
		return nil, damagedFile(lockName, missing)
	}
	if s.fs.FS == vfs.Default {
		return lockFolder(name, s.readOnly)
	}
	c, err := s.fs.FS.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrLocked, err)
	}
	return c, nil
}

// lockName is the file whose lock says who has the store.
const lockName = "LOCK"

// openPebble opens the database. A damaged one may make Pebble panic.
func openPebble(dir string, opts *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: %v", ErrCorrupt, r)
		}
	}()
	db, err = pebble.Open(dir, opts)
	switch {
	case err == nil:
		return db, nil
	case isFull(err):
		return nil, fullError(err)
	case errors.Is(err, pebble.ErrDBDoesNotExist):
		return nil, fmt.Errorf("%w: it was never filled", ErrNotStore)
	case errors.Is(err, pebble.ErrDBNotPristine):
		return nil, damagedFile("marker.format-version.*", missing)
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: a file is missing: %w; %s", ErrCorrupt, plainError(err), waysOut)
	}
	var path *os.PathError
	var link *os.LinkError
	var call *os.SyscallError
	if errors.As(err, &path) || errors.As(err, &link) || errors.As(err, &call) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w; %s", ErrCorrupt, plainError(err), waysOut)
}

// inspect looks at the directory without touching it. It returns the format, 0 when there
// is nothing there.
func (s *Store) inspect() (version int, err error) {
	fi, err := s.fs.Stat(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !fi.IsDir() {
		return 0, fmt.Errorf("%w: it is a file, not a directory", ErrNotStore)
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return 0, err
	}
	marked, other := false, ""
	for _, n := range names {
		switch {
		case n == markerName:
			marked = true
		case n == commitsName:
			other = n
		case n != lockName && !strings.HasPrefix(n, markerName+".") && !strings.HasPrefix(n, listName+".") && other == "":
			other = n
		}
	}
	switch {
	case marked:
	case other == commitsName:
		return 0, damagedFile(markerName, missing)
	case other != "":
		return 0, fmt.Errorf("%w: the directory holds other files (%s) and no file named %s", ErrNotStore, other, markerName)
	default:
		return 0, nil
	}
	for _, n := range []string{markerName, commitsName, listSlot(0), listSlot(1), lockName} {
		if fi, err := s.fs.Stat(s.fs.PathJoin(s.dir, n)); err == nil && fi.IsDir() {
			return 0, damagedFile(n, isFolder)
		}
	}
	m, err := readMarker(s.fs, s.dir)
	s.id = m.id
	if errors.Is(err, ErrNotStore) && ownNames(names) {
		return 0, damagedFile(markerName, "does not say what it said")
	}
	if err != nil {
		return 0, err
	}
	return m.format, checkVersion(m.format)
}

// ownNames reports whether there are files that only a store has, beside the one that says so.
func ownNames(names []string) bool {
	return slices.Contains(names, commitsName) || slices.Contains(names, listSlot(0)) || slices.Contains(names, listSlot(1))
}

func checkVersion(v int) error {
	if v > Format {
		return fmt.Errorf("%w: it is of format %d, this program reads up to %d; use a newer version of Lupa", ErrFormat, v, Format)
	}
	return nil
}

const markerText = "Lupa store, format "

// marker is what the marker file says. The id tells a store, and its backups and other
// copies, from all others; stores that were made before format 3 and only read have none.
type marker struct {
	format int
	id     string
}

func newMarker(format int) marker { return marker{format, rand.Text()} }

func writeMarker(fs vfs.FS, dir string, m marker) error {
	tmp := fs.PathJoin(dir, markerName+".new")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%d\n", markerText, m.format)
	if err == nil && m.id != "" {
		_, err = fmt.Fprintf(f, "id %s\n", m.id)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, markerName)); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func readMarker(fs vfs.FS, dir string) (m marker, err error) {
	f, err := fs.Open(fs.PathJoin(dir, markerName))
	if err != nil {
		return m, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil {
		return m, err
	}
	line, rest, _ := strings.Cut(string(b), "\n")
	text, ok := strings.CutPrefix(line, markerText)
	m.format, err = strconv.Atoi(strings.TrimSpace(text))
	if !ok || err != nil || m.format < 1 {
		return m, fmt.Errorf("%w: the file %s says %q", ErrNotStore, markerName, b)
	}
	if id, ok := strings.CutPrefix(strings.TrimSpace(rest), "id "); ok {
		m.id = id
	}
	return m, nil
}

// checkFormat reads the version kept in the database and gives it to a new one.
func (s *Store) checkFormat() error {
	b, err := get(s.db, key.Format)
	if errors.Is(err, ErrCorrupt) && !s.inMemory {
		// The directory has been changed by now. What lies in the same block can't be read
		// either, and says so; the rest can.
		m, merr := readMarker(s.fs, s.dir)
		if merr == nil && m.format == Format {
			s.note(err)
			return nil
		}
	}
	if err != nil {
		return err
	}
	if b == nil {
		if !s.writes() {
			return fmt.Errorf("%w: it was never filled", ErrNotStore)
		}
		it, err := s.db.NewIter(nil)
		if err != nil {
			return err
		}
		some := it.First()
		if err := it.Close(); err != nil {
			return corrupt("", "", "", err)
		}
		if some {
			return fmt.Errorf("%w: it holds keys but no format version", ErrCorrupt)
		}
		b := s.db.NewBatch()
		err = firstError(
			b.Set(key.Format, binary.BigEndian.AppendUint32(nil, Format), nil),
			b.Set(key.Commits, make([]byte, 8), nil),
		)
		if err != nil {
			return err
		}
		return s.guard("new store", func() error { return s.db.Apply(b, pebble.Sync) })
	}
	if len(b) != 4 {
		return corrupt("", "", "format version", fmt.Errorf("%d bytes", len(b)))
	}
	v := int(binary.BigEndian.Uint32(b))
	if err := checkVersion(v); err != nil {
		return err
	}
	return s.upgrade(v, upgrades)
}

// removeLeftovers deletes the files of loads that were cut off.
func (s *Store) removeLeftovers() {
	names, _ := s.fs.List(s.dir)
	for _, n := range names {
		if loadDir.MatchString(n) { // nobody else's directory
			_ = s.fs.RemoveAll(s.fs.PathJoin(s.dir, n))
		}
	}
}
