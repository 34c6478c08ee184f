package storage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/internal/key"
	"github.com/lupadb/lupa/storage/value"
)

// catalog is the set of tables of one generation of the schema. It is not changed
// once it is shared.
type catalog struct {
	generation uint64 // grows with every transaction that changes a table's definition
	nextID     uint32 // of the next table
	byName     map[string]*TableDef
	views      map[string]*ViewDef
	// stored are the definitions as they were read, by name. They are neither read nor written
	// anew by the change of another one: with thousands of tables that would be most of its cost.
	stored map[string]storedDef
}

// storedDef is a definition and the text that it was read from.
type storedDef struct {
	text []byte
	def  *TableDef
}

// texts are the schemas of all tables by name, and of all views.
func (c *catalog) texts() [][]byte {
	out := make([][]byte, 0, len(c.byName)+len(c.views))
	for _, d := range c.sorted() {
		if k := c.stored[d.Name]; k.def == d {
			out = append(out, k.text)
		} else {
			out = append(out, encodeSchema(d))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.views)) {
		if k := c.stored[name]; k.def != nil && k.def.view == c.views[name] {
			out = append(out, k.text)
		} else {
			out = append(out, encodeSchema(c.views[name].table()))
		}
	}
	return out
}

func (c *catalog) clone() *catalog {
	d := *c
	d.byName = maps.Clone(c.byName)
	if d.views = maps.Clone(c.views); d.views == nil {
		d.views = map[string]*ViewDef{}
	}
	return &d
}

func (c *catalog) sorted() []*TableDef {
	return slices.SortedFunc(maps.Values(c.byName), func(a, b *TableDef) int { return strings.Compare(a.Name, b.Name) })
}

// put adds a table or view.
func (c *catalog) put(d *TableDef) {
	if d.view != nil {
		c.views[d.Name] = d.view
	} else {
		c.byName[d.Name] = d
	}
}

// index finds the table that has an index of this name.
func (c *catalog) index(name string) (*TableDef, *IndexDef) {
	for _, d := range c.byName {
		if x := d.Index(name); x != nil {
			return d, x
		}
	}
	return nil, nil
}

// Versions of the JSON schema. A reader refuses a newer one. Version 1 had no page_rows:
// pages were of up to 256 KiB. Version 3 is written where something needs it that version 2
// does not have: an index of another kind than an ordered one, a HALFVEC column, checks,
// references, identity, declared. Version 4 is that of a view, and of a table with watches: a
// program that does not know them would leave rows untold. Version 5 has an index over a part of
// the rows, which a program that does not know of it would keep for all.
const (
	schemaVersion = 3
	schemaOfView  = 4
	schemaWatched = 4
	schemaPartial = 5
	schemaCommon  = 2
)

type schemaJSON struct {
	Version    int          `json:"version"`
	ID         uint32       `json:"id"`
	Name       string       `json:"name"`
	NextID     uint32       `json:"next_id"`
	PrimaryKey *uint32      `json:"primary_key,omitempty"` // column id
	Columns    []columnJSON `json:"columns"`
	Indexes    []indexJSON  `json:"indexes,omitempty"`
	Checks     []checkJSON  `json:"checks,omitempty"`
	References []refJSON    `json:"references,omitempty"`
	Watches    []watchJSON  `json:"watches,omitempty"`
	View       *viewJSON    `json:"view,omitempty"`
}

type viewJSON struct {
	Query   string   `json:"query"`
	Columns []string `json:"columns"`
	Uses    []string `json:"uses,omitempty"`
}

type columnJSON struct {
	ID         uint32         `json:"id"`
	Name       string         `json:"name"`
	Kind       string         `json:"kind"`
	Dim        int            `json:"dim,omitempty"`
	Half       bool           `json:"half,omitempty"`
	NotNull    bool           `json:"not_null,omitempty"`
	Declared   string         `json:"declared,omitempty"`
	Identity   bool           `json:"identity,omitempty"`
	Default    string         `json:"default,omitempty"`
	Encoder    string         `json:"encoder,omitempty"`
	Model      *encoder.Model `json:"model,omitempty"`
	Fill       []byte         `json:"fill,omitempty"`
	FillBlocks uint32         `json:"fill_blocks,omitempty"`
	PageRows   int            `json:"page_rows,omitempty"`
}

type checkJSON struct {
	Name string `json:"name"`
	Expr string `json:"expr"`
}

type refJSON struct {
	Name     string    `json:"name"`
	Columns  []uint32  `json:"columns"`
	Table    string    `json:"table"`
	Key      []uint32  `json:"key"`
	OnDelete RefAction `json:"on_delete,omitempty"`
	OnUpdate RefAction `json:"on_update,omitempty"`
}

type watchJSON struct {
	ID      uint32        `json:"id"`
	Name    string        `json:"name"`
	Expr    string        `json:"expr"`
	Columns []uint32      `json:"columns"`
	Vectors []watchVector `json:"vectors,omitempty"`
}

type watchVector struct {
	Of    string `json:"of"`
	Model string `json:"model"`
	Vec   []byte `json:"vec"` // float32, little endian
}

type indexJSON struct {
	ID      uint32   `json:"id"`
	Name    string   `json:"name"`
	Columns []uint32 `json:"columns"`
	Unique  bool     `json:"unique,omitempty"`

	Kind    IndexKind         `json:"kind,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Where   []termJSON        `json:"where,omitempty"`
	// What made it, "" for CREATE INDEX and in stores of earlier builds.
	Constraint string `json:"constraint,omitempty"`
}

func encodeSchema(d *TableDef) []byte {
	s := schemaJSON{Version: schemaCommon, ID: d.ID, Name: d.Name, NextID: d.nextID}
	if d.view != nil {
		s.Version, s.View = schemaOfView, &viewJSON{d.view.Query, d.view.Columns, d.view.Uses}
	}
	if d.PrimaryKey >= 0 {
		s.PrimaryKey = &d.Columns[d.PrimaryKey].ID
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		if c.Type.Half || c.Type.Kind > value.Vector {
			s.Version = schemaVersion
		}
		j := columnJSON{
			ID: c.ID, Name: c.Name, Kind: c.Type.Kind.String(), Dim: c.Type.Dim, Half: c.Type.Half, NotNull: c.NotNull,
			Declared: c.Declared, Identity: c.Identity,
			Default: c.Default, Encoder: c.Encoder, FillBlocks: c.fillBlocks, PageRows: c.pageRows,
		}
		if c.Model != (encoder.Model{}) {
			j.Model = &c.Model
		}
		if !c.fill.IsNull() {
			j.Fill = block.AppendValue(nil, c.fill)
		}
		if c.Declared != "" || c.Identity {
			s.Version = schemaVersion
		}
		s.Columns = append(s.Columns, j)
	}
	partial := false
	for _, x := range d.Indexes {
		if x.Kind != OrderedIndex {
			s.Version = schemaVersion
		}
		if x.Partial() {
			partial = true
		}
		s.Indexes = append(s.Indexes, indexJSON{x.ID, x.Name, x.Columns, x.Unique, x.Kind, x.Options, encodeTerms(x.Where), x.Constraint})
	}
	for _, x := range d.Checks {
		s.Checks = append(s.Checks, checkJSON(x))
	}
	for _, x := range d.References {
		s.References = append(s.References, refJSON(x))
	}
	if len(d.Checks)+len(d.References) > 0 {
		s.Version = schemaVersion
	}
	for _, x := range d.Watches {
		w := watchJSON{ID: x.ID, Name: x.Name, Expr: x.Expr, Columns: x.Columns}
		for _, v := range x.Vectors {
			w.Vectors = append(w.Vectors, watchVector{v.Of, v.Model, block.AppendFloats(nil, v.Vec)})
		}
		s.Watches = append(s.Watches, w)
		s.Version = schemaWatched
	}
	if partial {
		s.Version = schemaPartial
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // the types above always marshal
	}
	return b
}

func decodeSchema(b []byte) (*TableDef, error) {
	var s schemaJSON
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	if s.Version > schemaPartial {
		return nil, fmt.Errorf("%w: schema of version %d, this program reads up to %d", ErrFormat, s.Version, schemaPartial)
	}
	d := &TableDef{ID: s.ID, Name: s.Name, PrimaryKey: -1, nextID: s.NextID}
	if s.View != nil {
		d.view = &ViewDef{ID: s.ID, Name: s.Name, Query: s.View.Query, Columns: s.View.Columns, Uses: s.View.Uses}
		return d, nil
	}
	for _, j := range s.Columns {
		kind, ok := kindNamed(j.Kind)
		if !ok {
			return nil, fmt.Errorf("column %q is of unknown kind %q", j.Name, j.Kind)
		}
		c := ColumnDef{
			ID: j.ID, Name: j.Name, Type: value.Type{Kind: kind, Dim: j.Dim, Half: j.Half}, NotNull: j.NotNull,
			Declared: j.Declared, Identity: j.Identity,
			Default: j.Default, Encoder: j.Encoder, fillBlocks: j.FillBlocks, pageRows: j.PageRows,
		}
		if kind == value.Vector {
			most := block.RowsPerPage(c.Type, block.MaxPageBytes)
			if s.Version == 1 {
				c.pageRows = most
			}
			if n := c.pageRows; n < 1 || n > most || n&(n-1) != 0 {
				return nil, fmt.Errorf("column %q has pages of %d vectors", j.Name, n)
			}
		}
		if j.Model != nil {
			c.Model = *j.Model
		}
		if j.Fill != nil {
			v, _, err := block.ReadValue(j.Fill)
			if err != nil {
				return nil, err
			}
			c.fill = v
		}
		if s.PrimaryKey != nil && *s.PrimaryKey == j.ID {
			d.PrimaryKey = len(d.Columns)
		}
		d.Columns = append(d.Columns, c)
	}
	for _, x := range s.Indexes {
		for _, id := range x.Columns {
			if d.ColumnID(id) < 0 {
				return nil, fmt.Errorf("index %q is over column id %d, which does not exist", x.Name, id)
			}
		}
		if _, ok := indexKinds[x.Kind]; !ok {
			return nil, fmt.Errorf("%w: index %q is of kind %q, which this program does not know", ErrFormat, x.Name, x.Kind)
		}
		where, err := decodeTerms(d, x.Name, x.Where)
		if err != nil {
			return nil, err
		}
		d.Indexes = append(d.Indexes, IndexDef{ID: x.ID, Name: x.Name, Columns: x.Columns, Unique: x.Unique, Kind: x.Kind, Options: x.Options, Where: where, Constraint: x.Constraint})
	}
	for _, x := range s.Checks {
		d.Checks = append(d.Checks, CheckDef(x))
	}
	for _, x := range s.References {
		for _, id := range x.Columns {
			if d.ColumnID(id) < 0 {
				return nil, fmt.Errorf("reference %q is of column id %d, which does not exist", x.Name, id)
			}
		}
		d.References = append(d.References, ReferenceDef(x))
	}
	for _, x := range s.Watches {
		for _, id := range x.Columns {
			if d.ColumnID(id) < 0 {
				return nil, fmt.Errorf("watch %q is over column id %d, which does not exist", x.Name, id)
			}
		}
		w := WatchDef{ID: x.ID, Name: x.Name, Expr: x.Expr, Columns: x.Columns}
		for _, v := range x.Vectors {
			vec := make([]float32, len(v.Vec)/4)
			block.Floats(vec, v.Vec)
			w.Vectors = append(w.Vectors, WatchVector{v.Of, v.Model, vec})
		}
		d.Watches = append(d.Watches, w)
	}
	d.final()
	return d, nil
}

func kindNamed(name string) (value.Kind, bool) {
	for k := value.Boolean; k <= value.Numeric; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// encodeGeneration is the value of key.Generation.
func encodeGeneration(c *catalog) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, c.generation), c.nextID)
}

// loadCatalog returns the catalog as r sees it. Tables are parsed only when the
// generation is not the one parsed last.
//
// Where it can't be read the second copy takes its place, so that what lies in other
// blocks stays within reach.
func (s *Store) loadCatalog(r pebble.Reader) (*catalog, error) {
	b, err := get(r, key.Generation)
	if err == nil && b != nil && len(b) != 12 {
		err = corrupt("", "", "catalog", fmt.Errorf("generation has %d bytes", len(b)))
	}
	if err != nil {
		return s.secondCatalog(0, err)
	}
	c, err := s.readCatalog(r, b)
	if errors.Is(err, ErrCorrupt) {
		return s.secondCatalog(binary.BigEndian.Uint64(b), err)
	}
	return c, err
}

// catalogItself reads the catalog, and not its second copy: for whoever writes. Beside a damaged
// catalog a load could not be taken in, and all writes would wait for it.
func (s *Store) catalogItself(r pebble.Reader) (*catalog, error) {
	b, err := get(r, key.Generation)
	if err == nil && b != nil && len(b) != 12 {
		err = corrupt("", "", "catalog", fmt.Errorf("generation has %d bytes", len(b)))
	}
	if err != nil {
		return nil, err
	}
	return s.readCatalog(r, b)
}

// readCatalog reads the catalog; b is the value of key.Generation.
func (s *Store) readCatalog(r pebble.Reader, b []byte) (*catalog, error) {
	c := &catalog{nextID: 1, byName: map[string]*TableDef{}, views: map[string]*ViewDef{}, stored: map[string]storedDef{}}
	if b == nil {
		return c, nil
	}
	c.generation, c.nextID = binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	s.mu.Lock()
	last := s.catalog
	s.mu.Unlock()
	if last != nil && last.generation == c.generation {
		return last, nil
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: key.Schemas(), UpperBound: key.End(key.Schemas())})
	if err != nil {
		return nil, corrupt("", "", "catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		name := string(it.Key()[len(key.Schemas()):])
		var k storedDef
		if last != nil {
			k = last.stored[name]
		}
		if k.def == nil || !bytes.Equal(k.text, it.Value()) {
			k.text = bytes.Clone(it.Value())
			if k.def, err = decodeSchema(k.text); err != nil {
				return nil, corrupt(name, "", "schema", err)
			}
		}
		d := k.def
		if d.Name != name || d.ID == 0 || d.ID >= c.nextID {
			return nil, corrupt(name, "", "schema", fmt.Errorf("it says table %q, id %d of %d", d.Name, d.ID, c.nextID))
		}
		c.put(d)
		c.stored[name] = k
	}
	if err := it.Error(); err != nil {
		return nil, corrupt("", "", "catalog", err)
	}
	s.mu.Lock()
	if s.catalog == nil || s.catalog.generation < c.generation {
		s.catalog = c
	}
	s.mu.Unlock()
	return c, nil
}
