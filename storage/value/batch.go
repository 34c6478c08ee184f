package value

// BatchSize is the largest number of rows in a Batch, and the number of rows in
// a sealed block of storage.
const BatchSize = 1024

// Bitmap is a set of row positions within a batch, one bit each. A nil Bitmap
// is the empty set.
type Bitmap []uint64

// NewBitmap returns an empty set with room for n positions.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

func (b Bitmap) Get(i int) bool { return b != nil && b[i>>6]&(1<<(i&63)) != 0 }
func (b Bitmap) Set(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b Bitmap) Clear(i int)    { b[i>>6] &^= 1 << (i & 63) }

// Column holds the values of one column for the rows of a batch, in the slice
// that belongs to its kind; slots of NULL rows are zero. Whoever produced the
// column owns it: it is valid until the producer's next call, and consumers
// don't write to it.
type Column struct {
	Type  Type
	Nulls Bitmap    // set bit = NULL; nil = no NULL at all
	Bools []bool    // Boolean
	Ints  []int64   // Integer, Timestamp, Date
	Reals []float64 // Real
	Strs  []string  // Text, JSON, Blob, Interval, Numeric; often substrings of one backing string
	Vecs  []float32 // Vector: Type.Dim floats a row, row after row

	// Joined is the texts of all rows one after the other, or Values if there are any, where they were
	// read as one; else "".
	Joined string

	// Values and Codes are the different texts, where they were read as such: row i, unless it is
	// NULL, is Values[Codes[i]], as in Strs, and each value is that of a row or is what NULL rows hold. Else nil.
	Values []string
	Codes  []uint16
}

// Null reports whether row i is NULL. A column of kind Null is NULL everywhere.
func (c *Column) Null(i int) bool { return c.Type.Kind == Null || c.Nulls.Get(i) }

// Vec returns the vector of row i, aliasing the column.
func (c *Column) Vec(i int) []float32 {
	d := c.Type.Dim
	return c.Vecs[i*d : (i+1)*d : (i+1)*d]
}

// Value returns row i as a Value; a vector aliases the column, so Clone it to
// keep it beyond the batch.
func (c *Column) Value(i int) Value {
	if c.Null(i) {
		return Value{}
	}
	switch c.Type.Kind {
	case Boolean:
		return Bool(c.Bools[i])
	case Integer:
		return Int(c.Ints[i])
	case Timestamp:
		return Micros(c.Ints[i])
	case Date:
		return Days(c.Ints[i])
	case Real:
		return Float(c.Reals[i])
	case Vector:
		return Vec(c.Vec(i))
	default:
		return Value{kind: c.Type.Kind, str: c.Strs[i]}
	}
}

// Append adds v, which is NULL or of the column's kind (and dimension), as row n,
// where n is the number of rows there already.
func (c *Column) Append(n int, v Value) {
	if v.IsNull() {
		for len(c.Nulls)*64 <= n {
			c.Nulls = append(c.Nulls, 0)
		}
		c.Nulls.Set(n)
	} else if c.Nulls != nil && len(c.Nulls)*64 <= n {
		c.Nulls = append(c.Nulls, 0)
	}
	switch c.Type.Kind {
	case Boolean:
		c.Bools = append(c.Bools, v.Bool())
	case Integer, Timestamp, Date:
		c.Ints = append(c.Ints, v.Int())
	case Real:
		c.Reals = append(c.Reals, v.Float())
	case Text, JSON, Blob, Interval, Numeric:
		c.Strs = append(c.Strs, v.Str())
		c.Joined, c.Values, c.Codes = "", nil, nil
	case Vector:
		if v.IsNull() {
			for i := 0; i < c.Type.Dim; i++ {
				c.Vecs = append(c.Vecs, 0)
			}
		} else {
			c.Vecs = append(c.Vecs, v.Vec()...)
		}
	}
}

// Reset empties the column, keeping its memory.
func (c *Column) Reset(t Type) {
	*c = Column{Type: t, Bools: c.Bools[:0], Ints: c.Ints[:0], Reals: c.Reals[:0], Strs: c.Strs[:0], Vecs: c.Vecs[:0]}
}

// Batch is up to BatchSize rows in columns of equal length, with an optional
// selection: the positions, ascending, of the rows that count. Operators
// narrow Sel and leave columns alone.
type Batch struct {
	Len  int       // rows in every column
	Cols []*Column // nil where a column was not asked for
	Sel  []int32   // selected positions, ascending; nil = all rows
	Rows []uint64  // row numbers in the table the batch was read from, or nil
}

// Selected returns the selected positions, never nil. They are not to be changed.
func (b *Batch) Selected() []int32 {
	if b.Sel != nil {
		return b.Sel
	}
	return Positions(b.Len)
}

// Positions returns 0, 1, ... n-1. They are not to be changed.
func Positions(n int) []int32 {
	if n <= len(positions) {
		return positions[:n:n]
	}
	return sequence(n)
}

var positions = sequence(BatchSize)

func sequence(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

// Count returns the number of selected rows.
func (b *Batch) Count() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.Len
}
