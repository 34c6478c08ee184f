package postgres

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// decoder reads values in the engine's binary form into columns.
type decoder struct {
	texts [][]byte // of the batch at hand, by column
	sizes [][]int
}

func newDecoder(columns int) decoder {
	return decoder{make([][]byte, columns), make([][]int, columns)}
}

// flush gives the texts of a batch to its columns.
func (d *decoder) flush(cols []*value.Column) {
	for i, c := range cols {
		if c.Type.Kind != value.Text && c.Type.Kind != value.Blob {
			continue
		}
		all := string(d.texts[i]) // of all rows at once
		d.texts[i] = d.texts[i][:0]
		at := 0
		for k, size := range d.sizes[i] {
			c.Strs[k] = all[at : at+size]
			at += size
		}
		d.sizes[i] = d.sizes[i][:0]
	}
}

// add adds a value, in the engine's binary form, to a column as row n. Texts are kept until all
// of the batch are there.
func (d *decoder) add(c *value.Column, i, n int, b []byte) error {
	if b == nil {
		c.Append(n, value.Value{})
		if c.Type.Kind == value.Text || c.Type.Kind == value.Blob {
			d.sizes[i] = append(d.sizes[i], 0)
		}
		return nil
	}
	if c.Nulls != nil && len(c.Nulls)*64 <= n {
		c.Nulls = append(c.Nulls, 0)
	}
	if want := sizeOf(c.Type.Kind); want > 0 && len(b) != want {
		return fmt.Errorf("the database sent %d bytes for a value of type %v, where %d are right", len(b), c.Type, want)
	}
	switch c.Type.Kind {
	case value.Boolean:
		c.Bools = append(c.Bools, b[0] != 0)
	case value.Integer:
		c.Ints = append(c.Ints, int64(binary.BigEndian.Uint64(b)))
	case value.Real:
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("the database has the number %v, which REAL can't hold; leave such rows out with WHERE", f)
		}
		c.Reals = append(c.Reals, f)
	case value.Timestamp:
		us := int64(binary.BigEndian.Uint64(b))
		if us < value.MinTimestamp-epoch || us > value.MaxTimestamp-epoch {
			return fmt.Errorf("the database has a time beyond the years 1 to 9999, which TIMESTAMP can't hold; leave such rows out with WHERE")
		}
		c.Ints = append(c.Ints, us+epoch)
	case value.Date:
		day := int64(int32(binary.BigEndian.Uint32(b))) + epoch/value.MicrosPerDay
		if day < value.MinDate || day > value.MaxDate {
			return fmt.Errorf("the database has a date beyond the years 1 to 9999, which DATE can't hold; leave such rows out with WHERE")
		}
		c.Ints = append(c.Ints, day)
	case value.Interval:
		c.Append(n, value.SpanValue(value.Span{
			Micros: int64(binary.BigEndian.Uint64(b)), Days: int32(binary.BigEndian.Uint32(b[8:])), Months: int32(binary.BigEndian.Uint32(b[12:])),
		}))
	case value.Numeric:
		v, err := numericOf(b)
		if err != nil {
			return err
		}
		c.Append(n, v)
	case value.Vector:
		if err := checkVector(c.Type, b); err != nil {
			return err
		}
		c.Vecs = appendFloats(c.Vecs, c.Type, b)
	case value.JSON:
		v, err := value.Parse(c.Type, string(b))
		if err != nil {
			return err
		}
		c.Append(n, v)
	default: // TEXT and BLOB
		d.texts[i] = append(d.texts[i], b...)
		c.Strs = append(c.Strs, "")
		d.sizes[i] = append(d.sizes[i], len(b))
	}
	return nil
}

// asDescribed checks that an answer has values of the types that are read.
func asDescribed(fields []pgconn.FieldDescription, out []*foreign.Expr) error {
	if len(fields) != len(out) {
		return fmt.Errorf("the database sent %d columns of %d", len(fields), len(out))
	}
	for i, e := range out {
		want := uint32(pgtype.TextOID)
		switch e.Type.Kind {
		case value.Boolean:
			want = pgtype.BoolOID
		case value.Integer:
			want = pgtype.Int8OID
		case value.Real:
			want = pgtype.Float8OID
		case value.Timestamp:
			want = pgtype.TimestampOID
		case value.Date:
			want = pgtype.DateOID
		case value.Interval:
			want = pgtype.IntervalOID
		case value.Blob:
			want = pgtype.ByteaOID
		case value.Numeric:
			want = pgtype.NumericOID
		case value.Vector: // whose number each database has of its own
			if got := fields[i].DataTypeOID; got >= firstNormalOID {
				continue
			}
		}
		if fields[i].DataTypeOID != want {
			return fmt.Errorf("%s is of another type than before: %w", fields[i].Name, foreign.ErrChanged)
		}
	}
	return nil
}

// firstNormalOID is where the numbers of types begin that extensions have made.
const firstNormalOID = 16384

// sizeOf is how many bytes a value of a kind takes in binary form, 0 if that differs.
func sizeOf(k value.Kind) int {
	switch k {
	case value.Boolean:
		return 1
	case value.Date:
		return 4
	case value.Integer, value.Real, value.Timestamp:
		return 8
	case value.Interval:
		return 16
	}
	return 0
}

// checkVector checks the length of a vector in binary form.
func checkVector(t value.Type, b []byte) error {
	size := 4
	if t.Half {
		size = 2
	}
	if len(b) < 4 || int(binary.BigEndian.Uint16(b)) != t.Dim || len(b) != 4+size*t.Dim {
		return fmt.Errorf("the database sent a vector of %d bytes for %v", len(b), t)
	}
	return nil
}

// appendFloats appends the numbers of a vector in binary form.
func appendFloats(v []float32, t value.Type, b []byte) []float32 {
	if t.Half {
		for i := 4; i < len(b); i += 2 {
			v = append(v, value.HalfToFloat(binary.BigEndian.Uint16(b[i:])))
		}
		return v
	}
	for i := 4; i < len(b); i += 4 {
		v = append(v, math.Float32frombits(binary.BigEndian.Uint32(b[i:])))
	}
	return v
}

// encodeArgs are the values of parameters in the engine's binary form.
func encodeArgs(args []value.Value) (values [][]byte, formats []int16) {
	for _, v := range args {
		var b []byte // NULL
		if !v.IsNull() {
			b = appendValue([]byte{}, v)
		}
		values, formats = append(values, b), append(formats, 1)
	}
	return values, formats
}

// epoch is 2000-01-01, where the engine's time begins, in microseconds of Unix time.
const epoch = 946684800 * 1000000

// appendValue appends a value, which is not NULL, in the engine's binary form of the type that
// typeName gives it.
func appendValue(b []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Boolean:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case value.Integer:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case value.Real:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case value.Timestamp:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()-epoch))
	case value.Date:
		return binary.BigEndian.AppendUint32(b, uint32(v.Int()-epoch/value.MicrosPerDay))
	case value.Interval:
		s := v.Span()
		b = binary.BigEndian.AppendUint64(b, uint64(s.Micros))
		b = binary.BigEndian.AppendUint32(b, uint32(s.Days))
		return binary.BigEndian.AppendUint32(b, uint32(s.Months))
	case value.Numeric:
		return appendNumeric(b, v)
	case value.Vector:
		return appendVector(b, v.Vec())
	}
	return append(b, v.Str()...)
}

func appendVector(b []byte, v []float32) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, 0, 0)
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

func appendHalf(b []byte, v []float32) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(v)))
	b = append(b, 0, 0)
	for _, x := range v {
		b = binary.BigEndian.AppendUint16(b, value.FloatToHalf(x))
	}
	return b
}
