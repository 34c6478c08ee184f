package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// jsonWriter writes an array of objects, one object a line.
type jsonWriter struct {
	w    *bufio.Writer
	keys []string // encoded, with the colon
	n    int
	buf  []byte
}

func newJSON(w *bufio.Writer, _ *Options) Renderer { return &jsonWriter{w: w} }

func (j *jsonWriter) Begin(cols []Column) error {
	j.keys = jsonKeys(cols)
	return j.w.WriteByte('[')
}

func (j *jsonWriter) Row(vals []value.Value) error {
	if j.n++; j.n > 1 {
		j.w.WriteString(",\n ")
	}
	j.buf = appendObject(j.buf[:0], j.keys, vals)
	_, err := j.w.Write(j.buf)
	return err
}

func (j *jsonWriter) End() error {
	_, err := j.w.WriteString("]\n")
	return err
}

func jsonKeys(cols []Column) []string {
	keys := make([]string, len(cols))
	for i, c := range cols {
		keys[i] = string(append(appendJSONString(nil, c.Name), ':'))
	}
	return keys
}

func appendObject(b []byte, keys []string, vals []value.Value) []byte {
	b = append(b, '{')
	for i, v := range vals {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, keys[i]...)
		b = appendJSON(b, v)
	}
	return append(b, '}')
}

// appendJSON writes v as JSON has it: numbers, texts, a vector as an array of
// numbers, JSON as itself; what JSON lacks (blobs, timestamps, infinities) as
// text.
func appendJSON(b []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Null:
		return append(b, "null"...)
	case value.Boolean, value.Integer, value.Numeric, value.Vector:
		return append(b, Text(v)...)
	case value.JSON:
		if s := v.Str(); strings.ContainsAny(s, "\r\n") { // which lay it out: an object is one line
			var one bytes.Buffer
			if json.Compact(&one, []byte(s)) == nil {
				return append(b, one.Bytes()...)
			}
		}
		return append(b, v.Str()...)
	case value.Real:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return appendJSONString(b, Text(v))
		}
		return append(b, Text(v)...)
	default:
		return appendJSONString(b, Text(v))
	}
}

// appendJSONString quotes s. Besides what JSON demands it escapes control
// characters and line separators; bytes that aren't UTF-8 become U+FFFD, as
// JSON can't hold them.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029:
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		case r == utf8.RuneError && n == 1:
			b = append(b, "\ufffd"...)
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}
