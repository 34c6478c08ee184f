package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/lupadb/lupa/storage/value"
)

// jsonMember is a member of a JSON object: its name, in quotes, and its value, as they
// are written.
type jsonMember struct {
	key, raw []byte
	vec      []float32 // the value as a vector, where scanning has shown it to be one
}

// jsonScanner cuts JSON objects into their members.
type jsonScanner struct {
	found []jsonMember
	vecs  []float32
}

// object cuts a JSON object into its members, which are valid until the next call, checking
// all of it. It reports false for what is not valid JSON, or nested deeper than is usual.
func (s *jsonScanner) object(b []byte) (out []jsonMember, ok bool) {
	out, s.vecs = s.found[:0], s.vecs[:0]
	defer func() { s.found = out }()
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return out, false
	}
	i := skipSpace(b, 1)
	if i < len(b) && b[i] == '}' {
		return out, i+1 == len(b)
	}
	for {
		key := i
		end := scanString(b, i)
		if end < 0 {
			return out, false
		}
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return out, false
		}
		at := skipSpace(b, i+1)
		m := jsonMember{key: b[key:end]}
		if from := len(s.vecs); at < len(b) && b[at] == '[' {
			// The numbers of a vector are read while they are looked at.
			s.vecs, i = value.ScanJSONVector(s.vecs, unsafe.String(unsafe.SliceData(b), len(b)), at)
			m.vec = s.vecs[from:len(s.vecs):len(s.vecs)]
		}
		if len(m.vec) == 0 {
			m.vec = nil
			if i = scanJSON(b, at, 0); i < 0 {
				return out, false
			}
		}
		m.raw = b[at:i]
		out = append(out, m)
		i = skipSpace(b, i)
		if i >= len(b) {
			return out, false
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return out, i+1 == len(b)
		default:
			return out, false
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isJSONSpace(b[i]) {
		i++
	}
	return i
}

// scanJSON returns the end of the JSON value at b[i:], -1 if there is none.
func scanJSON(b []byte, i, depth int) int {
	if i >= len(b) || depth > 200 {
		return -1
	}
	word := func(w string) int {
		if bytes.HasPrefix(b[i:], []byte(w)) {
			return i + len(w)
		}
		return -1
	}
	switch c := b[i]; c {
	case '"':
		return scanString(b, i)
	case 't':
		return word("true")
	case 'f':
		return word("false")
	case 'n':
		return word("null")
	case '[', '{':
		i = skipSpace(b, i+1)
		if i < len(b) && b[i] == c+2 { // its own closing one
			return i + 1
		}
		for {
			if c == '{' {
				if i = scanString(b, i); i < 0 {
					return -1
				}
				if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
					return -1
				}
				i = skipSpace(b, i+1)
			}
			if i < len(b) && (b[i] == '-' || b[i] >= '0' && b[i] <= '9') {
				i = scanNumber(b, i)
			} else {
				i = scanJSON(b, i, depth+1)
			}
			if i < 0 {
				return -1
			}
			if i = skipSpace(b, i); i >= len(b) {
				return -1
			}
			switch b[i] {
			case ',':
				i = skipSpace(b, i+1)
			case c + 2:
				return i + 1
			default:
				return -1
			}
		}
	}
	return scanNumber(b, i)
}

// scanString returns the end of the JSON string at b[i:], -1 if there is none.
func scanString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i++; i >= len(b) {
				return -1
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for k := 1; k <= 4; k++ {
					if i+k >= len(b) || !isHex(b[i+k]) {
						return -1
					}
				}
				i += 4
			default:
				return -1
			}
		}
	}
	return -1
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|32 >= 'a' && c|32 <= 'f' }

// scanNumber returns the end of the JSON number at b[i:], -1 if there is none.
func scanNumber(b []byte, i int) int {
	digits := func() bool {
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return -1
		}
	}
	if i < len(b) && b[i]|32 == 'e' {
		if i++; i < len(b) && (b[i] == '-' || b[i] == '+') {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// countNumbers returns how many elements a valid JSON array has that could be a vector, 0
// if it could not.
func countNumbers(raw []byte) int {
	n := 1
	for _, c := range raw[1 : len(raw)-1] {
		switch {
		case c == ',':
			n++
		case c >= '0' && c <= '9', c == '.', c == '-', c == ' ':
		case c == 'e', c == 'E', c == '+', isJSONSpace(c):
		default:
			return 0
		}
	}
	if len(raw) > 30*n || bytes.ContainsAny(raw, "eE") || n == 1 { // it may have a number that float32 has not
		v, err := value.ParseVector(nil, string(raw))
		if err != nil {
			return 0
		}
		return len(v)
	}
	return n
}

// appendVector reads text as row n of a column of vectors.
func appendVector(c *value.Column, n int, text []byte) error {
	at := len(c.Vecs)
	v, err := value.ParseVector(c.Vecs, unsafe.String(unsafe.SliceData(text), len(text))) // which keeps nothing of it
	if err != nil {
		c.Vecs = c.Vecs[:at]
		return err
	}
	c.Vecs = v
	return addedVector(c, n, at)
}

// appendFloats appends a vector as row n of a column.
func appendFloats(c *value.Column, n int, vec []float32) error {
	at := len(c.Vecs)
	c.Vecs = append(c.Vecs, vec...)
	return addedVector(c, n, at)
}

// addedVector makes what was added to the elements of a column, from at on, its row n.
func addedVector(c *value.Column, n, at int) error {
	d := c.Type.Dim
	if got := len(c.Vecs) - at; d > 0 && got != d {
		c.Vecs = c.Vecs[:at]
		return fmt.Errorf("vector has %s, %d expected", value.Dimensions(got), d)
	}
	if d == 0 { // the first vector; rows before it were NULL
		d = len(c.Vecs) - at
		c.Type.Dim = d
		c.Vecs = append(c.Vecs, make([]float32, n*d)...)
		copy(c.Vecs[n*d:], c.Vecs[:d])
		clear(c.Vecs[:n*d])
	}
	if c.Nulls != nil && len(c.Nulls)*64 <= n {
		c.Nulls = append(c.Nulls, 0)
	}
	return nil
}
