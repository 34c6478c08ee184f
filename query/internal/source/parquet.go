//go:build !noparquet

package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/lupadb/lupa/storage/value"
)

// parquetReader reads the columns of a parquet file that have a type here:
// scalars, and lists of numbers of equal length as vectors. Other nested columns
// are not there. Only what is projected is read.
type parquetReader struct {
	*input
	file   *parquet.File
	leaves []parquetLeaf // one for each of all
	all    []Column
	cols   []Column
	scan   []*leafScan
	rows   int64
	next   int64
	batch  *value.Batch
}

// parquetLeaf is a leaf of the file's schema that makes a column.
type parquetLeaf struct {
	index   int // of the leaf
	maxDef  int
	list    bool
	convert func(parquet.Value) (value.Value, error)
}

func openParquet(path string, _ Options) (r Reader, err error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			in.Close()
		}
	}()
	defer corrupt(path, &err)
	if in.size == 0 {
		return nil, fmt.Errorf("%s: not a parquet file: it is empty", path)
	}
	f, err := parquet.OpenFile(in, in.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%s: not a parquet file, or a damaged one: %w", path, err)
	}
	p := &parquetReader{input: in, file: f, rows: f.NumRows()}
	if err := p.schema(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(p.all) == 0 {
		return nil, fmt.Errorf("%s: none of its columns has a type that can be read", path)
	}
	pick := make([]int, len(p.all))
	for i := range pick {
		pick[i] = i
	}
	return p, p.Project(pick, nil)
}

// corrupt turns a panic of the parquet library over a damaged file into an error.
func corrupt(path string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: the parquet file is damaged: %v", path, r)
	}
}

// ReadAt counts what is read, for Progress.
func (in *input) ReadAt(p []byte, off int64) (int, error) {
	n, err := in.f.ReadAt(p, off)
	in.done.Add(int64(n))
	return n, err
}

// schema finds the columns.
func (r *parquetReader) schema() error {
	for _, top := range r.file.Root().Columns() {
		leaf, list := top, false
		if !top.Leaf() {
			// A list is a group of one repeated group of one element.
			for !leaf.Leaf() && len(leaf.Columns()) == 1 {
				leaf = leaf.Columns()[0]
			}
			list = true
		}
		if !leaf.Leaf() || leaf.MaxRepetitionLevel() > 1 {
			continue
		}
		list = list || leaf.MaxRepetitionLevel() == 1
		if list && leaf.MaxRepetitionLevel() != 1 {
			continue // a struct of one field
		}
		kind, convert := parquetType(leaf.Type())
		if convert == nil || list && kind != value.Real && kind != value.Integer {
			continue
		}
		l := parquetLeaf{leaf.Index(), leaf.MaxDefinitionLevel(), list, convert}
		t := value.Type{Kind: kind}
		if list {
			dim, err := r.firstDim(l)
			if err != nil {
				return fmt.Errorf("column %s: %w", top.Name(), err)
			}
			if dim > value.MaxDim {
				continue
			}
			t = value.Type{Kind: value.Vector, Dim: max(dim, 1)}
		}
		r.leaves = append(r.leaves, l)
		r.all = append(r.all, Column{top.Name(), t})
	}
	return nil
}

// firstDim returns the length of the first list that is not NULL, 0 if there is
// none.
func (r *parquetReader) firstDim(l parquetLeaf) (int, error) {
	s := newLeafScan(r.file, l)
	defer s.close()
	n := 0
	for {
		v, err := s.peek()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		if n > 0 && v.RepetitionLevel() == 0 {
			return n, nil
		}
		s.pos++
		if v.DefinitionLevel() == l.maxDef {
			if n++; n > value.MaxDim {
				return n, nil
			}
		}
	}
}

// converted names the annotations of files from before logical types.
var converted = map[deprecated.ConvertedType]string{
	deprecated.UTF8: "STRING", deprecated.Enum: "ENUM", deprecated.Json: "JSON", deprecated.Date: "DATE",
	deprecated.TimestampMillis: "TIMESTAMP(MILLIS)", deprecated.TimestampMicros: "TIMESTAMP(MICROS)",
	deprecated.Uint32: "UINT_32", deprecated.Uint64: "UINT_64", deprecated.Decimal: "DECIMAL",
}

// parquetType returns the kind of a leaf and how its values are turned into it;
// convert is nil for what has no type here.
func parquetType(t parquet.Type) (k value.Kind, convert func(parquet.Value) (value.Value, error)) {
	logical := ""
	if lt := t.LogicalType(); lt != nil {
		logical = lt.String()
	} else if ct := t.ConvertedType(); ct != nil {
		logical = converted[*ct]
	}
	ok := func(f func(parquet.Value) value.Value) func(parquet.Value) (value.Value, error) {
		return func(v parquet.Value) (value.Value, error) { return f(v), nil }
	}
	switch kind := t.Kind(); {
	case kind == parquet.Boolean:
		return value.Boolean, ok(func(v parquet.Value) value.Value { return value.Bool(v.Boolean()) })
	case strings.HasPrefix(logical, "DECIMAL"):
		scale := int32(0)
		if lt := t.LogicalType(); lt != nil {
			if d, is := lt.Value.(*format.DecimalType); is {
				scale = d.Scale
			}
		} else {
			return value.Null, nil
		}
		return value.Real, ok(func(v parquet.Value) value.Value { return value.Float(decimal(v, scale)) })
	case logical == "DATE":
		return value.Timestamp, func(v parquet.Value) (value.Value, error) { return timestampIn(int64(v.Int32()), 86400e6) }
	case strings.HasPrefix(logical, "TIMESTAMP") && kind == parquet.Int64:
		switch {
		case strings.Contains(logical, "MILLIS"):
			return value.Timestamp, func(v parquet.Value) (value.Value, error) { return timestampIn(v.Int64(), 1000) }
		case strings.Contains(logical, "NANOS"):
			return value.Timestamp, ok(func(v parquet.Value) value.Value { return value.Time(time.Unix(0, v.Int64())) })
		}
		return value.Timestamp, func(v parquet.Value) (value.Value, error) { return timestampIn(v.Int64(), 1) }
	case kind == parquet.Int32 && (logical == "INT(32,false)" || logical == "UINT_32"):
		return value.Integer, ok(func(v parquet.Value) value.Value { return value.Int(int64(v.Uint32())) })
	case kind == parquet.Int32:
		return value.Integer, ok(func(v parquet.Value) value.Value { return value.Int(int64(v.Int32())) })
	case kind == parquet.Int64 && (logical == "INT(64,false)" || logical == "UINT_64"):
		return value.Integer, func(v parquet.Value) (value.Value, error) {
			if v.Int64() < 0 {
				return value.Value{}, fmt.Errorf("%d is out of range for INTEGER (64 bit)", v.Uint64())
			}
			return value.Int(v.Int64()), nil
		}
	case kind == parquet.Int64:
		return value.Integer, ok(func(v parquet.Value) value.Value { return value.Int(v.Int64()) })
	case kind == parquet.Int96:
		return value.Timestamp, func(v parquet.Value) (value.Value, error) {
			w := v.Int96() // nanoseconds of the day, then the Julian day
			nanos := int64(w[0]) | int64(w[1])<<32
			return timestampIn((int64(w[2])-2440588)*86400e6+nanos/1000, 1)
		}
	case kind == parquet.Float:
		return value.Real, ok(func(v parquet.Value) value.Value { return value.Float(float64(v.Float())) })
	case kind == parquet.Double:
		return value.Real, ok(func(v parquet.Value) value.Value { return value.Float(v.Double()) })
	case logical == "FLOAT16":
		return value.Real, ok(func(v parquet.Value) value.Value {
			return value.Float(float64(halfToFloat(binary.LittleEndian.Uint16(v.ByteArray()))))
		})
	case logical == "STRING" || logical == "UTF8" || logical == "ENUM":
		return value.Text, func(v parquet.Value) (value.Value, error) {
			s := string(v.ByteArray())
			if !utf8.ValidString(s) {
				return value.Value{}, errors.New("not valid UTF-8")
			}
			return value.Str(s), nil
		}
	case logical == "JSON":
		return value.JSON, func(v parquet.Value) (value.Value, error) {
			return value.Parse(value.Type{Kind: value.JSON}, string(v.ByteArray()))
		}
	case logical == "UUID":
		return value.Text, ok(func(v parquet.Value) value.Value {
			b := v.ByteArray()
			return value.Str(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
		})
	}
	return value.Blob, ok(func(v parquet.Value) value.Value { return value.Bytes(v.ByteArray()) })
}

func timestampIn(n, unit int64) (value.Value, error) {
	us := n * unit
	if us/unit != n || us < value.MinTimestamp || us > value.MaxTimestamp {
		return value.Value{}, errors.New("the time is out of range for TIMESTAMP (years 1 to 9999)")
	}
	return value.Micros(us), nil
}

func decimal(v parquet.Value, scale int32) float64 {
	var n *big.Int
	switch v.Kind() {
	case parquet.Int32:
		n = big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		n = big.NewInt(v.Int64())
	default:
		b := v.ByteArray()
		n = new(big.Int).SetBytes(b)
		if len(b) > 0 && b[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	d := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, 0))), nil)
	f, _ := new(big.Rat).SetFrac(n, d).Float64()
	return f
}

// leafScan runs over the values of one leaf column, row group after row group.
type leafScan struct {
	groups []parquet.RowGroup
	leaf   parquetLeaf
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	pos, n int
}

func newLeafScan(f *parquet.File, leaf parquetLeaf) *leafScan {
	return &leafScan{groups: f.RowGroups(), leaf: leaf, buf: make([]parquet.Value, 1024)}
}

// peek returns the value at pos, reading on if needed; io.EOF at the end. Byte
// arrays are valid until the next page is read.
func (s *leafScan) peek() (parquet.Value, error) {
	for s.pos == s.n {
		if s.values == nil {
			if s.pages == nil {
				if len(s.groups) == 0 {
					return parquet.Value{}, io.EOF
				}
				s.pages = s.groups[0].ColumnChunks()[s.leaf.index].Pages()
				s.groups = s.groups[1:]
			}
			page, err := s.pages.ReadPage()
			if err == io.EOF {
				s.pages.Close()
				s.pages = nil
				continue
			}
			if err != nil {
				return parquet.Value{}, err
			}
			s.page, s.values = page, page.Values()
		}
		n, err := s.values.ReadValues(s.buf)
		s.pos, s.n = 0, n
		if err == io.EOF && n == 0 {
			parquet.Release(s.page)
			s.page, s.values = nil, nil
		} else if err != nil && err != io.EOF {
			return parquet.Value{}, err
		} else if n == 0 {
			return parquet.Value{}, io.ErrNoProgress
		}
	}
	return s.buf[s.pos], nil
}

func (s *leafScan) close() {
	if s.page != nil {
		parquet.Release(s.page)
	}
	if s.pages != nil {
		s.pages.Close()
	}
}

func (r *parquetReader) Columns() []Column { return r.cols }
func (r *parquetReader) Rows() int64       { return r.rows }

func (r *parquetReader) Project(cols []int, _ []value.Type) error {
	out, err := project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	r.cols, r.batch = out, newBatch(out)
	r.scan = nil
	for _, c := range cols {
		r.scan = append(r.scan, newLeafScan(r.file, r.leaves[c]))
	}
	r.done.Store(0)
	return nil
}

func (r *parquetReader) Next(ctx context.Context) (_ *value.Batch, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer corrupt(r.path, &err)
	n := int(min(r.rows-r.next, value.BatchSize))
	if n <= 0 {
		return nil, nil
	}
	reset(r.batch)
	for k, c := range r.batch.Cols {
		for i := range n {
			if err := r.scan[k].row(c, i); err != nil {
				if err == io.EOF {
					err = errors.New("the file ends before")
				}
				return nil, fmt.Errorf("%s, row %d, column %s: %w", r.path, r.next+int64(i)+1, r.cols[k].Name, err)
			}
		}
	}
	r.next += int64(n)
	r.batch.Len = n
	return r.batch, nil
}

// row appends the next row's value as row i of c.
func (s *leafScan) row(c *value.Column, i int) error {
	v, err := s.peek()
	if err != nil {
		return err
	}
	s.pos++
	if !s.leaf.list {
		if v.IsNull() {
			c.Append(i, value.Value{})
			return nil
		}
		x, err := s.leaf.convert(v)
		if err != nil {
			return err
		}
		c.Append(i, x)
		return nil
	}
	d, count := c.Type.Dim, 0
	empty := v.DefinitionLevel() < s.leaf.maxDef
	for {
		if !empty {
			if v.IsNull() {
				return fmt.Errorf("element %d of the vector is NULL", count+1)
			}
			x, err := s.leaf.convert(v)
			if err != nil {
				return err
			}
			f := x.Float()
			if x.Kind() == value.Integer {
				f = float64(x.Int())
			}
			if y := float32(f); y-y != 0 {
				return fmt.Errorf("element %d of the vector is %v; only finite numbers that float32 can hold are allowed", count+1, f)
			}
			c.Vecs = append(c.Vecs, float32(f))
			if count++; count > d {
				break
			}
		}
		if v, err = s.peek(); err == io.EOF || err == nil && v.RepetitionLevel() == 0 {
			break
		} else if err != nil {
			return err
		}
		s.pos++
		if v.DefinitionLevel() < s.leaf.maxDef {
			return fmt.Errorf("element %d of the vector is NULL", count+1)
		}
	}
	if empty && count == 0 {
		c.Append(i, value.Value{})
		return nil
	}
	if count != d {
		return fmt.Errorf("%s where the first row has %d; vectors of one column have one length", plural(count, "element"), d)
	}
	if c.Nulls != nil && len(c.Nulls)*64 <= i {
		c.Nulls = append(c.Nulls, 0)
	}
	return nil
}

func (r *parquetReader) Close() error {
	for _, s := range r.scan {
		s.close()
	}
	return r.input.Close()
}
