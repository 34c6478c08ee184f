package parquet

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/lupadb/lupa/storage/value"
)

// kindOf returns the kind of a leaf.
func (r *reader) kindOf(c *parquet.Column) (value.Kind, convert) {
	return parquetType(c.Type(), r.element(c))
}

// dimensions returns the length of the first list that is there, 0 if there is none, and
// whether the file may hold only lists of that length.
func (r *reader) dimensions(l leafDef) (dim int, even bool, err error) {
	s := r.newScan(l)
	n := 0
	for {
		def, rep, err := s.peek()
		if err == io.EOF || err == nil && n > 0 && rep == 0 {
			break
		}
		if err != nil {
			return 0, false, err
		}
		s.advance()
		if def >= l.itemDef {
			n++
		}
		if n > value.MaxDim {
			return n, false, nil
		}
	}
	if s.read == 1 && s.page.n > 0 { // reading goes on with the page that is there
		s.pos, s.val = 0, 0
		r.probed[l.index] = s
	}
	values := int64(0)
	for _, g := range r.file.Metadata().RowGroups {
		values += g.Columns[l.index].MetaData.NumValues
	}
	// A list that is NULL is one entry, or as many as others have. Integers one by one are
	// rather lists of their own.
	return n, n > 1 && values <= r.rows*int64(n) && (values-r.rows)%int64(max(n-1, 1)) == 0, nil
}

// converted names the annotations of files from before logical types.
var converted = map[deprecated.ConvertedType]string{
	deprecated.UTF8: "STRING", deprecated.Enum: "ENUM", deprecated.Json: "JSON", deprecated.Date: "DATE",
	deprecated.TimestampMillis: "TIMESTAMP(MILLIS)", deprecated.TimestampMicros: "TIMESTAMP(MICROS)",
	deprecated.Uint32: "UINT_32", deprecated.Uint64: "UINT_64", deprecated.Decimal: "DECIMAL",
	deprecated.TimeMillis: "TIME(MILLIS)", deprecated.TimeMicros: "TIME(MICROS)", deprecated.Interval: "INTERVAL",
}

// parquetType returns the kind of a leaf and how its values are turned into it;
// convert is nil for what has no type here.
func parquetType(t parquet.Type, e *format.SchemaElement) (k value.Kind, _ convert) {
	logical := ""
	if e.LogicalType.Value != nil {
		logical = e.LogicalType.String()
	} else if e.ConvertedType.Valid {
		logical = converted[e.ConvertedType.V]
	}
	ints := func(f func(n int64) value.Value) convert {
		return func(v *values, i int) (value.Value, error) { return f(v.ints[i]), nil }
	}
	tried := func(f func(n int64) (value.Value, error)) convert {
		return func(v *values, i int) (value.Value, error) { return f(v.ints[i]) }
	}
	bytes := func(f func(b []byte) (value.Value, error)) convert {
		return func(v *values, i int) (value.Value, error) { return f(v.bins[i]) }
	}
	switch kind := e.Type.V; {
	case kind == format.Boolean:
		return value.Boolean, ints(func(n int64) value.Value { return value.Bool(n != 0) })
	case strings.HasPrefix(logical, "DECIMAL"):
		scale, digits := e.Scale.V, int32(0)
		if d, is := e.LogicalType.Value.(*format.DecimalType); is {
			scale, digits = d.Scale, d.Precision
		}
		number := func(v *values, i int) *big.Int {
			if kind == format.Int32 || kind == format.Int64 {
				return big.NewInt(v.ints[i])
			}
			return bigEndian(v.bins[i])
		}
		if kind == format.Float || kind == format.Double || kind == format.Int96 {
			return value.Null, nil
		}
		if precision := cmp.Or(digits, e.Precision.V); scale == 0 && precision <= 18 { // a whole number
			return value.Integer, func(v *values, i int) (value.Value, error) {
				n := number(v, i)
				if !n.IsInt64() {
					return value.Value{}, fmt.Errorf("%v is out of range for INTEGER (64 bit)", n)
				}
				return value.Int(n.Int64()), nil
			}
		}
		return value.Numeric, func(v *values, i int) (value.Value, error) {
			return value.NumericOf(apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(number(v, i)), int32(-min(max(scale, 0), 1<<16))))
		}
	case logical == "DATE" && kind == format.Int32:
		return value.Date, tried(func(n int64) (value.Value, error) { return value.Days(n), value.Days(n).Check() })
	case strings.HasPrefix(logical, "TIME(") && (kind == format.Int32 || kind == format.Int64):
		unit := time.Microsecond
		switch {
		case strings.Contains(logical, "MILLIS"):
			unit = time.Millisecond
		case strings.Contains(logical, "NANOS"):
			unit = time.Nanosecond
		}
		return value.Text, tried(func(n int64) (value.Value, error) {
			if n < 0 || n > int64(24*time.Hour/unit) {
				return value.Value{}, fmt.Errorf("%d is not a time of a day", n)
			}
			return value.Str(timeOfDay(time.Duration(n) * unit)), nil
		})
	case logical == "INTERVAL" && kind == format.FixedLenByteArray && e.TypeLength.V == 12:
		return value.Text, bytes(func(b []byte) (value.Value, error) {
			return value.Str(interval(binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]))), nil
		})
	case strings.HasPrefix(logical, "TIMESTAMP") && kind == format.Int64:
		switch {
		case strings.Contains(logical, "MILLIS"):
			return value.Timestamp, tried(func(n int64) (value.Value, error) { return timestampIn(n, 1000) })
		case strings.Contains(logical, "NANOS"):
			return value.Timestamp, ints(func(n int64) value.Value { return value.Time(time.Unix(0, n)) })
		}
		return value.Timestamp, tried(func(n int64) (value.Value, error) { return timestampIn(n, 1) })
	case kind == format.Int32 && (logical == "INT(32,false)" || logical == "UINT_32"):
		return value.Integer, ints(func(n int64) value.Value { return value.Int(int64(uint32(n))) })
	case kind == format.Int64 && (logical == "INT(64,false)" || logical == "UINT_64"):
		return value.Integer, tried(func(n int64) (value.Value, error) {
			if n < 0 {
				return value.Value{}, fmt.Errorf("%d is out of range for INTEGER (64 bit)", uint64(n))
			}
			return value.Int(n), nil
		})
	case kind == format.Int32, kind == format.Int64:
		return value.Integer, ints(value.Int)
	case kind == format.Int96:
		return value.Timestamp, bytes(func(b []byte) (value.Value, error) { // nanoseconds of the day, then the Julian day
			nanos, day := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint32(b[8:]))
			return timestampIn((day-2440588)*86400e6+nanos/1000, 1)
		})
	case kind == format.Float:
		return value.Real, func(v *values, i int) (value.Value, error) { return value.Float(float64(v.f32[i])), nil }
	case kind == format.Double:
		return value.Real, func(v *values, i int) (value.Value, error) { return value.Float(v.f64[i]), nil }
	case kind != format.ByteArray && kind != format.FixedLenByteArray:
		return value.Null, nil
	case logical == "FLOAT16" && e.TypeLength.V == 2:
		return value.Real, bytes(func(b []byte) (value.Value, error) {
			return value.Float(float64(value.HalfToFloat(binary.LittleEndian.Uint16(b)))), nil
		})
	case logical == "STRING" || logical == "UTF8" || logical == "ENUM":
		return value.Text, bytes(func(b []byte) (value.Value, error) {
			s := string(b)
			if !utf8.ValidString(s) {
				return value.Value{}, errors.New("not valid UTF-8")
			}
			return value.Str(s), nil
		})
	case logical == "JSON":
		return value.JSON, bytes(func(b []byte) (value.Value, error) {
			return value.Parse(value.Type{Kind: value.JSON}, string(b))
		})
	case logical == "UUID" && e.TypeLength.V == 16:
		return value.Text, bytes(func(b []byte) (value.Value, error) {
			return value.Str(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), nil
		})
	}
	return value.Blob, bytes(func(b []byte) (value.Value, error) { return value.Bytes(b), nil })
}

func timestampIn(n, unit int64) (value.Value, error) {
	us := n * unit
	if us/unit != n || us < value.MinTimestamp || us > value.MaxTimestamp {
		return value.Value{}, errors.New("the time is out of range for TIMESTAMP (years 1 to 9999)")
	}
	return value.Micros(us), nil
}

// timeOfDay writes a time without a day, 24:00:00 included.
func timeOfDay(d time.Duration) string {
	s := fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
	if f := d % time.Second; f != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", int64(f)), "0")
	}
	return s
}

// interval writes a span of time as ISO 8601 does: P1M2DT0.5S.
func interval(months, days, millis uint32) string {
	s := "P"
	if months != 0 {
		s += fmt.Sprintf("%dM", months)
	}
	if days != 0 {
		s += fmt.Sprintf("%dD", days)
	}
	if millis != 0 || s == "P" {
		s += "T" + strconv.FormatFloat(float64(millis)/1000, 'f', -1, 64) + "S"
	}
	return s
}

// bigEndian returns the digits of a DECIMAL.
func bigEndian(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}
