package storage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// RepairOptions are those of Repair.
type RepairOptions struct {
	// FS is the file system, for tests; nil is the machine's own.
	FS vfs.FS
}

// Repair puts back the files of a store whose content can be inferred from the others:
// LUPA, LOCK, Pebble's empty marker files, COMMITS, the list of files. Tools that copy
// directories leave some of them out. It returns what it did, one line each; nothing when
// the store was whole. A store that lacks more than that is left to Salvage and to
// backups, and the error says what it lacks. No program may have the store open.
func Repair(dir string, opts *RepairOptions) (did []string, err error) {
	r := &repairer{fs: vfs.Default, dir: dir}
	if opts != nil && opts.FS != nil {
		r.fs = opts.FS
	}
	if err := r.run(); err != nil {
		return r.did, fmt.Errorf("repair %s: %w", dir, err)
	}
	return r.did, nil
}

type repairer struct {
	fs    vfs.FS
	dir   string
	names map[string]bool
	did   []string
}

func (r *repairer) note(format string, args ...any) {
	r.did = append(r.did, fmt.Sprintf(format, args...))
}

func (r *repairer) path(name string) string { return r.fs.PathJoin(r.dir, name) }

func (r *repairer) put(name string, b []byte) error {
	if err := writeFile(r.fs, r.path(name), b); err != nil {
		return err
	}
	r.names[name] = true
	r.note("put back %s", name)
	return nil
}

func (r *repairer) run() error {
	names, err := r.fs.List(r.dir)
	if err != nil {
		return err
	}
	r.names = map[string]bool{}
	tables := false
	for _, n := range names {
		r.names[n] = true
		tables = tables || kindOf(n) != kindExists
	}
	if !r.names[markerName] && !ownNames(names) {
		return fmt.Errorf("%w: it holds no %s, no %s and no list of files", ErrNotStore, markerName, commitsName)
	}
	s := &Store{dir: r.dir, fs: &guardFS{FS: r.fs, fail: func(error) {}}}
	had := r.names[lockName]
	if !had {
		// A process that has the store open keeps it although its lock file is gone.
		if f, err := r.fs.Open(r.path(commitsName)); err == nil {
			held := isHeld(f)
			f.Close()
			if held {
				return fmt.Errorf("%w, in a process whose %s was removed; close that first", ErrLocked, lockName)
			}
		}
	}
	lock, err := s.lockDir(true)
	if err != nil {
		return err
	}
	defer lock.Close()
	if !had {
		r.note("put back %s", lockName)
	}
	_, err = readMarker(r.fs, r.dir)
	if !r.names[markerName] || errors.Is(err, ErrNotStore) && ownNames(names) {
		format := listFormat - 1
		if r.names[listSlot(0)] || r.names[listSlot(1)] {
			format = listFormat
		}
		m := newMarker(format)
		for _, n := range names {
			if _, ok := logNumber(n); !ok {
				continue
			}
			if id, _, err := ownerOf(plainFS(r.fs), r.path(n)); err == nil && id != "" {
				m.id = id
			}
		}
		if l, _, _, err := readLists(r.fs, r.dir); err == nil && l != nil && l.id != "" {
			m.id = l.id
		}
		if err := writeMarker(r.fs, r.dir, m); err != nil {
			return err
		}
		r.note("put back %s, format %d", markerName, format)
	}
	m, err := readMarker(r.fs, r.dir)
	if err != nil {
		return err
	}
	if err := checkVersion(m.format); err != nil {
		return err
	}
	l, found, damaged, err := readLists(r.fs, r.dir)
	if err != nil {
		return err
	}
	// With one of the two files gone or damaged, what is left may be the list before the
	// last: a file that it names may have been removed since. Then the number of commits
	// and Pebble's own list say whether something is missing.
	rewrite := found < 2 || damaged > 0 // the list
	old := rewrite
	if l != nil {
		for _, n := range slices.Sorted(maps.Keys(l.files)) {
			if l.files[n].kind == kindStray {
				continue
			}
			changed, err := r.restore(n, l.files[n], old)
			if err != nil {
				return err
			}
			if changed {
				delete(l.files, n)
				rewrite = true
			}
		}
	}
	if l != nil && l.id != "" && l.id != m.id && m.id != "" {
		m.id = l.id
		if err := writeMarker(r.fs, r.dir, m); err != nil {
			return err
		}
		r.note("put the store's id back into %s", markerName)
	}
	if l == nil || old {
		if err := r.markers(); err != nil {
			return err
		}
	}
	note, err := readCommits(r.fs, r.dir)
	if !r.names[commitsName] && tables || errors.Is(err, ErrCorrupt) {
		err = r.commits()
	}
	if err != nil {
		return err
	}
	if m.format >= listFormat && (l == nil || rewrite) {
		if err := r.list(l, note); err != nil {
			return err
		}
	}
	if err := syncDir(r.fs, r.dir); err != nil {
		return err
	}
	if !tables {
		return nil
	}
	if err := lock.Close(); err != nil {
		return err
	}
	check, err := Open(r.dir, &Options{ReadOnly: true, FS: unguarded(r.fs), CacheSize: 1 << 20})
	if errors.Is(err, ErrFormat) {
		return nil // of an older format: the next open for writing verifies it
	}
	if err != nil {
		return err
	}
	return check.Close()
}

// restore puts a file of the list back that is missing or, where nothing depends on it,
// damaged. It reports whether the list must be written without it. old says that the list
// may not be the newest.
func (r *repairer) restore(name string, e fileEntry, old bool) (drop bool, err error) {
	if r.names[name] {
		err := e.verify(r.fs, r.dir, name, false)
		if errors.Is(err, ErrCorrupt) && strings.HasPrefix(name, "OPTIONS-") {
			if err := r.fs.Remove(r.path(name)); err != nil {
				return false, err
			}
			r.note("removed %s, which was damaged and is not needed", name)
			return true, nil
		}
		return false, err
	}
	switch {
	case strings.HasPrefix(name, "marker.") && old:
		return true, nil // see markers
	case strings.HasPrefix(name, "marker."):
		return false, r.put(name, nil)
	case strings.HasPrefix(name, "OPTIONS-"):
		r.note("did without %s", name)
		return true, nil
	case name == commitsName:
		return false, nil // it comes when the rest is there
	case old:
		return true, nil
	}
	return false, damagedFile(name, missing)
}

// markers puts back Pebble's markers where there is no list that names them.
func (r *repairer) markers() error {
	var manifests []string
	manifest, format := false, false
	for n := range r.names {
		switch {
		case strings.HasPrefix(n, "MANIFEST-"):
			manifests = append(manifests, n)
		case strings.HasPrefix(n, "marker.manifest."):
			manifest = true
		case strings.HasPrefix(n, "marker.format-version."):
			format = true
		}
	}
	if len(manifests) == 0 {
		return nil
	}
	if !manifest {
		if len(manifests) > 1 {
			slices.Sort(manifests)
			return fmt.Errorf("%w: there are several lists of tables (%s), and nothing says which one is current; lupa salvage reads all", ErrCorrupt, strings.Join(manifests, ", "))
		}
		if err := r.put("marker.manifest.000001."+manifests[0], nil); err != nil {
			return err
		}
	}
	if format {
		return nil
	}
	return r.put(formatMarker, nil)
}

// commits makes the file that counts commits anew, from the store.
func (r *repairer) commits() error {
	made, err := r.count()
	if err != nil {
		return err
	}
	if err := writeCommits(r.fs, r.dir, made); err != nil {
		return err
	}
	r.names[commitsName] = true
	r.note("made %s anew: the store holds %d commits; unless it was closed properly, later ones may be missing", commitsName, made)
	return nil
}

// count reads the number of commits.
func (r *repairer) count() (uint64, error) {
	s := &Store{dir: r.dir, readOnly: true, fs: &guardFS{FS: r.fs, fail: func(error) {}}}
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	db, err := openPebble(r.dir, s.pebbleOptions(&Options{ReadOnly: true}, cache))
	if err != nil {
		return 0, err
	}
	made, err := madeCommits(db, 0)
	return made, errors.Join(err, db.Close())
}

// list writes the list of files anew, when the store can be opened and holds every
// commit. old is what the newest readable one said, or nil.
func (r *repairer) list(old *list, note commitsNote) error {
	made, err := r.count()
	if err != nil {
		return err
	}
	if made < note.acknowledged {
		return fmt.Errorf("%w: of %d commits that were acknowledged the last %d are not there; restore a backup, or save what is left with lupa salvage", ErrCorrupt, note.acknowledged, note.acknowledged-made)
	}
	number := uint64(1)
	if old != nil {
		number = old.number + 1
	}
	names, err := r.fs.List(r.dir)
	if err != nil {
		return err
	}
	m, err := readMarker(r.fs, r.dir)
	if err != nil {
		return err
	}
	id := m.id
	files := map[string]fileEntry{}
	for _, n := range names {
		if !isListed(n) {
			continue
		}
		e := fileEntry{kind: kindExists}
		if old != nil && old.files[n].kind != 0 {
			e = old.files[n]
		} else if !strings.HasSuffix(n, ".log") {
			if e, err = entryOf(r.fs, r.dir, n, false); err != nil {
				return err
			}
		}
		files[n] = e
	}
	for range 2 { // in both places: neither may look like one that was lost
		text := encodeList(number, false, id, files)
		b := append(text, make([]byte, (listGrain-len(text)%listGrain)%listGrain)...)
		if err := writeFile(r.fs, r.path(listSlot(number)), b); err != nil {
			return err
		}
		number++
	}
	r.note("made the list of files anew: %d files", len(files))
	return nil
}
