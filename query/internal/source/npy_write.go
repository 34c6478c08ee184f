package source

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// npyWriter writes one column as a numpy array: vectors as float32 of two
// dimensions, HALFVEC as float16, numbers, booleans and times of one. The number of rows is known
// only at the end, so the header is written again then.
type npyWriter struct {
	*Output
	t    value.Type
	rows int64
	buf  []byte
}

// npyHeaderSize leaves room for any number of rows.
const npyHeaderSize = 128

func createNPY(path string, cols []Column, _ Options) (Writer, error) {
	if len(cols) != 1 {
		return nil, fmt.Errorf("%s: a npy file holds one column, not %d; write a file for each", path, len(cols))
	}
	w := &npyWriter{t: cols[0].Type}
	switch w.t.Kind {
	case value.Vector, value.Integer, value.Real, value.Boolean, value.Timestamp, value.Date:
	default:
		return nil, fmt.Errorf("%s: a npy file holds vectors or numbers, not %v; write column %s to a csv", path, w.t, cols[0].Name)
	}
	out, err := CreateOutput(path)
	if err != nil {
		return nil, err
	}
	w.Output = out
	_, err = w.Output.Write(make([]byte, npyHeaderSize))
	return w, err
}

func (w *npyWriter) Write(ctx context.Context, b *value.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := b.Cols[0]
	if w.t.Dim == 0 {
		w.t.Dim = c.Type.Dim
	}
	w.buf = w.buf[:0]
	var err error
	EachRow(b, func(i int) bool {
		w.rows++
		if c.Null(i) {
			err = fmt.Errorf("%s: row %d is NULL, which a npy file can't hold; leave it out with WHERE ... IS NOT NULL", w.path, w.rows)
			return false
		}
		switch w.t.Kind {
		case value.Vector:
			if w.t.Half {
				w.buf = value.AppendHalves(w.buf, c.Vec(i))
				break
			}
			for _, x := range c.Vec(i) {
				w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(x))
			}
		case value.Real:
			w.buf = binary.LittleEndian.AppendUint64(w.buf, math.Float64bits(c.Reals[i]))
		case value.Boolean:
			bit := byte(0)
			if c.Bools[i] {
				bit = 1
			}
			w.buf = append(w.buf, bit)
		default:
			w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(c.Ints[i]))
		}
		return true
	})
	if err == nil {
		_, err = w.Output.Write(w.buf)
	}
	return err
}

func (w *npyWriter) header() []byte {
	descr := map[value.Kind]string{value.Vector: "<f4", value.Real: "<f8", value.Integer: "<i8", value.Boolean: "|b1", value.Timestamp: "<M8[us]", value.Date: "<M8[D]"}[w.t.Kind]
	if w.t.Half {
		descr = "<f2"
	}
	shape := fmt.Sprintf("(%d,)", w.rows)
	if w.t.Kind == value.Vector {
		shape = fmt.Sprintf("(%d, %d)", w.rows, w.t.Dim)
	}
	h := fmt.Sprintf("\x93NUMPY\x01\x00%c%c{'descr': '%s', 'fortran_order': False, 'shape': %s, }", npyHeaderSize-10, 0, descr, shape)
	return []byte(h + strings.Repeat(" ", npyHeaderSize-1-len(h)) + "\n")
}

func (w *npyWriter) Close() error {
	err := w.Flush()
	if err == nil {
		_, err = w.f.WriteAt(w.header(), 0)
	}
	if err == nil {
		_, err = w.f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		w.Abort()
		return fmt.Errorf("%s was not written: %w", w.path, err)
	}
	return w.Finish()
}
