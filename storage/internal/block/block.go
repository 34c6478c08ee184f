package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lupadb/lupa/storage/value"
)

const version = 1

const header = 6

// Encodings.
const (
	raw        = iota // fixed width; texts: offsets and bytes
	constant          // one value for all rows
	frame             // integers: smallest, width, offsets
	delta             // integers: first, smallest difference, width, offsets
	real32            // reals as float32
	dictionary        // texts: distinct values and codes
)

// ErrMalformed is wrapped by the errors of Decode and At: the bytes are not those
// of a block of that kind.
var ErrMalformed = errors.New("malformed column block")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func (p *parsed) nulls() []byte { return p.src[header : header+p.nullBytes] }

// parsed is a block's header, checked against its length.
type parsed struct {
	src       []byte
	kind      value.Kind
	enc       byte
	n         int
	nullBytes int
	body      []byte
}

// parse reads a block's header and checks the block's length and offsets.
func parse(src []byte, kind value.Kind) (parsed, error) {
	p, err := parseHeader(src, kind)
	if err != nil {
		return p, err
	}
	return p, p.check()
}

func parseHeader(src []byte, kind value.Kind) (parsed, error) {
	if len(src) < header {
		return parsed{}, malformed("%d bytes", len(src))
	}
	if src[0] != version {
		return parsed{}, malformed("version %d", src[0])
	}
	if value.Kind(src[1]) != kind {
		return parsed{}, malformed("holds %v, not %v", value.Kind(src[1]), kind)
	}
	p := parsed{src: src, kind: kind, enc: src[2], n: int(binary.LittleEndian.Uint16(src[4:]))}
	if src[3] > 1 {
		return parsed{}, malformed("flags %d", src[3])
	}
	if src[3] == 1 {
		p.nullBytes = (p.n + 7) / 8
	}
	if len(src) < header+p.nullBytes {
		return parsed{}, malformed("null bitmap is cut off")
	}
	p.body = src[header+p.nullBytes:]
	return p, nil
}

func (p *parsed) isInt() bool {
	return p.kind == value.Integer || p.kind == value.Timestamp || p.kind == value.Date
}

func (p *parsed) isText() bool {
	switch p.kind {
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		return true
	}
	return false
}

func (p *parsed) null(i int) bool { return p.nullBytes > 0 && p.nulls()[i>>3]&(1<<(i&7)) != 0 }

// check verifies that the payload has the length its encoding says.
func (p *parsed) check() error {
	if p.isText() {
		return p.checkStrings()
	}
	want := -1
	switch p.kind {
	case value.Vector:
		if p.enc == raw {
			want = 0
		}
	case value.Boolean:
		if p.enc == raw {
			want = (p.n + 7) / 8
		}
	case value.Integer, value.Timestamp, value.Date:
		switch p.enc {
		case raw:
			want = 8 * p.n
		case frame:
			if len(p.body) >= 9 && validWidth(p.body[8]) {
				want = 9 + p.n*int(p.body[8])
			}
		case delta:
			if len(p.body) >= 17 && validWidth(p.body[16]) && p.n > 0 {
				want = 17 + (p.n-1)*int(p.body[16])
			}
		}
	case value.Real:
		switch p.enc {
		case raw:
			want = 8 * p.n
		case constant:
			want = 8
		case real32:
			want = 4 * p.n
		}
	}
	if want < 0 {
		return malformed("encoding %d of %v", p.enc, p.kind)
	}
	if want != len(p.body) {
		return malformed("%d bytes of payload, want %d", len(p.body), want)
	}
	return nil
}

func validWidth(w byte) bool { return w == 0 || w == 1 || w == 2 || w == 4 }

// Rows returns the number of rows in a block.
func Rows(src []byte) int {
	if len(src) < header {
		return 0
	}
	return int(binary.LittleEndian.Uint16(src[4:]))
}

// Encode appends the block of the first n rows of col, at most 65,535. Rows
// that are NULL need no value.
func Encode(dst []byte, col *value.Column, n int) []byte {
	kind := col.Type.Kind
	anyNull := false
	for i := 0; i < n && !anyNull; i++ {
		anyNull = col.Null(i)
	}
	at := len(dst)
	dst = append(dst, version, byte(kind), raw, 0, byte(n), byte(n>>8))
	if anyNull {
		dst[at+3] = 1
		dst = appendBits(dst, n, col.Null)
	}
	var enc byte
	switch kind {
	case value.Boolean:
		dst = appendBits(dst, n, func(i int) bool { return !col.Null(i) && col.Bools[i] })
	case value.Integer, value.Timestamp, value.Date:
		dst, enc = appendInts(dst, col, n)
	case value.Real:
		dst, enc = appendReals(dst, col, n)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		dst, enc = appendStrings(dst, col, n)
	}
	dst[at+2] = enc
	return dst
}

func appendBits(dst []byte, n int, bit func(int) bool) []byte {
	var b byte
	for i := range n {
		if bit(i) {
			b |= 1 << (i & 7)
		}
		if i&7 == 7 || i == n-1 {
			dst, b = append(dst, b), 0
		}
	}
	return dst
}

func appendReals(dst []byte, col *value.Column, n int) ([]byte, byte) {
	narrow, same := true, n > 0
	first, seen := uint64(0), false
	for i := range n {
		if col.Null(i) {
			continue
		}
		f := col.Reals[i]
		b := math.Float64bits(f)
		if !seen {
			first, seen = b, true
		}
		same = same && b == first
		narrow = narrow && math.Float64bits(float64(float32(f))) == b
	}
	if same {
		return binary.LittleEndian.AppendUint64(dst, first), constant
	}
	for i := range n {
		f := 0.0
		if !col.Null(i) {
			f = col.Reals[i]
		}
		if narrow {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f)))
		} else {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		}
	}
	if narrow {
		return dst, real32
	}
	return dst, raw
}

// Decode reads a block into col, reusing col's memory, and returns the number of
// rows. The bytes of src are copied. A vector column gets its Nulls only.
func Decode(src []byte, t value.Type, col *value.Column) (int, error) {
	return decode(src, t, col, nil)
}

// Texts is memory for the texts of a block at a time.
type Texts struct {
	bytes  []byte
	values []string
	codes  []uint16
}

// Decode is like the function of that name, but texts are valid until the next
// call only.
func (m *Texts) Decode(src []byte, t value.Type, col *value.Column) (int, error) {
	return decode(src, t, col, m)
}

func decode(src []byte, t value.Type, col *value.Column, m *Texts) (int, error) {
	p, err := parse(src, t.Kind)
	if err != nil {
		return 0, err
	}
	n := p.n
	col.Type = t
	col.Nulls = nil
	col.Joined, col.Values, col.Codes = "", nil, nil
	if p.nullBytes > 0 {
		col.Nulls = value.NewBitmap(n)
		for i, b := range p.nulls() {
			col.Nulls[i>>3] |= uint64(b) << (8 * (i & 7))
		}
		if r := n & 63; r != 0 {
			col.Nulls[len(col.Nulls)-1] &= 1<<r - 1
		}
	}
	switch t.Kind {
	case value.Boolean:
		col.Bools = resize(col.Bools, n)
		for i := range n {
			col.Bools[i] = p.body[i>>3]&(1<<(i&7)) != 0
		}
	case value.Integer, value.Timestamp, value.Date:
		col.Ints = resize(col.Ints, n)
		p.ints(col.Ints)
	case value.Real:
		col.Reals = resize(col.Reals, n)
		p.reals(col.Reals)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		col.Strs = resize(col.Strs, n)
		p.strings(col, m)
	}
	if col.Nulls != nil {
		for i := range n {
			if col.Nulls.Get(i) {
				clearSlot(col, i)
			}
		}
	}
	return n, nil
}

// Nulls says of the first len(out) rows of a block which are NULL, without a look at its
// values, and returns the number of rows.
func Nulls(src []byte, kind value.Kind, out []bool) (int, error) {
	p, err := parseHeader(src, kind)
	if err != nil {
		return 0, err
	}
	clear(out)
	if p.nullBytes > 0 {
		nulls := p.nulls()
		for i := range min(p.n, len(out)) {
			out[i] = nulls[i>>3]&(1<<(i&7)) != 0
		}
	}
	return p.n, nil
}

func clearSlot(col *value.Column, i int) {
	switch col.Type.Kind {
	case value.Boolean:
		col.Bools[i] = false
	case value.Integer, value.Timestamp, value.Date:
		col.Ints[i] = 0
	case value.Real:
		col.Reals[i] = 0
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		col.Strs[i] = ""
	}
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func (p *parsed) reals(out []float64) {
	switch p.enc {
	case constant:
		f := p.real(0)
		for i := range out {
			out[i] = f
		}
	case real32:
		src := p.body[:4*len(out)]
		for i := range out {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src)))
			src = src[4:]
		}
	default:
		src := p.body[:8*len(out)]
		for i := range out {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(src))
			src = src[8:]
		}
	}
}

func (p *parsed) real(i int) float64 {
	switch p.enc {
	case constant:
		return math.Float64frombits(binary.LittleEndian.Uint64(p.body))
	case real32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(p.body[4*i:])))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p.body[8*i:]))
}
