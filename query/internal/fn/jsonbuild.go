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
		return 0, false, fmt.Errorf("jsonb_array_length: %s is no array", article(typeOfJSON(v)))
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

// containsKernel is @> and, with flip, <@.
func containsKernel(flip bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		if flip {
			args = []Arg{args[1], args[0]}
		}
		var docs [2]jsonDoc
		for _, i := range fullSel(n, sel) {
			var vs [2]any
			for k, a := range args {
				var err error
				if vs[k], err = docs[k].of(a, int(i)); err != nil {
					return err
				}
			}
			out.Bools[i] = jsonContains(vs[0], vs[1], true)
		}
		return nil
	}
}

// jsonDoc decodes an argument, a constant once.
type jsonDoc struct {
	done bool
	v    any
}

func (d *jsonDoc) of(a Arg, i int) (any, error) {
	if d.done && a.Const {
		return d.v, nil
	}
	doc := a.Strs[i*a.step()]
	v, err := decodeJSON(doc)
	if err != nil {
		return nil, notJSON(doc)
	}
	d.v, d.done = v, true
	return v, nil
}

// jsonContains reports whether a holds b, as JSONB's @> does: objects by their members,
// arrays by their elements whatever the order, and at the top an array a single value.
func jsonContains(a, b any, top bool) bool {
	switch b := b.(type) {
	case map[string]any:
		m, ok := a.(map[string]any)
		for k, x := range b {
			y, there := m[k]
			ok = ok && there && jsonContains(y, x, false)
		}
		return ok
	case []any:
		list, ok := a.([]any)
		for _, x := range b {
			found := false
			for _, y := range list {
				found = found || jsonContains(y, x, false)
			}
			ok = ok && found
		}
		return ok
	}
	if list, ok := a.([]any); ok && top {
		for _, y := range list {
			if jsonContains(y, b, false) {
				return true
			}
		}
		return false
	}
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return bytes.Equal(appendJSONValue(nil, a), appendJSONValue(nil, b))
}

// hasKeyKernel is json ? text: whether it is a member's name, an element or the text itself.
func hasKeyKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var doc jsonDoc
	for _, i := range fullSel(n, sel) {
		v, err := doc.of(args[0], int(i))
		if err != nil {
			return err
		}
		key := args[1].Strs[int(i)*args[1].step()]
		found := false
		switch v := v.(type) {
		case string:
			found = v == key
		case map[string]any:
			_, found = v[key]
		case []any:
			for _, x := range v {
				s, ok := x.(string)
				found = found || ok && s == key
			}
		}
		out.Bools[i] = found
	}
	return nil
}

// jsonPath reads a path: a JSON array of names and numbers, or PostgreSQL's '{a,0}'.
func jsonPath(s string) ([]string, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") {
		return arrayLiteral(s)
	}
	v, err := decodeJSON(s)
	list, ok := v.([]any)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no path; write '{a,b,0}' or ARRAY['a', 'b', '0']", value.Quote(s))
	}
	path := make([]string, len(list))
	for i, x := range list {
		switch x := x.(type) {
		case string:
			path[i] = x
		case json.Number:
			path[i] = string(x)
		default:
			return nil, fmt.Errorf("a path is made of names and numbers, not of %s", article(typeOfJSON(x)))
		}
	}
	return path, nil
}

// arrayLiteral reads the elements of PostgreSQL's '{a,"b c",NULL}'; NULL is the text NULL.
func arrayLiteral(s string) ([]string, error) {
	bad := fmt.Errorf("%s is no array; write '{a,b}' or ARRAY['a', 'b']", value.Quote(s))
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, bad
	}
	rest := strings.TrimSpace(s[1 : len(s)-1])
	out := []string{}
	for rest != "" {
		var e strings.Builder
		if rest[0] == '"' {
			k := 1
			for ; k < len(rest) && rest[k] != '"'; k++ {
				if rest[k] == '\\' && k+1 < len(rest) {
					k++
				}
				e.WriteByte(rest[k])
			}
			if k == len(rest) {
				return nil, bad
			}
			rest = strings.TrimSpace(rest[k+1:])
			out = append(out, e.String())
			if rest == "" {
				break
			}
			if rest[0] != ',' {
				return nil, bad
			}
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			word := strings.TrimSpace(rest[:end])
			if word == "" || strings.ContainsAny(word, `{}"\`) {
				return nil, bad
			}
			out = append(out, word)
			if rest = rest[end:]; rest == "" {
				break
			}
		}
		if rest = strings.TrimSpace(rest[1:]); rest == "" {
			return nil, bad
		}
	}
	return out, nil
}

// pathKernel is #> and, with text, #>>.
func pathKernel(text bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			i := int(i)
			path, err := jsonPath(args[1].Strs[i*args[1].step()])
			if err != nil {
				return err
			}
			raw := json.RawMessage(args[0].Strs[i*args[0].step()])
			for _, step := range path {
				doc := string(raw)
				if at, numErr := strconv.ParseInt(step, 10, 64); numErr == nil && strings.HasPrefix(strings.TrimSpace(doc), "[") {
					raw, err = element(doc, at)
				} else {
					raw, err = member(doc, step)
				}
				if err != nil {
					return err
				}
				if raw == nil {
					break
				}
			}
			raw = bytes.TrimSpace(raw)
			if raw == nil || len(raw) == 0 || text && string(raw) == "null" {
				setNull(out, i, n)
				out.Strs[i] = ""
				continue
			}
			out.Strs[i] = string(raw)
			if text && raw[0] == '"' {
				if err := json.Unmarshal(raw, &out.Strs[i]); err != nil {
					return notJSON(string(raw))
				}
			}
		}
		return nil
	}
}

// setKernel is jsonb_set(target, path, new [, create]).
func setKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		at := func(k int) string { return args[k].Strs[int(i)*args[k].step()] }
		path, err := jsonPath(at(1))
		if err != nil {
			return err
		}
		doc, err := decodeJSON(at(0))
		if err != nil {
			return notJSON(at(0))
		}
		v, err := decodeJSON(at(2))
		if err != nil {
			return notJSON(at(2))
		}
		switch doc.(type) {
		case map[string]any, []any:
		default:
			return errors.New("jsonb_set: there is no path in a single value")
		}
		create := len(args) < 4 || args[3].Bools[int(i)*args[3].step()]
		if doc, err = setPath(doc, path, v, create); err != nil {
			return err
		}
		out.Strs[i] = string(appendJSONB(nil, doc))
	}
	return nil
}

func setPath(doc any, path []string, v any, create bool) (any, error) {
	if len(path) == 0 {
		return doc, nil
	}
	step, rest := path[0], path[1:]
	switch doc := doc.(type) {
	case map[string]any:
		old, there := doc[step]
		switch {
		case len(rest) == 0 && (there || create):
			doc[step] = v
		case len(rest) > 0 && there:
			x, err := setPath(old, rest, v, create)
			if err != nil {
				return nil, err
			}
			doc[step] = x
		}
		return doc, nil
	case []any:
		at, err := strconv.Atoi(step)
		if err != nil {
			return nil, fmt.Errorf("jsonb_set: %s is no place in an array", value.Quote(step))
		}
		if at < 0 {
			at += len(doc)
		}
		switch {
		case at >= 0 && at < len(doc) && len(rest) == 0:
			doc[at] = v
		case at >= 0 && at < len(doc):
			if doc[at], err = setPath(doc[at], rest, v, create); err != nil {
				return nil, err
			}
		case len(rest) == 0 && create && at < 0:
			return append([]any{v}, doc...), nil
		case len(rest) == 0 && create:
			return append(doc, v), nil
		}
		return doc, nil
	}
	return doc, nil
}

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
// PostgreSQL's '{1,2}' or a vector. A nil element is NULL; ok is false if v is no array.
func Elements(v value.Value) (elements []value.Value, ok bool) {
	switch v.Kind() {
	case value.Vector:
		for _, x := range v.Vec() {
			elements = append(elements, value.Float(float64(x)))
		}
		return elements, true
	case value.Text:
		if s := strings.TrimSpace(v.Str()); strings.HasPrefix(s, "{") {
			texts, err := arrayLiteral(s)
			if err != nil {
				return nil, false
			}
			for _, t := range texts {
				if strings.EqualFold(t, "NULL") {
					elements = append(elements, value.Value{})
				} else {
					elements = append(elements, value.Str(t))
				}
			}
			return elements, true
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
