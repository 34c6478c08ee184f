package parquet

import (
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// nested is a column of lists, maps and structs that is read as JSON: its leaves, and
// how they are put together again. How the levels of values say where lists begin and
// what is NULL: https://research.google/pubs/dremel-interactive-analysis-of-web-scale-datasets-2/
type nested struct {
	node   *parquet.Column
	leaves []leafDef
	first  map[*parquet.Column]int // number of the first leaf below a node
	count  map[*parquet.Column]int // and how many there are
}

// newNested prepares a node; false when a leaf below has no type here.
func newNested(node *parquet.Column, r *reader) (*nested, bool) {
	n := &nested{node: node, first: map[*parquet.Column]int{}, count: map[*parquet.Column]int{}}
	ok := true
	var walk func(c *parquet.Column)
	walk = func(c *parquet.Column) {
		n.first[c] = len(n.leaves)
		if c.Leaf() {
			_, conv := r.kindOf(c)
			ok = ok && conv != nil
			n.leaves = append(n.leaves, r.leaf(c, conv))
		}
		for _, k := range c.Columns() {
			walk(k)
		}
		n.count[c] = len(n.leaves) - n.first[c]
	}
	walk(node)
	return n, ok && len(n.leaves) > 0
}

// nestedScan reads rows of a nested column.
type nestedScan struct {
	*nested
	scans []*leafScan
	out   []byte
}

func (n *nested) scan(r *reader) *nestedScan {
	s := &nestedScan{nested: n}
	for _, l := range n.leaves {
		s.scans = append(s.scans, r.newScan(l))
	}
	return s
}

func (s *nestedScan) close() {
	for _, l := range s.scans {
		l.close()
	}
}

// row appends the next row's value as row i of c.
func (s *nestedScan) row(c *value.Column, i int) error {
	s.out = s.out[:0]
	if err := s.field(s.node); err != nil {
		return err
	}
	if string(s.out) == "null" {
		c.Append(i, value.Value{})
		return nil
	}
	c.Append(i, value.RawJSON(string(s.out)))
	return nil
}

// skip passes over one entry of every leaf below a node: what says that it is NULL or
// an empty list.
func (s *nestedScan) skip(c *parquet.Column) error {
	for k := range s.count[c] {
		l := s.scans[s.first[c]+k]
		if _, _, err := l.peek(); err != nil {
			return err
		}
		l.advance()
	}
	return nil
}

// field writes what a field of a struct holds.
func (s *nestedScan) field(c *parquet.Column) error {
	lead := s.scans[s.first[c]]
	def, _, err := lead.peek()
	if err != nil {
		return err
	}
	null := def < c.MaxDefinitionLevel()
	switch {
	case c.Repeated() && null:
		s.out = append(s.out, "[]"...)
		return s.skip(c)
	case c.Repeated():
		return s.list(c, s.content)
	case c.Optional() && null:
		s.out = append(s.out, "null"...)
		return s.skip(c)
	}
	return s.content(c)
}

// list writes the elements of a repeated node that has some.
func (s *nestedScan) list(c *parquet.Column, element func(*parquet.Column) error) error {
	lead := s.scans[s.first[c]]
	s.out = append(s.out, '[')
	for n := 0; ; n++ {
		if n > 0 {
			s.out = append(s.out, ',')
		}
		if err := element(c); err != nil {
			return err
		}
		_, rep, err := lead.peek()
		if err == io.EOF || err == nil && rep < c.MaxRepetitionLevel() {
			break
		} else if err != nil {
			return err
		}
	}
	s.out = append(s.out, ']')
	return nil
}

// content writes a node that is not NULL.
func (s *nestedScan) content(c *parquet.Column) error {
	if c.Leaf() {
		l := s.scans[s.first[c]]
		def, _, err := l.peek()
		if err != nil {
			return err
		}
		if def < l.leaf.maxDef {
			l.advance()
			s.out = append(s.out, "null"...)
			return nil
		}
		x, err := l.get()
		if err != nil {
			return err
		}
		l.advance()
		s.out = source.AppendJSON(s.out, x)
		return nil
	}
	kids := c.Columns()
	if inner := listOf(c); inner != nil {
		return s.wrapped(inner, func() error { return s.field(inner.Columns()[0]) })
	}
	if pairs := mapOf(c); pairs != nil {
		return s.wrapped(pairs, func() error { return s.pair(pairs) })
	}
	s.out = append(s.out, '{')
	for i, k := range kids {
		if i > 0 {
			s.out = append(s.out, ',')
		}
		s.out = append(source.AppendJSONText(s.out, k.Name()), ':')
		if err := s.field(k); err != nil {
			return err
		}
	}
	s.out = append(s.out, '}')
	return nil
}

// wrapped writes the list that a repeated node within a LIST or MAP makes.
func (s *nestedScan) wrapped(c *parquet.Column, element func() error) error {
	def, _, err := s.scans[s.first[c]].peek()
	if err != nil {
		return err
	}
	if def < c.MaxDefinitionLevel() {
		s.out = append(s.out, "[]"...)
		return s.skip(c)
	}
	return s.list(c, func(*parquet.Column) error { return element() })
}

// pair writes an entry of a map, as {"key": ..., "value": ...}.
func (s *nestedScan) pair(c *parquet.Column) error {
	for i, k := range c.Columns() {
		s.out = append(s.out, "{,"[min(i, 1)])
		s.out = append(source.AppendJSONText(s.out, k.Name()), ':')
		if err := s.field(k); err != nil {
			return err
		}
	}
	s.out = append(s.out, '}')
	return nil
}

// listOf returns the repeated node within a list: a group of one repeated group of one
// field. nil for anything else.
func listOf(c *parquet.Column) *parquet.Column {
	if c.Leaf() || len(c.Columns()) != 1 || c.Repeated() {
		return nil
	}
	k := c.Columns()[0]
	if !k.Repeated() || k.Leaf() || len(k.Columns()) != 1 {
		return nil
	}
	return k
}

// mapOf returns the repeated node of keys and values within a map.
func mapOf(c *parquet.Column) *parquet.Column {
	t := c.Type().LogicalType()
	if c.Leaf() || len(c.Columns()) != 1 || t == nil {
		return nil
	}
	if _, ok := t.Value.(*format.MapType); !ok {
		return nil
	}
	if k := c.Columns()[0]; k.Repeated() && len(k.Columns()) == 2 {
		return k
	}
	return nil
}
