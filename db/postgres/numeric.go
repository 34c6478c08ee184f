package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// numericOf reads the engine's binary form of a numeric: the number of groups of four digits,
// the place of the first one counted from the point, sign, decimal places, groups.
func numericOf(b []byte) (value.Value, error) {
	bad := errors.New("the database sent an invalid numeric")
	if len(b) < 8 {
		return value.Value{}, bad
	}
	word := func(i int) int { return int(binary.BigEndian.Uint16(b[2*i:])) }
	groups, weight, sign, places := word(0), int(int16(word(1))), word(2), word(3)
	if len(b) != 8+2*groups {
		return value.Value{}, bad
	}
	if sign&0xc000 == 0xc000 {
		return value.Value{}, errors.New("the database has NaN or an infinity, which NUMERIC can't hold; leave such rows out with WHERE")
	}
	if places > value.MaxDigits || weight >= value.MaxDigits/4+1 || weight < -value.MaxDigits/4-1 {
		return value.Value{}, fmt.Errorf("the database has a numeric of more than %d digits before or behind its point; leave such rows out with WHERE", value.MaxDigits)
	}
	group := func(i int) int { // at place i
		if n := weight - i; n >= 0 && n < groups {
			return word(4 + n)
		}
		return 0
	}
	var s strings.Builder
	if sign == 0x4000 {
		s.WriteByte('-')
	}
	s.WriteByte('0')
	for i := weight; i >= 0; i-- {
		fmt.Fprintf(&s, "%04d", group(i))
	}
	var part strings.Builder
	for i := -1; part.Len() < places; i-- {
		fmt.Fprintf(&part, "%04d", group(i))
	}
	if places > 0 {
		s.WriteString("." + part.String()[:places])
	}
	return value.ParseNumeric(s.String())
}

// appendNumeric is the inverse of numericOf.
func appendNumeric(b []byte, v value.Value) []byte {
	s := v.String()
	sign := uint16(0)
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		s, sign = rest, 0x4000
	}
	whole, part, _ := strings.Cut(s, ".")
	places := len(part)
	whole = strings.Repeat("0", (4-len(whole)%4)%4) + whole
	part += strings.Repeat("0", (4-len(part)%4)%4)
	digits, weight := whole+part, len(whole)/4-1
	for strings.HasPrefix(digits, "0000") {
		digits, weight = digits[4:], weight-1
	}
	for strings.HasSuffix(digits, "0000") {
		digits = digits[:len(digits)-4]
	}
	if digits == "" {
		weight = 0
	}
	for _, w := range []uint16{uint16(len(digits) / 4), uint16(int16(weight)), sign, uint16(places)} {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	for ; digits != ""; digits = digits[4:] {
		n := uint16(0)
		for _, c := range []byte(digits[:4]) {
			n = 10*n + uint16(c-'0')
		}
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return b
}
