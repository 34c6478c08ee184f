package value

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Check returns why v can't be a value of its kind, or nil: TEXT is UTF-8, JSON is a
// JSON text in UTF-8, a TIMESTAMP is of the years 1 to 9999, a NUMERIC is one, a VECTOR has 1 to MaxDim
// finite numbers. The error is a phrase about the value alone, without its place.
func (v Value) Check() error {
	switch v.kind {
	case Text:
		return checkText(v.str)
	case JSON:
		return checkJSON(v.str)
	case Timestamp:
		return checkMicros(v.Int())
	case Date:
		return checkDate(v.Int())
	case Interval:
		return checkSpan(v.str)
	case Numeric:
		return checkNumeric(v.str)
	case Vector:
		if n := len(v.vec); n == 0 || n > MaxDim {
			return fmt.Errorf("vector has %d dimensions; 1 to %d are possible", n, MaxDim)
		}
		return checkVector(v.vec)
	}
	return nil
}

// CheckRow is Check of row i, which is not NULL, without its making a Value; the
// dimension is that of the column.
func (c *Column) CheckRow(i int) error {
	switch c.Type.Kind {
	case Text:
		return checkText(c.Strs[i])
	case JSON:
		return checkJSON(c.Strs[i])
	case Timestamp:
		return checkMicros(c.Ints[i])
	case Date:
		return checkDate(c.Ints[i])
	case Interval:
		return checkSpan(c.Strs[i])
	case Numeric:
		return checkNumeric(c.Strs[i])
	case Vector:
		return checkVector(c.Vec(i))
	}
	return nil
}

func checkText(s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("text is not valid UTF-8: %.40q; bytes go into a BLOB", s)
	}
	return nil
}

// checkJSON looks at the encoding too: json.Valid takes any bytes within strings.
func checkJSON(s string) error {
	switch {
	case !utf8.ValidString(s):
		return fmt.Errorf("JSON is not valid UTF-8: %.40q", s)
	case !json.Valid([]byte(s)):
		return fmt.Errorf("not valid JSON: %.40q", s)
	}
	return nil
}

func checkMicros(us int64) error {
	if us < MinTimestamp || us > MaxTimestamp {
		return fmt.Errorf("year %d is out of range for TIMESTAMP (years 1 to 9999)", time.UnixMicro(us).UTC().Year())
	}
	return nil
}

// checkVector looks for NaN and infinities: those have all bits of the exponent set.
func checkVector(v []float32) error {
	for i, x := range v {
		if math.Float32bits(x)&0x7f800000 == 0x7f800000 {
			return fmt.Errorf("vector holds %v at position %d; only finite numbers are possible", x, i)
		}
	}
	return nil
}
