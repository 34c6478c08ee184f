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

// Input is an open file that counts what has been read of it.
type Input struct {
	f    *os.File
	path string
	size int64
	done atomic.Int64

	unpack func(io.Reader) (io.ReadCloser, error) // nil: the file is not compressed
	packed string                                 // the ending of files that are compressed so
	text   io.ReadCloser                          // what is in it
}

func OpenInput(path string) (*Input, error) {
	// A statement looks at its files when it is prepared and reads them when it
	// runs; what a pipe gave the first time would be lost.
	f, st, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	return &Input{f: f, path: path, size: st.Size()}, nil
}

// Path is what the file was opened as.
func (in *Input) Path() string { return in.path }

// Size is that of the file, in bytes.
func (in *Input) Size() int64 { return in.size }

// Restart makes Progress begin at nothing again.
func (in *Input) Restart() { in.done.Store(0) }

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

func (in *Input) Read(p []byte) (int, error) {
	if in.text != nil {
		return in.text.Read(p)
	}
	n, err := in.f.Read(p)
	in.done.Add(int64(n))
	return n, err
}

func (in *Input) Progress() (done, total int64) { return min(in.done.Load(), max(in.size, 0)), in.size }
func (in *Input) Close() error {
	if in.text != nil {
		in.text.Close()
	}
	return in.f.Close()
}

// ReadAt counts what is read, for Progress.
func (in *Input) ReadAt(p []byte, off int64) (int, error) {
	n, err := in.f.ReadAt(p, off)
	in.done.Add(int64(n))
	return n, err
}

// rewind goes back to the start of the file.
func (in *Input) rewind() error {
	_, err := in.f.Seek(0, io.SeekStart)
	in.done.Store(0)
	if err == nil && in.unpack != nil {
		err = in.begin()
	}
	return err
}

// Output is a file that takes its place only when it is complete.
type Output struct {
	*bufio.Writer
	f    *os.File
	path string
	done bool
}

func CreateOutput(path string) (*Output, error) {
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
	return &Output{Writer: bufio.NewWriterSize(f, 256<<10), f: f, path: path}, nil
}

// Path is where the file will be.
func (o *Output) Path() string { return o.path }

// Finish flushes, syncs and renames the file into place.
func (o *Output) Finish() error {
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

func (o *Output) Abort() {
	if !o.done {
		o.done = true
		o.f.Close()
		os.Remove(o.f.Name())
	}
}
