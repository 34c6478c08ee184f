package value

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// parseVectorFast reads vectors as programs write them, in a fraction of the time that
// strconv takes for each number. It gives up on everything else.
func parseVectorFast(dst []float32, s string) ([]float32, bool) {
	n := len(s)
	if n < 3 || s[0] != '[' {
		return dst, false
	}
	for i := 1; ; {
		for i < n && s[i] == ' ' {
			i++
		}
		f, next, ok := parseFloat32(s, i)
		if !ok { // this one by strconv
			end := strings.IndexAny(s[i:], ",] ")
			if end < 0 {
				return dst, false
			}
			next = i + end
			x, err := strconv.ParseFloat(s[i:next], 32)
			if err != nil || x-x != 0 || strings.ContainsAny(s[i:next], "xX_") {
				return dst, false
			}
			f = float32(x)
		}
		dst = append(dst, f)
		for i = next; i < n && s[i] == ' '; i++ {
		}
		switch {
		case i >= n:
			return dst, false
		case s[i] == ',':
			i++
		case s[i] == ']' && i == n-1:
			return dst, true
		default:
			return dst, false
		}
	}
}

// ScanJSONVector reads the JSON array of numbers that begins at s[i:], appending them to dst,
// and returns where it ends; -1 for what is no such array, or has a number that float32 has not.
func ScanJSONVector(dst []float32, s string, i int) ([]float32, int) {
	at, n := len(dst), len(s)
	for more := i < n && s[i] == '['; more; more = s[i] == ',' {
		for i++; i < n && isJSONSpace(s[i]); i++ {
		}
		digits := i
		if i < n && s[i] == '-' {
			digits++
		}
		if digits+1 < n && s[digits] == '0' && s[digits+1]-'0' <= 9 { // JSON has no leading zeros
			break
		}
		f, next, ok := parseFloat32(s, i)
		if !ok {
			break
		}
		dst = append(dst, f)
		for i = next; i < n && isJSONSpace(s[i]); i++ {
		}
		if i >= n {
			break
		}
		if s[i] == ']' {
			return dst, i + 1
		}
	}
	return dst[:at], -1
}

// eightDigits reads eight digits at once, and tells how many zeros lead.
func eightDigits(s string) (v uint64, leading int, ok bool) {
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	const zeros, upper = 0x3030303030303030, 0xf0f0f0f0f0f0f0f0
	// The upper four bits of a digit are 3, with 6 added as well.
	if x&upper != zeros || (x+0x0606060606060606)&upper != zeros {
		return 0, 0, false
	}
	x -= zeros
	leading = bits.TrailingZeros64(x|1<<63) / 8
	// Neighbours make numbers of two digits, those of four, and those of eight.
	x = x*10 + x>>8
	x = ((x&0x000000ff000000ff)*(100+1000000<<32) + (x>>16&0x000000ff000000ff)*(1+10000<<32)) >> 32
	return x, leading, true
}

func isJSONSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// powers of ten that a float64 holds exactly.
var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseFloat32 reads the number at s[i:] and returns what follows it. It does so where up
// to 19 digits times or by a power of ten up to 22 makes the number. The power is a float64
// then, so that a float64 of the number is off by two roundings at most, and rounds to the
// float32 next to the number unless it lies about the middle between two.
func parseFloat32(s string, i int) (f float32, next int, ok bool) {
	negative := false
	if i < len(s) && s[i] == '-' {
		negative = true
		i++
	}
	var m uint64
	digits, exp := 0, 0
	from := i
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			break
		}
		if m = m*10 + uint64(c); m != 0 {
			digits++
		}
	}
	if i == from {
		return 0, from, false
	}
	if i < len(s) && s[i] == '.' {
		i++
		at := i
		for i+8 <= len(s) {
			eight, leading, ok := eightDigits(s[i : i+8])
			if !ok {
				break
			}
			if m != 0 {
				leading = 0
			}
			m = m*1e8 + eight
			digits += 8 - leading
			i += 8
		}
		for ; i < len(s); i++ {
			c := s[i] - '0'
			if c > 9 {
				break
			}
			if m = m*10 + uint64(c); m != 0 {
				digits++
			}
		}
		if i == at {
			return 0, from, false
		}
		exp = at - i
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		minus := false
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			minus = s[i] == '-'
			i++
		}
		at, e := i, 0
		for ; i < len(s) && i < at+4; i++ {
			c := s[i] - '0'
			if c > 9 {
				break
			}
			e = e*10 + int(c)
		}
		if i == at {
			return 0, from, false
		}
		if minus {
			e = -e
		}
		exp += e
	}
	if digits > 19 || exp < -22 || exp > 22 {
		return 0, from, false
	}
	x := float64(m)
	if exp < 0 {
		x /= powers[-exp]
	} else {
		x = float64(x * powers[exp])
	}
	const half, near = 1 << 28, 4 // of the last place of a float32; in last places of a float64
	if x != 0 && (x < 0x1p-126 || x > math.MaxFloat32) || math.Float64bits(x)&(2*half-1)-half+near <= 2*near {
		return 0, from, false
	}
	if f = float32(x); negative {
		f = -f
	}
	return f, i, true
}
