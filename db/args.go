package db

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage/value"
)

// bindArgs turns Go arguments into the values of positional and named
// parameters, in the memory of buf, if that is enough.
func bindArgs(args []any, buf []Value) (query.Args, error) {
	out := query.Args{Pos: buf}
	for i, a := range args {
		if n, ok := a.(sql.NamedArg); ok {
			v, err := ToValue(n.Value)
			if err != nil {
				return query.Args{}, fmt.Errorf("argument :%s: %w", n.Name, err)
			}
			if out.Named == nil {
				out.Named = map[string]value.Value{}
			}
			out.Named[n.Name] = v
			continue
		}
		v, err := ToValue(a)
		if err != nil {
			return query.Args{}, fmt.Errorf("argument %d: %w", i+1, err)
		}
		out.Pos = append(out.Pos, v)
	}
	return out, nil
}

// insideNull returns what a sql.Null[T] holds, nil where it is not valid: its Value
// method knows no vectors.
func insideNull(rv reflect.Value) (any, bool) {
	rv = reflect.Indirect(rv)
	if !rv.IsValid() { // a nil pointer
		return nil, false
	}
	if t := rv.Type(); t.PkgPath() != "database/sql" || !strings.HasPrefix(t.Name(), "Null[") {
		return nil, false
	}
	if !rv.FieldByName("Valid").Bool() {
		return nil, true
	}
	return rv.FieldByName("V").Interface(), true
}

var valuer = reflect.TypeFor[driver.Valuer]()

// maxDepth bounds the pointers that are followed to a value: one that points to
// itself would never end.
const maxDepth = 64

// ToValue turns a Go value into a Value, by the table in the package comment.
// Vectors are copied: v may be changed afterwards. A decoded picture becomes a
// BLOB holding it as a PNG file, without loss. Maps, structs and slices of other things
// than floats and bytes become JSON, by encoding/json.
func ToValue(v any) (Value, error) { return toValue(v, maxDepth) }

func toValue(v any, depth int) (Value, error) {
	if depth == 0 {
		return Value{}, fmt.Errorf("a %T can't be an argument: it is more than %d pointers away from a value, or points to itself", v, maxDepth)
	}
	switch x := v.(type) {
	case nil:
		return Value{}, nil
	case Value:
		return checkValue(x)
	case string:
		return textValue(x)
	case []float32:
		return vecValue(x)
	case Floats:
		return vecValue(x)
	case []float64:
		if x == nil {
			return Value{}, nil
		}
		f := make([]float32, len(x))
		for i := range x {
			f[i] = float32(x[i])
		}
		return checkValue(value.Vec(f))
	case bool:
		return value.Bool(x), nil
	case int:
		return value.Int(int64(x)), nil
	case int64:
		return value.Int(x), nil
	case float64:
		return value.Float(x), nil
	case time.Time:
		return timeValue(x)
	case json.RawMessage:
		if x == nil {
			return Value{}, nil
		}
		return checkValue(value.RawJSON(string(x)))
	case []byte:
		if x == nil {
			return Value{}, nil
		}
		return value.Bytes(x), nil
	case Image:
		if x.Decoded != nil {
			return pictureValue(x.Decoded)
		}
		return value.Bytes(x.Data), nil
	case *Image:
		if x == nil {
			return Value{}, nil
		}
		return toValue(*x, depth-1)
	case image.Image:
		if rv := reflect.ValueOf(x); rv.Kind() == reflect.Pointer && rv.IsNil() {
			return Value{}, nil
		}
		return pictureValue(x)
	case driver.Valuer:
		// As database/sql has it: a nil pointer is NULL if the type it would point
		// at has the method, and otherwise left to the method.
		if rv := reflect.ValueOf(x); rv.Kind() == reflect.Pointer && rv.IsNil() && rv.Type().Elem().Implements(valuer) {
			return Value{}, nil
		}
		if v, ok := insideNull(reflect.ValueOf(x)); ok {
			return toValue(v, depth-1)
		}
		inner, err := x.Value()
		if err != nil {
			return Value{}, err
		}
		if _, again := inner.(driver.Valuer); again {
			return Value{}, fmt.Errorf("the Value method of %T returns another driver.Valuer", v)
		}
		return toValue(inner, depth-1)
	}
	return valueByKind(reflect.ValueOf(v), depth)
}

// valueByKind handles named types, pointers and slices of named floats.
func valueByKind(rv reflect.Value, depth int) (Value, error) {
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return Value{}, nil
		}
		return toValue(rv.Elem().Interface(), depth-1)
	case reflect.Bool:
		return value.Bool(rv.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return value.Int(rv.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if rv.Uint() > math.MaxInt64 {
			return Value{}, fmt.Errorf("%d is beyond INTEGER, whose largest value is %d", rv.Uint(), int64(math.MaxInt64))
		}
		return value.Int(int64(rv.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return value.Float(rv.Float()), nil
	case reflect.String:
		return textValue(rv.String())
	case reflect.Slice, reflect.Array:
		if rv.Kind() == reflect.Slice && rv.IsNil() {
			return Value{}, nil
		}
		switch rv.Type().Elem().Kind() {
		case reflect.Uint8:
			b := make([]byte, rv.Len())
			reflect.Copy(reflect.ValueOf(b), rv)
			return value.Bytes(b), nil
		case reflect.Float32, reflect.Float64:
			f := make([]float32, rv.Len())
			for i := range f {
				f[i] = float32(rv.Index(i).Float())
			}
			return checkValue(value.Vec(f))
		}
		return jsonValue(rv)
	case reflect.Map:
		if rv.IsNil() {
			return Value{}, nil
		}
		return jsonValue(rv)
	case reflect.Struct:
		_, marshals := rv.Interface().(json.Marshaler)
		_, writes := rv.Interface().(encoding.TextMarshaler)
		if marshals || writes || slices.ContainsFunc(reflect.VisibleFields(rv.Type()), func(f reflect.StructField) bool { return f.IsExported() && !f.Anonymous }) {
			return jsonValue(rv)
		}
	}
	return Value{}, fmt.Errorf("a %s can't be an argument; use a bool, number, string, []byte, []float32, time.Time, json.RawMessage, picture, nil, or what encoding/json takes", rv.Type())
}

// jsonValue is what Scan would read back: JSON into maps, structs and slices.
func jsonValue(rv reflect.Value) (Value, error) {
	b, err := json.Marshal(rv.Interface())
	if err != nil {
		return Value{}, fmt.Errorf("a %s can't be an argument: %w", rv.Type(), err)
	}
	return checkValue(value.RawJSON(string(b)))
}

func textValue(s string) (Value, error) { return checkValue(value.Str(s)) }

func vecValue(x []float32) (Value, error) {
	if x == nil {
		return Value{}, nil
	}
	return checkValue(value.Vec(append([]float32(nil), x...)))
}

// timeValue looks at the year first: far away, its microseconds overflow.
func timeValue(t time.Time) (Value, error) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return Value{}, fmt.Errorf("year %d is out of range for TIMESTAMP (years 1 to 9999)", y)
	}
	return checkValue(value.Time(t))
}

// checkValue refuses what could not be stored either.
func checkValue(v Value) (Value, error) {
	if err := v.Check(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// maxPixels bounds a picture that is an argument.
const maxPixels = 200_000_000

func pictureValue(img image.Image) (Value, error) {
	// Width and height each first: of a picture without bounds, such as
	// image.Uniform, their product overflows.
	b := img.Bounds()
	if b.Empty() {
		return Value{}, fmt.Errorf("picture has no pixels")
	}
	if w, h := int64(b.Max.X)-int64(b.Min.X), int64(b.Max.Y)-int64(b.Min.Y); w > maxPixels || h > maxPixels || w*h > maxPixels {
		return Value{}, fmt.Errorf("picture of %d x %d pixels is too large; %d million are possible", w, h, maxPixels/1_000_000)
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.NoCompression}
	if err := enc.Encode(&buf, img); err != nil {
		return Value{}, fmt.Errorf("picture: %w", err)
	}
	return value.BlobOf(buf.String()), nil
}
