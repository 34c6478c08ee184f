package source

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// npyReader reads a numpy array of one dimension (a column of numbers, booleans,
// times or texts) or of two (a column of vectors).
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
type npyReader struct {
	*input
	cols    []Column
	dtype   dtype
	rows    int64
	width   int // elements a row
	next    int64
	buf     []byte
	batch   *value.Batch
	decoded *value.Column
}

// dtype is an element's type: npy's "<f2" is little endian, kind 'f', size 2.
type dtype struct {
	order  binary.ByteOrder
	kind   byte // f i u b U S M
	size   int  // bytes
	unit   int64
	nanos  bool
	string string
}

var (
	npyDescr   = regexp.MustCompile(`'descr'\s*:\s*(\[|\{|\(|'([^']*)')`)
	npyFortran = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9L,\s]*)\)`)
	npyType    = regexp.MustCompile(`^([<>|=]?)([a-zA-Z])([0-9]*)(?:\[([0-9]*)([a-z]+)\])?$`)
)

// maxNPYHeader bounds the header; numpy itself writes some hundred bytes.
const maxNPYHeader = 1 << 20

func openNPY(path string, _ Options) (Reader, error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	r, err := newNPY(in)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func newNPY(in *input) (*npyReader, error) {
	var pre [12]byte
	n, err := io.ReadFull(in, pre[:10])
	if n < 6 || string(pre[:6]) != "\x93NUMPY" {
		return nil, fmt.Errorf("not a npy file: it begins with %q instead of %q", pre[:min(n, 6)], "\x93NUMPY")
	}
	if err != nil {
		return nil, fmt.Errorf("file ends within the npy header")
	}
	length := int(binary.LittleEndian.Uint16(pre[8:]))
	offset := int64(10)
	switch pre[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(in, pre[10:]); err != nil {
			return nil, fmt.Errorf("file ends within the npy header")
		}
		length, offset = int(binary.LittleEndian.Uint32(pre[8:])), 12
	default:
		return nil, fmt.Errorf("npy version %d is not known; 1, 2 and 3 are", pre[6])
	}
	if length > maxNPYHeader {
		return nil, fmt.Errorf("npy header of %d bytes: the file is corrupt", length)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(in, header); err != nil {
		return nil, fmt.Errorf("file ends within the npy header")
	}
	r := &npyReader{input: in}
	if err := r.parseHeader(string(header)); err != nil {
		return nil, err
	}
	want := offset + int64(length) + r.rows*int64(r.width)*int64(r.dtype.size)
	if in.size > 0 && in.size < want {
		return nil, fmt.Errorf("the file is truncated: %d bytes are missing (its header promises %d rows of %d x %s, %d bytes in all; there are %d)",
			want-in.size, r.rows, r.width, r.dtype.string, want, in.size)
	}
	return r, nil
}

func (r *npyReader) parseHeader(h string) error {
	descr := npyDescr.FindStringSubmatch(h)
	order := npyFortran.FindStringSubmatch(h)
	shape := npyShape.FindStringSubmatch(h)
	if descr == nil || order == nil || shape == nil {
		return fmt.Errorf("npy header not understood: %s", value.Quote(strings.TrimSpace(h)))
	}
	if descr[1][0] != '\'' {
		return fmt.Errorf("structured arrays are not supported; save one plain array a file")
	}
	var err error
	if r.dtype, err = parseDtype(descr[2]); err != nil {
		return err
	}
	var dims []int64
	for _, s := range strings.Split(shape[1], ",") {
		s = strings.TrimSuffix(strings.TrimSpace(s), "L")
		if s == "" {
			continue
		}
		d, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("npy shape (%s) not understood", shape[1])
		}
		dims = append(dims, d)
	}
	if order[1] == "True" && len(dims) > 1 {
		return fmt.Errorf("the array is in Fortran order (column by column); save it with numpy.save(file, numpy.ascontiguousarray(a))")
	}
	t := value.Type{}
	switch len(dims) {
	case 1:
		r.rows, r.width = dims[0], 1
		t.Kind = map[byte]value.Kind{'f': value.Real, 'i': value.Integer, 'u': value.Integer, 'b': value.Boolean,
			'U': value.Text, 'S': value.Text, 'M': value.Timestamp}[r.dtype.kind]
	case 2:
		if dims[1] < 1 || dims[1] > value.MaxDim {
			return fmt.Errorf("rows of %d elements; a vector has 1 to %d", dims[1], value.MaxDim)
		}
		if !strings.ContainsRune("fiu", rune(r.dtype.kind)) {
			return fmt.Errorf("a two-dimensional array of %s is not a column of vectors; numbers are needed", r.dtype.string)
		}
		r.rows, r.width = dims[0], int(dims[1])
		t = value.Type{Kind: value.Vector, Dim: r.width}
	default:
		return fmt.Errorf("an array of %d dimensions; one (a column of numbers) or two (a column of vectors) are needed", len(dims))
	}
	rowBytes := int64(r.width) * int64(r.dtype.size)
	if rowBytes == 0 || r.rows > math.MaxInt64/2/rowBytes {
		return fmt.Errorf("npy shape (%s) of %s: the file is corrupt", shape[1], r.dtype.string)
	}
	r.cols = []Column{{baseName(r.path), t}}
	r.decoded = &value.Column{Type: t}
	r.batch = &value.Batch{Cols: []*value.Column{r.decoded}}
	return nil
}

func parseDtype(s string) (dtype, error) {
	bad := fmt.Errorf("element type %q is not supported; float16, float32, float64, integers, booleans, texts and times are", s)
	m := npyType.FindStringSubmatch(s)
	if m == nil {
		return dtype{}, bad
	}
	d := dtype{order: binary.LittleEndian, kind: m[2][0], unit: 1, string: s}
	if m[1] == ">" {
		d.order = binary.BigEndian
	}
	size, err := strconv.Atoi(m[3])
	if d.kind == 'O' {
		return d, fmt.Errorf("an array of Python objects can't be read; save numbers or texts (numpy.asarray(a, dtype='float32'))")
	}
	if err != nil || size < 1 || size > 1<<24 {
		return d, bad
	}
	d.size = size
	if names := map[string]string{"f2": "float16", "f4": "float32", "f8": "float64"}; names[m[2]+m[3]] != "" {
		d.string = names[m[2]+m[3]]
	}
	ok := false
	switch d.kind {
	case 'f':
		ok = size == 2 || size == 4 || size == 8
	case 'i', 'u':
		ok = size == 1 || size == 2 || size == 4 || size == 8
	case 'b':
		ok = size == 1
	case 'S':
		ok = true
	case 'U':
		d.size, ok = 4*size, true
	case 'M':
		ok = size == 8
		count := int64(1)
		if m[4] != "" {
			count, _ = strconv.ParseInt(m[4], 10, 32)
		}
		switch m[5] {
		case "ns":
			d.nanos, d.unit = true, count
		case "us":
			d.unit = count
		case "ms":
			d.unit = count * 1e3
		case "s":
			d.unit = count * 1e6
		case "m":
			d.unit = count * 60e6
		case "h":
			d.unit = count * 3600e6
		case "D":
			d.unit = count * 86400e6
		default:
			ok = false
		}
	}
	if !ok || d.unit < 1 {
		return d, bad
	}
	return d, nil
}

func (r *npyReader) Columns() []Column { return r.cols }
func (r *npyReader) Rows() int64       { return r.rows }

func (r *npyReader) Project(cols []int, _ []value.Type) error {
	out, err := project(r.cols, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.cols = out
	r.batch.Cols = nil
	for range cols {
		r.batch.Cols = append(r.batch.Cols, r.decoded)
	}
	return nil
}

// batchBytes bounds what is read from a file at once.
const batchBytes = 8 << 20

func (r *npyReader) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.next == r.rows {
		return nil, nil
	}
	rowBytes := r.width * r.dtype.size
	n := int(min(r.rows-r.next, int64(max(1, min(value.BatchSize, batchBytes/rowBytes)))))
	if cap(r.buf) < n*rowBytes {
		r.buf = make([]byte, n*rowBytes)
	}
	b := r.buf[:n*rowBytes]
	if got, err := io.ReadFull(r.input, b); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			missing := (r.rows-r.next)*int64(rowBytes) - int64(got)
			return nil, fmt.Errorf("%s: the file is truncated: it ends in row %d of %d; %d bytes are missing", r.path, r.next+int64(got/rowBytes)+1, r.rows, missing)
		}
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	if err := r.decode(b, n); err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	r.next += int64(n)
	r.batch.Len = n
	return r.batch, nil
}

// decode turns n rows into the column.
func (r *npyReader) decode(b []byte, n int) error {
	c, d := r.decoded, r.dtype
	c.Reset(c.Type)
	switch {
	case c.Type.Kind == value.Vector:
		count := n * r.width
		if cap(c.Vecs) < count {
			c.Vecs = make([]float32, count)
		}
		c.Vecs = c.Vecs[:count]
		if bad := decodeFloats(c.Vecs, b, d); bad >= 0 {
			return fmt.Errorf("row %d: element %d of the vector is %s; only finite numbers that float32 can hold are allowed",
				r.next+int64(bad/r.width)+1, bad%r.width+1, elementText(b[bad*d.size:], d))
		}
	case d.kind == 'b':
		for _, x := range b {
			c.Bools = append(c.Bools, x != 0)
		}
	case d.kind == 'f':
		for i := range n {
			c.Reals = append(c.Reals, floatAt(b[i*d.size:], d))
		}
	case d.kind == 'i' || d.kind == 'u':
		for i := range n {
			x, ok := intAt(b[i*d.size:], d)
			if !ok {
				return fmt.Errorf("row %d: %d is out of range for INTEGER (64 bit)", r.next+int64(i)+1, uint64(x))
			}
			c.Ints = append(c.Ints, x)
		}
	case d.kind == 'M':
		for i := range n {
			t := int64(d.order.Uint64(b[i*8:]))
			if t == math.MinInt64 { // NaT
				c.Append(i, value.Value{})
				continue
			}
			us := t
			if d.nanos {
				us = t * d.unit / 1000
			} else if us = t * d.unit; us/d.unit != t {
				us = math.MaxInt64
			}
			if us < value.MinTimestamp || us > value.MaxTimestamp {
				return fmt.Errorf("row %d: the time is out of range for TIMESTAMP (years 1 to 9999)", r.next+int64(i)+1)
			}
			c.Append(i, value.Micros(us))
		}
	default:
		for i := range n {
			s, ok := textAt(b[i*d.size:(i+1)*d.size], d)
			if !ok {
				return fmt.Errorf("row %d: the text is not valid %s", r.next+int64(i)+1, map[byte]string{'U': "Unicode", 'S': "UTF-8"}[d.kind])
			}
			c.Strs = append(c.Strs, s)
		}
	}
	return nil
}

func textAt(b []byte, d dtype) (string, bool) {
	if d.kind == 'S' {
		s := strings.TrimRight(string(b), "\x00")
		return s, utf8.ValidString(s)
	}
	var out []byte
	end := len(b)
	for end >= 4 && d.order.Uint32(b[end-4:]) == 0 {
		end -= 4
	}
	for i := 0; i < end; i += 4 {
		u := d.order.Uint32(b[i:])
		if u > utf8.MaxRune || !utf8.ValidRune(rune(u)) {
			return "", false
		}
		out = utf8.AppendRune(out, rune(u))
	}
	return string(out), true
}

func intAt(b []byte, d dtype) (int64, bool) {
	var u uint64
	switch d.size {
	case 1:
		u = uint64(b[0])
	case 2:
		u = uint64(d.order.Uint16(b))
	case 4:
		u = uint64(d.order.Uint32(b))
	default:
		u = d.order.Uint64(b)
	}
	if d.kind == 'u' {
		return int64(u), int64(u) >= 0
	}
	shift := 64 - 8*d.size
	return int64(u<<shift) >> shift, true
}

func floatAt(b []byte, d dtype) float64 {
	switch {
	case d.kind != 'f':
		x, _ := intAt(b, d)
		if d.kind == 'u' {
			return float64(uint64(x))
		}
		return float64(x)
	case d.size == 2:
		return float64(halfToFloat(d.order.Uint16(b)))
	case d.size == 4:
		return float64(math.Float32frombits(d.order.Uint32(b)))
	}
	return math.Float64frombits(d.order.Uint64(b))
}

func elementText(b []byte, d dtype) string {
	return string(value.AppendReal(nil, floatAt(b, d)))
}

// decodeFloats fills dst and returns the number of the first element that is not
// a finite float32, or -1.
func decodeFloats(dst []float32, b []byte, d dtype) int {
	switch {
	case d.kind == 'f' && d.size == 2 && d.order == binary.LittleEndian:
		halvesToFloats(dst, b)
	case d.kind == 'f' && d.size == 4 && d.order == binary.LittleEndian:
		b = b[:4*len(dst)]
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	default:
		for i := range dst {
			dst[i] = float32(floatAt(b[i*d.size:], d))
		}
	}
	return firstInfinite(dst)
}

// firstInfinite returns the number of the first NaN or infinity of v, or -1.
func firstInfinite(v []float32) int {
	const exponent = 0x7f800000
	for i, x := range v {
		if math.Float32bits(x)&exponent == exponent {
			return i
		}
	}
	return -1
}

// halvesToFloats decodes little endian float16.
func halvesToFloats(dst []float32, b []byte) {
	b = b[:2*len(dst)]
	for i := range dst {
		dst[i] = halfToFloat(binary.LittleEndian.Uint16(b[2*i:]))
	}
}

// halfToFloat converts an IEEE 754 binary16 exactly: its exponent and fraction,
// moved to a float32's place, are 2^-112 of the value, subnormals included.
func halfToFloat(h uint16) float32 {
	const infinity = 0x7c00
	abs := uint32(h & 0x7fff)
	f := math.Float32frombits(abs<<13) * 0x1p112
	if abs >= infinity {
		f = math.Float32frombits(abs<<13 | 0x7f800000)
	}
	return math.Float32frombits(math.Float32bits(f) | uint32(h&0x8000)<<16)
}
