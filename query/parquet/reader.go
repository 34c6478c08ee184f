package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// reader reads the columns of a parquet file: scalars; lists of numbers of equal
// length as vectors; the fields of a struct as columns of their own, named a.b; other
// lists and maps as JSON. Only what is projected is read.
type reader struct {
	*source.Input
	file   *parquet.File
	made   []column // one for each of all
	all    []source.Column
	cols   []source.Column
	scan   []rowScan
	probed map[int]*leafScan // of leaves, at their starts, before anything was read
	rows   int64
	next   int64
	batch  *value.Batch
}

// column is where a column comes from: a leaf, or several put together.
type column struct {
	leaf   leafDef
	nested *nested
	none   bool // a column of vectors that has none, so that they may have any length
}

// convert turns the i-th of some values of the file into one of a column.
type convert = func(v *values, i int) (value.Value, error)

// leafDef is a leaf of the file's schema.
type leafDef struct {
	index    int // of the leaf
	physical format.Type
	length   int // of FIXED_LEN_BYTE_ARRAY
	maxRep   int
	maxDef   int // definition level of a value that is there
	list     bool
	listDef  int // of a list: level from which on there is one
	itemDef  int // and from which on it has an element
	convert  convert
}

// rowScan reads a column row by row.
type rowScan interface {
	row(c *value.Column, i int) error
	close()
}

func open(path string, _ source.Options) (r source.Reader, err error) {
	in, err := source.OpenInput(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			in.Close()
		}
	}()
	defer corrupt(path, &err)
	if in.Size() == 0 {
		return nil, fmt.Errorf("%s: not a parquet file: it is empty", path)
	}
	f, err := parquet.OpenFile(in, in.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%s: not a parquet file, or a damaged one: %w", path, err)
	}
	p := &reader{Input: in, file: f, rows: f.NumRows(), probed: map[int]*leafScan{}}
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

// schema finds the columns.
func (r *reader) schema() error {
	for _, top := range r.file.Root().Columns() {
		if err := r.columnsOf(top, top.Name()); err != nil {
			return fmt.Errorf("column %s: %w", top.Name(), err)
		}
	}
	return nil
}

// columnsOf finds the columns that a node makes.
func (r *reader) columnsOf(node *parquet.Column, name string) error {
	kind, conv := value.Null, convert(nil)
	if node.MaxDefinitionLevel() > 255 {
		return errors.New("it is nested too deeply")
	}
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
		r.add(name, value.Type{Kind: kind}, column{leaf: r.leaf(item, conv)})
		return nil
	case item.Leaf() && list && flat && (kind == value.Real || kind == value.Integer):
		l := r.leaf(item, conv)
		l.list, l.itemDef = true, repeated.MaxDefinitionLevel()
		l.listDef = l.itemDef - 1
		dim, even, err := r.dimensions(l)
		if err != nil {
			return err
		}
		if dim <= value.MaxDim && (even || kind == value.Real) {
			r.add(name, value.Type{Kind: value.Vector, Dim: max(dim, 1), Half: l.physical == format.FixedLenByteArray}, column{leaf: l, none: dim == 0})
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
	n, ok := newNested(node, r)
	if !ok {
		return errors.New("it holds values of a type that is not known")
	}
	r.add(name, value.Type{Kind: value.JSON}, column{nested: n})
	return nil
}

func (r *reader) add(name string, t value.Type, c column) {
	for k, base := 2, name; slices.ContainsFunc(r.all, func(c source.Column) bool { return c.Name == name }); k++ {
		name = fmt.Sprintf("%s_%d", base, k) // a column a.b beside the field b of a
	}
	r.all = append(r.all, source.Column{Name: name, Type: t})
	r.made = append(r.made, c)
}

// element returns what the file's own schema says of a leaf, of which the library forgets some.
func (r *reader) element(c *parquet.Column) *format.SchemaElement {
	n := -1
	schema := r.file.Metadata().Schema
	for i := range schema {
		if !schema[i].Type.Valid {
			continue // a group
		}
		if n++; n == c.Index() {
			return &schema[i]
		}
	}
	return &format.SchemaElement{}
}

func (r *reader) leaf(c *parquet.Column, conv convert) leafDef {
	e := r.element(c)
	return leafDef{index: c.Index(), physical: e.Type.V, length: int(max(0, e.TypeLength.V)),
		maxRep: c.MaxRepetitionLevel(), maxDef: c.MaxDefinitionLevel(), convert: conv}
}

// leafScan runs over the entries of one leaf column, row group after row group.
type leafScan struct {
	r     *reader
	leaf  leafDef
	group int // the row group that comes next
	pages pageReader
	page  page
	read  int // pages so far
	pos   int // in the page: of the entry,
	val   int // and of the value that is there or comes next
}

func (r *reader) newScan(leaf leafDef) *leafScan {
	s := &leafScan{r: r, leaf: leaf}
	s.pages.leaf, s.pages.size = &s.leaf, r.Size()
	return s
}

// peek returns the levels of the entry at pos, reading on if needed; io.EOF at the end.
// Bytes are valid until the next page is read.
func (s *leafScan) peek() (def, rep int, err error) {
	for s.pos == s.page.n {
		s.pos, s.val, s.page.n = 0, 0, 0
		err := s.pages.next(&s.page)
		if err == io.EOF {
			groups := s.r.file.Metadata().RowGroups
			if s.group == len(groups) {
				return 0, 0, io.EOF
			}
			c := &groups[s.group].Columns[s.leaf.index]
			m := &c.MetaData
			at := m.DataPageOffset
			if d := m.DictionaryPageOffset; d > 0 && d < at {
				at = d
			}
			if c.FilePath != "" || at < 0 {
				return 0, 0, errors.New("its values are in another file")
			}
			if m.Type != s.leaf.physical {
				return 0, 0, fmt.Errorf("values of type %v where the schema says %v", m.Type, s.leaf.physical)
			}
			s.pages.open(m, io.NewSectionReader(s.r.Input, at, s.r.Size()-at))
			s.group++
			continue
		}
		if err != nil {
			s.page.n = 0
			return 0, 0, ended(err)
		}
		s.read++
	}
	if s.page.def != nil {
		def = int(s.page.def[s.pos])
	}
	if s.page.rep != nil {
		rep = int(s.page.rep[s.pos])
	}
	return def, rep, nil
}

// advance goes to the next entry.
func (s *leafScan) advance() {
	if s.page.def == nil || int(s.page.def[s.pos]) == s.leaf.maxDef {
		s.val++
	}
	s.pos++
}

// get converts the value of the entry at pos.
func (s *leafScan) get() (value.Value, error) { return s.leaf.convert(&s.page.vals, s.val) }

func (s *leafScan) close() {}

func (r *reader) Columns() []source.Column { return r.cols }
func (r *reader) Rows() int64              { return r.rows }
func (r *reader) Named() bool              { return true }

func (r *reader) Project(cols []int, types []value.Type) error {
	out, err := source.Project(r.all, cols)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Path(), err)
	}
	for i := range types {
		if r.made[cols[i]].none && types[i].Kind == value.Vector {
			out[i].Type = types[i]
		}
	}
	for _, s := range r.scan {
		s.close()
	}
	r.cols, r.batch = out, source.NewBatch(out)
	r.scan = nil
	for i, c := range cols {
		leaf := r.made[c].leaf
		if n := r.made[c].nested; n != nil {
			r.scan = append(r.scan, n.scan(r))
		} else if s := r.probed[leaf.index]; s != nil && s.leaf.list == leaf.list && !slices.Contains(cols[:i], c) {
			r.scan = append(r.scan, s)
		} else {
			r.scan = append(r.scan, r.newScan(r.made[c].leaf))
		}
	}
	r.Restart()
	return nil
}

func (r *reader) Next(ctx context.Context) (_ *value.Batch, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer corrupt(r.Path(), &err)
	r.probed = nil
	n := int(min(r.rows-r.next, value.BatchSize))
	if n <= 0 {
		return nil, nil
	}
	source.ResetBatch(r.batch)
	for k, c := range r.batch.Cols {
		for i := range n {
			if err := r.scan[k].row(c, i); err != nil {
				if err == io.EOF {
					err = errors.New("the file ends before")
				}
				return nil, fmt.Errorf("%s, row %d, column %s: %w", r.Path(), r.next+int64(i)+1, r.cols[k].Name, err)
			}
		}
	}
	r.next += int64(n)
	r.batch.Len = n
	return r.batch, nil
}

// row appends the next row's value as row i of c.
func (s *leafScan) row(c *value.Column, i int) error {
	def, _, err := s.peek()
	if err != nil {
		return err
	}
	if !s.leaf.list {
		if def < s.leaf.maxDef {
			s.advance()
			c.Append(i, value.Value{})
			return nil
		}
		x, err := s.get()
		if err != nil {
			return err
		}
		s.advance()
		c.Append(i, x)
		return nil
	}
	if s.whole(c) {
		if c.Nulls != nil && len(c.Nulls)*64 <= i {
			c.Nulls = append(c.Nulls, 0)
		}
		return nil
	}
	d, count := c.Type.Dim, 0
	null := def < s.leaf.listDef
	for {
		switch {
		case null && def < s.leaf.listDef:
			// A NULL array is one entry or, as DuckDB writes it, one for each element.
		case def < s.leaf.itemDef:
			return errors.New("the vector has no elements")
		case def < s.leaf.maxDef:
			return fmt.Errorf("element %d of the vector is NULL", count+1)
		default:
			x, err := s.get()
			if err != nil {
				return err
			}
			f := x.Float()
			if x.Kind() == value.Integer {
				f = float64(x.Int())
			}
			if y := float32(f); y-y != 0 {
				return notFinite(count, f)
			}
			if count++; count <= d {
				c.Vecs = append(c.Vecs, float32(f))
			}
		}
		s.advance()
		var rep int
		if def, rep, err = s.peek(); err == io.EOF || err == nil && rep == 0 {
			break
		} else if err != nil {
			return err
		}
	}
	if null {
		c.Append(i, value.Value{})
		return nil
	}
	if count != d {
		return fmt.Errorf("%s where the first row has %d; vectors of one column have one length", source.Plural(count, "element"), d)
	}
	if c.Nulls != nil && len(c.Nulls)*64 <= i {
		c.Nulls = append(c.Nulls, 0)
	}
	return nil
}

func notFinite(element int, f float64) error {
	return fmt.Errorf("element %d of the vector is %v; only finite numbers that float32 can hold are allowed", element+1, f)
}

// whole appends the vector at pos to c if it lies in the page as it should: as many
// elements as c has dimensions, each there and finite. Otherwise it leaves all as it was.
func (s *leafScan) whole(c *value.Column) bool {
	d := c.Type.Dim
	from, to := s.pos, s.pos+d
	if to >= s.page.n { // whether it goes on the next page tells
		return false
	}
	rep := s.page.rep[from : to+1]
	if rep[0] != 0 || rep[d] != 0 || bytes.IndexByte(rep[1:d], 0) >= 0 || s.leaf.maxRep != 1 {
		return false
	}
	if s.page.def != nil && !allAre(s.page.def[from:to], uint8(s.leaf.maxDef)) {
		return false
	}
	at := len(c.Vecs)
	switch {
	case s.leaf.physical == format.Float:
		c.Vecs = append(c.Vecs, s.page.vals.f32[s.val:s.val+d]...)
	case s.leaf.physical == format.Double:
		for _, f := range s.page.vals.f64[s.val : s.val+d] {
			c.Vecs = append(c.Vecs, float32(f))
		}
	case s.leaf.physical == format.FixedLenByteArray && s.leaf.length == 2:
		for _, b := range s.page.vals.bins[s.val : s.val+d] {
			c.Vecs = append(c.Vecs, value.HalfToFloat(binary.LittleEndian.Uint16(b)))
		}
	default:
		return false
	}
	if source.FirstInfinite(c.Vecs[at:]) >= 0 {
		c.Vecs = c.Vecs[:at]
		return false
	}
	s.pos, s.val = to, s.val+d
	return true
}

func allAre(b []uint8, x uint8) bool {
	for _, y := range b {
		if y != x {
			return false
		}
	}
	return true
}

func (r *reader) Close() error {
	for _, s := range r.scan {
		s.close()
	}
	return r.Input.Close()
}
