package clip

import (
	"bytes"
	"io"
)

// file is an encoded picture, in memory or on disk. Its header need not lie at
// its beginning: EXIF data follow the pixels in many WebP and PNG files, and so
// may the directories of a TIFF.
type file struct {
	r    io.ReaderAt
	size int64
	buf  []byte // of the last read
	at   int64
}

// fileBlock is how much is read at least.
const fileBlock = 16 << 10

func newFile(r io.ReaderAt, size int64) *file { return &file{r: r, size: size} }

func memory(data []byte) *file {
	return &file{r: bytes.NewReader(data), size: int64(len(data)), buf: data}
}

// bytes returns n bytes from off on, fewer where the file ends or can't be
// read. They are valid until the next call.
func (f *file) bytes(off, n int64) []byte {
	if off < 0 || off >= f.size || n <= 0 {
		return nil
	}
	n = min(n, f.size-off)
	if off < f.at || off+n > f.at+int64(len(f.buf)) {
		want := min(max(n, fileBlock), f.size-off)
		buf := make([]byte, want)
		got, _ := f.r.ReadAt(buf, off)
		f.buf, f.at = buf[:got], off
		n = min(n, int64(got))
	}
	return f.buf[off-f.at:][:n]
}

// reader reads from the beginning.
func (f *file) reader() *io.SectionReader { return io.NewSectionReader(f.r, 0, f.size) }

// part is a piece of a file.
type part struct{ off, n int64 }

func (f *file) section(p part) *io.SectionReader { return io.NewSectionReader(f.r, p.off, p.n) }
