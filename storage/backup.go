package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// BackupOptions change what Backup does. The zero value, and nil, mean the defaults.
type BackupOptions struct {
	// HardLinks shares table files with the store where both are on one disk, instead
	// of copying their bytes: it takes no time and no space, and damage of a shared file
	// damages both.
	HardLinks bool
	// New refuses a directory that holds an older backup.
	New bool
	// Progress is told of bytes copied.
	Progress Progress
}

// Backup writes a copy of the store, as of now, into dir, while writes may go on. The
// copy shares no byte with the store (see BackupOptions.HardLinks), opens as a store,
// and has passed what a store passes when it is opened; every table file was compared
// with its checksum while it was copied. A damaged source is an ErrCorrupt, and leaves
// no copy.
//
// dir must not exist, or be empty, or hold an older backup of this store: that is
// replaced as a whole by the new one, for which only table files that it lacks are
// copied. Before that is complete the older one stays as it is.
//
// When ctx ends, Backup returns at once, and what was written is removed soon after, at
// the latest when the store is closed.
func (s *Store) Backup(ctx context.Context, dir string, opts *BackupOptions) error {
	o := BackupOptions{}
	if opts != nil {
		o = *opts
	}
	if err := s.enter(); err != nil {
		return err
	}
	err := ctx.Err()
	if err == nil && (dir == "" || dir == ":memory:") {
		err = fmt.Errorf("backup to %q: a backup goes into a directory; give its path", dir)
	}
	if err != nil {
		s.leave()
		return err
	}
	done := make(chan error, 1)
	s.cleanUp(func() {
		s.backups.Lock() // one that was cancelled may be cleaning up where this one is to go
		defer s.backups.Unlock()
		err := ctx.Err()
		if err == nil {
			g := s.enterGeneration()
			defer g.leave()
			b := &backup{s: s, db: g.db, ctx: ctx, opts: o, src: s.fs, dst: s.fs, dir: dir}
			if s.inMemory { // the copy is on disk
				b.dst = vfs.Default
			}
			err = b.run()
		}
		if err != nil {
			err = fmt.Errorf("backup to %s: %w", dir, err)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backup is one that is being made.
type backup struct {
	s        *Store
	db       *pebble.DB
	ctx      context.Context
	opts     BackupOptions
	src, dst vfs.FS
	dir      string // where it goes

	old   string // dir while it holds an older backup, or ""
	older *list  // its files
	from  string // directory whose files are copied: they do not change
	known map[string]fileEntry
	done  uint64 // bytes
	total uint64
}

// Names beside the place of a backup while it is made.
const (
	incomplete = ".incomplete" // the new one grows here
	replaced   = ".replaced"   // the older one, for the moment in which they change places
)

func (b *backup) run() (err error) {
	if err := b.place(); err != nil {
		return err
	}
	tmp := b.dir + incomplete
	defer func() {
		if err != nil {
			err = errors.Join(err, b.dst.RemoveAll(tmp))
		}
	}()
	if err := b.dst.RemoveAll(tmp); err != nil {
		return err
	}
	if parent := b.dst.PathDir(b.dir); parent != "" {
		if err := b.dst.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	release, err := b.freeze()
	if release != nil {
		defer release()
	}
	if err != nil {
		return err
	}
	if err := b.dst.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	if err := b.copyAll(tmp); err != nil {
		return err
	}
	// What a store passes when it is opened, the copy passes before it has its name.
	check, err := Open(tmp, &Options{ReadOnly: true, FS: unguarded(b.dst), CacheSize: 1 << 20})
	if err != nil {
		return err
	}
	if err := check.Close(); err != nil {
		return err
	}
	return b.publish(tmp)
}

// unguarded returns a file system without the store's guard.
func unguarded(fs vfs.FS) vfs.FS {
	if fs = plainFS(fs); fs == vfs.Default {
		return nil
	}
	return fs
}

// place looks at where the backup is to go.
func (b *backup) place() error {
	if !b.s.inMemory {
		if err := b.outside(); err != nil {
			return err
		}
	}
	if _, err := b.dst.Stat(b.dir); errors.Is(err, os.ErrNotExist) {
		if _, err := b.dst.Stat(b.dir + replaced); err == nil { // cut off between two renames
			if err := b.dst.Rename(b.dir+replaced, b.dir); err != nil {
				return err
			}
		}
	}
	fi, err := b.dst.Stat(b.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if !fi.IsDir() {
		return errors.New("there is a file of this name")
	}
	names, err := b.dst.List(b.dir)
	if err != nil || len(names) == 0 {
		return err
	}
	if b.opts.New {
		return fmt.Errorf("the directory is not empty (%s); name a new one", names[0])
	}
	if !slices.Contains(names, markerName) {
		return fmt.Errorf("the directory is not empty and holds no backup (%s)", names[0])
	}
	theirs, err := readMarker(b.dst, b.dir)
	if err != nil {
		return err
	}
	mine, err := readMarker(b.src, b.s.dir)
	if err != nil {
		return err
	}
	if theirs.id == "" || theirs.id != mine.id {
		return errors.New("the directory holds another store, or a backup of one; name an empty directory or a backup of this store")
	}
	l, _, _, err := readLists(b.dst, b.dir)
	if err != nil {
		return err
	}
	if l == nil || !l.closed {
		return errors.New("the directory holds a copy of this store that was opened for writing since, not a backup")
	}
	note, err := readCommits(b.dst, b.dir)
	if err != nil {
		return err
	}
	number, err := get(b.db, key.Commits)
	if err != nil {
		return err
	}
	if len(number) == 8 && note.acknowledged > binary.BigEndian.Uint64(number) {
		return errors.New("the directory holds a later state of this store")
	}
	b.old, b.older = b.dir, l
	return nil
}

// outside refuses a place within the store itself.
func (b *backup) outside() error {
	if unguarded(b.src) != nil {
		return nil
	}
	real := func(path string) string {
		abs, err := filepath.Abs(path)
		if err != nil {
			return path
		}
		rest := ""
		for p := abs; ; p = filepath.Dir(p) { // the end of it may not be there yet
			if r, err := filepath.EvalSymlinks(p); err == nil {
				return filepath.Join(r, rest)
			}
			if p == filepath.Dir(p) {
				return abs
			}
			rest = filepath.Join(filepath.Base(p), rest)
		}
	}
	rel, err := filepath.Rel(real(b.s.dir), real(b.dir))
	if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return errors.New("the directory is that of the store itself, or lies in it")
	}
	return nil
}

// freeze finds a directory whose files are the store's as of now and stay as they are. What
// it returns gives that up.
func (b *backup) freeze() (release func(), err error) {
	s := b.s
	if s.readOnly { // nobody changes it as long as it is open
		l, _, _, err := readLists(b.src, s.dir)
		b.from, b.known = s.dir, map[string]fileEntry{}
		if l != nil {
			b.known = l.files
		}
		return nil, err
	}
	defer func() { // Pebble panics where a directory can't be synced
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	dir, err := s.newLoadDir()
	release = func() { _ = s.fs.RemoveAll(dir) }
	if err != nil {
		return release, err
	}
	if s.fs.files != nil {
		b.known = s.fs.files.entries()
	}
	b.from = s.fs.PathJoin(dir, "backup")
	// Tables are linked, which keeps them from being removed; the rest is copied.
	return release, b.db.Checkpoint(b.from, pebble.WithFlushedWAL())
}

// copyAll copies the frozen files, and makes of them a store that was closed.
func (b *backup) copyAll(to string) error {
	number, err := get(b.db, key.Commits)
	if err != nil {
		return err
	}
	names, err := b.src.List(b.from)
	if err != nil {
		return err
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return !isListed(n) || n == commitsName && !b.s.readOnly })
	for _, n := range names {
		info, err := b.src.Stat(b.src.PathJoin(b.from, n))
		if err != nil {
			return err
		}
		b.total += uint64(info.Size())
	}
	copied := map[string]fileEntry{}
	for _, n := range names {
		e, err := b.copyFile(n, to)
		if err != nil {
			return err
		}
		copied[n] = e
	}
	if !b.s.readOnly {
		made := uint64(0)
		if len(number) == 8 {
			made = binary.BigEndian.Uint64(number) // at least these are in the copy
		}
		if err := writeCommits(b.dst, to, made); err != nil {
			return err
		}
	}
	if err := writeFile(b.dst, b.dst.PathJoin(to, lockName), nil); err != nil {
		return err
	}
	mine, err := readMarker(b.src, b.s.dir)
	if err != nil {
		return err
	}
	if err := writeListOf(b.dst, to, mine.id, copied); err != nil {
		return err
	}
	return writeMarker(b.dst, to, marker{Format, mine.id})
}

// copyFile copies one file, or takes it from the older backup.
func (b *backup) copyFile(name, to string) (e fileEntry, err error) {
	known, kind := b.known[name], kindOf(name)
	if kind == kindWhole && known.kind == kindWhole && b.older != nil && b.older.files[name] == known {
		if known.verify(b.dst, b.old, name, true) == nil {
			if err := b.dst.Link(b.dst.PathJoin(b.old, name), b.dst.PathJoin(to, name)); err == nil {
				b.progress(known.size)
				return known, nil
			}
		}
	}
	from, path := b.src.PathJoin(b.from, name), b.dst.PathJoin(to, name)
	if b.opts.HardLinks && strings.HasSuffix(name, ".sst") && !b.s.inMemory {
		if known.kind == kindWhole {
			if err := known.verify(b.src, b.from, name, true); err != nil {
				return e, err
			}
		}
		if err := b.dst.Link(from, path); err == nil {
			return entryOf(b.dst, to, name, true)
		}
	}
	in, err := b.src.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return e, err
	}
	defer in.Close()
	out, err := b.dst.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return e, err
	}
	out = vfs.NewSyncingFile(out, vfs.SyncingFileOptions{BytesPerSync: 4 << 20})
	e, err = b.copyBytes(in, out, kind)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return e, err
	}
	switch {
	case kind != kindWhole:
	case known.kind == kindWhole && (known.size != e.size || known.sum != e.sum):
		return e, damagedFile(name, "is not what was written: its checksum differs")
	case known.kind != kindWhole && strings.HasSuffix(name, ".sst"):
		// An older version, or a process that was killed, has left no checksum of it.
		if err := validateTable(b.dst, path); err != nil {
			return e, damagedFile(name, "can't be read: "+plainError(err).Error())
		}
	}
	return e, nil
}

// copyBytes copies a file and returns what the list is to say of it.
func (b *backup) copyBytes(in io.Reader, out io.Writer, kind fileKind) (e fileEntry, err error) {
	buf := make([]byte, 1<<20)
	var end []byte
	for {
		if err := b.ctx.Err(); err != nil {
			return e, err
		}
		n, rerr := io.ReadFull(in, buf)
		if n > 0 {
			// Before it is written: a file system of Pebble's may change what it writes.
			e.size += int64(n)
			e.sum = crc32.Update(e.sum, crcTable, buf[:n])
			end = append(end, buf[max(0, n-tailBytes):n]...)
			end = bytes.Clone(end[max(0, len(end)-tailBytes):])
			if _, err := out.Write(buf[:n]); err != nil {
				return e, err
			}
			b.progress(int64(n))
		}
		if rerr == io.EOF || rerr == io.ErrUnexpectedEOF {
			break
		} else if rerr != nil {
			return e, rerr
		}
	}
	switch e.kind = kind; kind {
	case kindWhole:
		e.tail = crc32.Checksum(end, crcTable)
	case kindExists:
		e = fileEntry{kind: kind}
	}
	return e, nil
}

func (b *backup) progress(n int64) {
	b.done += uint64(n)
	if b.opts.Progress != nil {
		b.opts.Progress("copying", b.done, b.total)
	}
}

// publish gives the complete copy its name.
func (b *backup) publish(tmp string) error {
	parent := func() error { return syncDir(b.dst, b.dst.PathDir(b.dir)) }
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if b.old != "" {
		if exchange(b.dst, tmp, b.dir) { // nobody ever finds neither
			if err := parent(); err != nil {
				return err
			}
			return b.dst.RemoveAll(tmp)
		}
		if err := b.dst.RemoveAll(b.dir + replaced); err != nil {
			return err
		}
		if err := b.dst.Rename(b.dir, b.dir+replaced); err != nil {
			return err
		}
		if err := b.dst.Rename(tmp, b.dir); err != nil {
			return errors.Join(err, b.dst.Rename(b.dir+replaced, b.dir))
		}
		if err := parent(); err != nil {
			return err
		}
		return b.dst.RemoveAll(b.dir + replaced)
	}
	if _, err := b.dst.Stat(b.dir); err == nil { // an empty directory
		if err := b.dst.Remove(b.dir); err != nil {
			return err
		}
	}
	if err := b.dst.Rename(tmp, b.dir); err != nil {
		return err
	}
	return parent()
}

// validateTable reads every block of a table file.
func validateTable(fs vfs.FS, path string) error {
	f, err := plainFS(fs).Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, sstable.ReaderOptions{})
	if err != nil {
		return errors.Join(err, readable.Close())
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}
