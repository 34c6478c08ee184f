package value

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Parse reads the text form of a value of type t: what AppendText writes and
// the spellings PostgreSQL takes besides. A vector of t.Dim 0 may have any
// dimension. Errors are one lower case phrase without the type's context:
// `"abc" is not an integer`.
func Parse(t Type, s string) (Value, error) {
	switch t.Kind {
	case Text:
		return Str(s), nil
	case Boolean:
		b, err := ParseBool(s)
		return Bool(b), err
	case Integer:
		i, err := ParseInt(s)
		return Int(i), err
	case Real:
		f, err := ParseReal(s)
		return Float(f), err
	case Timestamp:
		us, err := ParseTimestamp(s)
		return Micros(us), err
	case Date:
		d, err := ParseDate(s)
		return Days(d), err
	case Interval:
		i, err := ParseSpan(s)
		return SpanValue(i), err
	case Numeric:
		return ParseNumeric(s)
	case Blob:
		b, err := ParseBlob(s)
		return BlobOf(b), err
	case JSON:
		if !json.Valid([]byte(s)) {
			return Value{}, fmt.Errorf("%s is not valid JSON", Quote(s))
		}
		return RawJSON(s), nil
	case Vector:
		v, err := ParseVector(nil, s)
		if err == nil && t.Dim > 0 && len(v) != t.Dim {
			err = fmt.Errorf("vector has %s, %d expected", Dimensions(len(v)), t.Dim)
		}
		if err == nil && t.Half {
			if err = CheckHalf(v); err == nil {
				RoundHalf(v, v)
			}
		}
		return Vec(v), err
	}
	return Value{}, fmt.Errorf("a text can't be read as %v", t)
}

// Quote returns s in double quotes, cut to a length that fits into a message.
func Quote(s string) string {
	const most = 40
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return strconv.Quote(s[:cut]) + "..."
	}
	return strconv.Quote(s)
}

// ParseBool reads true, false, and t f yes no y n on off 1 0 in any case.
func ParseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "on", "1":
		return true, nil
	case "false", "f", "no", "n", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%s is not a boolean (true or false)", Quote(s))
}

// ParseInt reads a decimal integer of 64 bits.
func ParseInt(s string) (int64, error) {
	i, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, fmt.Errorf("%s is out of range for INTEGER (64 bit)", Quote(s))
		}
		return 0, fmt.Errorf("%s is not an integer", Quote(s))
	}
	return i, nil
}

// ParseReal reads a decimal number, NaN, Infinity or -Infinity.
func ParseReal(s string) (float64, error) {
	t := strings.TrimSpace(s)
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
			return 0, fmt.Errorf("%s is out of range for REAL (64 bit)", Quote(s))
		}
		return 0, fmt.Errorf("%s is not a number", Quote(s))
	}
	if strings.ContainsAny(t, "xX_") {
		return 0, fmt.Errorf("%s is not a number", Quote(s))
	}
	return f, nil
}

// Bounds of a TIMESTAMP: the years 1 to 9999.
var (
	MinTimestamp = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	MaxTimestamp = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
)

var zoneLayouts = []string{"", "Z07:00", "Z0700", "Z07", " Z07:00", " Z0700", " Z07", " MST"}

// Dimensions is a number of dimensions as one reads it: 1 dimension, 2 dimensions.
func Dimensions(n int) string {
	if n == 1 {
		return "1 dimension"
	}
	return fmt.Sprintf("%d dimensions", n)
}

// timeHint is what to write in the place of a word that PostgreSQL reads as a time; else otherwise.
func timeHint(s, otherwise string) string {
	switch strings.ToLower(s) {
	case "now", "today", "tomorrow", "yesterday":
		return "the language has now(), CURRENT_DATE and CURRENT_DATE + 1"
	case "epoch":
		return "1970-01-01"
	case "infinity", "+infinity", "-infinity":
		return "there are no infinite times: NULL can stand for none, or 9999-12-31 for the last day"
	}
	return otherwise
}

// ParseTimestamp reads ISO 8601 and RFC 3339: a date, optionally a time of day
// after a blank or T (seconds and their fraction optional) and a zone offset;
// without one the time is UTC. It returns microseconds since 1970.
func ParseTimestamp(s string) (int64, error) {
	t := strings.TrimSpace(s)
	bad := func() (int64, error) {
		return 0, fmt.Errorf("%s is not a timestamp (%s)", Quote(s), timeHint(t, "2024-05-31 or 2024-05-31 12:30:00"))
	}
	if len(t) < len("2006-01-02") {
		return bad()
	}
	layout := "2006-01-02"
	if rest := t[len(layout):]; rest != "" && (rest[0] == ' ' || rest[0] == 'T' || rest[0] == 't') {
		layout += rest[:1] + "15:04"
		if len(rest) > 6 && rest[6] == ':' {
			layout += ":05"
		}
	}
	for _, zone := range zoneLayouts {
		if zone == " MST" && !strings.HasSuffix(t, " UTC") && !strings.HasSuffix(t, " GMT") {
			continue
		}
		if at, err := time.Parse(layout+zone, t); err == nil {
			us := at.Round(time.Microsecond).UnixMicro()
			if us < MinTimestamp || us > MaxTimestamp {
				return 0, fmt.Errorf("%s is out of range for TIMESTAMP (years 1 to 9999)", Quote(s))
			}
			return us, nil
		}
	}
	return bad()
}

// ParseBlob reads \x and hex digits; any other text stands for its own bytes.
func ParseBlob(s string) (string, error) {
	if !strings.HasPrefix(s, `\x`) {
		return s, nil
	}
	b, err := hex.DecodeString(s[2:])
	if err != nil {
		return "", fmt.Errorf(`%s is not a blob (\x and pairs of hex digits)`, Quote(s))
	}
	return string(b), nil
}

// ParseVector reads [1, 2.5, -3e-2], appending the elements to dst.
func ParseVector(dst []float32, s string) ([]float32, error) {
	if v, ok := parseVectorFast(dst, s); ok {
		return v, nil
	}
	t := strings.TrimSpace(s)
	if len(t) < 2 || t[0] != '[' || t[len(t)-1] != ']' {
		return dst, fmt.Errorf("%s is not a vector ([0.1, 0.2, ...])", Quote(s))
	}
	t = t[1 : len(t)-1]
	if strings.TrimSpace(t) == "" {
		return dst, fmt.Errorf("a vector needs at least one element")
	}
	for more := true; more; {
		var part string
		part, t, more = strings.Cut(t, ",")
		if part = strings.TrimSpace(part); part == "" {
			return dst, fmt.Errorf("element %d of a vector is missing", len(dst)+1)
		}
		f, err := strconv.ParseFloat(part, 32)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(part, "xX_") {
			return dst, fmt.Errorf("%s is not a finite number, in a vector", Quote(part))
		}
		dst = append(dst, float32(f))
	}
	return dst, nil
}
