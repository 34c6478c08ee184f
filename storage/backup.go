package storage

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Backup writes a copy of the store, as of now, into dir, which must not exist
// or be empty. Writes may go on. The copy opens as a store. Files on the same disk
// are linked, not copied; either way the copy is independent. When ctx ends, Backup
// returns at once and what was written is removed.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.enter(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		s.leave()
		return err
	}
	done := make(chan error, 1)
	go func() {
		defer s.leave()
		err := s.backup(ctx, dir)
		if err != nil {
			err = fmt.Errorf("backup to %s: %w", dir, err)
		}
		done <- err
	}()
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

func (s *Store) checkpoint(ctx context.Context, dst vfs.FS, dir string) error {
	if err := dst.RemoveAll(dir); err != nil {
		return err
	}
	if parent := dst.PathDir(dir); parent != "" {
		if err := dst.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	opts := []pebble.CheckpointOption{}
	if !s.readOnly {
		opts = append(opts, pebble.WithFlushedWAL())
	}
	if !s.inMemory {
		if err := s.db.Checkpoint(dir, opts...); err != nil {
			return err
		}
	} else {
		const inside = "backup"
		defer s.fs.RemoveAll(inside)
		if err := s.db.Checkpoint(inside, opts...); err != nil {
			return err
		}
		if _, err := vfs.Clone(s.fs, dst, inside, dir, vfs.CloneSync); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return writeMarker(dst, dir, Format)
}
