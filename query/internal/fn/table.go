package fn

import (
	"strings"
	"sync"

	words "github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Short names of kinds, for the signatures below.
const (
	boolean   = value.Boolean
	integer   = value.Integer
	realKind  = value.Real
	text      = value.Text
	timestamp = value.Timestamp
	date      = value.Date
	interval  = value.Interval
	numeric   = value.Numeric
	blob      = value.Blob
	jsonKind  = value.JSON
	vec       = value.Vector
)

type kinds = []value.Kind

// byName is the table by name, built at first use.
var byName = sync.OnceValue(func() map[string]*Func {
	m := map[string]*Func{}
	for _, f := range entries() {
		m[f.Name] = f
		for _, alias := range aliases[f.Name] {
			m[alias] = f
		}
	}
	return m
})

// aliases are further names of functions and operators.
var aliases = map[string][]string{
	"ceil":               {"ceiling"},
	"power":              {"pow"},
	"substr":             {"substring"},
	"length":             {"char_length", "character_length"},
	"trim":               {"btrim"},
	"l2_norm":            {"vector_norm"},
	"similarity":         {"cosine_similarity"},
	"<>":                 {"!="},
	"file_name":          {"basename"},
	"strpos":             {"instr"},
	"extract":            {"date_part"},
	"octet_length":       {"byte_length"},
	"trunc":              {"truncate"},
	"regexp_matches":     {"regexp_match"},
	"stddev":             {"stddev_samp"},
	"variance":           {"var_samp"},
	"bool_and":           {"every"},
	"array_agg":          {"json_agg", "jsonb_agg"},
	"jsonb_array_length": {"json_array_length"},
	"jsonb_typeof":       {"json_typeof"},
	"json_build_array":   {"jsonb_build_array"},
	"to_json":            {"to_jsonb"},
	"coalesce":           {"ifnull", "nvl"},
	"array_length":       {"array_upper"},
	"pg_typeof":          {"typeof"},
	"ascii":              {"unicode"},
	"make_timestamp":     {"make_timestamptz"},
	"now":                {"transaction_timestamp", "statement_timestamp"},
	"current_user":       {"session_user"},
}

// entries returns the table of everything: add a function here.
var entries = sync.OnceValue(func() []*Func {
	all := []*Func{
		// Numbers
		{Name: "abs", Syntax: "abs(x)", Doc: "absolute value", Example: "abs(-3)", Gives: "3", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(absInt), false}, {kinds{realKind}, realKind, real1(absReal), false}, {kinds{numeric}, numeric, numeric1(absNumeric), false}}},
		{Name: "round", Syntax: "round(x [, digits])", Doc: "nearest whole number, or to so many decimals; halves away from zero", Example: "round(2.567, 1)", Gives: "2.6", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(same[int64]), false}, {kinds{realKind}, realKind, real1(roundReal), false}, {kinds{realKind, integer}, realKind, toDigits(roundTo), false}, {kinds{numeric}, numeric, numeric1(wholeNumeric(true, 0)), false}, {kinds{numeric, integer}, numeric, numericDigits(true), false}}},
		{Name: "floor", Syntax: "floor(x)", Doc: "greatest whole number not above x", Example: "floor(-1.5)", Gives: "-2", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(same[int64]), false}, {kinds{realKind}, realKind, real1(floorReal), false}, {kinds{numeric}, numeric, numeric1(wholeNumeric(false, -1)), false}}},
		{Name: "ceil", Syntax: "ceil(x)", Doc: "least whole number not below x", Example: "ceil(1.2)", Gives: "2", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(same[int64]), false}, {kinds{realKind}, realKind, real1(ceilReal), false}, {kinds{numeric}, numeric, numeric1(wholeNumeric(false, 1)), false}}},
		{Name: "sign", Syntax: "sign(x)", Doc: "-1, 0 or 1", Example: "sign(-7)", Gives: "-1", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(signInt), false}, {kinds{realKind}, realKind, real1(signReal), false}, {kinds{numeric}, numeric, numeric1(signNumeric), false}}},
		{Name: "mod", Syntax: "mod(a, b)", Doc: "remainder of a / b, with the sign of a", Example: "mod(7, 3)", Gives: "1", partial: true,
			sigs: []sig{{kinds{integer, integer}, integer, divKernel(true), false}, {kinds{realKind, realKind}, realKind, real2(modReals), false}, {kinds{numeric, numeric}, numeric, numeric2(modNumeric), false}}},
		{Name: "sqrt", Syntax: "sqrt(x)", Doc: "square root", Example: "sqrt(9)", Gives: "3", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(sqrtReal), false}}},
		{Name: "power", Syntax: "power(a, b)", Doc: "a to the power of b", Example: "power(2, 10)", Gives: "1024", partial: true,
			sigs: []sig{{kinds{realKind, realKind}, realKind, real2(powReals), false}}},
		{Name: "exp", Syntax: "exp(x)", Doc: "e to the power of x", Example: "exp(0)", Gives: "1", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(expReal), false}}},
		{Name: "ln", Syntax: "ln(x)", Doc: "natural logarithm", Example: "ln(1)", Gives: "0", partial: true,
			sigs: []sig{{kinds{realKind}, realKind, real1(lnReal), false}}},

		{Name: "trunc", Syntax: "trunc(x [, digits])", Doc: "without decimals, or all but so many", Example: "trunc(-2.567, 1)", Gives: "-2.5", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(same[int64]), false}, {kinds{realKind}, realKind, real1(truncReal), false}, {kinds{realKind, integer}, realKind, toDigits(truncTo), false}, {kinds{numeric}, numeric, numeric1(wholeNumeric(false, 0)), false}, {kinds{numeric, integer}, numeric, numericDigits(false), false}}},
		{Name: "random", Syntax: "random()", Doc: "another number from 0 up to 1 in every row", Example: "random() < 1", Gives: "true", Stable: true, volatile: true,
			sigs: []sig{{nil, realKind, randomKernel, false}}},
	}
	all = append(all, mathEntries()...)
	all = append(all, []*Func{
		// Texts
		{Name: "lower", Syntax: "lower(text)", Doc: "in lower case", Example: "lower('Wolf')", Gives: "wolf",
			sigs: []sig{{kinds{text}, text, text1(strings.ToLower), false}}},
		{Name: "websearch", Syntax: "websearch(text)", Doc: "what somebody typed into a search box as a query of match() and bm25() that is never an error", Example: "websearch('grey wolf -dog \"in the')", Gives: `(grey wolf "in the") -dog`,
			sigs: []sig{{kinds{text}, text, text1(func(s string) string { return words.Format(words.Forgive(s)) }), false}}},
		{Name: "upper", Syntax: "upper(text)", Doc: "in upper case", Example: "upper('Wolf')", Gives: "WOLF",
			sigs: []sig{{kinds{text}, text, text1(strings.ToUpper), false}}},
		{Name: "length", Syntax: "length(text | blob)", Doc: "number of characters of a text, of bytes of a blob", Example: "length('Käfer')", Gives: "5",
			sigs: []sig{{kinds{text}, integer, lengthKernel, false}, {kinds{blob}, integer, bytesKernel, false}}},
		{Name: "octet_length", Syntax: "octet_length(text | blob)", Doc: "number of bytes", Example: "octet_length('Käfer')", Gives: "6",
			sigs: []sig{{kinds{text}, integer, bytesKernel, false}, {kinds{blob}, integer, bytesKernel, false}}},
		{Name: "substr", Syntax: "substr(text, from [, count])", Doc: "count characters from number from, counted from 1", Example: "substr('castle', 2, 3)", Gives: "ast", partial: true,
			sigs: []sig{{kinds{text, integer}, text, substrKernel, false}, {kinds{text, integer, integer}, text, substrKernel, false}, {kinds{text, text}, text, regexSubstrKernel, false}}},
		{Name: "trim", Syntax: "trim(text [, characters])", Doc: "without blanks (or the given characters) at both ends", Example: "trim('  wolf ')", Gives: "wolf",
			sigs: []sig{{kinds{text}, text, text1(trimSpaces), false}, {kinds{text, text}, text, text2(strings.Trim), false}}},
		{Name: "ltrim", Syntax: "ltrim(text [, characters])", Doc: "without blanks (or the given characters) at the start", Example: "ltrim('xxwolf', 'x')", Gives: "wolf",
			sigs: []sig{{kinds{text}, text, text1(ltrimSpaces), false}, {kinds{text, text}, text, text2(strings.TrimLeft), false}}},
		{Name: "rtrim", Syntax: "rtrim(text [, characters])", Doc: "without blanks (or the given characters) at the end", Example: "rtrim('wolf...', '.')", Gives: "wolf",
			sigs: []sig{{kinds{text}, text, text1(rtrimSpaces), false}, {kinds{text, text}, text, text2(strings.TrimRight), false}}},
		{Name: "replace", Syntax: "replace(text, from, to)", Doc: "with every from replaced by to", Example: "replace('a-b-c', '-', '/')", Gives: "a/b/c", partial: true,
			sigs: []sig{{kinds{text, text, text}, text, replaceKernel, false}}},
		{Name: "split_part", Syntax: "split_part(text, separator, n)", Doc: "n-th part of a text, counted from 1, or from -1 backwards", Example: "split_part('dogs/98.jpg', '/', 2)", Gives: "98.jpg", partial: true,
			sigs: []sig{{kinds{text, text, integer}, text, splitPartKernel, false}}},
		{Name: "strpos", Syntax: "strpos(text, part)", Doc: "place of part in text, counted from 1; 0 if it is not there", Example: "strpos('castle', 'tle')", Gives: "4",
			sigs: []sig{{kinds{text, text}, integer, strposKernel, false}}},
		{Name: "starts_with", Syntax: "starts_with(text, prefix)", Doc: "whether text begins with prefix", Example: "starts_with('castle', 'cas')", Gives: "true",
			sigs: []sig{{kinds{text, text}, boolean, startsWithKernel, false}}},
		{Name: "concat", Syntax: "concat(x, ...)", Doc: "texts of the arguments joined, NULLs left out", Example: "concat('a', 1, NULL, true)", Gives: "a1true", nullable: true,
			infer: inferConcatCall},
		{Name: "file_name", Syntax: "file_name(path)", Doc: "what follows the last slash", Example: "file_name('dogs/98.jpg')", Gives: "98.jpg",
			sigs: []sig{{kinds{text}, text, text1(fileName), false}}},

		{Name: "left", Syntax: "left(text, n)", Doc: "first n characters, or all but the last -n", Example: "left('castle', 3)", Gives: "cas", partial: true,
			sigs: []sig{{kinds{text, integer}, text, textInt(leftText), false}}},
		{Name: "right", Syntax: "right(text, n)", Doc: "last n characters, or all but the first -n", Example: "right('castle', 3)", Gives: "tle", partial: true,
			sigs: []sig{{kinds{text, integer}, text, textInt(rightText), false}}},
		{Name: "lpad", Syntax: "lpad(text, n [, fill])", Doc: "filled at the start, or cut off, to n characters", Example: "lpad('7', 3, '0')", Gives: "007", partial: true,
			sigs: []sig{{kinds{text, integer}, text, padKernel(false), false}, {kinds{text, integer, text}, text, padKernel(false), false}}},
		{Name: "rpad", Syntax: "rpad(text, n [, fill])", Doc: "filled at the end, or cut off, to n characters", Example: "rpad('ab', 4, '.')", Gives: "ab..", partial: true,
			sigs: []sig{{kinds{text, integer}, text, padKernel(true), false}, {kinds{text, integer, text}, text, padKernel(true), false}}},
		{Name: "repeat", Syntax: "repeat(text, n)", Doc: "text n times", Example: "repeat('ab', 3)", Gives: "ababab", partial: true,
			sigs: []sig{{kinds{text, integer}, text, textInt(repeatText), false}}},
		{Name: "reverse", Syntax: "reverse(text)", Doc: "its characters from the end", Example: "reverse('wolf')", Gives: "flow",
			sigs: []sig{{kinds{text}, text, text1(reverseText), false}}},
		{Name: "concat_ws", Syntax: "concat_ws(separator, x, ...)", Doc: "texts of the arguments with separators between them, NULLs left out", Example: "concat_ws('-', 'a', NULL, 1)", Gives: "a-1", nullable: true,
			infer: inferConcatWS},
		{Name: "format", Syntax: "format(text, x, ...)", Doc: "text with %s, %I (a name) and %L (a literal) filled in", Example: "format('%s is %L', 'it', 'so')", Gives: "it is 'so'", nullable: true,
			infer: inferFormat},
		{Name: "to_char", Syntax: "to_char(time or number, pattern)", Doc: "by a pattern: YYYY, MM, DD, HH24, MI, SS, Month, Dy, RM ...; 9, 0, a point, commas, S, MI; FM leaves out blanks", Example: "to_char(TIMESTAMP '2024-05-31', 'DD.MM.YY')", Gives: "31.05.24", partial: true,
			sigs: []sig{{kinds{timestamp, text}, text, toCharTime, false}, {kinds{integer, text}, text, toCharInt, false}, {kinds{numeric, text}, text, toCharNumeric, false}, {kinds{realKind, text}, text, toCharReal, false}, {kinds{interval, text}, text, strictRow(toCharSpan), false}}},
		{Name: "regexp_like", Syntax: "regexp_like(text, pattern [, flags])", Doc: "whether a regular expression (RE2) matches; flags i, n, s", Example: "regexp_like('Wolf', '^w', 'i')", Gives: "true", partial: true,
			sigs: []sig{{kinds{text, text}, boolean, regexLikeKernel, false}, {kinds{text, text, text}, boolean, regexLikeKernel, false}}},
		{Name: "regexp_replace", Syntax: "regexp_replace(text, pattern, to [, flags])", Doc: `first match replaced, with the flag g all; \1 is a group, \& the match`, Example: "regexp_replace('a1b22', '[0-9]+', '#', 'g')", Gives: "a#b#", partial: true,
			sigs: []sig{{kinds{text, text, text}, text, regexReplaceKernel, false}, {kinds{text, text, text, text}, text, regexReplaceKernel, false}}},
		{Name: "regexp_matches", Syntax: "regexp_matches(text, pattern [, flags])", Doc: "groups of the first match as a JSON array, or NULL; with the flag g an array of all of them", Example: "regexp_matches('k=v', '(.)=(.)')", Gives: `["k", "v"]`, partial: true,
			sigs: []sig{{kinds{text, text}, jsonKind, regexMatchKernel, false}, {kinds{text, text, text}, jsonKind, regexMatchKernel, false}}},
		{Name: "md5", Syntax: "md5(text or blob)", Doc: "MD5 sum in hexadecimal digits", Example: "md5('')", Gives: "d41d8cd98f00b204e9800998ecf8427e",
			sigs: []sig{{kinds{text}, text, text1(md5Text), false}, {kinds{blob}, text, text1(md5Text), false}}},
		{Name: "sha256", Syntax: "sha256(text or blob)", Doc: "SHA-256 sum, 32 bytes", Example: "left(encode(sha256('abc'), 'hex'), 8)", Gives: "ba7816bf",
			sigs: []sig{{kinds{text}, blob, text1(sha256Bytes), false}, {kinds{blob}, blob, text1(sha256Bytes), false}}},
		{Name: "encode", Syntax: "encode(blob, 'hex')", Doc: "bytes as hex, base64 or escape", Example: "encode(X'00ff', 'hex')", Gives: "00ff", partial: true,
			sigs: []sig{{kinds{blob, text}, text, text2try(encodeBytes), false}}},
		{Name: "decode", Syntax: "decode(text, 'base64')", Doc: "bytes written as hex, base64 or escape", Example: "length(decode('AAH/', 'base64'))", Gives: "3", partial: true,
			sigs: []sig{{kinds{text, text}, blob, text2try(decodeBytes), false}}},
	}...)
	all = append(append(append(all, moreTextEntries()...), patternEntries()...), append(listEntries(), postgresEntries()...)...)
	all = append(all, []*Func{
		// Choosing
		{Name: "coalesce", Syntax: "coalesce(x, ...)", Doc: "first argument that is not NULL", Example: "coalesce(NULL, 'none')", Gives: "none", nullable: true,
			infer: inferCommon("coalesce", 1, 0, coalesceKernel)},
		{Name: "nullif", Syntax: "nullif(a, b)", Doc: "NULL if a = b, otherwise a", Example: "nullif('wolf', '')", Gives: "wolf", nullable: true,
			infer: inferCommon("nullif", 2, 2, nullifKernel)},
		{Name: "greatest", Syntax: "greatest(x, ...)", Doc: "greatest argument that is not NULL", Example: "greatest(1, 3, 2)", Gives: "3", nullable: true,
			infer: inferCommon("greatest", 1, 0, extremeKernel(1))},
		{Name: "least", Syntax: "least(x, ...)", Doc: "least argument that is not NULL", Example: "least(1, 3, 2)", Gives: "1", nullable: true,
			infer: inferCommon("least", 1, 0, extremeKernel(-1))},

		// Time
		{Name: "current_schema", Syntax: "current_schema()", Doc: "public: there is one schema", Example: "current_schema()", Gives: "public",
			sigs: []sig{{nil, text, constantKernel("public"), false}}},
		{Name: "current_database", Syntax: "current_database()", Doc: "lupa, as information_schema has it", Example: "current_database()", Gives: "lupa",
			sigs: []sig{{nil, text, constantKernel("lupa"), false}}},
		{Name: "now", Syntax: "now()", Doc: "time at which the statement began", Example: "now() > '2020-01-01'", Gives: "true", Stable: true,
			sigs: []sig{{nil, timestamp, nowKernel, false}}},
		{Name: "current_date", Syntax: "current_date", Doc: "day on which the statement began, in UTC", Example: "current_date > '2020-01-01'", Gives: "true", Stable: true,
			sigs: []sig{{nil, date, currentDate, false}}},
		{Name: "age", Syntax: "age(t [, since])", Doc: "years, months, days and time from since, without it from t, to t, without it to the start of today", Example: "age('2024-03-01', DATE '2024-01-31')", Gives: "1 mon 1 day", partial: true, Stable: true,
			sigs: []sig{{kinds{timestamp}, interval, ageKernel, false}, {kinds{timestamp, timestamp}, interval, ageKernel, false}}},
		{Name: "make_date", Syntax: "make_date(year, month, day)", Doc: "a date", Example: "make_date(2024, 5, 31)", Gives: "2024-05-31", partial: true,
			sigs: []sig{{kinds{integer, integer, integer}, date, makeDate, false}}},
		{Name: "date", Syntax: "date(t)", Doc: "day of a time, t::DATE", Example: "date('2024-05-31 12:30:00')", Gives: "2024-05-31", partial: true,
			sigs: []sig{{kinds{date}, date, int1(same[int64]), false}, {kinds{timestamp}, date, castTimeDate, false}}},
		{Name: "date_bin", Syntax: "date_bin(stride, t, origin)", Doc: "start of the interval that t lies in, counted from origin", Example: "date_bin('15 minutes', '2024-05-31 12:37:00', '2024-01-01')", Gives: "2024-05-31 12:30:00", partial: true,
			sigs: []sig{{kinds{interval, timestamp, timestamp}, timestamp, dateBin, false}}},
		{Name: "timezone", Syntax: "timezone(zone, t)", Doc: "clock time in a zone, t AT TIME ZONE zone", Example: "timezone('Europe/Berlin', '2024-05-31 12:00:00')", Gives: "2024-05-31 14:00:00", partial: true,
			sigs: []sig{{kinds{text, timestamp}, timestamp, inZone(false), false}}},
		{Name: "from_timezone", Syntax: "from_timezone(zone, t)", Doc: "time at which clocks in a zone show t", Example: "from_timezone('Europe/Berlin', '2024-05-31 14:00:00')", Gives: "2024-05-31 12:00:00", partial: true,
			sigs: []sig{{kinds{text, timestamp}, timestamp, inZone(true), false}}},
		{Name: "justify_interval", Syntax: "justify_interval(i)", Doc: "with 24 hours as a day, 30 days as a month", Example: "justify_interval('1 mon 35 days 27:00:00')", Gives: "2 mons 6 days 03:00:00", partial: true,
			sigs: []sig{{kinds{interval}, interval, spans(justify), false}}},
		{Name: "date_trunc", Syntax: "date_trunc('month', t [, zone])", Doc: "start of the second, minute, hour, day, week, month, quarter or year, of that which clocks in a zone show; of an interval, what is left without smaller parts", Example: "date_trunc('month', '2024-05-31 12:30:00')", Gives: "2024-05-01 00:00:00", partial: true,
			sigs: []sig{{kinds{text, timestamp}, timestamp, dateTruncKernel, false}, {kinds{text, timestamp, text}, timestamp, dateTruncZone, false}, {kinds{text, interval}, interval, truncSpan, false}}},
		{Name: "extract", Syntax: "extract(year FROM t)", Doc: "year, quarter, month, week, day, hour, minute, second, dow, doy or epoch of a time", Example: "extract(year FROM TIMESTAMP '2024-05-31')", Gives: "2024", partial: true,
			sigs: []sig{{kinds{text, timestamp}, realKind, extractKernel, false}, {kinds{text, interval}, realKind, extractSpan, false}}},
		{Name: "to_timestamp", Syntax: "to_timestamp(seconds | text, pattern)", Doc: "time so many seconds after 1970, or of a text that is read by a pattern of to_char", Example: "to_timestamp(86400)", Gives: "1970-01-02 00:00:00", partial: true,
			sigs: []sig{{kinds{realKind}, timestamp, toTimestampKernel, false}, {kinds{text, text}, timestamp, toTimestampText, false}}},

		// JSON
		{Name: "jsonb_array_length", Syntax: "jsonb_array_length(json)", Doc: "number of elements of an array", Example: "jsonb_array_length('[1, [2, 3]]')", Gives: "2", partial: true,
			sigs: []sig{{kinds{jsonKind}, integer, json1(intsOf, arrayLength), false}}},
		{Name: "jsonb_typeof", Syntax: "jsonb_typeof(json)", Doc: "object, array, string, number, boolean or null", Example: "jsonb_typeof('[1]')", Gives: "array", partial: true,
			sigs: []sig{{kinds{jsonKind}, text, json1(strsOf, jsonType), false}}},
		{Name: "jsonb_build_object", Syntax: "jsonb_build_object(name, x, ...)", Doc: "object of names and values in turn; json_build_object keeps their order", Example: "jsonb_build_object('b', 1, 'a', true)", Gives: `{"a": true, "b": 1}`, nullable: true,
			infer: inferBuild(buildObject, true)},
		{Name: "json_build_object", Syntax: "json_build_object(name, x, ...)", Doc: "object of names and values in turn", Example: "json_build_object('b', 1, 'a', true)", Gives: `{"b": 1, "a": true}`, nullable: true,
			infer: inferBuild(buildObject, false)},
		{Name: "json_build_array", Syntax: "json_build_array(x, ...)", Doc: "array of any values; also ARRAY[x, ...]", Example: "json_build_array(1, 'a', NULL)", Gives: `[1, "a", null]`, nullable: true,
			infer: inferBuild(buildArray, false)},
		{Name: "to_json", Syntax: "to_json(x)", Doc: "any value as JSON", Example: "to_json('a'::text)", Gives: `"a"`, partial: true,
			infer: inferToJSON},
		{Name: "jsonb_set", Syntax: "jsonb_set(json, path, x [, create])", Doc: "with x at a path; without create only where there is something", Example: `jsonb_set('{"a": [1, 2]}', '{a,0}', '9')`, Gives: `{"a": [9, 2]}`, partial: true,
			sigs: []sig{{kinds{jsonKind, text, jsonKind}, jsonKind, setKernel, false}, {kinds{jsonKind, jsonKind, jsonKind}, jsonKind, setKernel, false}, {kinds{jsonKind, text, jsonKind, boolean}, jsonKind, setKernel, false}, {kinds{jsonKind, jsonKind, jsonKind, boolean}, jsonKind, setKernel, false}}},

		// Vectors
		{Name: "similarity", Syntax: "similarity(a, b)", Doc: "cosine similarity, a score: ORDER BY puts the best first", Example: "similarity([1, 0], [2, 0])", Gives: "1", partial: true,
			sigs: []sig{{kinds{vec, vec}, realKind, measureKernel("similarity"), false}}},
		{Name: "cosine_distance", Syntax: "cosine_distance(a, b)", Doc: "1 - cosine similarity, a <=> b", Example: "cosine_distance([1, 0], [0, 1])", Gives: "1", partial: true,
			sigs: []sig{{kinds{vec, vec}, realKind, measureKernel("cosine_distance"), false}}},
		{Name: "l2_distance", Syntax: "l2_distance(a, b)", Doc: "Euclidean distance, a <-> b", Example: "l2_distance([0, 0], [3, 4])", Gives: "5", partial: true,
			sigs: []sig{{kinds{vec, vec}, realKind, measureKernel("l2_distance"), false}}},
		{Name: "l1_distance", Syntax: "l1_distance(a, b)", Doc: "taxicab distance, a <+> b", Example: "l1_distance([0, 0], [3, 4])", Gives: "7", partial: true,
			sigs: []sig{{kinds{vec, vec}, realKind, measureKernel("l1_distance"), false}}},
		{Name: "inner_product", Syntax: "inner_product(a, b)", Doc: "sum of the products; a <#> b is its negative", Example: "inner_product([1, 2], [3, 4])", Gives: "11", partial: true,
			sigs: []sig{{kinds{vec, vec}, realKind, measureKernel("inner_product"), false}}},
		{Name: "best_score", Syntax: "best_score(liked, disliked)", Doc: "liked where it is the greater one, else -disliked * disliked, of similarities: see recommend; a score", Example: "best_score(0.25, 0.5)", Gives: "-0.25", nullable: true,
			sigs: []sig{{kinds{realKind, realKind}, realKind, bestScoreKernel, false}}},
		{Name: "relevance_at", Syntax: "relevance_at(score, curve)", Doc: "relevance of a similarity; the curve is a vector of the similarity at 0.5 and of the slope: see relevance; a score", Example: "relevance_at(0.25, [0.25, 100])", Gives: "0.5",
			sigs: []sig{{kinds{realKind, vec}, realKind, curveKernel("relevance_at", vector.Curve.At), false}}, partial: true},
		{Name: "similarity_at", Syntax: "similarity_at(relevance, curve)", Doc: "similarity that has the relevance, a little less: see relevance", Example: "round(similarity_at(0.5, [0.25, 100]), 6)", Gives: "0.25",
			sigs: []sig{{kinds{realKind, vec}, realKind, curveKernel("similarity_at", vector.Curve.Below), false}}, partial: true},
		{Name: "l2_norm", Syntax: "l2_norm(v)", Doc: "length of a vector", Example: "l2_norm([3, 4])", Gives: "5",
			sigs: []sig{{kinds{vec}, realKind, normKernel, false}}},
		{Name: "l2_normalize", Syntax: "l2_normalize(v)", Doc: "v divided by its length; a zero vector stays zero", Example: "l2_normalize([3, 4])", Gives: "[0.6,0.8]",
			sigs: []sig{{kinds{vec}, vec, normalizeKernel, false}}},
		{Name: "vector_dims", Syntax: "vector_dims(v)", Doc: "number of dimensions", Example: "vector_dims([1, 2, 3])", Gives: "3",
			sigs: []sig{{kinds{vec}, integer, dimsKernel, false}}},
		{Name: "vector", Syntax: "vector(x, ...)", Doc: "vector of the given numbers", Example: "vector(1, 2.5)", Gives: "[1,2.5]", partial: true,
			infer: inferVector},
		{Name: "subvector", Syntax: "subvector(v, from, count)", Doc: "count dimensions from number from, counted from 1", Example: "subvector([1, 2, 3, 4], 2, 2)", Gives: "[2,3]", partial: true, ownDim: true,
			sigs: []sig{{kinds{vec, integer, integer}, vec, subvectorKernel, false}}},
		{Name: "binary_quantize", Syntax: "binary_quantize(v)", Doc: "a bit for each dimension, 1 above zero, as a blob", Example: "encode(binary_quantize([1, -1, 0.5]), 'hex')", Gives: "a0",
			sigs: []sig{{kinds{vec}, blob, quantizeKernel, false}}},
		{Name: "hamming_distance", Syntax: "hamming_distance(a, b)", Doc: "bits that differ, a <~> b, of blobs or of texts of 0 and 1", Example: "hamming_distance('1100', '1010')", Gives: "2", partial: true,
			sigs: []sig{{kinds{blob, blob}, realKind, bitsKernel("hamming_distance", hamming), false}, {kinds{text, text}, realKind, bitsKernel("hamming_distance", hamming), false}}},
		{Name: "jaccard_distance", Syntax: "jaccard_distance(a, b)", Doc: "1 - common bits / bits of either, a <%> b", Example: "jaccard_distance('1100', '1000')", Gives: "0.5", partial: true,
			sigs: []sig{{kinds{blob, blob}, realKind, bitsKernel("jaccard_distance", jaccard), false}, {kinds{text, text}, realKind, bitsKernel("jaccard_distance", jaccard), false}}},

		// Aggregates
		{Name: "count", Category: Aggregate, Syntax: "count(*) or count([DISTINCT] x)", Doc: "number of rows, or of values that are not NULL", agg: newCount},
		{Name: "sum", Category: Aggregate, Syntax: "sum([DISTINCT] number or vector)", Doc: "sum; NULL of no rows", agg: newSum},
		{Name: "avg", Category: Aggregate, Syntax: "avg([DISTINCT] number or vector)", Doc: "mean; NULL of no rows", agg: newAvg},
		{Name: "min", Category: Aggregate, Syntax: "min(x)", Doc: "least value", agg: newMin},
		{Name: "max", Category: Aggregate, Syntax: "max(x)", Doc: "greatest value", agg: newMax},
		{Name: "bool_and", Category: Aggregate, Syntax: "bool_and(x)", Doc: "whether all are true", joint: fixedArgs("bool_and", "bool_and(x)", kinds{boolean}, func(*AggregateCall) Aggregator { return &boolAgg{} })},
		{Name: "bool_or", Category: Aggregate, Syntax: "bool_or(x)", Doc: "whether one is true", joint: fixedArgs("bool_or", "bool_or(x)", kinds{boolean}, func(*AggregateCall) Aggregator { return &boolAgg{or: true} })},
		{Name: "stddev", Category: Aggregate, Syntax: "stddev(x)", Doc: "standard deviation of a sample; stddev_pop is that of all", joint: momentsOf("stddev", root(varSamp), false)},
		{Name: "stddev_pop", Category: Aggregate, Syntax: "stddev_pop(x)", Doc: "standard deviation", joint: momentsOf("stddev_pop", root(varPop), false)},
		{Name: "variance", Category: Aggregate, Syntax: "variance(x)", Doc: "variance of a sample; var_pop is that of all", joint: momentsOf("variance", varSamp, false)},
		{Name: "var_pop", Category: Aggregate, Syntax: "var_pop(x)", Doc: "variance", joint: momentsOf("var_pop", varPop, false)},
		{Name: "corr", Category: Aggregate, Syntax: "corr(y, x)", Doc: "correlation", joint: momentsOf("corr", correlation, true)},
		{Name: "covar_samp", Category: Aggregate, Syntax: "covar_samp(y, x)", Doc: "covariance of a sample", joint: momentsOf("covar_samp", covarSamp, true)},
		{Name: "covar_pop", Category: Aggregate, Syntax: "covar_pop(y, x)", Doc: "covariance", joint: momentsOf("covar_pop", covarPop, true)},
		{Name: "regr_slope", Category: Aggregate, Syntax: "regr_slope(y, x)", Doc: "slope of the line nearest to the points", joint: momentsOf("regr_slope", slope, true)},
		{Name: "regr_intercept", Category: Aggregate, Syntax: "regr_intercept(y, x)", Doc: "where that line is at x = 0", joint: momentsOf("regr_intercept", intercept, true)},
		{Name: "median", Category: Aggregate, Syntax: "median(x)", Doc: "value in the middle of the numbers", joint: collector("median", "median(x)", kinds{realKind}, realKind, true, finishMedian)},
		{Name: "percentile_cont", Category: Aggregate, Syntax: "percentile_cont(fraction) WITHIN GROUP (ORDER BY x)", Doc: "number at a fraction of the sorted ones, in between two if need be", within: true, joint: collector("percentile_cont", "percentile_cont(fraction) WITHIN GROUP (ORDER BY x)", kinds{realKind, realKind}, realKind, false, finishPercentile)},
		{Name: "percentile_disc", Category: Aggregate, Syntax: "percentile_disc(fraction) WITHIN GROUP (ORDER BY x)", Doc: "first value at or behind a fraction of the sorted ones", within: true, joint: collector("percentile_disc", "percentile_disc(fraction) WITHIN GROUP (ORDER BY x)", kinds{anyKind, realKind}, anyKind, false, finishDiscrete)},
		{Name: "mode", Category: Aggregate, Syntax: "mode() WITHIN GROUP (ORDER BY x)", Doc: "most frequent value", within: true, joint: collector("mode", "mode() WITHIN GROUP (ORDER BY x)", kinds{anyKind}, anyKind, false, finishMode)},
		{Name: "string_agg", Category: Aggregate, Syntax: "string_agg([DISTINCT] text, separator [ORDER BY ...])", Doc: "texts joined", joint: collector("string_agg", "string_agg(text, separator)", kinds{text, text}, text, false, finishText)},
		{Name: "array_agg", Category: Aggregate, Syntax: "array_agg([DISTINCT] x [ORDER BY ...])", Doc: "values as a JSON array, NULLs too; also json_agg", takesNull: true, joint: collector("array_agg", "array_agg(x)", kinds{anyKind}, jsonKind, false, finishArray)},
		{Name: "jsonb_object_agg", Category: Aggregate, Syntax: "jsonb_object_agg(name, x [ORDER BY ...])", Doc: "JSON object of names and values; of a name that comes twice the last one", takesNull: true, joint: collector("jsonb_object_agg", "jsonb_object_agg(name, x)", kinds{text, anyKind}, jsonKind, false, finishObjectB)},
		{Name: "json_object_agg", Category: Aggregate, Syntax: "json_object_agg(name, x [ORDER BY ...])", Doc: "JSON object of names and values", takesNull: true, joint: collector("json_object_agg", "json_object_agg(name, x)", kinds{text, anyKind}, jsonKind, false, finishObject)},
	}...)
	all = append(all, aggregateEntries()...)
	all = append(all, []*Func{
		// Window functions
		{Name: "row_number", Category: Window, Syntax: "row_number() OVER (...)", Doc: "number of the row in its partition, from 1", window: RowNumber},
		{Name: "rank", Category: Window, Syntax: "rank() OVER (...)", Doc: "number of the first of the rows that are equal in order", window: Rank},
		{Name: "dense_rank", Category: Window, Syntax: "dense_rank() OVER (...)", Doc: "rank without gaps", window: DenseRank},
		{Name: "percent_rank", Category: Window, Syntax: "percent_rank() OVER (...)", Doc: "rank from 0 to 1", window: PercentRank},
		{Name: "cume_dist", Category: Window, Syntax: "cume_dist() OVER (...)", Doc: "part of the partition up to the row and its equals", window: CumeDist},
		{Name: "ntile", Category: Window, Syntax: "ntile(n) OVER (...)", Doc: "number of the row's part where the partition is cut into n parts", window: Ntile},
		{Name: "lag", Category: Window, Syntax: "lag(x [, n [, default]]) OVER (...)", Doc: "x of the n-th row before, of the one before without n", window: Lag},
		{Name: "lead", Category: Window, Syntax: "lead(x [, n [, default]]) OVER (...)", Doc: "x of the n-th row behind", window: Lead},
		{Name: "first_value", Category: Window, Syntax: "first_value(x) OVER (...)", Doc: "x of the first row of the frame", window: FirstValue},
		{Name: "last_value", Category: Window, Syntax: "last_value(x) OVER (...)", Doc: "x of the last row of the frame", window: LastValue},
		{Name: "nth_value", Category: Window, Syntax: "nth_value(x, n) OVER (...)", Doc: "x of the n-th row of the frame", window: NthValue},
	}...)
	return append(append(all, operators()...), bitEntries()...)
})

func operators() []*Func {
	both := func(k value.Kind) kinds { return kinds{k, k} }
	score := func(name, doc, example, gives string, eval kernel) *Func {
		return &Func{Name: name, Category: Operator, Syntax: "a " + name + " b", Doc: doc, Example: example, Gives: gives, partial: true,
			sigs: []sig{{both(vec), realKind, eval, false}}}
	}
	regex := func(name, doc, example, gives, flags string, not bool) *Func {
		return &Func{Name: name, Category: Operator, Syntax: "text " + name + " pattern", Doc: doc, Example: example, Gives: gives, partial: true,
			sigs: []sig{{both(text), boolean, regexKernel(flags, not), false}}}
	}
	boolTest := func(name, doc, example, gives string, want, not bool) *Func {
		return &Func{Name: name, Category: Operator, Syntax: "x " + strings.ToUpper(name), Doc: doc, Example: example, Gives: gives, nullable: true,
			sigs: []sig{{kinds{boolean}, boolean, isBoolKernel(want, not), false}}}
	}
	return []*Func{
		{Name: "+", Category: Operator, Syntax: "a + b", Doc: "sum of numbers or of vectors; a time and an interval, a date and days", Example: "2 + 3", Gives: "5", partial: true,
			sigs: []sig{{both(integer), integer, sumKernel(false), false}, {both(realKind), realKind, real2(addReals), false}, {both(numeric), numeric, numeric2(addNumeric), false},
				{both(vec), vec, vec2("+", vector.Add), false},
				{kinds{date, integer}, date, dayInt(0, 1), false}, {kinds{integer, date}, date, dayInt(1, 1), false},
				{kinds{timestamp, interval}, timestamp, moved(0, 1), false}, {kinds{interval, timestamp}, timestamp, moved(1, 1), false},
				{both(interval), interval, spans2(1), false}}},
		{Name: "-", Category: Operator, Syntax: "a - b", Doc: "difference of numbers, of vectors, of times; a time less an interval; JSON without a name, a place or an array of names", Example: "2 - 3", Gives: "-1", partial: true,
			sigs: []sig{{both(integer), integer, sumKernel(true), false}, {both(realKind), realKind, real2(subReals), false}, {both(numeric), numeric, numeric2(subNumeric), false},
				{kinds{jsonKind, text}, jsonKind, withoutKernel, false},
				{kinds{jsonKind, integer}, jsonKind, withoutKernel, false},
				{both(jsonKind), jsonKind, withoutKernel, false},
				{both(vec), vec, vec2("-", vector.Sub), false},
				{both(date), integer, daysBetween, false}, {kinds{date, integer}, date, dayInt(0, -1), false},
				{both(timestamp), interval, timeBetween, false}, {kinds{timestamp, interval}, timestamp, moved(0, -1), false},
				{both(interval), interval, spans2(-1), false}}},
		{Name: "*", Category: Operator, Syntax: "a * b", Doc: "product; a vector times a number; vectors element by element", Example: "2 * 3", Gives: "6", partial: true,
			sigs: []sig{{both(integer), integer, mulKernel, false}, {both(realKind), realKind, real2(mulReals), false}, {both(numeric), numeric, numeric2(mulNumeric), false},
				{both(vec), vec, vec2("*", mulVectors), false}, {kinds{vec, realKind}, vec, scaleKernel(false), false}, {kinds{realKind, vec}, vec, scaleKernel(true), false},
				{kinds{interval, realKind}, interval, spanTimes(0, false), false}, {kinds{realKind, interval}, interval, spanTimes(1, false), false}}},
		{Name: "/", Category: Operator, Syntax: "a / b", Doc: "quotient; of integers, without the fraction", Example: "7 / 2", Gives: "3", partial: true,
			sigs: []sig{{both(integer), integer, divKernel(false), false}, {both(realKind), realKind, real2(divReals), false}, {both(numeric), numeric, numeric2(divNumeric), false},
				{kinds{vec, realKind}, vec, divideKernel, false}, {kinds{interval, realKind}, interval, spanTimes(0, true), false}}},
		{Name: "%", Category: Operator, Syntax: "a % b", Doc: "remainder, with the sign of a", Example: "-7 % 3", Gives: "-1", partial: true,
			sigs: []sig{{both(integer), integer, divKernel(true), false}, {both(realKind), realKind, real2(modReals), false}, {both(numeric), numeric, numeric2(modNumeric), false}}},
		{Name: "neg", Category: Operator, Syntax: "- x", Doc: "negative", Example: "-(1 + 2)", Gives: "-3", partial: true,
			sigs: []sig{{kinds{integer}, integer, int1(negInt), false}, {kinds{realKind}, realKind, real1(negReal), false}, {kinds{numeric}, numeric, numeric1(negNumeric), false}, {kinds{vec}, vec, negVecKernel, false},
				{kinds{interval}, interval, spans(func(s value.Span) (value.Span, error) { return value.Span{}.Plus(s, -1) }), false}}},
		{Name: "||", Category: Operator, Syntax: "a || b", Doc: "texts, blobs or vectors joined", Example: "'wolf' || 'hound'", Gives: "wolfhound", infer: inferConcat},
		{Name: "->", Category: Operator, Syntax: "json -> key", Doc: "member of an object, or element of an array from 0, as JSON", Example: `JSON '{"a": [1, 2]}' -> 'a' -> 1`, Gives: "2", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, jsonKind, jsonKernel(true, false), false}, {kinds{jsonKind, integer}, jsonKind, jsonKernel(false, false), false}}},
		{Name: "->>", Category: Operator, Syntax: "json ->> key", Doc: "member of an object, or element of an array from 0, as text", Example: `JSON '{"a": "wolf"}' ->> 'a'`, Gives: "wolf", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, text, jsonKernel(true, true), false}, {kinds{jsonKind, integer}, text, jsonKernel(false, true), false}}},

		comparison(opEq, "1 = 1.0", "true"),
		comparison(opNe, "'a' <> 'b'", "true"),
		comparison(opLt, "1 < 2", "true"),
		comparison(opLe, "2 <= 1", "false"),
		comparison(opGt, "'b' > 'a'", "true"),
		comparison(opGe, "2 >= 2", "true"),
		{Name: "array of arrays", Category: Operator, Syntax: "ARRAY[ARRAY[a, b], ARRAY[c, d]]", Doc: "array of arrays of one length", Example: "ARRAY[ARRAY[1, 2], ARRAY[3, 4]]", Gives: "[[1, 2], [3, 4]]", nullable: true, partial: true,
			infer: inferBuild(buildMatrix, false)},
		{Name: "is distinct from", Category: Operator, Syntax: "a IS DISTINCT FROM b", Doc: "not equal, NULL being a value", Example: "1 IS DISTINCT FROM NULL", Gives: "true", nullable: true,
			infer: inferComparison("IS DISTINCT FROM", distinctKernel(false))},
		{Name: "is not distinct from", Category: Operator, Syntax: "a IS NOT DISTINCT FROM b", Doc: "equal, NULL being a value", Example: "NULL IS NOT DISTINCT FROM NULL", Gives: "true", nullable: true,
			infer: inferComparison("IS NOT DISTINCT FROM", distinctKernel(true))},
		{Name: "is null", Category: Operator, Syntax: "x IS NULL", Doc: "whether there is no value", Example: "NULL IS NULL", Gives: "true", nullable: true,
			sigs: []sig{{kinds{anyKind}, boolean, isNullKernel(false), false}}},
		{Name: "is not null", Category: Operator, Syntax: "x IS NOT NULL", Doc: "whether there is a value", Example: "1 IS NOT NULL", Gives: "true", nullable: true,
			sigs: []sig{{kinds{anyKind}, boolean, isNullKernel(true), false}}},
		boolTest("is true", "true, not false or NULL", "(1 > 2) IS TRUE", "false", true, false),
		boolTest("is not true", "false or NULL", "(1 > NULL) IS NOT TRUE", "true", true, true),
		boolTest("is false", "false, not true or NULL", "(1 > 2) IS FALSE", "true", false, false),
		boolTest("is not false", "true or NULL", "(1 > NULL) IS NOT FALSE", "true", false, true),
		{Name: "not", Category: Operator, Syntax: "NOT x", Doc: "false for true, true for false", Example: "NOT false", Gives: "true",
			sigs: []sig{{kinds{boolean}, boolean, notKernel, false}}},
		{Name: "like", Category: Operator, Syntax: "text LIKE pattern [ESCAPE c]", Doc: "% stands for any characters, _ for one", Example: "'wolf' LIKE 'w%'", Gives: "true", partial: true,
			sigs: []sig{{kinds{text, text}, boolean, likeKernel(false), false}, {kinds{text, text, text}, boolean, likeKernel(false), false}}},
		{Name: "ilike", Category: Operator, Syntax: "text ILIKE pattern [ESCAPE c]", Doc: "LIKE in any case", Example: "'Wolf' ILIKE 'w%'", Gives: "true", partial: true,
			sigs: []sig{{kinds{text, text}, boolean, likeKernel(true), false}, {kinds{text, text, text}, boolean, likeKernel(true), false}}},

		regex("~", "regular expression (RE2) matches", "'wolf' ~ 'o.f'", "true", "", false),
		regex("~*", "matches in any case", "'Wolf' ~* '^w'", "true", "i", false),
		regex("!~", "does not match", "'wolf' !~ '^w'", "false", "", true),
		regex("!~*", "does not match in any case", "'Wolf' !~* 'x'", "true", "i", true),
		{Name: "@>", Category: Operator, Syntax: "json @> json", Doc: "whether the left one contains the right one", Example: `JSON '{"a": 1, "b": 2}' @> '{"b": 2}'`, Gives: "true", partial: true,
			sigs: []sig{{both(jsonKind), boolean, containsKernel(false), false}}},
		{Name: "<@", Category: Operator, Syntax: "json <@ json", Doc: "whether the right one contains the left one", Example: `JSON '1' <@ '[1, 2]'`, Gives: "true", partial: true,
			sigs: []sig{{both(jsonKind), boolean, containsKernel(true), false}}},
		{Name: "?", Category: Operator, Syntax: "json ? text", Doc: "whether a text is a member's name or an element", Example: `JSON '{"a": 1}' ? 'a'`, Gives: "true", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, boolean, hasKeyKernel, false}}},
		{Name: "?|", Category: Operator, Syntax: "json ?| names", Doc: "whether one of the names is a member's or an element", Example: `JSON '{"a": 1}' ?| '{a,b}'`, Gives: "true", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, boolean, keysKernel(false), false}, {kinds{jsonKind, jsonKind}, boolean, keysKernel(false), false}}},
		{Name: "?&", Category: Operator, Syntax: "json ?& names", Doc: "whether all names are those of members or elements", Example: `JSON '{"a": 1}' ?& '{a,b}'`, Gives: "false", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, boolean, keysKernel(true), false}, {kinds{jsonKind, jsonKind}, boolean, keysKernel(true), false}}},
		{Name: "#-", Category: Operator, Syntax: "json #- path", Doc: "JSON without what is at a path", Example: `JSON '{"a": [1, 2]}' #- '{a,0}'`, Gives: `{"a": [2]}`, partial: true,
			sigs: []sig{{kinds{jsonKind, text}, jsonKind, cutKernel, false}, {kinds{jsonKind, jsonKind}, jsonKind, cutKernel, false}}},
		{Name: "#>", Category: Operator, Syntax: "json #> path", Doc: "what is at a path, as JSON", Example: `JSON '{"a": [1, 2]}' #> '{a,1}'`, Gives: "2", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, jsonKind, pathKernel(false), false}, {kinds{jsonKind, jsonKind}, jsonKind, pathKernel(false), false}}},
		{Name: "#>>", Category: Operator, Syntax: "json #>> path", Doc: "what is at a path, as text", Example: `JSON '{"a": ["x"]}' #>> '{a,0}'`, Gives: "x", partial: true,
			sigs: []sig{{kinds{jsonKind, text}, text, pathKernel(true), false}, {kinds{jsonKind, jsonKind}, text, pathKernel(true), false}}},
		{Name: "<~>", Category: Operator, Syntax: "a <~> b", Doc: "Hamming distance of bits", Example: "'1100' <~> '1010'", Gives: "2", partial: true,
			sigs: []sig{{both(blob), realKind, bitsKernel("<~>", hamming), false}, {both(text), realKind, bitsKernel("<~>", hamming), false}}},
		{Name: "<%>", Category: Operator, Syntax: "a <%> b", Doc: "Jaccard distance of bits", Example: "'1100' <%> '1000'", Gives: "0.5", partial: true,
			sigs: []sig{{both(blob), realKind, bitsKernel("<%>", jaccard), false}, {both(text), realKind, bitsKernel("<%>", jaccard), false}}},

		score("<->", "L2 (Euclidean) distance", "[0, 0] <-> [3, 4]", "5", measureKernel("<->")),
		score("<#>", "negative inner product", "[1, 2] <#> [3, 4]", "-11", measureKernel("<#>")),
		score("<=>", "cosine distance", "[1, 0] <=> [0, 1]", "1", measureKernel("<=>")),
		score("<+>", "L1 (taxicab) distance", "[0, 0] <+> [3, 4]", "7", measureKernel("<+>")),
	}
}
