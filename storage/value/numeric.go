package value

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// MaxDigits is how many digits a NUMERIC may have before its point, and how many behind it.
const MaxDigits = 1000

// The body of a NUMERIC is a key, whose bytes compare as the numbers do, and two bytes, big
// endian, of the number of decimal places that it is shown with: 1.5 and 1.50 are equal and
// look different. The key is a byte for the sign; but for zero then the exponent e, two bytes
// big endian, of 0.d1d2d3... * 10^e where d1 is not zero; the digits, of which the last ones
// are left out where they are zero, two a byte, one added; and a zero byte. In the keys of
// negative numbers every byte behind the sign is complemented.
const (
	numericMinus = 0x7f
	numericZero  = 0x80
	numericPlus  = 0x81

	numericBias  = 0x8000
	scaleBytes   = 2
	numericShort = 1 + scaleBytes // the length of a zero
)

// NumericKey returns the part of a body that equal numbers have in common.
func NumericKey(body string) string { return body[:max(0, len(body)-scaleBytes)] }

// NumericKeyLen returns the length of the key that b begins with, -1 if there is none.
func NumericKeyLen(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	var end byte
	switch b[0] {
	case numericZero:
		return 1
	case numericMinus:
		end = 0xff
	case numericPlus:
	default:
		return -1
	}
	if len(b) < 4 {
		return -1
	}
	n := bytes.IndexByte(b[3:], end)
	if n < 1 {
		return -1
	}
	return 3 + n + 1
}

// NumericOfKey returns the number of a key, with as few decimal places as it has.
func NumericOfKey(key string) Value {
	var n numeric
	if !n.read(key + "\x00\x00") {
		return Value{}
	}
	return Value{kind: Numeric, str: key + string([]byte{byte(n.places() >> 8), byte(n.places())})}
}

// numeric is a body that was taken apart.
type numeric struct {
	negative bool
	digits   []byte // '0' to '9', none for zero; the first and the last one are not 0
	exp      int    // 0.digits * 10^exp
	scale    int
	buf      [48]byte
}

// places is the number of decimal places that the digits need.
func (n *numeric) places() int {
	if len(n.digits) == 0 {
		return 0
	}
	return max(0, len(n.digits)-n.exp)
}

// read takes a body apart; it is false for what no encoder wrote.
func (n *numeric) read(body string) bool {
	if len(body) < numericShort {
		return false
	}
	at := len(body) - scaleBytes
	n.scale = int(body[at])<<8 | int(body[at+1])
	n.digits = n.buf[:0]
	var flip byte
	switch body[0] {
	case numericZero:
		n.negative, n.exp = false, 0
		return at == 1
	case numericMinus:
		n.negative, flip = true, 0xff
	case numericPlus:
		n.negative = false
	default:
		return false
	}
	if at < 5 || body[at-1]^flip != 0 {
		return false
	}
	n.exp = int(body[1]^flip)<<8 | int(body[2]^flip) - numericBias
	for i := 3; i < at-1; i++ {
		p := int(body[i]^flip) - 1
		if p < 0 || p > 99 {
			return false
		}
		n.digits = append(n.digits, byte('0'+p/10), byte('0'+p%10))
	}
	if k := len(n.digits) - 1; n.digits[k] == '0' {
		n.digits = n.digits[:k]
	}
	return n.digits[0] != '0' && n.digits[len(n.digits)-1] != '0'
}

func checkNumeric(body string) error {
	var n numeric
	switch {
	case !n.read(body):
		return errors.New("not a decimal number")
	case n.scale < n.places():
		return errors.New("a decimal number with fewer decimal places than digits")
	case n.scale > MaxDigits || n.exp > MaxDigits:
		return errNumericRange
	}
	return nil
}

var errNumericRange = fmt.Errorf("the number is out of range for NUMERIC (%d digits before the point and %d behind it)", MaxDigits, MaxDigits)

// appendBody appends the body of a number of the given digits, which may begin and end with
// zeros, and of exp digits before the point.
func appendBody(dst []byte, negative bool, digits []byte, exp, scale int) ([]byte, error) {
	for len(digits) > 0 && digits[0] == '0' {
		digits, exp = digits[1:], exp-1
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if scale > MaxDigits || exp > MaxDigits && len(digits) > 0 {
		return dst, errNumericRange
	}
	if len(digits) == 0 {
		return append(dst, numericZero, byte(scale>>8), byte(scale)), nil
	}
	var flip byte
	if negative {
		dst, flip = append(dst, numericMinus), 0xff
	} else {
		dst = append(dst, numericPlus)
	}
	e := exp + numericBias
	dst = append(dst, byte(e>>8)^flip, byte(e)^flip)
	for i := 0; i < len(digits); i += 2 {
		p := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			p += digits[i+1] - '0'
		}
		dst = append(dst, (p+1)^flip)
	}
	return append(dst, flip, byte(scale>>8), byte(scale)), nil
}

// AppendNumeric appends the body of d, finite and with an exponent of at most 0, which says
// how many decimal places it has.
func AppendNumeric(dst []byte, d *apd.Decimal) ([]byte, error) {
	var buf [64]byte
	digits := buf[:0]
	if d.Coeff.IsUint64() {
		digits = strconv.AppendUint(digits, d.Coeff.Uint64(), 10)
	} else {
		digits = d.Coeff.Append(digits, 10)
	}
	if d.Form != apd.Finite || d.Exponent > 0 {
		return dst, errNumericRange
	}
	return appendBody(dst, d.Negative, digits, len(digits)+int(d.Exponent), -int(d.Exponent))
}

// NumericOf returns d, finite, as a NUMERIC.
func NumericOf(d *apd.Decimal) (Value, error) {
	if d.Form == apd.Finite && d.Exponent > 0 && d.Exponent <= MaxDigits {
		var whole apd.Decimal
		if _, err := apd.BaseContext.WithPrecision(2*MaxDigits+1).Quantize(&whole, d, 0); err != nil {
			return Value{}, errNumericRange
		}
		d = &whole
	}
	b, err := AppendNumeric(nil, d)
	if err != nil {
		return Value{}, err
	}
	return Value{kind: Numeric, str: string(b)}, nil
}

// NumericOfInt returns a whole number as a NUMERIC.
func NumericOfInt(i int64) Value {
	var buf [24]byte
	digits := strconv.AppendInt(buf[:0], i, 10)
	if i < 0 {
		digits = digits[1:]
	}
	b, _ := appendBody(make([]byte, 0, 16), i < 0, digits, len(digits), 0)
	return Value{kind: Numeric, str: string(b)}
}

// NumericOfReal returns the shortest decimal that reads back to f.
func NumericOfReal(f float64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("%s is not a NUMERIC", AppendReal(nil, f))
	}
	return ParseNumeric(strconv.FormatFloat(f, 'e', -1, 64))
}

// ReadNumeric sets d to the number of a body, with an exponent of minus its decimal places;
// what is no body is zero.
func ReadNumeric(body string, d *apd.Decimal) {
	d.Form, d.Negative, d.Exponent = apd.Finite, false, 0
	var n numeric
	if !n.read(body) {
		d.Coeff.SetInt64(0)
		return
	}
	d.Exponent = int32(-n.scale)
	zeros := n.exp + n.scale - len(n.digits)
	if len(n.digits) == 0 || zeros < 0 {
		d.Coeff.SetInt64(0)
		return
	}
	d.Negative = n.negative
	if len(n.digits)+zeros <= 19 {
		var c uint64
		for _, x := range n.digits {
			c = 10*c + uint64(x-'0')
		}
		for range zeros {
			c *= 10
		}
		d.Coeff.SetUint64(c)
		return
	}
	d.Coeff.SetString(string(n.digits)+strings.Repeat("0", zeros), 10)
}

// ParseNumeric reads a decimal number, 12.50 or 1.25e1, with as many decimal places as are written.
func ParseNumeric(s string) (Value, error) {
	t := strings.TrimSpace(s)
	bad := func() (Value, error) { return Value{}, fmt.Errorf("%s is not a number", Quote(s)) }
	rest := t
	negative := strings.HasPrefix(rest, "-")
	if negative || strings.HasPrefix(rest, "+") {
		rest = rest[1:]
	}
	exp := 0
	if at := strings.IndexAny(rest, "eE"); at >= 0 {
		e, err := strconv.Atoi(rest[at+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return bad()
		}
		exp, rest = max(-4*MaxDigits, min(e, 4*MaxDigits)), rest[:at]
	}
	whole, part, _ := strings.Cut(rest, ".")
	if whole == "" && part == "" {
		switch strings.ToLower(rest) {
		case "nan", "inf", "infinity":
			return Value{}, fmt.Errorf("%s is not a NUMERIC; REAL has it", Quote(s))
		}
		return bad()
	}
	digits := make([]byte, 0, 64)
	digits = append(append(digits, whole...), part...)
	for _, c := range digits {
		if c < '0' || c > '9' {
			switch strings.ToLower(rest) {
			case "nan", "inf", "infinity":
				return Value{}, fmt.Errorf("%s is not a NUMERIC; REAL has it", Quote(s))
			}
			return bad()
		}
	}
	zero := strings.Trim(string(digits), "0") == ""
	scale := max(0, len(part)-exp)
	if zero {
		scale = min(scale, MaxDigits)
	}
	b, err := appendBody(make([]byte, 0, 24), negative, digits, len(whole)+exp, scale)
	if err != nil {
		return Value{}, fmt.Errorf("%s is out of range for NUMERIC (%d digits before the point and %d behind it)", Quote(s), MaxDigits, MaxDigits)
	}
	return Value{kind: Numeric, str: string(b)}, nil
}

// AppendDecimal appends the number of a body: 12.50.
func AppendDecimal(dst []byte, body string) []byte {
	var n numeric
	n.read(body)
	if n.negative && len(n.digits) > 0 {
		dst = append(dst, '-')
	}
	for i := range max(n.exp, 1) {
		dst = append(dst, n.digit(i-max(0, 1-n.exp)))
	}
	if n.scale > 0 {
		dst = append(dst, '.')
		for i := range n.scale {
			dst = append(dst, n.digit(n.exp+i))
		}
	}
	return dst
}

// digit returns digit i of 0.digits, which is 0 outside of them.
func (n *numeric) digit(i int) byte {
	if i < 0 || i >= len(n.digits) {
		return '0'
	}
	return n.digits[i]
}

// NumericReal returns the real that is nearest to the number of a body.
func NumericReal(body string) float64 {
	var n numeric
	n.read(body)
	if len(n.digits) == 0 {
		return 0
	}
	var buf [64]byte
	b := buf[:0]
	if n.negative {
		b = append(b, '-')
	}
	b = append(append(b, '.'), n.digits...)
	f, _ := strconv.ParseFloat(string(strconv.AppendInt(append(b, 'e'), int64(n.exp), 10)), 64)
	return f
}

// Scale returns the number of decimal places that a NUMERIC is shown with.
func (v Value) Scale() int {
	var n numeric
	n.read(v.str)
	return n.scale
}

// compareMixed compares a NUMERIC with a value of another kind.
func compareMixed(a, b Value) int {
	switch {
	case a.kind == Integer:
		return Compare(NumericOfInt(a.Int()), b)
	case b.kind == Integer:
		return Compare(a, NumericOfInt(b.Int()))
	case a.kind == Real:
		return CompareReals(a.Float(), NumericReal(b.str))
	case b.kind == Real:
		return CompareReals(NumericReal(a.str), b.Float())
	case a.kind < b.kind:
		return -1
	}
	return 1
}
