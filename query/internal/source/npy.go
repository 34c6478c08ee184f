package source

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// npyReader reads a numpy array of one dimension (a column of numbers, booleans,
// times or texts) or of two (a column of vectors).
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
type npyReader struct {
	*Input
	name    string    // of the column
	data    io.Reader // of the array, and io.ReaderAt unless it is compressed
	at      int64     // where in data the elements begin; for Fortran order
	fortran bool      // column by column
	whole   io.ReaderAt
	spooled *os.File // of a compressed array in Fortran order
	cols    []Column
	dtype   dtype
	rows    int64
	width   int // elements a row
	next    int64
	buf     []byte
	column  []byte // of an array in Fortran order
	batch   *value.Batch
	decoded *value.Column
}

// dtype is an element's type: npy's "<f2" is little endian, kind 'f', size 2.
type dtype struct {
	order  binary.ByteOrder
	kind   byte // f i u b U S M
	size   int  // bytes
	bfloat bool // bfloat16, which ml_dtypes writes as V2
	string string

	// Of times: microseconds in a unit, or units of fraction in a microsecond, or months.
	unit     int64
	fraction int64
	months   int64
}

var (
	npyDescr   = regexp.MustCompile(`["']descr["']\s*:\s*(\[|\{|\(|["']([^"']*)["'])`)
	npyFortran = regexp.MustCompile(`["']fortran_order["']\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`["']shape["']\s*:\s*\(([0-9L,\s]*)\)`)
	npyType    = regexp.MustCompile(`^([<>|=]?)([a-zA-Z])([0-9]*)(?:\[([0-9]*)([A-Za-z]+)\])?$`)
)

// maxNPYHeader bounds the header; numpy itself writes some hundred bytes.
const maxNPYHeader = 1 << 20

func openNPY(path string, o Options) (Reader, error) {
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		return openNPZ(path, o.Member)
	}
	in, err := OpenInput(path)
	if err != nil {
		return nil, err
	}
	if o.Member != "" {
		in.Close()
		return nil, fmt.Errorf("%s: MEMBER names an array of a .npz file; a .npy file is one array", path)
	}
	r, err := newNPY(in, baseName(path), in, in.size)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// newNPY reads the header of an array of size bytes, 0 where that is not known.
func newNPY(in *Input, name string, data io.Reader, size int64) (*npyReader, error) {
	var pre [12]byte
	n, err := io.ReadFull(data, pre[:10])
	if n >= 4 && string(pre[:4]) == "PK\x03\x04" {
		return nil, fmt.Errorf("not a npy file but a zip: an archive of arrays ends in .npz")
	}
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
		if _, err := io.ReadFull(data, pre[10:]); err != nil {
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
	if _, err := io.ReadFull(data, header); err != nil {
		return nil, fmt.Errorf("file ends within the npy header")
	}
	r := &npyReader{Input: in, name: name, data: data, at: offset + int64(length)}
	if err := r.parseHeader(string(header)); err != nil {
		return nil, err
	}
	want := offset + int64(length) + r.rows*int64(r.width)*int64(r.dtype.size)
	if size > 0 && size < want {
		return nil, fmt.Errorf("the file is truncated: %d bytes are missing (its header promises %d rows of %d x %s, %d bytes in all; there are %d)",
			want-size, r.rows, r.width, r.dtype.string, want, size)
	}
	if size > want {
		var next [6]byte
		if d, ok := data.(io.ReaderAt); ok {
			d.ReadAt(next[:], want)
		}
		if string(next[:]) == "\x93NUMPY" {
			return nil, fmt.Errorf("the file holds another array after the first one; save each in a file of its own, or with numpy.savez")
		}
		return nil, fmt.Errorf("the file is %d bytes longer than its header says (%d rows of %d x %s): the header is wrong, or the file damaged",
			size-want, r.rows, r.width, r.dtype.string)
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
	if strings.ContainsRune("[{(", rune(descr[1][0])) {
		return fmt.Errorf("structured arrays are not supported; save one plain array a file")
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
	return r.describe(descr[2], order[1] == "True", dims)
}

// describe sets the column that an array of this type and shape makes.
func (r *npyReader) describe(descr string, fortran bool, dims []int64) (err error) {
	if r.dtype, err = parseDtype(descr); err != nil {
		return err
	}
	r.fortran = fortran && len(dims) > 1
	for _, d := range dims {
		if d < 0 {
			return fmt.Errorf("shape %v: the file is corrupt", dims)
		}
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
		t = value.Type{Kind: value.Vector, Dim: r.width, Half: r.dtype.kind == 'f' && r.dtype.size == 2 && !r.dtype.bfloat}
	default:
		return fmt.Errorf("an array of %d dimensions; one (a column of numbers) or two (a column of vectors) are needed", len(dims))
	}
	rowBytes := int64(r.width) * int64(r.dtype.size)
	if rowBytes == 0 || r.rows > math.MaxInt64/2/rowBytes {
		return fmt.Errorf("shape %v of %s: the file is corrupt", dims, r.dtype.string)
	}
	r.cols = []Column{{r.name, t}}
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
	case 'V':
		if size != 2 {
			return d, fmt.Errorf("element type %q is not supported; of raw bytes only those of bfloat16 (V2) are", s)
		}
		d.kind, d.bfloat, d.string, ok = 'f', true, "bfloat16", true
	case 'M':
		ok = size == 8
		count := int64(1)
		if m[4] != "" {
			count, _ = strconv.ParseInt(m[4], 10, 32)
		}
		switch m[5] {
		case "":
			return d, fmt.Errorf("element type %q is a time without a unit; save it as datetime64[us]", s)
		case "Y":
			d.months, d.unit = 12, count
		case "M":
			d.months, d.unit = 1, count
		case "W":
			d.unit = count * 7 * 86400e6
		case "ps":
			d.fraction, d.unit = 1e6, count
		case "fs":
			d.fraction, d.unit = 1e9, count
		case "as":
			d.fraction, d.unit = 1e12, count
		case "ns":
			d.fraction, d.unit = 1e3, count
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
	out, err := Project(r.cols, cols)
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
	if got, err := r.read(b, n); err != nil {
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

// spool decompresses an array that has to be read column by column to a file of its own.
func (r *npyReader) spool() error {
	f, err := os.CreateTemp("", "lupa-*.npy")
	if err != nil {
		return err
	}
	os.Remove(f.Name()) // it goes when it is closed; where open files can't be removed, Close does it
	r.spooled = f
	if _, err := io.CopyN(f, r.data, r.rows*int64(r.width)*int64(r.dtype.size)); err != nil {
		r.closeSpooled()
		return err
	}
	r.whole, r.at = f, 0
	return nil
}

func (r *npyReader) closeSpooled() {
	if r.spooled != nil {
		r.spooled.Close()
		os.Remove(r.spooled.Name())
		r.spooled = nil
	}
}

func (r *npyReader) Close() error {
	r.closeSpooled()
	return r.Input.Close()
}

// read reads the elements of the next n rows into b, row by row.
func (r *npyReader) read(b []byte, n int) (int, error) {
	if !r.fortran {
		return io.ReadFull(r.data, b)
	}
	if r.whole == nil {
		if d, ok := r.data.(io.ReaderAt); ok {
			r.whole = d
		} else if err := r.spool(); err != nil {
			return 0, err
		}
	}
	size := r.dtype.size
	if cap(r.column) < n*size {
		r.column = make([]byte, n*size)
	}
	col := r.column[:n*size]
	for k := range r.width {
		at := r.at + (int64(k)*r.rows+r.next)*int64(size)
		if _, err := r.whole.ReadAt(col, at); err != nil {
			return 0, err
		}
		for i := range n {
			copy(b[(i*r.width+k)*size:], col[i*size:(i+1)*size])
		}
	}
	r.done.Add(int64(len(b)))
	return len(b), nil
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
			us := d.micros(t)
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

// micros returns a time in microseconds, rounded down as numpy does; MaxInt64 when it is
// far out of range.
func (d *dtype) micros(t int64) int64 {
	n := t * d.unit
	if t != 0 && n/t != d.unit {
		return math.MaxInt64
	}
	switch {
	case d.fraction > 0:
		us := n / d.fraction
		if n%d.fraction < 0 {
			us--
		}
		return us
	case d.months > 0:
		m := n * d.months
		if m/d.months != n || m < -12*2000 || m > 12*9000 {
			return math.MaxInt64
		}
		return time.Date(1970, time.Month(1+m), 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	}
	return n
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
	case d.bfloat:
		return float64(math.Float32frombits(uint32(d.order.Uint16(b)) << 16))
	case d.size == 2:
		return float64(value.HalfToFloat(d.order.Uint16(b)))
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
	case d.kind == 'f' && d.size == 2 && !d.bfloat && d.order == binary.LittleEndian:
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
	return FirstInfinite(dst)
}

// FirstInfinite returns the number of the first NaN or infinity of v, or -1.
func FirstInfinite(v []float32) int {
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
		dst[i] = value.HalfToFloat(binary.LittleEndian.Uint16(b[2*i:]))
	}
}
