package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage/internal/key"
)

// Backup writes a copy of the store, as of now, into dir, which must not exist
// or be empty. Writes may go on. The copy opens as a store. Files on the same disk
// are linked, not copied; either way the copy is independent. When ctx ends, Backup
// returns at once, and what was written is removed soon after, at the latest when
// the store is closed.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.enter(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		s.leave()
		return err
	}
	done := make(chan error, 1)
	s.cleanUp(func() {
		s.backups.Lock() // one that was cancelled may be cleaning up where this one is to go
		defer s.backups.Unlock()
		err := ctx.Err()
		if err == nil {
			err = s.backup(ctx, dir)
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

func (s *Store) backup(ctx context.Context, dir string) (err error) {
	dst := vfs.FS(s.fs)
	if s.inMemory { // the copy is on disk
		dst = vfs.Default
	}
	created := true
	if fi, err := dst.Stat(dir); err == nil {
		if !fi.IsDir() {
			return errors.New("there is a file of this name")
		}
		names, err := dst.List(dir)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return errors.New("the folder is not empty")
		}
		created = false
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// The copy grows beside its place and becomes a store with the marker, last of all.
	tmp := dir + ".incomplete"
	if err := s.checkpoint(ctx, dst, tmp); err != nil {
		return errors.Join(err, dst.RemoveAll(tmp))
	}
	if !created {
		if err := dst.Remove(dir); err != nil {
			return errors.Join(err, dst.RemoveAll(tmp))
		}
	}
	if err := dst.Rename(tmp, dir); err != nil {
		return errors.Join(err, dst.RemoveAll(tmp))
	}
	return syncDir(dst, dst.PathDir(dir))
}

func (s *Store) checkpoint(ctx context.Context, dst vfs.FS, dir string) (err error) {
	defer func() { // Pebble panics where the folder of the copy can't be synced
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	if err := dst.RemoveAll(dir); err != nil {
		return err
	}
	number, err := get(s.db, key.Commits) // at least these are in the copy
	if err != nil {
		return err
	}
	if parent := dst.PathDir(dir); parent != "" {
		if err := dst.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	switch {
	case s.readOnly:
		if err := s.copyFiles(ctx, dir); err != nil {
			return err
		}
	case !s.inMemory:
		if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
			return err
		}
	default:
		const inside = "backup"
		defer s.fs.RemoveAll(inside)
		if err := s.db.Checkpoint(inside, pebble.WithFlushedWAL()); err != nil {
			return err
		}
		if _, err := vfs.Clone(s.fs, dst, inside, dir, vfs.CloneSync); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.readOnly && len(number) == 8 {
		if err := writeCommits(dst, dir, binary.BigEndian.Uint64(number)); err != nil {
			return err
		}
	}
	return writeMarker(dst, dir, Format)
}

// copyFiles copies the folder of a store that is open for reading: as long as it is,
// nobody changes it. Tables are linked, for they never change.
func (s *Store) copyFiles(ctx context.Context, dir string) error {
	if err := s.fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := s.fs.PathJoin(s.dir, n), s.fs.PathJoin(dir, n)
		switch {
		case n == "LOCK" || n == markerName || strings.HasPrefix(n, loadDirPrefix):
		case strings.HasSuffix(n, ".sst"):
			err = vfs.LinkOrCopy(s.fs, from, to)
		default:
			err = vfs.Copy(s.fs, from, to)
		}
		if err != nil {
			return err
		}
	}
	return syncDir(s.fs, dir)
}
