package fn

import (
	"crypto/sha512"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// CatalogType is a type as PostgreSQL's catalog has it: its number, its size in bytes or -1,
// and what format_type calls it.
type CatalogType struct {
	OID, Size             int64
	Name, Words, Category string
}

// CatalogTypes are the types that columns have. Those of vectors have numbers of a user's.
var CatalogTypes = []CatalogType{
	{16, 1, "bool", "boolean", "B"}, {17, -1, "bytea", "bytea", "U"}, {20, 8, "int8", "bigint", "N"}, {25, -1, "text", "text", "S"},
	{701, 8, "float8", "double precision", "N"}, {1042, -1, "bpchar", "character", "S"}, {1043, -1, "varchar", "character varying", "S"},
	{1082, 4, "date", "date", "D"}, {1184, 8, "timestamptz", "timestamp with time zone", "D"}, {1186, 16, "interval", "interval", "T"},
	{1700, -1, "numeric", "numeric", "N"}, {2950, 16, "uuid", "uuid", "U"}, {3802, -1, "jsonb", "jsonb", "U"}, {16385, -1, "vector", "vector", "U"},
}

// formatType is a type as it is written, with what stands in its parentheses.
func formatType(oid, mod int64) string {
	for _, t := range CatalogTypes {
		switch {
		case t.OID != oid:
		case mod < 0:
			return t.Words
		case t.Name == "varchar" || t.Name == "bpchar":
			return fmt.Sprintf("%s(%d)", t.Words, mod-4)
		case t.Name == "numeric":
			return fmt.Sprintf("%s(%d,%d)", t.Words, (mod-4)>>16, (mod-4)&0xffff)
		case t.Name == "vector":
			return fmt.Sprintf("%s(%d)", t.Words, mod)
		default:
			return t.Words
		}
	}
	return "???"
}

// eachRow is a kernel that sees its arguments as values, NULLs among them.
func eachRow(f func(args []value.Value) (value.Value, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		in := make([]value.Value, len(args))
		for _, i := range fullSel(n, sel) {
			for k, a := range args {
				in[k] = a.At(int(i))
			}
			v, err := f(in)
			if err != nil {
				return err
			}
			if v.IsNull() {
				setNull(out, int(i), n)
			} else {
				setSlot(out, int(i), v)
			}
		}
		return nil
	}
}

// strictRow is eachRow of a function that is NULL where an argument is.
func strictRow(f func(args []value.Value) (value.Value, error)) kernel {
	return eachRow(func(args []value.Value) (value.Value, error) {
		for _, a := range args {
			if a.IsNull() {
				return value.Value{}, nil
			}
		}
		return f(args)
	})
}

// postgresEntries are functions of PostgreSQL that fit in nowhere else, and those by which
// tools ask its catalog.
func postgresEntries() []*Func {
	row := func(name, syntax, doc, example, gives string, result value.Kind, f func([]value.Value) (value.Value, error), args ...kinds) *Func {
		out := &Func{Name: name, Syntax: syntax, Doc: doc, Example: example, Gives: gives, partial: true, nullable: true}
		for _, a := range args {
			out.sigs = append(out.sigs, sig{a, result, strictRow(f), false})
		}
		return out
	}
	places := func(reduce bool) func(args []value.Value) (value.Value, error) {
		return func(args []value.Value) (value.Value, error) {
			var x decimal
			value.ReadNumeric(args[0].Str(), &x)
			if reduce {
				x.Reduce(&x)
			}
			return value.Int(int64(max(0, -x.Exponent))), nil
		}
	}
	null := func([]value.Value) (value.Value, error) { return value.Value{}, nil }
	quoted := &Func{Name: "quote_nullable", Syntax: "quote_nullable(x)", Doc: "as a text in a statement, NULL as the word", Example: "quote_nullable(NULL::text)", Gives: "NULL", nullable: true,
		sigs: []sig{{kinds{anyKind}, text, eachRow(func(a []value.Value) (value.Value, error) {
			if a[0].IsNull() {
				return value.Str("NULL"), nil
			}
			return value.Str("'" + strings.ReplaceAll(a[0].String(), "'", "''") + "'"), nil
		}), false}}}
	return []*Func{
		row("scale", "scale(numeric)", "decimal places that a number is written with", "scale('1.50'::NUMERIC)", "2", integer, places(false), kinds{numeric}),
		row("min_scale", "min_scale(numeric)", "decimal places that a number needs", "min_scale('1.500'::NUMERIC)", "1", integer, places(true), kinds{numeric}),
		{Name: "trim_scale", Syntax: "trim_scale(numeric)", Doc: "without zeros at the end of its decimals", Example: "trim_scale('1.500'::NUMERIC)", Gives: "1.5", partial: true,
			sigs: []sig{{kinds{numeric}, numeric, numeric1(func(out, a *decimal) error {
				if out.Reduce(a); out.Exponent > 0 {
					rescale(out, 0, false)
				}
				return nil
			}), false}}},
		{Name: "asinh", Syntax: "asinh(x)", Doc: "inverse hyperbolic sine", Example: "asinh(0)", Gives: "0", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(func(x float64) (float64, error) { return math.Asinh(x), nil }), false}}},
		{Name: "acosh", Syntax: "acosh(x)", Doc: "inverse hyperbolic cosine", Example: "acosh(1)", Gives: "0", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(func(x float64) (float64, error) {
				if x < 1 {
					return 0, fmt.Errorf("acosh takes a number from 1, not %v", x)
				}
				return math.Acosh(x), nil
			}), false}}},
		{Name: "atanh", Syntax: "atanh(x)", Doc: "inverse hyperbolic tangent", Example: "atanh(0)", Gives: "0", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(func(x float64) (float64, error) {
				if !(x > -1 && x < 1) {
					return 0, fmt.Errorf("atanh takes a number between -1 and 1, not %v", x)
				}
				return math.Atanh(x), nil
			}), false}}},
		{Name: "sha512", Syntax: "sha512(text or blob)", Doc: "SHA-512 sum, 64 bytes", Example: "left(encode(sha512('abc'), 'hex'), 8)", Gives: "ddaf35a1",
			sigs: []sig{{kinds{text}, blob, text1(sha512Bytes), false}, {kinds{blob}, blob, text1(sha512Bytes), false}}},
		quoted,
		{Name: "unistr", Syntax: "unistr(text)", Doc: `with characters for \XXXX, \uXXXX, \+XXXXXX and \UXXXXXXXX`, Example: `unistr('d\0061t\+000061')`, Gives: "data", partial: true,
			sigs: []sig{{kinds{text}, text, textsTry(func(a []string) (string, error) { return unistr(a[0]) }), false}}},
		row("parse_ident", "parse_ident(name)", "parts of a name with points, as a JSON array", `parse_ident('"A".b')`, `["A", "b"]`, jsonKind, func(a []value.Value) (value.Value, error) { return parseIdent(a[0].Str()) }, kinds{text}),
		row("similar_to", "similar_to(text, pattern [, escape])", "whether the whole of a text matches a pattern of SQL: % and _ beside | * + ? {m,n} ( ) [ ]; text SIMILAR TO pattern is short for it", "similar_to('abc', '(a|b)%')", "true", boolean, similarTo(), kinds{text, text}, kinds{text, text, text}),
		row("array_prepend", "array_prepend(x, array)", "array with x at its start", "array_prepend(1, '[2, 3]')", "[1, 2, 3]", jsonKind, nil).
			withNull(kinds{anyKind, jsonKind}, jsonKind, arrayPrepend).withNull(kinds{anyKind, text}, jsonKind, arrayPrepend),
		row("arrayoverlap", "arrayoverlap(a, b)", "whether two arrays have an element in common", "arrayoverlap('[1, 2]', '[2, 3]')", "true", boolean, func(a []value.Value) (value.Value, error) {
			x, ok := Elements(a[0])
			y, okToo := Elements(a[1])
			if !ok || !okToo {
				return value.Value{}, errors.New("arrayoverlap takes two arrays (ARRAY[1, 2], JSON or '{1,2}')")
			}
			for _, e := range x {
				for _, f := range y {
					if !e.IsNull() && sameElement(e, f) {
						return value.Bool(true), nil
					}
				}
			}
			return value.Bool(false), nil
		}, kinds{jsonKind, jsonKind}, kinds{jsonKind, text}, kinds{text, jsonKind}, kinds{text, text}),
		row("jsonb_insert", "jsonb_insert(json, path, x [, after])", "with x put before, or after, the element of an array at a path, or as a member that is not there yet", `jsonb_insert('{"a": [1, 2]}', '{a,1}', '9')`, `{"a": [1, 9, 2]}`, jsonKind, insertJSON,
			kinds{jsonKind, text, jsonKind}, kinds{jsonKind, jsonKind, jsonKind}, kinds{jsonKind, text, jsonKind, boolean}, kinds{jsonKind, jsonKind, jsonKind, boolean}),
		{Name: "clock_timestamp", Syntax: "clock_timestamp()", Doc: "time at which the row is computed", Example: "clock_timestamp() >= now()", Gives: "true", Stable: true, volatile: true,
			sigs: []sig{{nil, timestamp, func(_ *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
				each(n, sel, func(i int) { out.Ints[i] = time.Now().UnixMicro() })
				return nil
			}, false}}},

		{Name: "current_user", Syntax: "current_user", Doc: "lupa: a store has no users; also session_user and user", Example: "current_user", Gives: "lupa",
			sigs: []sig{{nil, text, constantKernel("lupa"), false}}},
		row("format_type", "format_type(oid, modifier)", "type of a column as it is written, from pg_attribute", "format_type(1043, 24)", "character varying(20)", text, nil).withNull(kinds{integer, integer}, text, func(a []value.Value) (value.Value, error) {
			mod := int64(-1)
			if !a[1].IsNull() {
				mod = a[1].Int()
			}
			if a[0].IsNull() {
				return value.Value{}, nil
			}
			return value.Str(formatType(a[0].Int(), mod)), nil
		}),
		row("pg_get_expr", "pg_get_expr(adbin, table)", "default of a column or condition of a CHECK, from pg_attrdef and pg_constraint", "pg_get_expr('1 + 2', 0)", "1 + 2", text, func(a []value.Value) (value.Value, error) { return a[0], nil }, kinds{text, integer}, kinds{text, integer, boolean}),
		row("pg_get_serial_sequence", "pg_get_serial_sequence(table, column)", "what PostgreSQL calls the numbers of a column", "pg_get_serial_sequence('t', 'id')", "public.t_id_seq", text, func(a []value.Value) (value.Value, error) {
			table := strings.TrimPrefix(strings.ReplaceAll(a[0].Str(), `"`, ""), "public.")
			return value.Str("public." + table + "_" + a[1].Str() + "_seq"), nil
		}, kinds{text, text}),
		row("pg_index_column_has_property", "pg_index_column_has_property(index, column, property)", "what holds of a column of an index, all of which ascend, NULLs last", "pg_index_column_has_property(1, 1, 'asc')", "true", boolean, func(a []value.Value) (value.Value, error) {
			switch p := strings.ToLower(a[2].Str()); p {
			case "asc", "nulls_last", "orderable", "returnable":
				return value.Bool(true), nil
			case "desc", "nulls_first", "distance_orderable", "search_array", "search_nulls":
				return value.Bool(false), nil
			default:
				return value.Value{}, nil
			}
		}, kinds{integer, integer, text}),
		row("current_setting", "current_setting(name [, missing_ok])", "value of a setting that SHOW gives, too", "current_setting('server_version_num')", "150000", text, currentSetting, kinds{text}, kinds{text, boolean}),
		row("set_config", "set_config(name, value, local)", "value, which has no effect here", "set_config('application_name', 'lupa', false)", "lupa", text, func(a []value.Value) (value.Value, error) { return a[1], nil }, kinds{text, text, boolean}),
		row("pg_table_is_visible", "pg_table_is_visible(oid)", "true: there is one schema", "pg_table_is_visible(1)", "true", boolean, func([]value.Value) (value.Value, error) { return value.Bool(true), nil }, kinds{integer}),
		row("pg_get_userbyid", "pg_get_userbyid(oid)", "lupa: a store has no users", "pg_get_userbyid(10)", "lupa", text, func([]value.Value) (value.Value, error) { return value.Str("lupa"), nil }, kinds{integer}),
		row("pg_relation_is_publishable", "pg_relation_is_publishable(table)", "false: nothing is replicated", "pg_relation_is_publishable(1)", "false", boolean, func([]value.Value) (value.Value, error) { return value.Bool(false), nil }, kinds{integer}),
		row("pg_partition_ancestors", "pg_partition_ancestors(table)", "NULL: there are no partitions", "pg_partition_ancestors(1) IS NULL", "true", integer, null, kinds{integer}),
		row("pg_get_ruledef", "pg_get_ruledef(rule [, pretty])", "NULL: there are no rules", "pg_get_ruledef(1) IS NULL", "true", text, null, kinds{integer}, kinds{integer, boolean}),
		row("pg_get_triggerdef", "pg_get_triggerdef(trigger [, pretty])", "NULL: there are no triggers", "pg_get_triggerdef(1) IS NULL", "true", text, null, kinds{integer}, kinds{integer, boolean}),
		row("pg_get_statisticsobjdef_columns", "pg_get_statisticsobjdef_columns(oid)", "NULL: there are no extended statistics", "pg_get_statisticsobjdef_columns(1) IS NULL", "true", text, null, kinds{integer}),
		row("obj_description", "obj_description(oid [, catalog])", "NULL: there are no comments", "obj_description(1, 'pg_class') IS NULL", "true", text, null, kinds{integer}, kinds{integer, text}),
		row("col_description", "col_description(oid, column)", "NULL: there are no comments", "col_description(1, 1) IS NULL", "true", text, null, kinds{integer, integer}),
	}
}

// Settings are the values of what tools ask for with SHOW and current_setting.
var Settings = map[string]string{
	"timezone": "UTC", "": "UTC", "server_version": "15.0 (Lupa)", "server_version_num": "150000", "server_encoding": "UTF8",
	"client_encoding": "UTF8", "standard_conforming_strings": "on", "transaction_isolation": "serializable",
	"datestyle": "ISO, YMD", "integer_datetimes": "on", "search_path": "public", "statement_timeout": "0", "lc_collate": "C",
}

func currentSetting(a []value.Value) (value.Value, error) {
	name := strings.ToLower(a[0].Str())
	if v, ok := Settings[name]; ok && name != "" {
		return value.Str(v), nil
	}
	if len(a) > 1 && a[1].Bool() {
		return value.Value{}, nil
	}
	return value.Value{}, fmt.Errorf("there is no setting %s; current_setting(name, true) gives NULL for one", value.Quote(a[0].Str()))
}

// arrayPrepend is array_prepend; without an array x is alone.
func arrayPrepend(a []value.Value) (value.Value, error) {
	if a[1].IsNull() {
		return arrayOf(a[:1])
	}
	l, ok := Elements(a[1])
	if !ok {
		return value.Value{}, fmt.Errorf("array_prepend takes a value and an array, not %s", value.Quote(a[1].String()))
	}
	return arrayOf(append([]value.Value{a[0]}, l...))
}

// withNull gives a function a signature whose kernel sees NULLs.
func (f *Func) withNull(args kinds, result value.Kind, of func([]value.Value) (value.Value, error)) *Func {
	f.sigs = append(f.sigs, sig{args, result, eachRow(of), false})
	return f
}

func sha512Bytes(s string) string {
	sum := sha512.Sum512([]byte(s))
	return string(sum[:])
}

func unistr(s string) (string, error) {
	var b strings.Builder
	for {
		at := strings.IndexByte(s, '\\')
		if at < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:at])
		s = s[at+1:]
		digits := 4
		switch {
		case strings.HasPrefix(s, `\`):
			b.WriteByte('\\')
			s = s[1:]
			continue
		case strings.HasPrefix(s, "u"):
			s = s[1:]
		case strings.HasPrefix(s, "+"):
			s, digits = s[1:], 6
		case strings.HasPrefix(s, "U"):
			s, digits = s[1:], 8
		}
		if len(s) < digits {
			return "", errors.New(`unistr: a character is written \XXXX, \+XXXXXX, \uXXXX or \UXXXXXXXX, and \\ is a backslash`)
		}
		n, err := strconv.ParseUint(s[:digits], 16, 32)
		if err != nil || n == 0 || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return "", fmt.Errorf("unistr: %s is no character", value.Quote(s[:digits]))
		}
		b.WriteRune(rune(n))
		s = s[digits:]
	}
}

func parseIdent(s string) (value.Value, error) {
	wrong := fmt.Errorf("%s is not a name", value.Quote(s))
	var parts []value.Value
	rest := strings.TrimSpace(s)
	for {
		if strings.HasPrefix(rest, `"`) {
			var b strings.Builder
			for rest = rest[1:]; ; {
				at := strings.IndexByte(rest, '"')
				if at < 0 {
					return value.Value{}, wrong
				}
				b.WriteString(rest[:at])
				if rest = rest[at+1:]; !strings.HasPrefix(rest, `"`) {
					break
				}
				b.WriteByte('"')
				rest = rest[1:]
			}
			if b.Len() == 0 {
				return value.Value{}, wrong
			}
			parts = append(parts, value.Str(b.String()))
		} else {
			n := strings.IndexFunc(rest, func(r rune) bool {
				return r != '_' && r != '$' && r < utf8.RuneSelf && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
			})
			if n < 0 {
				n = len(rest)
			}
			if n == 0 || rest[0] >= '0' && rest[0] <= '9' || rest[0] == '$' {
				return value.Value{}, wrong
			}
			parts = append(parts, value.Str(strings.ToLower(rest[:n])))
			rest = rest[n:]
		}
		if rest = strings.TrimLeft(rest, " \t\n"); rest == "" {
			return arrayOf(parts)
		}
		if rest[0] != '.' {
			return value.Value{}, wrong
		}
		rest = strings.TrimLeft(rest[1:], " \t\n")
	}
}

// similarTo compares with patterns of SIMILAR TO, the last of which it has as an expression.
func similarTo() func(args []value.Value) (value.Value, error) {
	return func(args []value.Value) (value.Value, error) {
		escape := `\`
		if len(args) > 2 {
			if escape = args[2].Str(); utf8.RuneCountInString(escape) > 1 {
				return value.Value{}, errors.New("SIMILAR TO: ESCAPE takes one character, or none")
			}
		}
		re, err := similarPattern(args[1].Str(), escape)
		if err != nil {
			return value.Value{}, err
		}
		return value.Bool(re.MatchString(args[0].Str())), nil
	}
}

// similarPattern is a pattern of SIMILAR TO as a regular expression.
func similarPattern(pattern, escape string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)^(?:`)
	set := false
	for rest := pattern; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		c := rest[:n]
		rest = rest[n:]
		switch {
		case escape != "" && c == escape:
			if rest == "" {
				return nil, fmt.Errorf("SIMILAR TO: the pattern ends with the escape character %q; double it to mean itself", escape)
			}
			_, n = utf8.DecodeRuneInString(rest)
			b.WriteString(regexp.QuoteMeta(rest[:n]))
			rest = rest[n:]
		case set:
			if set = r != ']'; r == '\\' || r == '[' && !strings.HasPrefix(rest, ":") {
				b.WriteByte('\\')
			}
			b.WriteString(c)
			if r == '[' && strings.HasPrefix(rest, ":") { // [[:alpha:]]
				if end := strings.Index(rest, ":]"); end > 0 {
					b.WriteString(rest[:end+2])
					rest = rest[end+2:]
				}
			}
		case r == '[':
			set = true
			b.WriteString(c)
			if strings.HasPrefix(rest, "^") {
				b.WriteByte('^')
				rest = rest[1:]
			}
			if strings.HasPrefix(rest, "]") {
				b.WriteString(`\]`)
				rest = rest[1:]
			}
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteByte('.')
		case r == '(':
			b.WriteString("(?:")
		case strings.ContainsRune(".^$\\", r):
			b.WriteString(regexp.QuoteMeta(c))
		default:
			b.WriteString(c)
		}
	}
	b.WriteString(`)$`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("SIMILAR TO: %s is not a pattern of it", value.Quote(pattern))
	}
	return re, nil
}

// insertJSON is jsonb_insert.
func insertJSON(args []value.Value) (value.Value, error) {
	path, err := jsonPath(args[1].Str())
	if err != nil {
		return value.Value{}, err
	}
	doc, err := decodeJSON(args[0].Str())
	if err != nil {
		return value.Value{}, notJSON(args[0].Str())
	}
	x, err := decodeJSON(args[2].Str())
	if err != nil {
		return value.Value{}, notJSON(args[2].Str())
	}
	switch doc.(type) {
	case map[string]any, []any:
	default:
		return value.Value{}, errors.New("jsonb_insert: there is no path in a single value")
	}
	if doc, err = insertAt(doc, path, x, len(args) > 3 && args[3].Bool()); err != nil {
		return value.Value{}, err
	}
	return value.RawJSON(string(appendJSONB(nil, doc))), nil
}

func insertAt(doc any, path []string, x any, after bool) (any, error) {
	insert := pathChange{name: "jsonb_insert",
		member: func(m map[string]any, key string) error {
			if _, there := m[key]; there {
				return fmt.Errorf("jsonb_insert: there is a member %s already; jsonb_set replaces it", value.Quote(key))
			}
			m[key] = x
			return nil
		},
		element: func(list []any, at int) []any {
			if at >= 0 && after {
				at++
			}
			return slices.Insert(list, max(0, min(at, len(list))), x)
		},
	}
	return insert.at(doc, path)
}

// toCharSpan is to_char of an interval.
func toCharSpan(a []value.Value) (value.Value, error) {
	s, f := a[0].Span(), a[1].Str()
	us := s.Micros
	fields := []struct {
		name  string
		n     int64
		width int
	}{
		{"HH24", us / 3600e6, 2}, {"HH12", hourOf12(us / 3600e6), 2}, {"HH", hourOf12(us / 3600e6), 2}, {"MI", us / 60e6 % 60, 2}, {"SSSS", us / 1e6, 1}, {"SS", us / 1e6 % 60, 2},
		{"MS", us / 1e3 % 1e3, 3}, {"US", us % 1e6, 6}, {"YYYY", int64(s.Months / 12), 4}, {"YY", int64(s.Months / 12 % 100), 2}, {"MM", int64(s.Months % 12), 2}, {"DD", int64(s.Days), 2},
	}
	var b strings.Builder
	fill := true
next:
	for f != "" {
		if f[0] == '"' {
			part, rest, _ := strings.Cut(f[1:], `"`)
			b.WriteString(part)
			f = rest
			continue
		}
		if len(f) >= 2 && strings.EqualFold(f[:2], "FM") {
			fill, f = false, f[2:]
			continue
		}
		for _, x := range fields {
			if n := len(x.name); len(f) >= n && strings.EqualFold(f[:n], x.name) {
				width := x.width
				if x.n < 0 {
					width++
				}
				if !fill {
					width = 1
				}
				fmt.Fprintf(&b, "%0*d", width, x.n)
				f, fill = f[n:], true
				continue next
			}
		}
		if c := f[0] | 0x20; c >= 'a' && c <= 'z' {
			return value.Value{}, fmt.Errorf("to_char of an INTERVAL does not know the pattern %s: there are YYYY, MM, DD, HH24, HH12, MI, SS, MS and US", value.Quote(a[1].Str()))
		}
		b.WriteByte(f[0])
		f = f[1:]
	}
	return value.Str(b.String()), nil
}

func hourOf12(h int64) int64 {
	if h%12 == 0 {
		return 12
	}
	return h % 12
}

// romanNumber is RN of to_char, 15 characters wide; ok is false where f is another pattern.
func romanNumber(negative bool, digitsOf func(decs int) string, f string) (s string, ok bool) {
	p := f
	trim := len(p) >= 2 && strings.EqualFold(p[:2], "FM")
	if trim {
		p = p[2:]
	}
	if !strings.EqualFold(p, "RN") {
		return "", false
	}
	n, err := strconv.Atoi(digitsOf(0))
	if err != nil || negative || n < 1 || n > 3999 {
		return strings.Repeat("#", 15), true
	}
	var b strings.Builder
	for i, r := range []string{"M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"} {
		for v := [...]int{1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1}[i]; n >= v; n -= v {
			b.WriteString(r)
		}
	}
	if s = b.String(); p[0] == 'r' {
		s = strings.ToLower(s)
	}
	if !trim {
		s = fmt.Sprintf("%15s", s)
	}
	return s, true
}
