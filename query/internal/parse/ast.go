package parse

import (
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Pos is a place in the source.
type Pos struct {
	Offset int // bytes from the start of the source
	Line   int // 1, 2, ...
	Column int // 1, 2, ... in characters, not bytes
}

// Position returns p; nodes embed Pos and so have it too.
func (p Pos) Position() Pos { return p }

// Node is any part of a tree.
type Node interface {
	Position() Pos
	// String returns text that parses to an equal node where such a node may
	// stand.
	String() string
}

// Statement is one statement of the language.
type Statement interface {
	Node
	statement()
}

// Ident is a name as written, without its quotes. The zero Ident is not a name.
type Ident struct {
	Pos
	Name   string
	Quoted bool // written in double quotes: its case counts
	// Database is the name of the attached database that a table is in, as written; "" for
	// the store's own tables and for all other names.
	Database string
}

// Means reports whether the name stands for what is called name: without quotes
// in whatever case.
func (id Ident) Means(name string) bool {
	return id.Name == name || !id.Quoted && strings.EqualFold(id.Name, name)
}

// Type is a type's name where one is written: in a column's definition or a cast.
// Its Dim is 0 for VECTOR without a dimension.
type Type struct {
	Pos
	value.Type
	Declared string // where it says more than the type: VARCHAR(20), TIMESTAMP(3), UUID
	serial   bool
	zoned    bool // TIMESTAMP WITH TIME ZONE
}

// OnCommit says what becomes of a temporary table at the end of a transaction.
type OnCommit uint8

// What ON COMMIT says.
const (
	KeepOnCommit OnCommit = iota
	EmptyOnCommit
	DropOnCommit
)

// CreateTable is CREATE TABLE.
type CreateTable struct {
	Pos
	Temp        bool // it is gone at the end of the session
	OnCommit    OnCommit
	IfNotExists bool
	Table       Ident
	Columns     []ColumnDef // a table-level PRIMARY KEY (a) is set in its column
	Constraints []Constraint
	Query       *Select // CREATE TABLE ... AS query: no columns then; else nil
}

// ConstraintKind is the kind of a Constraint.
type ConstraintKind uint8

// The kinds of constraint.
const (
	PrimaryKey ConstraintKind = iota // of several columns
	Unique
	CheckThat
	ForeignKey
)

// Constraint is what CREATE TABLE and ADD CONSTRAINT say of a table, those
// written with a column included.
type Constraint struct {
	Pos
	Name       Ident // zero: to be named after table and columns
	Kind       ConstraintKind
	Columns    []Ident    // of CheckThat only the column it was written with, if any
	Check      Expr       // of CheckThat
	References *Reference // of ForeignKey
}

// RefAction is what happens to rows that refer to one that goes.
type RefAction uint8

// The actions. NoAction refuses, at the end of the statement.
const (
	NoAction RefAction = iota
	Cascade
	SetNull
	SetDefault
)

// Reference is REFERENCES t [(columns)] [ON DELETE ...] [ON UPDATE ...].
type Reference struct {
	Pos
	Table              Ident
	Columns            []Ident // nil: the primary key
	OnDelete, OnUpdate RefAction
}

// ColumnDef is a column of CREATE TABLE and ALTER TABLE ADD COLUMN.
type ColumnDef struct {
	Pos
	Name       Ident
	Type       Type
	PrimaryKey bool
	NotNull    bool
	Identity   bool    // SERIAL, GENERATED ... AS IDENTITY: its rows are numbered
	Default    Expr    // nil: none
	Encoder    Literal // a text; NULL: none
}

// DropTable is DROP TABLE.
type DropTable struct {
	Pos
	IfExists bool
	Tables   []Ident
	Cascade  bool
}

// Truncate is TRUNCATE.
type Truncate struct {
	Pos
	Tables  []Ident
	Restart bool // RESTART IDENTITY
	Cascade bool
}

// Setting is SET, RESET, CREATE EXTENSION and COMMENT ON, which change nothing.
type Setting struct {
	Pos
	Text string // as written
}

// ShowSetting is SHOW name.
type ShowSetting struct {
	Pos
	Name Ident
}

// AlterTable is ALTER TABLE with its action, or several in their order.
type AlterTable struct {
	Pos
	Table  Ident
	Action AlterAction
	More   []AlterAction
}

// AlterAction is what an ALTER TABLE does: AddColumn, DropColumn, RenameColumn,
// RenameTable, AddConstraint, DropConstraint, SetDefaultOf, SetNotNull, SetType,
// SetEncoder or Retrain.
type AlterAction interface {
	Node
	alterAction()
}

// AddColumn is ADD [COLUMN] [IF NOT EXISTS] definition.
type AddColumn struct {
	Pos
	IfNotExists bool
	Column      ColumnDef
	Constraints []Constraint
}

// AddConstraint is ADD [CONSTRAINT name] ...
type AddConstraint struct {
	Pos
	Constraint Constraint
}

// DropConstraint is DROP CONSTRAINT [IF EXISTS] name.
type DropConstraint struct {
	Pos
	IfExists bool
	Name     Ident
}

// SetDefaultOf is ALTER COLUMN c SET DEFAULT x | DROP DEFAULT.
type SetDefaultOf struct {
	Pos
	Column  Ident
	Default Expr // nil: none
}

// SetNotNull is ALTER COLUMN c SET | DROP NOT NULL.
type SetNotNull struct {
	Pos
	Column  Ident
	NotNull bool
}

// SetType is ALTER COLUMN c [SET DATA] TYPE t [USING x].
type SetType struct {
	Pos
	Column Ident
	Type   Type
	Using  Expr // nil: a cast of the column
}

// DropColumn is DROP [COLUMN] [IF EXISTS] name [CASCADE].
type DropColumn struct {
	Pos
	IfExists bool
	Column   Ident
	Cascade  bool // views that use it go with it
}

// RenameColumn is RENAME [COLUMN] a TO b.
type RenameColumn struct {
	Pos
	From, To Ident
}

// RenameTable is RENAME TO name.
type RenameTable struct {
	Pos
	To Ident
}

// SetEncoder is [ALTER [COLUMN] c] SET ENCODER 'name' [REENCODE FROM x] [FORCE]. Without a
// column the table's only column with an encoder is meant.
type SetEncoder struct {
	Pos
	Column  Ident // may be zero
	Encoder Literal
	From    Expr // what the rows are encoded from, a text or image(...); nil: they stay
	Force   bool
}

// Retrain is RETRAIN [column [FOR (SELECT ...)]]: without one, every vector column.
type Retrain struct {
	Pos
	Column Ident   // may be zero
	For    *Select // of one column of queries, vectors or texts; nil: none are given
}

// CreateIndex is CREATE INDEX.
type CreateIndex struct {
	Pos
	Unique      bool
	IfNotExists bool
	Index       Ident // zero: to be named after table and columns
	Table       Ident
	Kind        Ident // zero: btree
	Columns     []Ident
	Options     []IndexOption
	Where       Expr   // the rows that the index is over; nil: all
	Constraint  string // that it is made for: storage.IndexDef.Constraint; never written
}

// IndexOption is an option of WITH: a text, or a number as it is written.
type IndexOption struct {
	Name  Ident
	Value string
}

// DropIndex is DROP INDEX.
type DropIndex struct {
	Pos
	IfExists bool
	Indexes  []Ident
}

// Insert is INSERT.
type Insert struct {
	Pos
	With
	Table      Ident
	Alias      Ident
	Columns    []Ident // nil: all, in table order
	Query      *Select // its Body is *Values for INSERT ... VALUES; nil: DEFAULT VALUES
	OnConflict *OnConflict
	Returning  []SelectItem
}

// OnConflict is ON CONFLICT [(columns)] DO NOTHING | DO UPDATE SET ... [WHERE ...].
// In Set and Where the table "excluded" is the row that could not be inserted.
type OnConflict struct {
	Pos
	Columns []Ident      // may be empty with DO NOTHING
	Of      Expr         // ON CONFLICT (columns) WHERE ...: the rows that the unique index is over; nil: all
	Set     []Assignment // nil: DO NOTHING
	Where   Expr         // nil: none
}

// Assignment is column = value of UPDATE.
type Assignment struct {
	Pos
	Column Ident
	Value  Expr // may be *Default
}

// Update is UPDATE t SET ... [FROM ...] [WHERE ...].
type Update struct {
	Pos
	With
	Table     Ident
	Alias     Ident
	Set       []Assignment
	From      TableExpr // nil: none; Where joins it with the table
	Where     Expr      // nil: every row
	Returning []SelectItem
}

// Delete is DELETE FROM t [USING ...] [WHERE ...].
type Delete struct {
	Pos
	With
	Table     Ident
	Alias     Ident
	Using     TableExpr // nil: none; Where joins it with the table
	Where     Expr      // nil: every row
	Returning []SelectItem
}

// Option is an option of COPY or of a table function: name [value].
type Option struct {
	Pos
	Name  string // lower case
	Value Expr   // nil: the name alone; a bare word is a text literal
}

// CopyFrom is COPY t [(columns)] FROM 'file', ... [(options)].
type CopyFrom struct {
	Pos
	Table   Ident
	Columns []Ident
	Files   []Expr // text literals or parameters
	Options []Option
}

// CopyTo is COPY t [(columns)] | (query) TO 'file' [(options)].
type CopyTo struct {
	Pos
	Table   Ident // zero with a query
	Columns []Ident
	Query   *Select
	File    Expr // text literal or parameter
	Options []Option
}

// Explain is EXPLAIN [ANALYZE] statement.
type Explain struct {
	Pos
	Analyze   bool
	JSON      bool // FORMAT JSON
	Statement Statement
}

// Attach is ATTACH [IF NOT EXISTS] 'address' AS name [PERSIST].
type Attach struct {
	Pos
	IfNotExists bool
	Address     Expr // text literal or parameter
	Name        Ident
	Persist     bool // the store remembers it
}

// Detach is DETACH name.
type Detach struct {
	Pos
	IfExists bool
	Name     Ident
}

// ShowDatabases is SHOW DATABASES.
type ShowDatabases struct{ Pos }

// Begin is BEGIN [TRANSACTION] [READ ONLY | READ WRITE].
type Begin struct {
	Pos
	ReadOnly bool
}

// Commit is COMMIT or END.
type Commit struct{ Pos }

// Rollback is ROLLBACK or ABORT.
type Rollback struct{ Pos }

// Savepoint is SAVEPOINT name, RELEASE [SAVEPOINT] name or ROLLBACK TO [SAVEPOINT] name.
type Savepoint struct {
	Pos
	What SavepointAction
	Name Ident
}

// SavepointAction is what a Savepoint does.
type SavepointAction uint8

// The actions.
const (
	SetSavepoint SavepointAction = iota
	Release
	RollbackTo
)

// ShowTables is SHOW TABLES.
type ShowTables struct{ Pos }

// Describe is DESCRIBE t.
type Describe struct {
	Pos
	Table Ident
}

// Backup is BACKUP TO 'dir' [(options)].
type Backup struct {
	Pos
	Dir     Expr // text literal or parameter
	Options []Option
}

// Check is CHECK.
type Check struct{ Pos }

// Vacuum is VACUUM [t].
type Vacuum struct {
	Pos
	Table Ident // zero: every table
}

func (*CreateTable) statement()   {}
func (*Attach) statement()        {}
func (*Detach) statement()        {}
func (*ShowDatabases) statement() {}
func (*DropTable) statement()     {}
func (*AlterTable) statement()    {}
func (*CreateIndex) statement()   {}
func (*DropIndex) statement()     {}
func (*Insert) statement()        {}
func (*Update) statement()        {}
func (*Delete) statement()        {}
func (*Select) statement()        {}
func (*CopyFrom) statement()      {}
func (*CopyTo) statement()        {}
func (*Explain) statement()       {}
func (*Begin) statement()         {}
func (*Commit) statement()        {}
func (*Rollback) statement()      {}
func (*ShowTables) statement()    {}
func (*Describe) statement()      {}
func (*Backup) statement()        {}
func (*Check) statement()         {}
func (*Vacuum) statement()        {}

func (*Savepoint) statement()   {}
func (*Truncate) statement()    {}
func (*Setting) statement()     {}
func (*ShowSetting) statement() {}

func (*AddConstraint) alterAction()  {}
func (*DropConstraint) alterAction() {}
func (*SetDefaultOf) alterAction()   {}
func (*SetNotNull) alterAction()     {}
func (*SetType) alterAction()        {}
func (*AddColumn) alterAction()      {}
func (*DropColumn) alterAction()     {}
func (*RenameColumn) alterAction()   {}
func (*RenameTable) alterAction()    {}
func (*SetEncoder) alterAction()     {}
func (*Retrain) alterAction()        {}
