package source

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// fvecsReader reads the vectors of http://corpus-texmex.irisa.fr: each is its
// dimension (int32) and as many float32 (.fvecs), bytes (.bvecs) or int32 (.ivecs), little endian.
type fvecsReader struct {
	*Input
	in    *bufio.Reader
	size  int // bytes of an element: 1 for bvecs; 4 for fvecs and ivecs
	ints  bool
	all   []Column
	cols  []Column
	rows  int64
	next  int64
	buf   []byte
	vec   *value.Column
	batch *value.Batch
}

func openFvecs(path string, _ Options) (Reader, error) {
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	r := &fvecsReader{Input: in, in: bufio.NewReaderSize(in, 256<<10), size: 4}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".bvecs":
		r.size, r.ints = 1, true
	case ".ivecs":
		r.ints = true
	}
	w := int64(r.size)
	head, err := r.in.Peek(4)
	if err != nil {
		in.Close()
		if len(head) == 0 && err == io.EOF {
			return nil, fmt.Errorf("%s: the file is empty; a fvecs file begins with the dimension of its first vector", path)
		}
		return nil, fmt.Errorf("%s: not a fvecs file: %d bytes long", path, in.size)
	}
	d := int64(int32(binary.LittleEndian.Uint32(head)))
	if d < 1 || d > value.MaxDim {
		in.Close()
		return nil, fmt.Errorf("%s: not a fvecs file: the first vector would have %d dimensions (1 to %d are possible)", path, d, value.MaxDim)
	}
	r.rows = -1
	if in.size > 0 {
		r.rows = in.size / (4 + w*d)
		if rest := in.size % (4 + w*d); rest != 0 {
			in.Close()
			return nil, fmt.Errorf("%s: the file is truncated: %d bytes are missing in vector %d of %d dimensions", path, 4+w*d-rest, r.rows+1, d)
		}
	}
	if r.ints && r.size == 4 {
		if first, err := r.in.Peek(int(min(4+4*d, 4096))); err == nil && looksLikeFloats(first[4:]) {
			in.Close()
			return nil, fmt.Errorf("%s: the elements of the first vector are unlikely to be integers but look like float32; a file of those ends in .fvecs", path)
		}
	}
	if !r.ints {
		if first, err := r.in.Peek(int(min(4+4*d, 4096))); err == nil && looksLikeInts(first[4:]) {
			in.Close()
			return nil, fmt.Errorf("%s: the elements of the first vector are not float32 numbers but look like integers; a file of those ends in .ivecs", path)
		}
	}
	t := value.Type{Kind: value.Vector, Dim: int(d)}
	r.all = []Column{{baseName(path), t}}
	r.cols = r.all
	r.vec = &value.Column{Type: t}
	r.batch = &value.Batch{Cols: []*value.Column{r.vec}}
	r.buf = make([]byte, 4+w*d)
	return r, nil
}

func (r *fvecsReader) Columns() []Column { return r.cols }
func (r *fvecsReader) Rows() int64       { return r.rows }

func (r *fvecsReader) Project(cols []int, _ []value.Type) error {
	out, err := Project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.cols = out
	r.batch.Cols = nil
	for range cols {
		r.batch.Cols = append(r.batch.Cols, r.vec)
	}
	return nil
}

func (r *fvecsReader) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := r.vec.Type.Dim
	r.vec.Reset(r.vec.Type)
	n := 0
	for limit := max(1, min(value.BatchSize, batchBytes/len(r.buf))); n < limit; n++ {
		got, err := io.ReadFull(r.in, r.buf)
		if err == io.EOF {
			break
		}
		row := r.next + int64(n) + 1
		if err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%s: the file is truncated: %d bytes are missing in vector %d", r.path, len(r.buf)-got, row)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.path, err)
		}
		if have := int32(binary.LittleEndian.Uint32(r.buf)); int(have) != d {
			return nil, fmt.Errorf("%s: vector %d has %s, the first has %d", r.path, row, value.Dimensions(int(have)), d)
		}
		for k := range d {
			var x float32
			switch {
			case r.size == 1:
				x = float32(r.buf[4+k])
			case r.ints:
				n := int32(binary.LittleEndian.Uint32(r.buf[4+4*k:]))
				if x = float32(n); int64(x) != int64(n) {
					return nil, fmt.Errorf("%s: row %d: element %d of the vector is %d, which float32 can't hold", r.path, row, k+1, n)
				}
			default:
				x = math.Float32frombits(binary.LittleEndian.Uint32(r.buf[4+4*k:]))
			}
			if x-x != 0 {
				return nil, fmt.Errorf("%s: row %d: element %d of the vector is %v; only finite numbers are allowed", r.path, row, k+1, x)
			}
			r.vec.Vecs = append(r.vec.Vecs, x)
		}
	}
	if n == 0 {
		return nil, nil
	}
	r.next += int64(n)
	r.batch.Len = n
	return r.batch, nil
}

// looksLikeInts reports whether elements that should be float32 are small integers: as
// float32 those are subnormal, which no measured vector is made of.
func looksLikeInts(b []byte) bool {
	some := false
	for ; len(b) >= 4; b = b[4:] {
		u := binary.LittleEndian.Uint32(b)
		if u >= 1<<23 {
			return false
		}
		some = some || u != 0
	}
	return some
}

// looksLikeFloats reports whether elements that should be int32 are rather float32: all
// are 0 or of a size between a millionth and a million, as integers beyond 800 million.
func looksLikeFloats(b []byte) bool {
	some := false
	for ; len(b) >= 4; b = b[4:] {
		u := binary.LittleEndian.Uint32(b)
		if f := math.Abs(float64(math.Float32frombits(u))); f != 0 && !(f > 1e-6 && f < 1e6) {
			return false
		}
		some = some || u&0x7fffffff != 0
	}
	return some
}
