package storage

import (
	"errors"
	"io"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ---- A file system whose changes stay in memory ----

// scratchFS reads from another file system and keeps what is written in memory.
type scratchFS struct {
	vfs.FS
	mem   *vfs.MemFS
	gone  map[string]bool
	moved map[string]string // files that are read from elsewhere
	sizes map[string]int64  // what is said of the sizes of files, whatever they are
}

func newScratchFS(base vfs.FS) *scratchFS {
	return &scratchFS{base, vfs.NewMem(), map[string]bool{}, map[string]string{}, map[string]int64{}}
}

func (f *scratchFS) written(name string) bool {
	_, err := f.mem.Stat(name)
	return err == nil
}

func (f *scratchFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.mem.MkdirAll(f.PathDir(name), 0o755); err != nil {
		return nil, err
	}
	delete(f.gone, name)
	return f.mem.Create(name, c)
}

func (f *scratchFS) lift(name string) error {
	if f.written(name) || f.gone[name] {
		return nil
	}
	b, err := readAll(f.FS, name)
	if err != nil {
		return err
	}
	return writeFile(f, name, b)
}

func (f *scratchFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := f.lift(name); errors.Is(err, os.ErrNotExist) || f.gone[name] {
		return f.Create(name, c)
	} else if err != nil {
		return nil, err
	}
	return f.mem.OpenReadWrite(name, c, o...)
}

func (f *scratchFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	_ = f.Remove(old)
	return f.Create(name, c)
}

func (f *scratchFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if f.written(name) {
		return f.mem.Open(name, o...)
	}
	if f.gone[name] {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	if to := f.moved[name]; to != "" {
		name = to
	}
	return f.FS.Open(name, o...)
}

func (f *scratchFS) OpenDir(name string) (vfs.File, error) {
	if err := f.mem.MkdirAll(name, 0o755); err != nil {
		return nil, err
	}
	return f.mem.OpenDir(name)
}

func (f *scratchFS) Link(old, name string) error {
	if err := f.lift(old); err != nil {
		return err
	}
	b, err := readAll(f.mem, old)
	if err != nil {
		return err
	}
	return writeFile(f, name, b)
}

func (f *scratchFS) Remove(name string) error {
	f.gone[name] = true
	if f.written(name) {
		return f.mem.Remove(name)
	}
	return nil
}

func (f *scratchFS) RemoveAll(name string) error { return f.Remove(name) }

func (f *scratchFS) Rename(old, name string) error {
	if err := f.Link(old, name); err != nil {
		return err
	}
	return f.Remove(old)
}

func (f *scratchFS) MkdirAll(name string, perm os.FileMode) error { return f.mem.MkdirAll(name, perm) }

func (f *scratchFS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *scratchFS) List(name string) ([]string, error) {
	names, err := f.FS.List(name)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return f.gone[f.PathJoin(name, n)] })
	more, _ := f.mem.List(name)
	for path := range f.moved { // which may not be there under their names
		if f.PathDir(path) == name {
			more = append(more, f.PathBase(path))
		}
	}
	for _, n := range more {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, nil
}

func (f *scratchFS) Stat(name string) (vfs.FileInfo, error) {
	info, err := f.mem.Stat(name)
	if err != nil || info.IsDir() {
		if f.gone[name] {
			return nil, &os.PathError{Op: "stat", Path: name, Err: os.ErrNotExist}
		}
		info, err = f.FS.Stat(name)
		if to := f.moved[name]; to != "" && errors.Is(err, os.ErrNotExist) {
			info, err = f.FS.Stat(to)
		}
	}
	if n, ok := f.sizes[name]; ok && err == nil {
		return sizedInfo{info, n}, nil
	}
	return info, err
}

// sizedInfo says that a file has another size.
type sizedInfo struct {
	vfs.FileInfo
	size int64
}

func (i sizedInfo) Size() int64 { return i.size }

func (f *scratchFS) Unwrap() vfs.FS { return f.FS }
