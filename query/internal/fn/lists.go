package fn

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// textsTry is a kernel of texts, given as many as the function takes, that can fail.
func textsTry(f func(args []string) (string, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
		in := make([]string, len(args))
		for _, i := range fullSel(n, sel) {
			for k, a := range args {
				in[k] = a.Strs[int(i)*a.step()]
			}
			if out.Strs[i], err = f(in); err != nil {
				return err
			}
		}
		return nil
	}
}

// moreTextEntries are functions of texts that PostgreSQL's users type.
func moreTextEntries() []*Func {
	return []*Func{
		{Name: "initcap", Syntax: "initcap(text)", Doc: "first letter of every word in upper case, the others in lower case", Example: "initcap('grey WOLF')", Gives: "Grey Wolf",
			sigs: []sig{{kinds{text}, text, text1(initcap), false}}},
		{Name: "ascii", Syntax: "ascii(text)", Doc: "number of the first character", Example: "ascii('A')", Gives: "65",
			sigs: []sig{{kinds{text}, integer, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
				map1(args[0].Strs, args[0].step(), out.Ints, n, sel, func(s string) int64 {
					if s == "" {
						return 0
					}
					r, _ := utf8.DecodeRuneInString(s)
					return int64(r)
				})
				return nil
			}, false}}},
		{Name: "chr", Syntax: "chr(n)", Doc: "character of a number", Example: "chr(228)", Gives: "ä", partial: true,
			sigs: []sig{{kinds{integer}, text, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
				return try1(args[0].Ints, args[0].step(), out.Strs, n, sel, func(c int64) (string, error) {
					if c <= 0 || c > unicode.MaxRune || !utf8.ValidRune(rune(c)) {
						return "", fmt.Errorf("there is no character %d", c)
					}
					return string(rune(c)), nil
				})
			}, false}}},
		{Name: "translate", Syntax: "translate(text, from, to)", Doc: "each character that is in from replaced by the one at its place in to, or left out", Example: "translate('12345', '143', 'ax')", Gives: "a2x5", partial: true,
			sigs: []sig{{kinds{text, text, text}, text, textsTry(func(a []string) (string, error) {
				m, to := map[rune]rune{}, []rune(a[2])
				for i, r := range []rune(a[1]) {
					if _, ok := m[r]; !ok {
						if m[r] = -1; i < len(to) {
							m[r] = to[i]
						}
					}
				}
				return strings.Map(func(r rune) rune {
					if t, ok := m[r]; ok {
						return t
					}
					return r
				}, a[0]), nil
			}), false}}},
		{Name: "overlay", Syntax: "overlay(text PLACING part FROM n [FOR count])", Doc: "with part in place of count characters from number n", Example: "overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4)", Gives: "Thomas", partial: true,
			sigs: []sig{{kinds{text, text, integer}, text, overlay, false}, {kinds{text, text, integer, integer}, text, overlay, false}}},
		{Name: "bit_length", Syntax: "bit_length(text | blob)", Doc: "number of bits", Example: "bit_length('ab')", Gives: "16",
			sigs: []sig{{kinds{text}, integer, bitLength, false}, {kinds{blob}, integer, bitLength, false}}},
		{Name: "quote_ident", Syntax: "quote_ident(text)", Doc: "as a name in a statement", Example: "quote_ident('a b')", Gives: `"a b"`,
			sigs: []sig{{kinds{text}, text, text1(func(s string) string {
				plain := s != "" && (s[0] == '_' || 'a' <= s[0] && s[0] <= 'z')
				for _, c := range s {
					plain = plain && (c == '_' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9')
				}
				if plain {
					return s
				}
				return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
			}), false}}},
		{Name: "quote_literal", Syntax: "quote_literal(text)", Doc: "as a text in a statement", Example: "quote_literal('it''s')", Gives: "'it''s'",
			sigs: []sig{{kinds{text}, text, text1(func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }), false}}},
		{Name: "to_hex", Syntax: "to_hex(n)", Doc: "hexadecimal digits of a number", Example: "to_hex(255)", Gives: "ff",
			sigs: []sig{{kinds{integer}, text, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
				map1(args[0].Ints, args[0].step(), out.Strs, n, sel, func(i int64) string { return strconv.FormatUint(uint64(i), 16) })
				return nil
			}, false}}},
		{Name: "gen_random_uuid", Syntax: "gen_random_uuid()", Doc: "another UUID in every row", Example: "length(gen_random_uuid())", Gives: "36", Stable: true, volatile: true,
			sigs: []sig{{nil, text, func(_ *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
				for _, i := range fullSel(n, sel) {
					var b [16]byte
					rand.Read(b[:])
					b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
					out.Strs[i] = fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
				}
				return nil
			}, false}}},
		{Name: "num_nulls", Syntax: "num_nulls(x, ...)", Doc: "how many of the arguments are NULL", Example: "num_nulls(1, NULL)", Gives: "1", nullable: true, sigs: countNulls(true)},
		{Name: "num_nonnulls", Syntax: "num_nonnulls(x, ...)", Doc: "how many of the arguments are not NULL", Example: "num_nonnulls(1, NULL, 2)", Gives: "2", nullable: true, sigs: countNulls(false)},
	}
}

func countNulls(nulls bool) []sig {
	return []sig{{kinds{anyKind}, integer, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		each(n, sel, func(i int) {
			out.Ints[i] = 0
			for _, a := range args {
				if a.IsNull(i) == nulls {
					out.Ints[i]++
				}
			}
		})
		return nil
	}, true}}
}

func initcap(s string) string {
	within := false
	return strings.Map(func(r rune) rune {
		letter := unicode.IsLetter(r) || unicode.IsDigit(r)
		first := letter && !within
		within = letter
		if first {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func bitLength(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Strs, args[0].step(), out.Ints, n, sel, func(s string) int64 { return 8 * int64(len(s)) })
	return nil
}

func overlay(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		s, part := []rune(args[0].Strs[int(i)*args[0].step()]), args[1].Strs[int(i)*args[1].step()]
		from, count := args[2].Ints[int(i)*args[2].step()], int64(utf8.RuneCountInString(part))
		if len(args) > 3 {
			count = args[3].Ints[int(i)*args[3].step()]
		}
		if from < 1 {
			return fmt.Errorf("overlay counts from 1, not %d", from)
		}
		head := min(from-1, int64(len(s)))
		tail := from - 1
		if count > 0 && tail > int64(len(s))-min(count, int64(len(s))) {
			tail = int64(len(s))
		} else {
			tail = max(0, min(tail+max(count, -tail), int64(len(s))))
		}
		out.Strs[i] = string(s[:head]) + part + string(s[tail:])
	}
	return nil
}

// listEntries are the functions of arrays, which are JSON arrays here.
func listEntries() []*Func {
	list := func(name, syntax, doc, example, gives string, result value.Kind, args kinds, f func(list []value.Value, more []value.Value) (value.Value, error)) *Func {
		eval := eachRow(func(args []value.Value) (value.Value, error) {
			a := args[0]
			switch {
			case a.IsNull() && name == "array_append":
				return f(nil, args[1:])
			case a.IsNull() && name == "array_cat":
				return args[1], nil
			case a.IsNull():
				return value.Value{}, nil
			}
			elements, ok := Elements(a)
			if !ok {
				return value.Value{}, fmt.Errorf("%s takes an array (ARRAY[1, 2], JSON or '{1,2}'), not %s", name, value.Quote(a.String()))
			}
			return f(elements, args[1:])
		})
		sigs := []sig{{append(kinds{jsonKind}, args...), result, eval, false}, {append(kinds{text}, args...), result, eval, false}}
		return &Func{Name: name, Syntax: syntax, Doc: doc, Example: example, Gives: gives, partial: true, nullable: true, sigs: sigs}
	}
	length := func(l []value.Value, _ []value.Value) (value.Value, error) { return value.Int(int64(len(l))), nil }
	position := func(l []value.Value, more []value.Value) (value.Value, error) {
		for i, x := range l {
			if sameElement(x, more[0]) {
				return value.Int(int64(i + 1)), nil
			}
		}
		return value.Value{}, nil
	}
	return []*Func{
		list("array_length", "array_length(array, 1)", "number of elements, with 2 of those of the arrays within; NULL if there are none", "array_length('[1, 2, 3]', 1)", "3", integer, kinds{integer}, dimension),
		list("array_lower", "array_lower(array, 1)", "number of the first element, 1; NULL if there is none", "array_lower('[1, 2, 3]', 1)", "1", integer, kinds{integer}, lowest),
		list("array_ndims", "array_ndims(array)", "number of dimensions: 2 for arrays within an array", "array_ndims('{{1,2},{3,4}}')", "2", integer, nil, depth),
		list("array_dims", "array_dims(array)", "lengths of the dimensions", "array_dims('{{1,2},{3,4}}')", "[1:2][1:2]", text, nil, bounds),
		list("array_flatten", "array_flatten(array)", "array of the elements of arrays within an array", "array_flatten('{{1,2},{3,4}}')", `["1", "2", "3", "4"]`, jsonKind, nil, flatten),
		list("cardinality", "cardinality(array)", "number of elements", "cardinality('{1,2}')", "2", integer, nil, length),
		list("array_position", "array_position(array, x)", "place of the first element that is x, from 1", "array_position('{a,b}', 'b')", "2", integer, kinds{anyKind}, position),
		list("array_append", "array_append(array, x)", "array with x at its end", "array_append('[1, 2]', 3)", "[1, 2, 3]", jsonKind, kinds{anyKind}, func(l, more []value.Value) (value.Value, error) { return arrayOf(append(l, more[0])) }),
		list("array_remove", "array_remove(array, x)", "array without elements that are x", "array_remove('[1, 2, 1]', 1)", "[2]", jsonKind, kinds{anyKind}, func(l, more []value.Value) (value.Value, error) {
			var out []value.Value
			for _, x := range l {
				if !sameElement(x, more[0]) {
					out = append(out, x)
				}
			}
			return arrayOf(out)
		}),
		list("array_cat", "array_cat(array, array)", "one array behind another", "array_cat('[1]', '[2, 3]')", "[1, 2, 3]", jsonKind, kinds{jsonKind}, func(l, more []value.Value) (value.Value, error) {
			if more[0].IsNull() {
				return arrayOf(l)
			}
			second, ok := Elements(more[0])
			if !ok {
				return value.Value{}, errors.New("array_cat takes two arrays")
			}
			return joinArrays(l, second)
		}),
		list("to_array", "to_array(array, type)", "array with its elements as a type: array::INTEGER[] is short for it", "to_array('{1,2}', 'integer')", "[1, 2]", jsonKind, kinds{text}, func(l, more []value.Value) (value.Value, error) {
			return arrayAs(l, strings.ToLower(more[0].Str()))
		}),
		list("array_slice", "array_slice(array, from, to)", "elements from one to another, counted from 1; array[from:to] is short for it", "array_slice('[1, 2, 3]', 2, 3)", "[2, 3]", jsonKind, kinds{integer, integer}, func(l, more []value.Value) (value.Value, error) {
			if more[0].IsNull() || more[1].IsNull() {
				return value.Value{}, nil
			}
			from, to := max(more[0].Int(), 1), min(more[1].Int(), int64(len(l)))
			if from > to {
				return arrayOf(nil)
			}
			return arrayOf(l[from-1 : to])
		}),
		list("array_to_string", "array_to_string(array, separator [, null])", "elements joined, NULLs left out or written as null", "array_to_string('{1,2}', '-')", "1-2", text, kinds{text}, joinList).and(kinds{text, text}),
		{Name: "string_to_array", Syntax: "string_to_array(text, separator [, null])", Doc: "parts of a text as a JSON array, those that are null as NULL; without a separator its characters", Example: "string_to_array('a,b', ',')", Gives: `["a", "b"]`, partial: true, nullable: true,
			sigs: []sig{{kinds{text, text}, jsonKind, stringToArray, false}, {kinds{text, text, text}, jsonKind, stringToArray, false}}},
		{Name: "jsonb_strip_nulls", Syntax: "jsonb_strip_nulls(json)", Doc: "objects without members that are null", Example: `jsonb_strip_nulls('{"a": 1, "b": null}')`, Gives: `{"a": 1}`, partial: true,
			sigs: []sig{{kinds{jsonKind}, jsonKind, textsTry(func(a []string) (string, error) { return stripNulls(a[0]) }), false}}},
		{Name: "jsonb_pretty", Syntax: "jsonb_pretty(json)", Doc: "a member or an element a line", Example: `length(jsonb_pretty('[1, 2]'))`, Gives: "16", partial: true,
			sigs: []sig{{kinds{jsonKind}, text, textsTry(func(a []string) (string, error) {
				var b bytes.Buffer
				err := json.Indent(&b, []byte(a[0]), "", "    ")
				return b.String(), err
			}), false}}},
	}
}

// and adds signatures of more arguments behind the first.
func (f *Func) and(args kinds) *Func {
	for _, s := range f.sigs[:2] {
		s.args = append(kinds{s.args[0]}, args...)
		f.sigs = append(f.sigs, s)
	}
	return f
}

// ElementAs is an element of an array as a value of a kind: JSON, or REAL of an INTEGER; else NULL.
func ElementAs(e value.Value, k value.Kind) value.Value {
	switch {
	case k == value.JSON:
		if b, err := appendAsJSON(nil, e); err == nil {
			return value.RawJSON(string(b))
		}
	case k == value.Real && e.Kind() == value.Integer:
		return value.Float(float64(e.Int()))
	case k == value.Real && e.Kind() == value.Numeric:
		return value.Float(value.NumericReal(e.Str()))
	case k == value.Text:
		return value.Str(e.String())
	}
	return value.Value{}
}

func joinList(l, more []value.Value) (value.Value, error) {
	if more[0].IsNull() {
		return value.Value{}, nil
	}
	var parts []string
	for _, x := range l {
		switch {
		case !x.IsNull():
			parts = append(parts, x.String())
		case len(more) > 1 && !more[1].IsNull():
			parts = append(parts, more[1].Str())
		}
	}
	return value.Str(strings.Join(parts, more[0].Str())), nil
}

// sameElement reports whether an element of an array is x: of different kinds by their texts.
func sameElement(e, x value.Value) bool {
	if e.IsNull() || x.IsNull() {
		return e.IsNull() && x.IsNull()
	}
	if e.Kind() == x.Kind() || numberKind(e.Kind()) && numberKind(x.Kind()) {
		return Compare(e, x) == 0
	}
	return e.String() == x.String()
}

func numberKind(k value.Kind) bool {
	return k == value.Integer || k == value.Real || k == value.Numeric
}

// arrayOf is a JSON array of values.
func arrayOf(l []value.Value) (value.Value, error) {
	b := []byte{'['}
	var err error
	for i, x := range l {
		if i > 0 {
			b = append(b, ", "...)
		}
		if b, err = appendAsJSON(b, x); err != nil {
			return value.Value{}, err
		}
	}
	return value.RawJSON(string(append(b, ']'))), nil
}

func stringToArray(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		if args[0].IsNull(int(i)) {
			setNull(out, int(i), n)
			continue
		}
		s := args[0].At(int(i)).Str()
		var parts []string
		switch {
		case s == "":
		case args[1].IsNull(int(i)):
			parts = strings.Split(s, "")
		case args[1].At(int(i)).Str() == "":
			parts = []string{s}
		default:
			parts = strings.Split(s, args[1].At(int(i)).Str())
		}
		var l []value.Value
		for _, p := range parts {
			if len(args) > 2 && !args[2].IsNull(int(i)) && p == args[2].At(int(i)).Str() {
				l = append(l, value.Value{})
			} else {
				l = append(l, value.Str(p))
			}
		}
		v, err := arrayOf(l)
		if err != nil {
			return err
		}
		out.Strs[i] = v.Str()
	}
	return nil
}

// stripNulls leaves out members that are null, at any depth.
func stripNulls(s string) (string, error) {
	trimmed := bytes.TrimSpace([]byte(s))
	if len(trimmed) == 0 {
		return s, nil
	}
	switch trimmed[0] {
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return "", err
		}
		parts := make([]string, len(list))
		for i, x := range list {
			p, err := stripNulls(string(x))
			if err != nil {
				return "", err
			}
			parts[i] = p
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	case '{':
		d := json.NewDecoder(bytes.NewReader(trimmed))
		d.Token()
		var parts []string
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return "", err
			}
			var x json.RawMessage
			if err := d.Decode(&x); err != nil {
				return "", err
			}
			if string(bytes.TrimSpace(x)) == "null" {
				continue
			}
			p, err := stripNulls(string(x))
			if err != nil {
				return "", err
			}
			parts = append(parts, string(appendJSONString(nil, key.(string)))+": "+p)
		}
		return "{" + strings.Join(parts, ", ") + "}", nil
	}
	return string(trimmed), nil
}

// arrayAs is an array with its elements, and those of arrays within, as a type.
func arrayAs(l []value.Value, typ string) (value.Value, error) {
	for i, x := range l {
		if x.IsNull() {
			continue
		}
		var err error
		if inner, ok := nested(x); ok && typ != "json" {
			l[i], err = arrayAs(inner, typ)
		} else {
			l[i], err = elementFrom(x, typ)
		}
		if err != nil {
			return value.Value{}, err
		}
	}
	return arrayOf(l)
}

// elementFrom is an element of an array as one of a type.
func elementFrom(x value.Value, typ string) (value.Value, error) {
	s := strings.TrimSpace(x.String())
	wrong := fmt.Errorf("%s is not %s", value.Quote(s), article(typ))
	switch typ {
	case "integer":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return value.Value{}, wrong
		}
		return value.Int(n), nil
	case "real":
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return value.Value{}, wrong
		}
		return value.Float(f), nil
	case "numeric":
		n, err := value.ParseNumeric(s)
		if err != nil {
			return value.Value{}, wrong
		}
		return n, nil
	case "boolean":
		switch strings.ToLower(s) {
		case "true", "t", "yes", "y", "on", "1":
			return value.Bool(true), nil
		case "false", "f", "no", "n", "off", "0":
			return value.Bool(false), nil
		}
		return value.Value{}, wrong
	case "json":
		return x, nil
	}
	return value.Str(x.String()), nil
}
