package fn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// JSON values are equal where they mean the same, however they are written: space, the
// order of the members and the digits of a number don't count; of members of one name
// the last one does. Their order is PostgreSQL's: null, texts, numbers, false, true,
// arrays, objects, the shorter arrays and objects first; an empty array by itself comes
// before everything.

// The first byte of a value's key.
const (
	jsonEmptyArray = iota + 1
	jsonNull
	jsonText
	jsonNumber
	jsonFalse
	jsonTrue
	jsonArray
	jsonObject
)

// appendJSONKey appends a JSON text as bytes whose order is that of the values, and
// which tell where they end.
func appendJSONKey(b []byte, doc string) []byte {
	v, err := decodeJSON(doc)
	if err != nil { // of no value in a table
		return appendOrderedText(append(b, jsonObject+1), doc)
	}
	if a, ok := v.([]any); ok && len(a) == 0 {
		return append(b, jsonEmptyArray)
	}
	return appendJSONValue(b, v)
}

// decodeJSON returns a JSON text as any, with numbers as they are written.
func decodeJSON(doc string) (any, error) {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	return v, nil
}

func appendJSONValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendOrderedText(append(b, jsonText), v)
	case json.Number:
		return appendDecimal(append(b, jsonNumber), string(v))
	case bool:
		if v {
			return append(b, jsonTrue)
		}
		return append(b, jsonFalse)
	case []any:
		b = binary.BigEndian.AppendUint32(append(b, jsonArray), uint32(len(v)))
		for _, x := range v {
			b = appendJSONValue(b, x)
		}
		return b
	case map[string]any:
		b = binary.BigEndian.AppendUint32(append(b, jsonObject), uint32(len(v)))
		for _, k := range sortedKeys(v) {
			b = appendJSONValue(appendOrderedText(b, k), v[k])
		}
		return b
	}
	return append(b, jsonNull)
}

// sortedKeys returns the names of an object's members in the order of JSONB: the shorter
// ones first.
func sortedKeys(m map[string]any) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// appendOrderedText appends a text as bytes with the order of texts: 0 is written as 0 255
// and the end as 0 1, so that a prefix comes first.
func appendOrderedText(b []byte, s string) []byte {
	for {
		z := strings.IndexByte(s, 0)
		if z < 0 {
			return append(append(b, s...), 0, 1)
		}
		b = append(append(b, s[:z]...), 0, 255)
		s = s[z+1:]
	}
}

// appendDecimal appends a number of JSON, of any size and exactly: its sign, the power of
// ten and the digits behind the point, without zeros at either end.
func appendDecimal(b []byte, s string) []byte {
	s, negative := strings.CutPrefix(s, "-")
	exp := int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.ParseInt(s[i+1:], 10, 64); err != nil || exp > math.MaxInt32 || exp < math.MinInt32 {
			exp = math.MaxInt32
			if s[i+1] == '-' {
				exp = math.MinInt32
			}
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exp += int64(len(digits) - len(fraction))
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return append(b, 1)
	}
	start := len(b)
	b = append(b, 2)
	b = binary.BigEndian.AppendUint64(b, uint64(exp)^1<<63)
	b = append(append(b, digits...), 0)
	if negative {
		for i := start; i < len(b); i++ {
			b[i] = ^b[i]
		}
		b[start] = 0
	}
	return b
}

// compareJSON compares two JSON texts by what they mean.
func compareJSON(a, b string) int {
	if a == b {
		return 0
	}
	return bytes.Compare(appendJSONKey(nil, a), appendJSONKey(nil, b))
}

// Compare orders two values of the language: see value.Compare, which knows JSON as texts
// only.
func Compare(a, b value.Value) int {
	if a.Kind() == value.JSON && b.Kind() == value.JSON {
		return compareJSON(a.Str(), b.Str())
	}
	return value.Compare(a, b)
}
