package fn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/lupadb/lupa/storage/value"
)

// CastMode says how much a conversion may assume, as in PostgreSQL.
type CastMode uint8

const (
	Implicit   CastMode = iota // anywhere: INTEGER to REAL, NULL to anything
	Assignment                 // storing into a column: also REAL to INTEGER, anything to TEXT
	Explicit                   // CAST(x AS t): all there is
)

var castFunc = &Func{Name: "cast", Category: Operator, Syntax: "CAST(x AS type) or x::type", partial: true}

// Cast returns the conversion from one type to another as a call of one
// argument, or an error that says why mode does not allow it.
func Cast(from, to value.Type, mode CastMode) (*Call, error) {
	c := &Call{Func: castFunc, Params: []value.Type{from}, Result: to}
	if from.Kind == value.Null {
		c.eval = func(*Ctx, []Arg, int, []int32, *value.Column) error { return nil }
		return c, nil
	}
	least := Explicit
	switch f, t := from.Kind, to.Kind; {
	case f == t:
		least = Implicit
		if f == value.Vector && from.Dim > 0 && to.Dim > 0 && from.Dim != to.Dim {
			return nil, fmt.Errorf("vector has %s, %d expected", value.Dimensions(from.Dim), to.Dim)
		}
		c.eval = castSame
		if f == value.Vector && to.Dim == 0 {
			c.Result.Dim = from.Dim
		}
	case f == value.Date && t == value.Timestamp:
		least, c.eval = Implicit, castDateTime
	case f == value.Timestamp && t == value.Date:
		least, c.eval = Assignment, castTimeDate
	case f == value.Integer && t == value.Real:
		least, c.eval = Implicit, castIntReal
	case f == value.Real && t == value.Integer:
		least, c.eval = Assignment, castRealInt
	case f == value.Integer && t == value.Numeric:
		least, c.eval = Implicit, castIntNumeric
	case f == value.Numeric && t == value.Real:
		least, c.eval = Implicit, castNumericReal
	case f == value.Real && t == value.Numeric:
		least, c.eval = Assignment, castRealNumeric
	case f == value.Numeric && t == value.Integer:
		least, c.eval = Assignment, castNumericInt
	case f == value.Integer && t == value.Boolean:
		c.eval = castIntBool
	case f == value.Boolean && t == value.Integer:
		c.eval = castBoolInt
	case t == value.Text:
		least, c.eval = Assignment, castToText
		if f == value.Vector || f == value.Blob {
			least = Explicit
		}
	case t == value.JSON && f == value.Text:
		least, c.eval = Assignment, castTextJSON
	case t == value.JSON && f == value.Blob:
		least, c.eval = Assignment, castBlobJSON
	case t == value.Vector && f == value.Blob:
		least, c.eval = Assignment, castBlobVector
	case t == value.JSON && (f == value.Boolean || f == value.Integer || f == value.Real || f == value.Numeric || f == value.Vector):
		c.eval = castToJSON
	case f == value.Text && t == value.Blob:
		c.eval = castParse(to)
	case f == value.JSON && t != value.Blob:
		c.eval = castJSON(to)
		if t == value.Vector && to.Dim == 0 {
			c.eval = castTextVector
		}
	case f == value.Text && !(t == value.Vector && to.Dim == 0):
		c.eval = castParse(to)
		if t == value.Interval || t == value.Numeric { // parquet files have theirs as texts
			least = Assignment
		}
	case f == value.Text && t == value.Vector:
		c.eval = castTextVector
	}
	if c.eval == nil {
		if to.Kind == value.Interval && (from.Kind == value.Integer || from.Kind == value.Real) {
			return nil, fmt.Errorf("%v can't be cast to %v: say of what, INTERVAL '1 second' * n (a time.Duration is an INTEGER of nanoseconds, n / 1e9)", from, to)
		}
		return nil, fmt.Errorf("%v can't be cast to %v", from, to)
	}
	if half := to.Half && !from.Half; half {
		c.eval = halving(c.eval)
		if f := from.Kind; f == value.Vector {
			least = Assignment
		}
		c.Result.Half = true
	}
	if mode < least {
		return nil, fmt.Errorf("expected %v, not %v; write CAST(... AS %v)", to, from, to)
	}
	return c, nil
}

// Common returns the type that all of the given types are brought to in CASE,
// COALESCE, IN, VALUES and UNION: that of the non-literals, REAL for a mix of
// INTEGER or NUMERIC and REAL, NUMERIC for one of INTEGER and NUMERIC. who is named in the error.
func Common(who string, types []ArgType) (value.Type, error) {
	var t value.Type
	literal, decimal := false, false
	for _, a := range types {
		if a.Decimal && a.Type.Kind == value.Real {
			decimal = true
			continue
		}
		if a.Literal && a.Type.Kind == value.Text {
			literal = true
			continue
		}
		if a.Type.Kind == value.Null {
			continue
		}
		u, err := unify(t, a.Type)
		if err != nil {
			return t, fmt.Errorf("%s: %w", who, err)
		}
		t = u
	}
	if decimal && t.Kind != value.Numeric {
		u, err := unify(t, value.Type{Kind: value.Real})
		if err != nil {
			return t, fmt.Errorf("%s: %w", who, err)
		}
		t = u
	}
	if literal && t.Kind == value.Null {
		t.Kind = value.Text
	}
	return t, nil
}

// unify returns the type both a and b convert to implicitly.
func unify(a, b value.Type) (value.Type, error) {
	switch {
	case a.Kind == value.Null:
		return b, nil
	case b.Kind == value.Null || a == b:
		return a, nil
	case a.Kind == value.Vector && b.Kind == value.Vector:
		if a.Dim == 0 || b.Dim == 0 || a.Dim == b.Dim {
			return value.Type{Kind: value.Vector, Dim: max(a.Dim, b.Dim), Half: a.Half && b.Half}, nil
		}
		return a, fmt.Errorf("vectors of %d and of %d dimensions can't be combined", a.Dim, b.Dim)
	case a.Kind == value.Date && b.Kind == value.Timestamp, a.Kind == value.Timestamp && b.Kind == value.Date:
		return value.Type{Kind: value.Timestamp}, nil
	case a.Kind == value.Integer && b.Kind == value.Real, a.Kind == value.Real && b.Kind == value.Integer:
		return value.Type{Kind: value.Real}, nil
	case a.Kind == value.Integer && b.Kind == value.Numeric, a.Kind == value.Numeric && b.Kind == value.Integer:
		return value.Type{Kind: value.Numeric}, nil
	case a.Kind == value.Numeric && b.Kind == value.Real, a.Kind == value.Real && b.Kind == value.Numeric:
		return value.Type{Kind: value.Real}, nil
	}
	return a, fmt.Errorf("%v and %v can't be combined; cast one of them", a, b)
}

// halving makes HALFVECs of the vectors of a conversion.
func halving(eval kernel) kernel {
	return func(ctx *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		if err := eval(ctx, args, n, sel, out); err != nil {
			return err
		}
		out.Type.Half = true
		for _, i := range fullSel(n, sel) {
			if out.Null(int(i)) {
				continue
			}
			v := out.Vec(int(i))
			if err := value.CheckHalf(v); err != nil {
				return err
			}
			value.RoundHalf(v, v)
		}
		return nil
	}
}

func castSame(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	in := args[0]
	if in.Type.Kind == value.Vector && in.Type.Dim != out.Type.Dim {
		return fmt.Errorf("vector has %s, %d expected", value.Dimensions(in.Type.Dim), out.Type.Dim)
	}
	return copyRows(out, in, n, fullSel(n, sel))
}

func castIntReal(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Ints, args[0].step(), out.Reals, n, sel, func(x int64) float64 { return float64(x) })
	return nil
}

// map1 sets out[i] = f(in[i]) for the selected slots.
func map1[A, R any](in []A, step int, out []R, n int, sel []int32, f func(A) R) {
	if sel == nil {
		for i := range n {
			out[i] = f(in[i*step])
		}
		return
	}
	for _, i := range sel {
		out[i] = f(in[int(i)*step])
	}
}

// try1 is map1 for a function that can fail.
func try1[A, R any](in []A, step int, out []R, n int, sel []int32, f func(A) (R, error)) (err error) {
	for _, i := range fullSel(n, sel) {
		if out[i], err = f(in[int(i)*step]); err != nil {
			return err
		}
	}
	return nil
}

func castDateTime(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Ints, args[0].step(), out.Ints, n, sel, func(d int64) int64 { return d * value.MicrosPerDay })
	return nil
}

func castTimeDate(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Ints, args[0].step(), out.Ints, n, sel, value.FloorDays)
	return nil
}

// realToInt rounds half to even, as PostgreSQL does.
func realToInt(f float64) (int64, error) {
	r := math.RoundToEven(f)
	if !(r >= -1<<63 && r < 1<<63) {
		return 0, fmt.Errorf("%s is out of range for INTEGER (64 bit)", value.AppendReal(nil, f))
	}
	return int64(r), nil
}

func castRealInt(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Reals, args[0].step(), out.Ints, n, sel, realToInt)
}

func castIntBool(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Ints, args[0].step(), out.Bools, n, sel, func(x int64) bool { return x != 0 })
	return nil
}

func castBoolInt(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Bools, args[0].step(), out.Ints, n, sel, func(x bool) int64 {
		if x {
			return 1
		}
		return 0
	})
	return nil
}

func castToText(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		out.Strs[i] = args[0].At(int(i)).String()
	}
	return nil
}

func castTextJSON(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Strs, args[0].step(), out.Strs, n, sel, func(s string) (string, error) {
		_, err := value.Parse(value.Type{Kind: value.JSON}, s)
		return s, err
	})
}

// castBlobJSON reads bytes as JSON: what programs' JSON libraries make.
func castBlobJSON(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Strs, args[0].step(), out.Strs, n, sel, func(s string) (string, error) {
		return s, value.RawJSON(s).Check()
	})
}

// castBlobVector reads bytes as float32s, the lowest byte first; without a dimension,
// that of the first one counts. With one, a HALFVEC may be given as float16s as well.
func castBlobVector(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	known := out.Type.Dim > 0
	for _, i := range fullSel(n, sel) {
		s := args[0].Strs[int(i)*args[0].step()]
		dim := out.Type.Dim
		if dim == 0 {
			dim = len(s) / 4
		}
		if out.Type.Half && known && len(s) == 2*dim {
			for k, v := 0, out.Vecs[int(i)*dim:][:dim]; k < dim; k++ {
				v[k] = value.HalfToFloat(binary.LittleEndian.Uint16([]byte(s[2*k : 2*k+2])))
			}
			if err := value.Vec(out.Vecs[int(i)*dim:][:dim]).Check(); err != nil {
				return err
			}
			continue
		}
		if len(s) == 0 || len(s) != 4*dim {
			return fmt.Errorf("%d bytes are not a vector%s: they are float32s, 4 bytes each, the lowest byte first", len(s), ofDim(dim, len(s)))
		}
		if !known && out.Type.Dim == 0 {
			out.Type.Dim, out.Vecs = dim, grow(out.Vecs, n*dim)
		}
		v := out.Vecs[int(i)*dim:][:dim]
		for k := range v {
			v[k] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(s[4*k : 4*k+4])))
		}
		if err := value.Vec(v).Check(); err != nil {
			return err
		}
	}
	return nil
}

func ofDim(dim, bytes int) string {
	if bytes == 0 || bytes%4 != 0 {
		return ""
	}
	return fmt.Sprintf(" of %d dimensions", dim)
}

func castToJSON(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		v := args[0].At(int(i))
		if v.Kind() == value.Real && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
			return fmt.Errorf("%v can't be represented in JSON", v)
		}
		out.Strs[i] = v.String()
	}
	return nil
}

func castParse(to value.Type) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		in, step := args[0].Strs, args[0].step()
		switch to.Kind {
		case value.Integer:
			return try1(in, step, out.Ints, n, sel, value.ParseInt)
		case value.Real:
			return try1(in, step, out.Reals, n, sel, value.ParseReal)
		case value.Timestamp:
			return try1(in, step, out.Ints, n, sel, value.ParseTimestamp)
		case value.Date:
			return try1(in, step, out.Ints, n, sel, value.ParseDate)
		case value.Interval:
			return try1(in, step, out.Strs, n, sel, func(s string) (string, error) {
				span, err := value.ParseSpan(s)
				return span.Body(), err
			})
		case value.Numeric:
			return try1(in, step, out.Strs, n, sel, func(s string) (string, error) {
				v, err := value.ParseNumeric(s)
				return v.Str(), err
			})
		case value.Boolean:
			return try1(in, step, out.Bools, n, sel, value.ParseBool)
		case value.Blob:
			return try1(in, step, out.Strs, n, sel, value.ParseBlob)
		}
		for _, i := range fullSel(n, sel) {
			v, err := value.Parse(to, in[int(i)*step])
			if err != nil {
				return err
			}
			copy(out.Vecs[int(i)*to.Dim:], v.Vec())
		}
		return nil
	}
}

// castTextVector reads vectors whose dimension is that of the first one.
func castTextVector(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	out.Type.Dim = 0
	for _, i := range fullSel(n, sel) {
		v, err := value.ParseVector(nil, args[0].Strs[int(i)*args[0].step()])
		if err != nil {
			return err
		}
		if out.Type.Dim == 0 {
			out.Type.Dim, out.Vecs = len(v), grow(out.Vecs, n*len(v))
		}
		if len(v) != out.Type.Dim {
			return fmt.Errorf("vectors of %d and of %d dimensions in one column", out.Type.Dim, len(v))
		}
		copy(out.Vecs[int(i)*len(v):], v)
	}
	return nil
}

// castJSON takes a JSON scalar (or array of numbers, for a vector) out of its
// JSON form; JSON null becomes NULL.
func castJSON(to value.Type) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			s := args[0].Strs[int(i)*args[0].step()]
			if string(bytes.TrimSpace([]byte(s))) == "null" {
				setNull(out, int(i), n)
				continue
			}
			v, err := fromJSON(s, to)
			if err != nil {
				return err
			}
			setSlot(out, int(i), v)
		}
		return nil
	}
}

// fromJSON reads one JSON value as type to.
func fromJSON(s string, to value.Type) (value.Value, error) {
	bad := func() (value.Value, error) {
		return value.Value{}, fmt.Errorf("JSON %s can't be read as %v", value.Quote(s), to)
	}
	raw := bytes.TrimSpace([]byte(s))
	if len(raw) == 0 {
		return bad()
	}
	if raw[0] == '"' {
		var text string
		if to.Kind == value.Vector || json.Unmarshal(raw, &text) != nil {
			return bad()
		}
		return value.Parse(to, text)
	}
	switch to.Kind {
	case value.Boolean:
		if raw[0] != 't' && raw[0] != 'f' {
			return bad()
		}
	case value.Integer:
		if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return bad()
		}
		if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return value.Int(i), nil
		}
		f, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return bad()
		}
		i, err := realToInt(f)
		return value.Int(i), err
	case value.Real, value.Numeric:
		if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
			return bad()
		}
	case value.Vector:
		if raw[0] != '[' {
			return bad()
		}
	case value.Timestamp, value.Date, value.Interval:
		return bad()
	}
	return value.Parse(to, string(raw))
}

// setSlot sets slot i of out to v, of out's kind and dimension and not NULL.
func setSlot(out *value.Column, i int, v value.Value) {
	switch v.Kind() {
	case value.Boolean:
		out.Bools[i] = v.Bool()
	case value.Integer, value.Timestamp, value.Date:
		out.Ints[i] = v.Int()
	case value.Real:
		out.Reals[i] = v.Float()
	case value.Vector:
		copy(out.Vecs[i*out.Type.Dim:], v.Vec())
	default:
		out.Strs[i] = v.Str()
	}
}
