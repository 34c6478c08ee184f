package storage

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system a store works on. It takes the folder's lock in the
// store's way, and it can be cut off: a Pebble that failed while writing may leave
// goroutines behind, and they must not touch a folder that somebody has opened
// again.
type guardFS struct {
	vfs.FS
	cut  *atomic.Bool
	lock func(name string) (io.Closer, error) // nil = the file system's own
}

func (g *guardFS) err(op, name string) error {
	if g.cut.Load() {
		return fmt.Errorf("%s %s: %w", op, name, ErrClosed)
	}
	return nil
}

func (g *guardFS) Lock(name string) (io.Closer, error) {
	if g.lock != nil {
		return g.lock(name)
	}
	return g.FS.Lock(name)
}

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

func (g *guardFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return guardFile{f, g}, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := g.err("create", name); err != nil {
		return nil, err
	}
	return g.file(g.FS.Create(name, c))
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := g.err("open", name); err != nil {
		return nil, err
	}
	return g.file(g.FS.OpenReadWrite(name, c, o...))
}

func (g *guardFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := g.err("rename", old); err != nil {
		return nil, err
	}
	return g.file(g.FS.ReuseForWrite(old, name, c))
}

func (g *guardFS) Link(old, name string) error {
	if err := g.err("link", old); err != nil {
		return err
	}
	return g.FS.Link(old, name)
}

func (g *guardFS) Remove(name string) error {
	if err := g.err("remove", name); err != nil {
		return err
	}
	return g.FS.Remove(name)
}

func (g *guardFS) RemoveAll(name string) error {
	if err := g.err("remove", name); err != nil {
		return err
	}
	return g.FS.RemoveAll(name)
}

func (g *guardFS) Rename(old, name string) error {
	if err := g.err("rename", old); err != nil {
		return err
	}
	return g.FS.Rename(old, name)
}

type guardFile struct {
	vfs.File
	g *guardFS
}

func (f guardFile) Write(p []byte) (int, error) {
	if err := f.g.err("write", ""); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f guardFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.g.err("write", ""); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}
