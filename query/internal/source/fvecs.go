package source

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

// fvecsReader reads the vectors of http://corpus-texmex.irisa.fr: each is its
// dimension (int32) and as many float32, little endian.
type fvecsReader struct {
	*input
	in    *bufio.Reader
	all   []Column
	cols  []Column
	rows  int64
	next  int64
	buf   []byte
	vec   *value.Column
	batch *value.Batch
}

func openFvecs(path string, _ Options) (Reader, error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	r := &fvecsReader{input: in, in: bufio.NewReaderSize(in, 256<<10)}
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
		r.rows = in.size / (4 + 4*d)
		if rest := in.size % (4 + 4*d); rest != 0 {
			in.Close()
			return nil, fmt.Errorf("%s: the file is truncated: %d bytes are missing in vector %d of %d dimensions", path, 4+4*d-rest, r.rows+1, d)
		}
	}
	t := value.Type{Kind: value.Vector, Dim: int(d)}
	r.all = []Column{{baseName(path), t}}
	r.cols = r.all
	r.vec = &value.Column{Type: t}
	r.batch = &value.Batch{Cols: []*value.Column{r.vec}}
	r.buf = make([]byte, 4+4*d)
	return r, nil
}

func (r *fvecsReader) Columns() []Column { return r.cols }
func (r *fvecsReader) Rows() int64       { return r.rows }

func (r *fvecsReader) Project(cols []int, _ []value.Type) error {
	out, err := project(r.all, cols)
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
			return nil, fmt.Errorf("%s: vector %d has %d dimensions, the first has %d", r.path, row, have, d)
		}
		for k := range d {
			x := math.Float32frombits(binary.LittleEndian.Uint32(r.buf[4+4*k:]))
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
