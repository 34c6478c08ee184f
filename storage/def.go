package storage

import (
	"slices"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/internal/block"
	"github.com/lupadb/lupa/storage/value"
)

// TableDef describes a table. The ones that a View hands out are shared and
// must not be changed.
type TableDef struct {
	ID         uint32 // given by the store, never used again
	Name       string
	Columns    []ColumnDef
	PrimaryKey int // position in Columns, -1 without one
	Indexes    []IndexDef
	Checks     []CheckDef     // conditions that rows meet; storage only keeps them
	References []ReferenceDef // keys of other tables that columns hold
	Watches    []WatchDef     // conditions whose rows are told

	nextID     uint32   // of the next column or index
	view       *ViewDef // it is the record of a view
	maintained []index  // see indexes; nil until the definition is final
}

// ColumnDef describes a column.
type ColumnDef struct {
	ID      uint32 // given by the store, unique within the table, never used again
	Name    string
	Type    value.Type
	NotNull bool // also set for the primary key
	// Declared is the type as it was written where that says more than Type, such as
	// VARCHAR(20); storage only keeps it.
	Declared string
	// Identity is set for an INTEGER column whose rows are numbered: see Table.Identity.
	// A table has at most one.
	Identity bool
	Default  string        // expression in the language, "" = NULL; storage only keeps it
	Encoder  string        // name after ENCODER, "" without one
	Model    encoder.Model // identity of the model the column was filled from; zero = not yet filled

	// fill is what the rows have that were there before the column was added:
	// blocks before fillBlocks have no key of this column, tail rows no field.
	fill       value.Value
	fillBlocks uint32

	pageRows int // vectors in a page; 0 if not of vectors
}

// newPages makes the column's pages of the size that new ones have.
func (c *ColumnDef) newPages() {
	if c.Type.Kind == value.Vector {
		c.pageRows = block.RowsPerPage(c.Type, block.PageBytes)
	}
}

// pagesPerBlock returns how many pages hold the vectors of a block.
func (c *ColumnDef) pagesPerBlock() uint32 { return uint32(BlockRows / c.pageRows) }

// IndexDef describes an index. In an ordered one, which is over scalar columns, a NULL sorts
// after every value, and UNIQUE lets any number of rows have a NULL in the key. It may be over the
// rows only that meet conditions.
type IndexDef struct {
	ID      uint32   // given by the store
	Name    string   // unique in the store
	Columns []uint32 // column ids
	Unique  bool
	Kind    IndexKind
	Options map[string]string // of the kind, complete once the store has the index
	Where   []IndexTerm       // the rows that meet all of them are in the index; none: all rows
	// Constraint is UniqueConstraint or PrimaryKeyConstraint where one of these made the index, and
	// not CREATE INDEX; storage only keeps it.
	Constraint string

	primary bool // it is the primary key
}

// What IndexDef.Constraint is, as SQL writes it.
const (
	UniqueConstraint     = "UNIQUE"
	PrimaryKeyConstraint = "PRIMARY KEY"
)

// CheckDef is a condition on the rows of a table.
type CheckDef struct {
	Name string // unique in the table
	Expr string // in the language
}

// RefAction is what happens to rows that refer to a key when that goes.
type RefAction uint8

// The actions. Refuse is an error at the end of the statement.
const (
	Refuse RefAction = iota
	Cascade
	SetNull
)

// ReferenceDef says that columns of a table hold a key of another one, or of itself. Rows
// with a NULL among these columns refer to nothing.
type ReferenceDef struct {
	Name     string   // unique in the table
	Columns  []uint32 // ids
	Table    string   // name of the table referred to
	Key      []uint32 // ids of its columns: the primary key, or those of a unique index
	OnDelete RefAction
	OnUpdate RefAction
}

// Ordered reports whether the index finds rows by values, and in their order: all there are.
func (x *IndexDef) Ordered() bool { return x.Kind == OrderedIndex && !x.Partial() }

// Column returns the position of the column of this name, -1 without one.
func (d *TableDef) Column(name string) int {
	for i := range d.Columns {
		if d.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// ColumnID returns the position of the column of this id, -1 without one.
func (d *TableDef) ColumnID(id uint32) int {
	for i := range d.Columns {
		if d.Columns[i].ID == id {
			return i
		}
	}
	return -1
}

// Index returns the index of this name, nil without one.
func (d *TableDef) Index(name string) *IndexDef {
	for i := range d.Indexes {
		if d.Indexes[i].Name == name {
			return &d.Indexes[i]
		}
	}
	return nil
}

// clone returns a copy whose columns and indexes can be changed.
func (d *TableDef) clone() *TableDef {
	c := *d
	c.Columns = append([]ColumnDef(nil), d.Columns...)
	c.Indexes = append([]IndexDef(nil), d.Indexes...)
	c.maintained = nil
	c.Checks = slices.Clone(d.Checks)
	c.References = slices.Clone(d.References)
	c.Watches = slices.Clone(d.Watches)
	return &c
}
