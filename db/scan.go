package db

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/lupadb/lupa/storage/value"
)

// scanInto stores v in the variable dest points at: see Rows.Scan.
func scanInto(dest any, v Value) error { return scanDeep(dest, v, maxDepth) }

func scanDeep(dest any, v Value, depth int) error {
	if dest == nil {
		return nil
	}
	rv := reflect.ValueOf(dest)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		if _, ok := dest.(sql.Scanner); !ok || rv.Kind() == reflect.Pointer {
			return fmt.Errorf("destination is %s, not a pointer to a variable", aNil(rv))
		}
	}
	switch d := dest.(type) {
	case *Value:
		*d = cloneValue(v)
		return nil
	case *any:
		*d = GoValue(v)
		return nil
	case *string:
		if s, ok := asText(v); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch v.Kind() {
		case Null:
			*d = nil
			return nil
		case Text, Blob, JSON:
			*d = []byte(v.Str())
			return nil
		}
	case *json.RawMessage:
		switch v.Kind() {
		case Null:
			*d = nil
			return nil
		case JSON:
			*d = json.RawMessage(v.Str())
			return nil
		}
	case *bool:
		if v.Kind() == Boolean {
			*d = v.Bool()
			return nil
		}
	case *int:
		if v.Kind() == Integer {
			return scanInt(reflect.ValueOf(d).Elem(), v.Int())
		}
	case *int64:
		if v.Kind() == Integer {
			*d = v.Int()
			return nil
		}
	case *float64:
		switch v.Kind() {
		case Real:
			*d = v.Float()
			return nil
		case Numeric:
			*d = value.NumericReal(v.Str())
			return nil
		}
	case *time.Time:
		if v.Kind() == Timestamp || v.Kind() == Date {
			*d = v.Time()
			return nil
		}
	case *[]float32:
		return scanVec(d, v)
	case *Floats:
		return scanVec((*[]float32)(d), v)
	case *[]float64:
		switch v.Kind() {
		case Null:
			*d = nil
			return nil
		case value.Vector:
			out := make([]float64, len(v.Vec()))
			for i, f := range v.Vec() {
				out[i] = float64(f)
			}
			*d = out
			return nil
		}
	case sql.Scanner:
		src := GoValue(v)
		if raw, ok := src.(json.RawMessage); ok {
			src = []byte(raw) // what a Scanner is told to expect
		}
		return d.Scan(src)
	}
	if depth == 0 {
		return fmt.Errorf("destination %T is more than %d pointers away from a variable", dest, maxDepth)
	}
	return scanByKind(rv.Elem(), v, depth)
}

// aNil names a destination that is none.
func aNil(rv reflect.Value) string {
	if rv.Kind() == reflect.Pointer {
		return "a nil " + rv.Type().String()
	}
	return "a " + rv.Type().String()
}

func scanVec(d *[]float32, v Value) error {
	switch v.Kind() {
	case Null:
		*d = nil
	case value.Vector:
		*d = append((*d)[:0:0], v.Vec()...)
	default:
		return scanError(reflect.TypeOf(*d), v)
	}
	return nil
}

// scanByKind handles pointers, named types and conversions between numbers.
func scanByKind(rv reflect.Value, v Value, depth int) error {
	if rv.Kind() == reflect.Pointer {
		if v.IsNull() {
			rv.SetZero()
			return nil
		}
		p := reflect.New(rv.Type().Elem())
		if err := scanDeep(p.Interface(), v, depth-1); err != nil {
			return err
		}
		rv.Set(p)
		return nil
	}
	if v.IsNull() {
		if rv.Kind() == reflect.Slice || rv.Kind() == reflect.Map || rv.Kind() == reflect.Interface {
			rv.SetZero()
			return nil
		}
		return fmt.Errorf("NULL into a %s; use a pointer, sql.Null[%s] or coalesce()", rv.Type(), rv.Type())
	}
	switch rv.Kind() {
	case reflect.Bool:
		if v.Kind() == Boolean {
			rv.SetBool(v.Bool())
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.Kind() == Interval && rv.Type() == reflect.TypeFor[time.Duration]() {
			return scanDuration(rv, v)
		}
		if i, ok := asInt(v); ok {
			return scanInt(rv, i)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if i, ok := asInt(v); ok {
			if i < 0 || rv.OverflowUint(uint64(i)) {
				return fmt.Errorf("%d does not fit into a %s", i, rv.Type())
			}
			rv.SetUint(uint64(i))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		switch v.Kind() {
		case Numeric:
			f := value.NumericReal(v.Str())
			if f-f != 0 || rv.OverflowFloat(f) {
				return fmt.Errorf("%v does not fit into a %s", v, rv.Type())
			}
			rv.SetFloat(f)
			return nil
		case Real:
			if rv.OverflowFloat(v.Float()) {
				return fmt.Errorf("%v does not fit into a %s", v.Float(), rv.Type())
			}
			rv.SetFloat(v.Float())
			return nil
		case Integer:
			if i := v.Int(); int64(float64(i)) == i {
				rv.SetFloat(float64(i))
				return nil
			}
			return fmt.Errorf("%d loses digits in a %s", v.Int(), rv.Type())
		}
	case reflect.String:
		if s, ok := asText(v); ok {
			rv.SetString(s)
			return nil
		}
	case reflect.Slice:
		switch elem := rv.Type().Elem(); {
		case elem.Kind() == reflect.Uint8 && (v.Kind() == Text || v.Kind() == Blob || v.Kind() == JSON):
			rv.SetBytes([]byte(v.Str()))
			return nil
		case (elem.Kind() == reflect.Float32 || elem.Kind() == reflect.Float64) && v.Kind() == value.Vector:
			out := reflect.MakeSlice(rv.Type(), len(v.Vec()), len(v.Vec()))
			for i, f := range v.Vec() {
				out.Index(i).SetFloat(float64(f))
			}
			rv.Set(out)
			return nil
		case v.Kind() == JSON:
			return scanJSON(rv, v)
		}
	case reflect.Array:
		switch elem := rv.Type().Elem().Kind(); {
		case (elem == reflect.Float32 || elem == reflect.Float64) && v.Kind() == value.Vector:
			if n := len(v.Vec()); n != rv.Len() {
				return fmt.Errorf("a vector of %d dimensions does not go into a %s", n, rv.Type())
			}
			for i, f := range v.Vec() {
				rv.Index(i).SetFloat(float64(f))
			}
			return nil
		case elem == reflect.Uint8 && v.Kind() == Blob:
			if n := len(v.Str()); n != rv.Len() {
				return fmt.Errorf("a BLOB of %d bytes does not go into a %s", n, rv.Type())
			}
			reflect.Copy(rv, reflect.ValueOf([]byte(v.Str())))
			return nil
		}
	case reflect.Struct, reflect.Map:
		if v.Kind() == JSON {
			return scanJSON(rv, v)
		}
		if t, ok := rv.Addr().Interface().(*time.Time); ok && (v.Kind() == Timestamp || v.Kind() == Date) {
			*t = v.Time()
			return nil
		}
	case reflect.Interface:
		if rv.NumMethod() == 0 {
			rv.Set(reflect.ValueOf(GoValue(v)))
			return nil
		}
	}
	return scanError(rv.Type(), v)
}

// scanDuration takes intervals without months, with days of 24 hours.
func scanDuration(rv reflect.Value, v Value) error {
	s := v.Span()
	days, us := s.Length()
	if s.Months != 0 || days > 100_000 || days < -100_000 {
		return fmt.Errorf("the interval %s does not go into a time.Duration; a string takes it", v)
	}
	rv.SetInt(int64(time.Duration(days)*24*time.Hour + time.Duration(us)*time.Microsecond))
	return nil
}

func scanJSON(rv reflect.Value, v Value) error {
	if err := json.Unmarshal([]byte(v.Str()), rv.Addr().Interface()); err != nil {
		return fmt.Errorf("JSON into a %s: %w", rv.Type(), err)
	}
	return nil
}

func scanInt(rv reflect.Value, i int64) error {
	if rv.OverflowInt(i) {
		return fmt.Errorf("%d does not fit into a %s", i, rv.Type())
	}
	rv.SetInt(i)
	return nil
}

func scanError(t reflect.Type, v Value) error {
	if v.IsNull() {
		return fmt.Errorf("NULL into a %s; use a pointer, sql.Null[%s] or coalesce()", t, t)
	}
	return fmt.Errorf("%s does not go into a %s", v.Type(), t)
}

// asInt returns a number that is whole.
func asInt(v Value) (int64, bool) {
	switch v.Kind() {
	case Integer:
		return v.Int(), true
	case Real:
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
			return int64(f), true
		}
	case Numeric:
		whole, part, _ := strings.Cut(v.String(), ".")
		if i, err := strconv.ParseInt(whole, 10, 64); err == nil && strings.Trim(part, "0") == "" {
			return i, true
		}
	}
	return 0, false
}

// asText returns texts as they are, and numbers, booleans and times as the
// language prints them.
func asText(v Value) (string, bool) {
	switch v.Kind() {
	case Text, JSON, Blob:
		return v.Str(), true
	case Integer:
		return strconv.FormatInt(v.Int(), 10), true
	case Real:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64), true
	case Boolean:
		return strconv.FormatBool(v.Bool()), true
	case Timestamp:
		return v.Time().Format(time.RFC3339Nano), true
	case Date, Interval, Numeric:
		return v.String(), true
	}
	return "", false
}

// GoValue returns v as the Go type that fits its kind best: nil, bool, int64,
// float64, string (a NUMERIC too, 12.50, and an INTERVAL, 1 day 02:00:00), time.Time (UTC, of a DATE its midnight), []byte, json.RawMessage or []float32. Slices
// are copies.
func GoValue(v Value) any {
	switch v.Kind() {
	case Boolean:
		return v.Bool()
	case Integer:
		return v.Int()
	case Real:
		return v.Float()
	case Text:
		return v.Str()
	case Timestamp, Date:
		return v.Time()
	case Interval, Numeric:
		return v.String()
	case Blob:
		return []byte(v.Str())
	case JSON:
		return json.RawMessage(v.Str())
	case value.Vector:
		return append([]float32(nil), v.Vec()...)
	}
	return nil
}

func cloneValue(v Value) Value {
	if v.Kind() == value.Vector {
		return value.Vec(append([]float32(nil), v.Vec()...))
	}
	return v
}

// vectorFromBytes reads little-endian float32s.
func vectorFromBytes(b []byte) (Floats, error) {
	if len(b)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are not a vector: not a multiple of 4", len(b))
	}
	out := make(Floats, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out, nil
}
