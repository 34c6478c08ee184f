package parse

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// numberValue returns the value of a number: an INTEGER where it has neither
// point nor exponent, a NUMERIC where it is too large for that, otherwise a REAL.
func numberValue(text string, negative bool) (value.Value, error) {
	if negative {
		text = "-" + text
	}
	if strings.ContainsAny(text, "xX") || !strings.ContainsAny(text, ".eE") {
		base := 10
		if strings.ContainsAny(text, "xX") {
			base = 0
		}
		n, err := strconv.ParseInt(text, base, 64)
		if err != nil && base == 10 {
			v, err := value.ParseNumeric(text)
			if err != nil {
				err = fmt.Errorf("%s is out of the range of NUMERIC, %d digits before the point", abbreviate(text), value.MaxDigits)
			}
			return v, err
		}
		if err != nil {
			return value.Value{}, fmt.Errorf("%s is out of the range of INTEGER, %d to %d",
				abbreviate(text), int64(math.MinInt64), int64(math.MaxInt64))
		}
		return value.Int(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value.Value{}, fmt.Errorf("%s is out of the range of REAL", abbreviate(text))
	}
	return value.Float(f), nil
}

// textValue returns the value of 'text', E'text' or $$text$$.
func textValue(text string) (value.Value, error) {
	if text[0] == '$' {
		tag := 2 + strings.IndexByte(text[1:], '$')
		return value.Str(text[tag : len(text)-tag]), nil
	}
	if text[0] != '\'' {
		s, err := unescape(text[2 : len(text)-1])
		return value.Str(s), err
	}
	return value.Str(strings.ReplaceAll(text[1:len(text)-1], "''", "'")), nil
}

// unescape resolves the backslashes of E'text', PostgreSQL's.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\'' { // written twice
			i++
		}
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		number := func(digits, base int) error {
			end := min(i+1+digits, len(s))
			n, err := strconv.ParseUint(s[i+1:end], base, 32)
			if err != nil || end-i-1 < digits || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) || digits == 2 && n > 0x7f {
				return fmt.Errorf(`\%c takes %d hexadecimal digits of a character`, s[i], digits)
			}
			b.WriteRune(rune(n))
			i = end - 1
			return nil
		}
		var err error
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'x':
			err = number(2, 16)
		case 'u':
			err = number(4, 16)
		case 'U':
			err = number(8, 16)
		default:
			b.WriteByte(s[i])
		}
		if err != nil {
			return "", err
		}
	}
	if !utf8.ValidString(b.String()) {
		return "", errors.New("the text is not UTF-8")
	}
	return b.String(), nil
}

// blobValue returns the value of X'00ff'.
func blobValue(text string) (value.Value, error) {
	b, err := hex.DecodeString(text[2 : len(text)-1])
	if err != nil {
		return value.Value{}, fmt.Errorf("%s: bytes are written as pairs of hexadecimal digits, X'00ff'", abbreviate(text))
	}
	return value.Bytes(b), nil
}

// vectorValue returns the value of [1, 2.5, -3e-2].
func vectorValue(text string) (value.Value, error) {
	var vec []float32
	s := newScanner(text[:len(text)-1])
	s.off = 1
	for {
		if err := s.skip(); err != nil {
			return value.Value{}, err
		}
		switch {
		case s.off == len(s.src) && len(vec) == 0:
			return value.Value{}, errors.New("a vector cannot be empty")
		case s.off == len(s.src):
			return value.Value{}, errors.New("vector ends with a comma: a number is missing")
		case s.src[s.off] == ',':
			return value.Value{}, fmt.Errorf("number %d of the vector is missing before a comma", len(vec)+1)
		}
		digits := s.off
		if s.src[digits] == '-' || s.src[digits] == '+' {
			digits++
		}
		end, _ := numberEnd(s.src, digits)
		number := s.src[s.off:end]
		f, err := strconv.ParseFloat(number, 32)
		if err != nil {
			if n, intErr := strconv.ParseInt(number, 0, 64); intErr == nil { // 0x1f
				f = float64(n)
			} else {
				return value.Value{}, fmt.Errorf("number %d of the vector, %s, is out of the range of a float32", len(vec)+1, abbreviate(number))
			}
		}
		if vec = append(vec, float32(f)); len(vec) > value.MaxDim {
			return value.Value{}, fmt.Errorf("vector has more than %d dimensions", value.MaxDim)
		}
		s.off = end
		if err := s.skip(); err != nil {
			return value.Value{}, err
		}
		if s.off == len(s.src) {
			return value.Vec(vec), nil
		}
		if s.src[s.off] != ',' {
			return value.Value{}, fmt.Errorf("a comma is missing after number %d of the vector", len(vec))
		}
		s.off++
	}
}
