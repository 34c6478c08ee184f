package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// input is an open file that counts what has been read of it.
type input struct {
	f    *os.File
	path string
	size int64
	done atomic.Int64

	unpack func(io.Reader) (io.ReadCloser, error) // nil: the file is not compressed
	packed string                                 // the ending of files that are compressed so
	text   io.ReadCloser                          // what is in it
}

func openInput(path string) (*input, error) {
	// A statement looks at its files when it is prepared and reads them when it
	// runs; what a pipe gave the first time would be lost.
	f, st, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	return &input{f: f, path: path, size: st.Size()}, nil
}

// fileError says in plain words why a file can't be opened.
func fileError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		wd, wderr := os.Getwd()
		if wderr == nil && !filepath.IsAbs(path) {
			return &worded{fmt.Sprintf("no file %s in %s", path, wd), fs.ErrNotExist}
		}
		return &worded{"no file " + path, fs.ErrNotExist}
	}
	if errors.Is(err, fs.ErrPermission) {
		return &worded{path + ": no permission", fs.ErrPermission}
	}
	return err
}

// worded is an error told in other words.
type worded struct {
	msg string
	err error
}

func (e *worded) Error() string { return e.msg }
func (e *worded) Unwrap() error { return e.err }

func (in *input) Read(p []byte) (int, error) {
	if in.text != nil {
		return in.text.Read(p)
	}
	n, err := in.f.Read(p)
	in.done.Add(int64(n))
	return n, err
}

func (in *input) Progress() (done, total int64) { return min(in.done.Load(), max(in.size, 0)), in.size }
func (in *input) Close() error {
	if in.text != nil {
		in.text.Close()
	}
	return in.f.Close()
}

// ReadAt counts what is read, for Progress.
func (in *input) ReadAt(p []byte, off int64) (int, error) {
	n, err := in.f.ReadAt(p, off)
	in.done.Add(int64(n))
	return n, err
}

// rewind goes back to the start of the file.
func (in *input) rewind() error {
	_, err := in.f.Seek(0, io.SeekStart)
	in.done.Store(0)
	if err == nil && in.unpack != nil {
		err = in.begin()
	}
	return err
}

// output is a file that takes its place only when it is complete.
type output struct {
	*bufio.Writer
	f    *os.File
	path string
	done bool
}

func createOutput(path string) (*output, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &worded{"no directory " + filepath.Dir(path), fs.ErrNotExist}
		}
		return nil, fileError(path, err)
	}
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("%s is a directory, not a file", path)
	}
	return &output{Writer: bufio.NewWriterSize(f, 256<<10), f: f, path: path}, nil
}

// finish flushes, syncs and renames the file into place.
func (o *output) finish() error {
	if o.done {
		return nil
	}
	err := o.Flush()
	if err == nil {
		err = o.f.Chmod(0o644)
	}
	if err == nil {
		err = o.f.Sync()
	}
	if cerr := o.f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(o.f.Name(), o.path)
	}
	o.done = true
	if err != nil {
		os.Remove(o.f.Name())
		return fmt.Errorf("%s was not written: %w", o.path, err)
	}
	return nil
}

func (o *output) Abort() {
	if !o.done {
		o.done = true
		o.f.Close()
		os.Remove(o.f.Name())
	}
}
