//go:build !noparquet

package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/lupadb/lupa/storage/value"
)

// parquetReader reads the columns of a parquet file: scalars; lists of numbers of equal
// length as vectors; the fields of a struct as columns of their own, named a.b; other
// lists and maps as JSON. Only what is projected is read.
type parquetReader struct {
	*input
	file  *parquet.File
	made  []parquetColumn // one for each of all
	all   []Column
	cols  []Column
	scan  []rowScan
	rows  int64
	next  int64
	batch *value.Batch
}

// parquetColumn is where a column comes from: a leaf, or several put together.
type parquetColumn struct {
	leaf   parquetLeaf
	nested *nested
}

// convert turns a value of the file into one of a column.
type convert = func(parquet.Value) (value.Value, error)

// parquetLeaf is a leaf of the file's schema.
type parquetLeaf struct {
	index   int // of the leaf
	maxDef  int // definition level of a value that is there
	list    bool
	listDef int // of a list: level from which on there is one
	itemDef int // and from which on it has an element
	convert convert
}

// rowScan reads a column row by row.
type rowScan interface {
	row(c *value.Column, i int) error
	close()
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
	if err := firstError(mendLZ4(f.Root()), p.checkPages()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
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

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// maxPage bounds a page, which is read and decompressed as a whole.
const maxPage = 256 << 20

// checkPages refuses files with pages that would take too much memory. Pages are looked
// at only in column chunks that are larger than one may be.
func (r *parquetReader) checkPages() error {
	for g, group := range r.file.Metadata().RowGroups {
		for _, c := range group.Columns {
			m := &c.MetaData
			if m.TotalUncompressedSize <= maxPage {
				continue
			}
			at := m.DataPageOffset
			if d := m.DictionaryPageOffset; d > 0 && d < at {
				at = d
			}
			end := at + m.TotalCompressedSize
			for at < end {
				var h format.PageHeader
				head := &headerReader{r: io.NewSectionReader(r.input.f, at, min(end-at, 1<<20))}
				if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(head)).Decode(&h); err != nil {
					return fmt.Errorf("row group %d, column %s: a page's header can't be read: %w", g+1, strings.Join(m.PathInSchema, "."), err)
				}
				if size := max(h.UncompressedPageSize, h.CompressedPageSize); size > maxPage || h.CompressedPageSize < 0 {
					return fmt.Errorf("row group %d, column %s: a page of %d MiB; pages are read as a whole, so at most %d MiB are taken; write the file with smaller pages or row groups",
						g+1, strings.Join(m.PathInSchema, "."), size>>20, maxPage>>20)
				}
				at += head.n + int64(h.CompressedPageSize)
			}
		}
	}
	return nil
}

// headerReader counts the bytes of a header, which are read one by one.
type headerReader struct {
	r io.Reader
	n int64
}

func (h *headerReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.n += int64(n)
	return n, err
}

func (h *headerReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(h, b[:])
	return b[0], err
}

// schema finds the columns.
func (r *parquetReader) schema() error {
	for _, top := range r.file.Root().Columns() {
		if err := r.columnsOf(top, top.Name()); err != nil {
			return fmt.Errorf("column %s: %w", top.Name(), err)
		}
	}
	return nil
}

// columnsOf finds the columns that a node makes.
func (r *parquetReader) columnsOf(node *parquet.Column, name string) error {
	kind, conv := value.Null, convert(nil)
	item, list := node, false // the elements of a list, and the node that repeats
	repeated := node
	switch inner := listOf(node); {
	case inner != nil:
		item, repeated, list = inner.Columns()[0], inner, true
	case node.Repeated():
		list = true
	case !node.Leaf() && len(node.Columns()) == 1 && node.Columns()[0].Repeated() && node.Columns()[0].Leaf():
		item, list = node.Columns()[0], true // a list as old writers make it
		repeated = item
	}
	if item.Leaf() {
		kind, conv = r.kindOf(item)
	}
	flat := repeated.MaxRepetitionLevel() == 0 || list && repeated.MaxRepetitionLevel() == 1 && item.MaxRepetitionLevel() == 1
	switch {
	case item.Leaf() && conv == nil:
		return fmt.Errorf("its type %v is not known", item.Type())
	case item.Leaf() && !list && flat:
		r.add(name, value.Type{Kind: kind}, parquetColumn{leaf: parquetLeaf{index: item.Index(), maxDef: item.MaxDefinitionLevel(), convert: conv}})
		return nil
	case item.Leaf() && list && flat && (kind == value.Real || kind == value.Integer):
		l := parquetLeaf{index: item.Index(), maxDef: item.MaxDefinitionLevel(), list: true, itemDef: repeated.MaxDefinitionLevel(), convert: conv}
		l.listDef = l.itemDef - 1
		dim, even, err := r.dimensions(l)
		if err != nil {
			return err
		}
		if dim <= value.MaxDim && (even || kind == value.Real) {
			r.add(name, value.Type{Kind: value.Vector, Dim: max(dim, 1)}, parquetColumn{leaf: l})
			return nil
		}
	case !node.Leaf() && !list && mapOf(node) == nil && len(node.Columns()) > 0 && node.MaxRepetitionLevel() == 0:
		for _, k := range node.Columns() {
			if err := r.columnsOf(k, name+"."+k.Name()); err != nil {
				return err
			}
		}
		return nil
	}
	n, ok := newNested(node, r.kindOf)
	if !ok {
		return errors.New("it holds values of a type that is not known")
	}
	r.add(name, value.Type{Kind: value.JSON}, parquetColumn{nested: n})
	return nil
}

func (r *parquetReader) add(name string, t value.Type, c parquetColumn) {
	for k, base := 2, name; slices.ContainsFunc(r.all, func(c Column) bool { return c.Name == name }); k++ {
		name = fmt.Sprintf("%s_%d", base, k) // a column a.b beside the field b of a
	}
	r.all = append(r.all, Column{name, t})
	r.made = append(r.made, c)
}

// kindOf returns the kind of a leaf. The library forgets that bytes are FLOAT16, which
// the file's own schema still says.
func (r *parquetReader) kindOf(c *parquet.Column) (value.Kind, convert) {
	n := -1
	for _, e := range r.file.Metadata().Schema {
		if !e.Type.Valid {
			continue // a group
		}
		if n++; n != c.Index() {
			continue
		}
		if _, ok := e.LogicalType.Value.(*format.Float16Type); ok {
			return value.Real, func(v parquet.Value) (value.Value, error) {
				b := v.ByteArray()
				if len(b) != 2 {
					return value.Value{}, fmt.Errorf("a FLOAT16 of %d bytes", len(b))
				}
				return value.Float(float64(halfToFloat(binary.LittleEndian.Uint16(b)))), nil
			}
		}
	}
	return parquetType(c.Type())
}

// dimensions returns the length of the first list that is there, 0 if there is none, and
// whether the file may hold only lists of that length.
func (r *parquetReader) dimensions(l parquetLeaf) (dim int, even bool, err error) {
	s := newLeafScan(r.file, l)
	defer s.close()
	n := 0
	for {
		v, err := s.peek()
		if err == io.EOF || err == nil && n > 0 && v.RepetitionLevel() == 0 {
			break
		}
		if err != nil {
			return 0, false, err
		}
		s.pos++
		if v.DefinitionLevel() >= l.itemDef {
			n++
		}
		if n > value.MaxDim {
			return n, false, nil
		}
	}
	values := int64(0)
	for _, g := range r.file.RowGroups() {
		values += g.ColumnChunks()[l.index].NumValues()
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
		if scale == 0 { // a whole number
			return value.Integer, func(v parquet.Value) (value.Value, error) {
				n := unscaled(v)
				if !n.IsInt64() {
					return value.Value{}, fmt.Errorf("%v is out of range for INTEGER (64 bit)", n)
				}
				return value.Int(n.Int64()), nil
			}
		}
		return value.Real, ok(func(v parquet.Value) value.Value { return value.Float(decimal(v, scale)) })
	case logical == "DATE":
		return value.Timestamp, func(v parquet.Value) (value.Value, error) { return timestampIn(int64(v.Int32()), 86400e6) }
	case strings.HasPrefix(logical, "TIME(") && (kind == parquet.Int32 || kind == parquet.Int64):
		unit := time.Microsecond
		switch {
		case strings.Contains(logical, "MILLIS"):
			unit = time.Millisecond
		case strings.Contains(logical, "NANOS"):
			unit = time.Nanosecond
		}
		return value.Text, func(v parquet.Value) (value.Value, error) {
			n := v.Int64()
			if kind == parquet.Int32 {
				n = int64(v.Int32())
			}
			if n < 0 || n > int64(24*time.Hour/unit) {
				return value.Value{}, fmt.Errorf("%d is no time of a day", n)
			}
			return value.Str(timeOfDay(time.Duration(n) * unit)), nil
		}
	case logical == "INTERVAL":
		return value.Text, func(v parquet.Value) (value.Value, error) {
			b := v.ByteArray()
			if len(b) != 12 {
				return value.Value{}, fmt.Errorf("an INTERVAL of %d bytes", len(b))
			}
			return value.Str(interval(binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]))), nil
		}
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

// unscaled returns the digits of a DECIMAL.
func unscaled(v parquet.Value) *big.Int {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	}
	b := v.ByteArray()
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

func decimal(v parquet.Value, scale int32) float64 {
	d := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(scale, 0))), nil)
	f, _ := new(big.Rat).SetFrac(unscaled(v), d).Float64()
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
func (r *parquetReader) Named() bool       { return true }

func (r *parquetReader) Project(cols []int, _ []value.Type) error {
	out, err := project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	for _, s := range r.scan {
		s.close()
	}
	r.cols, r.batch = out, newBatch(out)
	r.scan = nil
	for _, c := range cols {
		if n := r.made[c].nested; n != nil {
			r.scan = append(r.scan, n.scan(r.file))
		} else {
			r.scan = append(r.scan, newLeafScan(r.file, r.made[c].leaf))
		}
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
	null := v.DefinitionLevel() < s.leaf.listDef
	for {
		switch def := v.DefinitionLevel(); {
		case null && def < s.leaf.listDef:
			// A NULL array is one entry or, as DuckDB writes it, one for each element.
		case def < s.leaf.itemDef:
			return errors.New("the vector has no elements")
		case def < s.leaf.maxDef:
			return fmt.Errorf("element %d of the vector is NULL", count+1)
		default:
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
			if count++; count <= d {
				c.Vecs = append(c.Vecs, float32(f))
			}
		}
		if v, err = s.peek(); err == io.EOF || err == nil && v.RepetitionLevel() == 0 {
			break
		} else if err != nil {
			return err
		}
		s.pos++
	}
	if null {
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
