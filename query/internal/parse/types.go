package parse

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

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
	"BLOB": value.Blob, "BYTEA": value.Blob,
	"JSON": value.JSON, "JSONB": value.JSON,
	"VECTOR": value.Vector, "HALFVEC": value.Vector,
}

// otherTypes says what to use in place of types there are elsewhere.
var otherTypes = map[string]string{
	"DATE":     "use TIMESTAMP",
	"TIME":     "use TIMESTAMP or TEXT",
	"DATETIME": "use TIMESTAMP",
	"INTERVAL": "use an INTEGER number of seconds",
	"NUMERIC":  "use REAL or INTEGER",
	"DECIMAL":  "use REAL or INTEGER",
	"NUMBER":   "use REAL or INTEGER",
	"SERIAL":   "use INTEGER",
	"UUID":     "use TEXT",
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
func parseType(lex *lexer.PeekingLexer) (Type, error) {
	t := lex.Peek()
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
	switch first := strings.ToUpper(t.Value); first {
	case "DOUBLE":
		acceptWords(lex, "PRECISION")
	case "CHARACTER", "CHAR":
		acceptWords(lex, "VARYING")
	case "TIMESTAMP":
		if !acceptWords(lex, "WITH", "TIME", "ZONE") {
			acceptWords(lex, "WITHOUT", "TIME", "ZONE")
		}
	}
	if !is(lex.Peek(), "(") {
		return Type{at, typ}, nil
	}
	if typ.Kind != value.Vector {
		return Type{}, Errorf(posOf(lex.Peek().Pos), "%s takes no length", strings.ToUpper(t.Value)).
			WithHint("write %s", typ.Kind)
	}
	lex.Next()
	n := lex.Next()
	if n.Type != lexNumber {
		return Type{}, &unexpected{*n, []string{"the number of dimensions"}}
	}
	dim, err := strconv.Atoi(n.Value)
	if err != nil || dim < 1 || dim > value.MaxDim {
		return Type{}, Errorf(posOf(n.Pos), "a vector has 1 to %d dimensions, not %s", value.MaxDim, abbreviate(n.Value))
	}
	typ.Dim = dim
	if !is(lex.Peek(), ")") {
		return Type{}, &unexpected{*lex.Peek(), []string{")"}}
	}
	lex.Next()
	return Type{at, typ}, nil
}

// typeWords are the types by the names the language prefers.
var typeWords = []string{"TEXT", "INTEGER", "REAL", "BOOLEAN", "TIMESTAMP", "BLOB", "JSON", "VECTOR(n)", "HALFVEC(n)"}

// typeList returns the names of all types, those the language prefers first.
func typeList() []string {
	return slices.Concat(typeWords[:len(typeWords)-2], slices.Sorted(maps.Keys(typeNames)))
}

// acceptWords consumes the next tokens if they are these words.
func acceptWords(lex *lexer.PeekingLexer, words ...string) bool {
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
