package source

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// OpenRegular opens a plain file for reading. Whatever else has a name, a FIFO, a
// device or a socket, is refused and never waited for.
func OpenRegular(path string) (*os.File, fs.FileInfo, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	if err := regular(path, st); err != nil {
		return nil, nil, err
	}
	// It may have become something else meanwhile.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fileError(path, err)
	}
	if st, err = f.Stat(); err == nil {
		err = regular(path, st)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

func regular(path string, st fs.FileInfo) error {
	if st.IsDir() {
		return fmt.Errorf("%s is a directory, not a file", path)
	}
	if !st.Mode().IsRegular() {
		return irregularError(path, st.Mode())
	}
	return nil
}
