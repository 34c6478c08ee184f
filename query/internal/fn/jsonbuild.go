package fn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// appendAsJSON appends what a value is in JSON: numbers, booleans and JSON as they are,
// vectors as arrays, everything else as a text.
func appendAsJSON(b []byte, v value.Value) ([]byte, error) {
	switch v.Kind() {
	case value.Null:
		return append(b, "null"...), nil
	case value.Boolean, value.Integer, value.Numeric:
		return v.AppendText(b), nil
	case value.JSON:
		return append(b, v.Str()...), nil
	case value.Real:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return appendJSONString(b, v.String()), nil
		}
		return v.AppendText(b), nil
	case value.Vector:
		return v.AppendText(b), nil
	case value.Timestamp: // a DATE, as a text, has the form of ISO 8601
		return appendJSONString(b, v.Time().UTC().Format("2006-01-02T15:04:05.999999")), nil
	}
	return appendJSONString(b, v.String()), nil
}

func appendJSONString(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string: can't fail
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// appendJSONB appends a decoded value as JSONB is written: members in their order, one of
// each name, a space behind commas and colons.
func appendJSONB(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return appendJSONString(b, v)
	case json.Number:
		return append(b, v...)
	case bool:
		return strconv.AppendBool(b, v)
	case []any:
		b = append(b, '[')
		for i, x := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendJSONB(b, x)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendJSONB(append(appendJSONString(b, k), ": "...), v[k])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// normalized returns a JSON text as JSONB is written.
func normalized(doc string) (string, error) {
	v, err := decodeJSON(doc)
	if err != nil {
		return "", notJSON(doc)
	}
	return string(appendJSONB(nil, v)), nil
}

func notJSON(doc string) error { return fmt.Errorf("%s is not valid JSON", value.Quote(doc)) }

func tooLong(what string) error {
	return fmt.Errorf("%s: the result is longer than %d bytes", what, maxText)
}

// buildObject makes an object of names and values in turn.
func buildObject(args []value.Value) (string, error) {
	if len(args)%2 != 0 {
		return "", errors.New("an object is made of names and values in turn; a value is missing")
	}
	b := []byte{'{'}
	for i := 0; i < len(args); i += 2 {
		if i > 0 {
			b = append(b, ", "...)
		}
		name := args[i]
		if name.IsNull() {
			return "", errors.New("the name of a member can't be NULL")
		}
		b = append(appendJSONString(b, name.String()), ": "...)
		var err error
		if b, err = appendAsJSON(b, args[i+1]); err != nil {
			return "", err
		}
	}
	return string(append(b, '}')), nil
}

func buildArray(args []value.Value) (string, error) {
	b := []byte{'['}
	for i, v := range args {
		if i > 0 {
			b = append(b, ", "...)
		}
		var err error
		if b, err = appendAsJSON(b, v); err != nil {
			return "", err
		}
	}
	return string(append(b, ']')), nil
}

// inferBuild is a function of any number of values of any types that makes JSON; binary
// is whether it is written as JSONB is.
func inferBuild(build func([]value.Value) (string, error), binary bool) func([]ArgType) ([]value.Type, value.Type, kernel, error) {
	return func(args []ArgType) ([]value.Type, value.Type, kernel, error) {
		params := make([]value.Type, len(args))
		for i, a := range args {
			params[i] = a.Type
		}
		return params, value.Type{Kind: value.JSON}, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
			row := make([]value.Value, len(args))
			for _, i := range fullSel(n, sel) {
				for k, a := range args {
					row[k] = a.At(int(i))
				}
				s, err := build(row)
				if err == nil && binary {
					s, err = normalized(s)
				}
				if err != nil {
					return err
				}
				out.Strs[i] = s
			}
			return nil
		}, nil
	}
}

// inferToJSON is to_json: one value of any type, NULL for NULL.
func inferToJSON(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	t := value.Type{Kind: value.JSON}
	if len(args) != 1 {
		return nil, t, nil, fmt.Errorf("to_json takes one value, not %d", len(args))
	}
	return []value.Type{args[0].Type}, t, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			b, err := appendAsJSON(nil, args[0].At(int(i)))
			if err != nil {
				return err
			}
			out.Strs[i] = string(b)
		}
		return nil
	}, nil
}

// json1 is a kernel of one JSON value; ok is false for NULL.
func json1[R any](out func(*value.Column) []R, f func(doc any) (r R, ok bool, err error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, col *value.Column) error {
		for _, i := range fullSel(n, sel) {
			doc := args[0].Strs[int(i)*args[0].step()]
			v, err := decodeJSON(doc)
			if err != nil {
				return notJSON(doc)
			}
			r, ok, err := f(v)
			if err != nil {
				return err
			}
			if out(col)[i] = r; !ok {
				setNull(col, int(i), n)
			}
		}
		return nil
	}
}

func intsOf(c *value.Column) []int64  { return c.Ints }
func strsOf(c *value.Column) []string { return c.Strs }
func arrayLength(v any) (int64, bool, error) {
	a, ok := v.([]any)
	if !ok {
		return 0, false, fmt.Errorf("jsonb_array_length: %s is not an array", article(typeOfJSON(v)))
	}
	return int64(len(a)), true, nil
}

func article(s string) string {
	if strings.ContainsAny(s[:1], "aeiou") {
		return "an " + s
	}
	return "a " + s
}

func typeOfJSON(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func jsonType(v any) (string, bool, error) { return typeOfJSON(v), true, nil }

// joinJSON is || of JSON: objects are merged, everything else becomes one array.
func joinJSON(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		if args[0].IsNull(int(i)) || args[1].IsNull(int(i)) {
			continue
		}
		var vs [2]any
		for k := range vs {
			doc := args[k].Strs[int(i)*args[k].step()]
			var err error
			if vs[k], err = decodeJSON(doc); err != nil {
				return notJSON(doc)
			}
		}
		a, ok1 := vs[0].(map[string]any)
		b, ok2 := vs[1].(map[string]any)
		if ok1 && ok2 {
			for k, v := range b {
				a[k] = v
			}
			out.Strs[i] = string(appendJSONB(nil, a))
			continue
		}
		var list []any
		for _, v := range vs {
			if l, ok := v.([]any); ok {
				list = append(list, l...)
			} else {
				list = append(list, v)
			}
		}
		if list == nil {
			list = []any{}
		}
		out.Strs[i] = string(appendJSONB(nil, list))
	}
	return nil
}

// Elements returns the elements of an array as it can be written in a statement: JSON,
// PostgreSQL's '{1,2}' or a vector. A nil element is NULL; ok is false if v is not an array.
func Elements(v value.Value) (elements []value.Value, ok bool) {
	switch v.Kind() {
	case value.Vector:
		for _, x := range v.Vec() {
			elements = append(elements, value.Float(float64(x)))
		}
		return elements, true
	case value.Text:
		if s := strings.TrimSpace(v.Str()); strings.HasPrefix(s, "{") {
			elements, err := readArray(s)
			return elements, err == nil
		}
	case value.JSON:
	default:
		return nil, false
	}
	doc, err := decodeJSON(v.Str())
	list, ok := doc.([]any)
	if err != nil || !ok {
		return nil, false
	}
	for _, x := range list {
		elements = append(elements, elementOf(x))
	}
	return elements, true
}

// elementOf is the value of the language that an element of a JSON array stands for.
func elementOf(x any) value.Value {
	switch x := x.(type) {
	case nil:
		return value.Value{}
	case string:
		return value.Str(x)
	case bool:
		return value.Bool(x)
	case json.Number:
		if n, err := strconv.ParseInt(string(x), 10, 64); err == nil {
			return value.Int(n)
		}
		if f, err := strconv.ParseFloat(string(x), 64); err == nil {
			return value.Float(f)
		}
	}
	return value.RawJSON(string(appendJSONB(nil, x)))
}
