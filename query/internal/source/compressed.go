package source

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// compressions are the endings of compressed texts, and how those are read. Bytes that they
// begin with, whatever their ending, are in compressedBy.
var compressions = map[string]func(io.Reader) (io.ReadCloser, error){
	".gz": func(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	".zst": func(r io.Reader) (io.ReadCloser, error) {
		// A frame may ask for as much memory as it likes.
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	},
	".bz2": func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(bzip2.NewReader(r)), nil },
}

// compressedBy returns the ending of files that begin with head, "" if they are not compressed.
func compressedBy(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return ".gz"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return ".zst"
	case bytes.HasPrefix(head, []byte("BZh")) && len(head) > 10 && string(head[4:10]) == "1AY&SY":
		return ".bz2"
	}
	return ""
}

// uncompressed returns a path without the ending of a compressed file.
func uncompressed(path string) string {
	ext := filepath.Ext(path)
	if _, ok := compressions[strings.ToLower(ext)]; ok {
		return strings.TrimSuffix(path, ext)
	}
	return path
}

// openText opens a file of text of a format, which may be compressed.
func openText(path, format string) (*Input, error) {
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, headSize)
	n, _ := in.f.ReadAt(head, 0)
	ext := strings.ToLower(filepath.Ext(path))
	if by := compressedBy(head[:n]); by != "" {
		ext = by // the ending may be another, or none
	} else if err := foreignFile(in.f, format, path); err != nil {
		in.Close()
		return nil, err
	}
	in.unpack, in.packed = compressions[ext], ext
	if in.unpack != nil {
		if err := in.begin(); err != nil {
			in.Close()
			return nil, err
		}
	}
	return in, nil
}

// begin starts to decompress at the start of the file.
func (in *Input) begin() error {
	r, err := in.unpack(bufio.NewReaderSize(countingReader{in}, 256<<10))
	if err != nil {
		return fmt.Errorf("%s: not a %s file, or a damaged one: %w", in.path, in.packed, err)
	}
	if in.text != nil {
		in.text.Close()
	}
	in.text = r
	return nil
}

// countingReader reads the file as it is.
type countingReader struct{ in *Input }

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.in.f.Read(p)
	r.in.done.Add(int64(n))
	return n, err
}
