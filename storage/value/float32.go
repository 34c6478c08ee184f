package value

import (
	"math"
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
