package source

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// compressions are the endings of compressed texts, and how those are read.
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
}

// uncompressed returns a path without the ending of a compressed file.
func uncompressed(path string) string {
	ext := filepath.Ext(path)
	if _, ok := compressions[strings.ToLower(ext)]; ok {
		return strings.TrimSuffix(path, ext)
	}
	return path
}

// openText opens a file of text, which may be compressed.
func openText(path string) (*input, error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	in.unpack = compressions[strings.ToLower(filepath.Ext(path))]
	if in.unpack != nil {
		if err := in.begin(); err != nil {
			in.Close()
			return nil, err
		}
	}
	return in, nil
}

// begin starts to decompress at the start of the file.
func (in *input) begin() error {
	r, err := in.unpack(bufio.NewReaderSize(countingReader{in}, 256<<10))
	if err != nil {
		return fmt.Errorf("%s: not a %s file, or a damaged one: %w", in.path, filepath.Ext(in.path), err)
	}
	if in.text != nil {
		in.text.Close()
	}
	in.text = r
	return nil
}

// countingReader reads the file as it is.
type countingReader struct{ in *input }

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.in.f.Read(p)
	r.in.done.Add(int64(n))
	return n, err
}
