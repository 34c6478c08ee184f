package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// spill holds rows in a temporary file of the store: those of sorts, groups and joins that have
// no room in memory. It belongs to one goroutine.
type spill struct {
	file  *storage.TempFile
	buf   []byte
	frame int64 // bytes of a frame
}

// newSpill creates a spill; nil where there is no room for files.
func newSpill(env *Env) (*spill, error) {
	store := env.spills()
	if store == nil {
		return nil, nil
	}
	f, err := store.Temp()
	if errors.Is(err, storage.ErrNoTemp) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("writing what has no room in memory: %w", err)
	}
	return &spill{file: f, frame: frameBytes}, nil
}

func (s *spill) close() error {
	if s == nil {
		return nil
	}
	return s.file.Close()
}

// spillRun is a sequence of rows in a spill.
type spillRun struct {
	frames []spillFrame
	rows   int
	open   *rowsTable // rows that are not written yet
	bytes  int64      // of these
}

// spillFrame is a batch of rows in the file.
type spillFrame struct {
	at   int64
	size int32
}

// A frame is written when it has so many rows, or bytes, at most.
const (
	frameRows  = value.BatchSize
	frameBytes = 256 << 10
)

// add appends the selected rows of a batch to a run.
func (s *spill) add(r *spillRun, b *value.Batch) error {
	if r.open == nil {
		r.open = &rowsTable{}
	}
	if r.open.n == 0 && b.Count() >= frameRows/2 {
		return s.write(r, Dense(b))
	}
	r.open.add(b)
	if r.bytes += batchBytes(b); r.open.n < frameRows && r.bytes < s.frame {
		return nil
	}
	err := s.write(r, r.open.batch())
	r.open.reset()
	r.bytes = 0
	return err
}

// flush writes what is open of a run, to which no more is added.
func (s *spill) flush(r *spillRun) error {
	t := r.open
	if r.open, r.bytes = nil, 0; t == nil || t.n == 0 {
		return nil
	}
	return s.write(r, t.batch())
}

func (s *spill) write(r *spillRun, b *value.Batch) error {
	s.buf = appendBatch(s.buf[:0], b)
	at, err := s.file.Append(s.buf)
	if err != nil {
		return fmt.Errorf("writing what has no room in memory: %w", err)
	}
	r.frames = append(r.frames, spillFrame{at, int32(len(s.buf))})
	r.rows += b.Len
	return nil
}

// reader returns the rows of a run.
func (s *spill) reader(r *spillRun) *spillReader { return &spillReader{from: s.file, run: r} }

// spilled is an operator that gives the rows of a run.
type spilled struct{ r *spillReader }

func (s *spilled) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.r.read()
}

func (s *spilled) Close() error       { return nil }
func (s *spilled) Inputs() []Operator { return nil }
func (s *spilled) String() string     { return "rows of a temporary file" }

type spillReader struct {
	from *storage.TempFile
	run  *spillRun
	next int
	buf  []byte
	out  value.Batch
}

func (r *spillReader) read() (*value.Batch, error) {
	if r.next == len(r.run.frames) {
		return nil, nil
	}
	f := r.run.frames[r.next]
	r.next++
	if cap(r.buf) < int(f.size) {
		r.buf = make([]byte, f.size)
	}
	if err := r.from.ReadAt(r.buf[:f.size], f.at); err != nil {
		return nil, fmt.Errorf("reading what had no room in memory: %w", err)
	}
	r.out = value.Batch{}
	if err := readBatch(r.buf[:f.size], &r.out); err != nil {
		return nil, err
	}
	return &r.out, nil
}

// Batches of a spill: the number of rows, whether there are row numbers, the number of columns,
// and for each its kind (255 = it is not there), dimension, whether there are NULLs, and values.
// They are read by the process that wrote them: numbers are in the order of bytes of this machine.

func appendBatch(b []byte, in *value.Batch) []byte {
	n := in.Len
	b = binary.AppendUvarint(b, uint64(n))
	if in.Rows != nil {
		b = append(b, 1)
		b = append(b, bytesOf(in.Rows[:n])...)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(in.Cols)))
	for _, c := range in.Cols {
		if c == nil {
			b = append(b, absentColumn)
			continue
		}
		b = append(b, byte(c.Type.Kind))
		b = binary.AppendUvarint(b, uint64(c.Type.Dim))
		half := byte(0)
		if c.Type.Half {
			half = 1
		}
		b = append(b, half)
		if c.Type.Kind == value.Null {
			continue
		}
		if c.Nulls == nil {
			b = append(b, 0)
		} else {
			b = append(b, 1)
			for i := 0; i < n; i += 64 {
				word := uint64(0)
				if i/64 < len(c.Nulls) {
					word = c.Nulls[i/64]
				}
				b = binary.LittleEndian.AppendUint64(b, word)
			}
		}
		switch c.Type.Kind {
		case value.Boolean:
			for _, x := range c.Bools[:n] {
				b = append(b, byte(boolBit(x)))
			}
		case value.Integer, value.Timestamp, value.Date:
			b = append(b, bytesOf(c.Ints[:n])...)
		case value.Real:
			b = append(b, bytesOf(c.Reals[:n])...)
		case value.Vector:
			b = append(b, bytesOf(c.Vecs[:n*c.Type.Dim])...)
		default:
			for _, s := range c.Strs[:n] {
				b = binary.AppendUvarint(b, uint64(len(s)))
			}
			for _, s := range c.Strs[:n] {
				b = append(b, s...)
			}
		}
	}
	return b
}

const absentColumn = math.MaxUint8

func boolBit(x bool) int {
	if x {
		return 1
	}
	return 0
}

// bytesOf returns the memory of numbers.
func bytesOf[T int64 | uint64 | float64 | float32](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), len(x)*int(unsafe.Sizeof(x[0])))
}

var errSpill = errors.New("what was written to a temporary file is not what is read from it")

// readBatch reads a batch into out; nothing of b is kept.
func readBatch(b []byte, out *value.Batch) error {
	ok := true
	number := func() int {
		x, n := binary.Uvarint(b)
		if n <= 0 || x > math.MaxInt32 {
			ok = false
			return 0
		}
		b = b[n:]
		return int(x)
	}
	take := func(n int) []byte {
		if n > len(b) {
			ok = false
			return make([]byte, n)
		}
		out := b[:n]
		b = b[n:]
		return out
	}
	n := number()
	if !ok || n > 1<<24 {
		return errSpill
	}
	out.Len = n
	if take(1)[0] == 1 {
		out.Rows = make([]uint64, n)
		copy(bytesOf(out.Rows), take(8*n))
	}
	out.Cols = make([]*value.Column, number())
	for i := range out.Cols {
		kind := take(1)[0]
		if kind == absentColumn {
			continue
		}
		c := &value.Column{Type: value.Type{Kind: value.Kind(kind), Dim: number()}}
		c.Type.Half = take(1)[0] == 1
		out.Cols[i] = c
		if c.Type.Kind == value.Null {
			continue
		}
		if take(1)[0] == 1 {
			c.Nulls = make(value.Bitmap, (n+63)/64)
			for k := range c.Nulls {
				c.Nulls[k] = binary.LittleEndian.Uint64(take(8))
			}
		}
		switch c.Type.Kind {
		case value.Boolean:
			c.Bools = make([]bool, n)
			for k, x := range take(n) {
				c.Bools[k] = x == 1
			}
		case value.Integer, value.Timestamp, value.Date:
			c.Ints = make([]int64, n)
			copy(bytesOf(c.Ints), take(8*n))
		case value.Real:
			c.Reals = make([]float64, n)
			copy(bytesOf(c.Reals), take(8*n))
		case value.Vector:
			c.Vecs = make([]float32, n*c.Type.Dim)
			copy(bytesOf(c.Vecs), take(4*n*c.Type.Dim))
		default:
			c.Strs = make([]string, n)
			lens := make([]int, n)
			total := 0
			for k := range lens {
				lens[k] = number()
				total += lens[k]
			}
			all := string(take(total))
			if !ok {
				return errSpill
			}
			for k, l := range lens {
				c.Strs[k], all = all[:l], all[l:]
			}
		}
	}
	if !ok || len(b) != 0 {
		return errSpill
	}
	return nil
}
