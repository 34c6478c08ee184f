package parse

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// typeNames are the names of types, PostgreSQL's spellings included. Names of two
// words are looked up by the first in parseType.
var typeNames = map[string]value.Kind{
	"TEXT": value.Text, "VARCHAR": value.Text, "CHAR": value.Text, "CHARACTER": value.Text, "STRING": value.Text,
	"INTEGER": value.Integer, "INT": value.Integer, "BIGINT": value.Integer, "SMALLINT": value.Integer,
	"INT2": value.Integer, "INT4": value.Integer, "INT8": value.Integer,
	"REAL": value.Real, "DOUBLE": value.Real, "FLOAT": value.Real, "FLOAT4": value.Real, "FLOAT8": value.Real,
	"BOOLEAN": value.Boolean, "BOOL": value.Boolean,
	"TIMESTAMP": value.Timestamp, "TIMESTAMPTZ": value.Timestamp,
	"NUMERIC": value.Numeric, "DECIMAL": value.Numeric, "DEC": value.Numeric,
	"DATE": value.Date, "INTERVAL": value.Interval,
	"BLOB": value.Blob, "BYTEA": value.Blob,
	"JSON": value.JSON, "JSONB": value.JSON,
	"VECTOR": value.Vector, "HALFVEC": value.Vector,
	"UUID":   value.Text,
	"SERIAL": value.Integer, "BIGSERIAL": value.Integer, "SMALLSERIAL": value.Integer,
	"SERIAL4": value.Integer, "SERIAL8": value.Integer,
	"OID": value.Integer, "NAME": value.Text,
	"REGCLASS": value.Integer, "REGNAMESPACE": value.Integer, "REGTYPE": value.Integer, "REGOPER": value.Integer,
}

// otherTypes says what to use in place of types there are elsewhere.
var otherTypes = map[string]string{
	"TIME":     "use TIMESTAMP or TEXT",
	"DATETIME": "use TIMESTAMP",
	"NUMBER":   "use NUMERIC, REAL or INTEGER",
	"MONEY":    "use NUMERIC(19,2)",
	"TINYINT":  "use INTEGER",
	"NVARCHAR": "use TEXT",
	"CLOB":     "use TEXT",
	"BINARY":   "use BLOB",
}

// plainType returns the type of a one-word name.
func plainType(name string) (value.Type, bool) {
	name = strings.ToUpper(name)
	k, ok := typeNames[name]
	return value.Type{Kind: k, Half: name == "HALFVEC"}, ok
}

// parseType parses the name of a type.
func parseType(lex stream) (Type, error) {
	t := lex.Peek()
	if isWord(t.Value, "pg_catalog") && is(peek(lex, 1), ".") { // which has PostgreSQL's types
		lex.Next()
		lex.Next()
		t = lex.Peek()
	}
	if t.Type != lexWord {
		return Type{}, &unexpected{*t, []string{wantType}}
	}
	typ, ok := plainType(t.Value)
	at := posOf(t.Pos)
	if !ok {
		err := Errorf(at, "there is no type %s", t.Value)
		if hint := otherTypes[strings.ToUpper(t.Value)]; hint != "" {
			return Type{}, err.WithHint("%s", hint)
		}
		return Type{}, err.WithHint("%s", didYouMean(t.Value, typeList(), "the types are "+strings.Join(typeWords, ", ")))
	}
	lex.Next()
	varying, zoned := false, false
	switch first := strings.ToUpper(t.Value); first {
	case "DOUBLE":
		acceptWords(lex, "PRECISION")
	case "CHARACTER", "CHAR":
		varying = acceptWords(lex, "VARYING")
	case "TIMESTAMP":
		if zoned = acceptWords(lex, "WITH", "TIME", "ZONE"); !zoned {
			acceptWords(lex, "WITHOUT", "TIME", "ZONE")
		}
	}
	var err error
	out := Type{Pos: at, Type: typ, zoned: zoned || isWord(t.Value, "TIMESTAMPTZ")}
	first := strings.ToUpper(t.Value)
	switch {
	case first == "UUID" || strings.HasPrefix(first, "REG"):
		out.Declared = first
	case strings.Contains(first, "SERIAL"):
		out.serial = true
	}
	if !is(lex.Peek(), "(") {
		switch {
		case first == "VARCHAR" || varying:
			out.Declared = "VARCHAR"
		case first == "CHAR" || first == "CHARACTER":
			out.Declared = "CHAR(1)"
		}
		return out, nil
	}
	if typ.Kind == value.Numeric {
		out.Declared, err = parsePrecision(lex)
		return out, err
	}
	if sized, most := sizedTypes[first], maxLength; sized != "" {
		least := 1
		if typ.Kind == value.Timestamp {
			least, most = 0, 6
		}
		n, err := parseSize(lex, least, most, strings.ToLower(sized))
		if err == nil && varying {
			sized = "VARCHAR"
		}
		if out.Declared = fmt.Sprintf("%s(%d)", sized, n); sized == "FLOAT" {
			out.Declared = "" // digits of a REAL: 24 or 53 bits
		}
		out.zoned = false
		if err == nil && typ.Kind == value.Timestamp && !acceptWords(lex, "WITH", "TIME", "ZONE") {
			acceptWords(lex, "WITHOUT", "TIME", "ZONE")
		}
		return out, err
	}
	if typ.Kind != value.Vector {
		return Type{}, Errorf(posOf(lex.Peek().Pos), "%s takes no length", strings.ToUpper(t.Value)).
			WithHint("write %s", typ.Kind)
	}
	out.Dim, err = parseSize(lex, 1, value.MaxDim, "vector")
	return out, err
}

// sizedTypes are the types that take a number in parentheses, beside VECTOR.
var sizedTypes = map[string]string{
	"VARCHAR": "VARCHAR", "CHAR": "CHAR", "CHARACTER": "CHAR", "TIMESTAMP": "TIMESTAMP", "TIMESTAMPTZ": "TIMESTAMP", "FLOAT": "FLOAT",
}

// maxLength is the longest length of a VARCHAR, as in PostgreSQL.
const maxLength = 10485760

// parseSize parses (n).
func parseSize(lex stream, least, most int, of string) (int, error) {
	lex.Next()
	what, unit := "a length", "characters"
	switch of {
	case "vector":
		what, unit = "the number of dimensions", "dimensions"
	case "timestamp":
		what, unit = "a number of digits", "decimal places"
	case "float":
		what, unit, most = "a number of bits", "bits", 53
	}
	n := lex.Next()
	if n.Type != lexNumber {
		return 0, &unexpected{*n, []string{what}}
	}
	size, err := strconv.Atoi(n.Value)
	if err != nil || size < least || size > most {
		return 0, Errorf(posOf(n.Pos), "a %s has %d to %d %s, not %s", of, least, most, unit, abbreviate(n.Value))
	}
	if is(lex.Peek(), ",") {
		return 0, Errorf(posOf(lex.Peek().Pos), "a %s takes one number, %s", of, what)
	}
	if !is(lex.Peek(), ")") {
		return 0, &unexpected{*lex.Peek(), []string{")"}}
	}
	lex.Next()
	return size, nil
}

// parsePrecision parses (precision [, scale]) of a NUMERIC.
func parsePrecision(lex stream) (string, error) {
	lex.Next()
	var n [2]int
	for i := range n {
		least, most, what := 1, value.MaxDigits, "a number of digits"
		if i == 1 {
			least, most, what = 0, n[0], "a number of decimal places"
		}
		t := lex.Next()
		if t.Type != lexNumber && !is(t, "-") {
			return "", &unexpected{*t, []string{what}}
		}
		size, err := strconv.Atoi(t.Value)
		if err != nil || size < least || size > most {
			if i == 1 {
				return "", Errorf(posOf(t.Pos), "a NUMERIC(%d, ...) has 0 to %d decimal places, not %s", n[0], most, abbreviate(t.Value))
			}
			return "", Errorf(posOf(t.Pos), "a NUMERIC has %d to %d digits, not %s", least, most, abbreviate(t.Value))
		}
		n[i] = size
		if i == 0 && !is(lex.Peek(), ",") {
			break
		}
		if i == 0 {
			lex.Next()
		}
	}
	if !is(lex.Peek(), ")") {
		return "", &unexpected{*lex.Peek(), []string{")"}}
	}
	lex.Next()
	return fmt.Sprintf("NUMERIC(%d,%d)", n[0], n[1]), nil
}

// typeWords are the types by the names the language prefers.
var typeWords = []string{"TEXT", "INTEGER", "REAL", "NUMERIC", "BOOLEAN", "TIMESTAMP", "DATE", "INTERVAL", "BLOB", "JSON", "VECTOR(n)", "HALFVEC(n)"}

// typeList returns the names of all types, those the language prefers first.
func typeList() []string {
	return slices.Concat(typeWords[:len(typeWords)-2], slices.Sorted(maps.Keys(typeNames)))
}

// acceptWords consumes the next tokens if they are these words.
func acceptWords(lex stream, words ...string) bool {
	for i, w := range words {
		if !is(peek(lex, i), w) {
			return false
		}
	}
	for range words {
		lex.Next()
	}
	return true
}
