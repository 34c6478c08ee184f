//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// A record lock belongs to the process, and closing any descriptor of the file
// gives it up. So the process keeps one descriptor per directory, and counts.
var folders struct {
	sync.Mutex
	open map[string]*folderLock
}

type folderLock struct {
	f       *os.File
	info    os.FileInfo // identity of f
	name    string      // without links
	path    string
	shared  bool
	holders int
}

// lockedHere tells that it is the program itself that has the store open.
var lockedHere = fmt.Errorf("%w, in this process: share its DB, or close it first", ErrLocked)

// lockFolder locks a store's lock file: for itself alone, or shared with others
// that only read. It fails with ErrLocked.
func lockFolder(name string, shared bool) (io.Closer, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	name = path
	if file, err := filepath.EvalSymlinks(path); err == nil {
		name = file // the file itself may be behind a link
	}
	folders.Lock()
	defer folders.Unlock()
	if l := folders.open[name]; l != nil {
		if !shared || !l.shared {
			return nil, lockedHere
		}
		l.holders++
		return &folderHold{lock: l}, nil
	}
	flags, kind := os.O_RDWR|os.O_CREATE, int16(unix.F_WRLCK)
	if shared {
		flags, kind = os.O_RDONLY, unix.F_RDLCK
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		if shared && errors.Is(err, os.ErrNotExist) { // a copied directory may lack it: nobody writes there
			return io.NopCloser(nil), nil
		}
		return nil, err
	}
	spec := unix.Flock_t{Type: kind, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &spec); err != nil {
		f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("%w, in another process", ErrLocked)
		}
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	l := &folderLock{f: f, info: info, name: name, path: path, shared: shared, holders: 1}
	if folders.open == nil {
		folders.open = map[string]*folderLock{}
	}
	folders.open[name] = l
	return &folderHold{lock: l}, nil
}

type folderHold struct {
	lock *folderLock
	once sync.Once
}

func (h *folderHold) Close() (err error) {
	h.once.Do(func() {
		folders.Lock()
		defer folders.Unlock()
		if h.lock.holders--; h.lock.holders == 0 {
			delete(folders.open, h.lock.name)
			err = h.lock.f.Close()
		}
	})
	return err
}

// held returns an error when the directory can't be written to, or the lock is lost: the
// lock file is not the one that was locked any more, so that another process may have
// locked that.
func (h *folderHold) held() (lost bool, err error) {
	l := h.lock
	info, err := os.Stat(l.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return true, fmt.Errorf("%s was removed: the directory was moved or deleted, or its lock taken away, while the store was open", l.path)
	case err != nil:
		return false, err
	case !os.SameFile(info, l.info):
		return true, fmt.Errorf("%s is another file than the one that was locked: the directory was replaced while the store was open", l.path)
	}
	if err := unix.Access(filepath.Dir(l.path), unix.W_OK); err != nil {
		return false, &os.PathError{Op: "write to", Path: filepath.Dir(l.path), Err: err}
	}
	return false, nil
}
