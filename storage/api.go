package storage

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage/value"
)

var errNotBuilt = errors.New("not built yet")

// Options of Open. The zero value, and nil, mean the defaults.
type Options struct {
	// ReadOnly opens the store for reading. Several processes may do so at once;
	// a process that writes has it for itself.
	ReadOnly bool
	// InMemory keeps everything in memory; dir is ignored and nothing is left
	// after Close.
	InMemory bool
	// CacheSize is the size of the block cache in bytes; 0 means 1/4 of the
	// machine's memory, at most 4 GiB.
	CacheSize int64
	// NoSync lets Commit return before the data is on disk: a power cut may lose
	// the last transactions (never part of one).
	NoSync bool
	// FS is the file system, for tests; nil is the machine's own.
	FS vfs.FS
}

// Store is an open store. All methods are safe for concurrent use.
type Store struct{}

// Open opens the store in dir, and creates it when the folder is missing or
// empty (unless Options.ReadOnly). Errors: ErrNotStore, ErrFormat, ErrLocked,
// ErrCorrupt.
func Open(dir string, opts *Options) (*Store, error) { return nil, errNotBuilt }

// Close releases the store. Views and transactions must be closed before.
func (s *Store) Close() error { return errNotBuilt }

// ReadOnly reports whether the store was opened for reading only.
func (s *Store) ReadOnly() bool { return false }

// Snapshot returns a consistent view of everything committed so far. It never
// waits for the writer. The caller closes it.
func (s *Store) Snapshot() (*View, error) { return nil, errNotBuilt }

// Begin starts the one read-write transaction, waiting until the one before has
// ended or ctx is done.
func (s *Store) Begin(ctx context.Context) (*Tx, error) { return nil, errNotBuilt }

// ReadStats counts what was read through a View, for tests and EXPLAIN ANALYZE.
// Blocks that come from the cache count as well.
type ReadStats struct {
	ScalarBytes atomic.Int64 // scalar column blocks
	PageBytes   atomic.Int64 // float32 pages
	CodeBytes   atomic.Int64 // code blocks
	KeyBytes    atomic.Int64 // primary key map and indexes
	RowBytes    atomic.Int64 // tail rows
	Pages       atomic.Int64 // float32 pages touched
}

// View is a consistent picture of the store. Its methods, and those of its
// Tables, are safe for concurrent use; a Scanner belongs to one goroutine.
type View struct {
	Reads ReadStats
}

// Close releases the view.
func (v *View) Close() error { return errNotBuilt }

// Tables returns all tables, ordered by name.
func (v *View) Tables() []*TableDef { return nil }

// Table returns a table by name, or a *NoTableError.
func (v *View) Table(name string) (*Table, error) { return nil, errNotBuilt }

// Table is a table seen through a View.
type Table struct{}

// Def returns the table's definition.
func (t *Table) Def() *TableDef { return nil }

// Rows returns the number of live rows.
func (t *Table) Rows() uint64 { return 0 }

// Blocks returns the number of blocks, the unfilled last one included.
func (t *Table) Blocks() uint32 { return 0 }

// ScanOptions choose what a Scanner reads.
type ScanOptions struct {
	Columns   []int   // positions in Def().Columns; the batch's Cols are in this order
	Filter    *RowSet // only these rows; nil = all
	FromBlock uint32
	ToBlock   uint32 // exclusive; 0 = to the end
}

// Scan returns a Scanner over the table's live rows in row order. The caller
// closes it before the view.
func (t *Table) Scan(opts ScanOptions) *Scanner { return nil }

// Scanner reads a table one block at a time.
type Scanner struct{}

// Next returns the live rows of the next block that has any, or nil at the end.
// Deleted and filtered rows are excluded through Sel. The batch and its columns
// are reused by the next call; strings in it stay valid.
func (s *Scanner) Next(ctx context.Context) (*value.Batch, error) { return nil, errNotBuilt }

// Close releases the scanner.
func (s *Scanner) Close() error { return nil }

// Fetch gathers the given rows in the given order (repeats allowed). The batch
// belongs to the caller and may be longer than BatchSize. A row that is deleted or
// was never there is an error.
func (t *Table) Fetch(ctx context.Context, rows []uint64, cols []int) (*value.Batch, error) {
	return nil, errNotBuilt
}

// Lookup finds the row of a primary key, which is of the key column's kind.
func (t *Table) Lookup(ctx context.Context, pk value.Value) (row uint64, ok bool, err error) {
	return 0, false, errNotBuilt
}

// Range selects a part of an ordered index: keys that start with the values of
// Eq and whose next column lies between Low and High, or starts with Prefix.
// NULLs match only an explicit NULL in Eq.
type Range struct {
	Eq       []value.Value // values of the leading columns
	Low      value.Value   // bounds of the next column; NULL = unbounded
	High     value.Value
	LowOpen  bool   // Low itself is outside
	HighOpen bool   // High itself is outside
	Prefix   string // only texts (or blobs) with this prefix, when not empty
	Reverse  bool   // from the end
	Limit    int    // at most this many rows; 0 = all
}

// IndexScan returns the row numbers of a range in the order of the index. A nil
// index means the primary key.
func (t *Table) IndexScan(ctx context.Context, index *IndexDef, r Range) ([]uint64, error) {
	return nil, errNotBuilt
}

// ColumnStats describe the values of a column. Null and Distinct may count
// deleted rows, and Min and Max may be wider than the live values, until VACUUM.
type ColumnStats struct {
	Rows     uint64      // rows looked at
	Nulls    uint64      // of them NULL
	Min, Max value.Value // NULL when there is no value or no order
	Distinct uint64      // estimate, within some percent
}

// Stats returns the statistics of a column; it reads no vector.
func (t *Table) Stats(ctx context.Context, col int) (ColumnStats, error) {
	return ColumnStats{}, errNotBuilt
}

// Progress reports on long work: done and total in the unit of the stage; total is 0
// when not known. It is called from the working goroutine, not too often.
type Progress func(stage string, done, total uint64)

// Tx is the read-write transaction. It reads its own writes. It belongs to one
// goroutine, except that reading through it by many is safe while none writes.
// A method that fails leaves what it had written so far; undo it with RollbackTo.
type Tx struct {
	*View
}

// Commit makes the transaction's writes durable and visible. Afterwards the Tx is
// closed whatever the outcome.
func (tx *Tx) Commit(ctx context.Context) error { return errNotBuilt }

// Rollback discards the transaction. After Commit it does nothing.
func (tx *Tx) Rollback() error { return errNotBuilt }

// Savepoint marks a place in the transaction.
type Savepoint struct {
	ops  int
	size int
}

// Savepoint returns the current place.
func (tx *Tx) Savepoint() Savepoint { return Savepoint{} }

// RollbackTo undoes everything written since the savepoint.
func (tx *Tx) RollbackTo(sp Savepoint) error { return errNotBuilt }

// CreateTable creates a table; ids in def are ignored, and index columns refer to
// positions in def.Columns. It returns the definition as stored.
func (tx *Tx) CreateTable(ctx context.Context, def TableDef) (*TableDef, error) {
	return nil, errNotBuilt
}

// DropTable removes a table and everything in it.
func (tx *Tx) DropTable(ctx context.Context, table string) error { return errNotBuilt }

// RenameTable changes a table's name.
func (tx *Tx) RenameTable(ctx context.Context, table, to string) error { return errNotBuilt }

// AddColumn adds a column at the end. fill is the value of the rows already there.
func (tx *Tx) AddColumn(ctx context.Context, table string, col ColumnDef, fill value.Value) error {
	return errNotBuilt
}

// DropColumn removes a column and the space it takes. The primary key and
// columns of an index can't be dropped.
func (tx *Tx) DropColumn(ctx context.Context, table, column string) error { return errNotBuilt }

// RenameColumn changes a column's name.
func (tx *Tx) RenameColumn(ctx context.Context, table, column, to string) error { return errNotBuilt }

// SetColumnModel binds a vector column to an encoder's name and the identity of its model.
func (tx *Tx) SetColumnModel(ctx context.Context, table, column, encoder string, m encoder.Model) error {
	return errNotBuilt
}

// CreateIndex builds an index over the rows there are; only Name, Unique and Columns (ids) of def count.
func (tx *Tx) CreateIndex(ctx context.Context, table string, def IndexDef, progress Progress) error {
	return errNotBuilt
}

// DropIndex removes the index of this name.
func (tx *Tx) DropIndex(ctx context.Context, index string) error { return errNotBuilt }

// OnConflict says what Insert does with a row whose key is there already.
type OnConflict uint8

const (
	ConflictError OnConflict = iota // stop with a *UniqueError
	ConflictSkip                    // leave the row out and report it
)

// InsertOptions of Insert.
type InsertOptions struct {
	OnConflict OnConflict
	// Target is the unique index whose conflicts are skipped; a conflict with
	// another one is an error. Nil = with any, PrimaryKeyTarget = the primary key.
	Target *IndexDef
}

// PrimaryKeyTarget stands for the primary key in InsertOptions.Target.
var PrimaryKeyTarget = &IndexDef{Name: "primary key"}

// NoRow is the row number of a row that was not inserted.
const NoRow = ^uint64(0)

// Conflict is a row that ConflictSkip left out.
type Conflict struct {
	Pos int    // position in the batch
	Row uint64 // the row that has the key
}

// InsertResult of Insert.
type InsertResult struct {
	Rows      []uint64 // row number for every selected row of the batch, in order, NoRow where it was left out
	Conflicts []Conflict
}

// Insert adds the selected rows of a batch that has all columns of the table in
// their order (a nil column is NULL throughout). Errors: *UniqueError,
// *NotNullError, *DimensionError, *NotFiniteError, *TypeError.
func (tx *Tx) Insert(ctx context.Context, table string, b *value.Batch, opts InsertOptions) (InsertResult, error) {
	return InsertResult{}, errNotBuilt
}

// Delete removes rows and returns how many of them were there.
func (tx *Tx) Delete(ctx context.Context, table string, rows []uint64) (int, error) {
	return 0, errNotBuilt
}

// Update replaces columns of rows: rows[i] (live, without repeats) gets the values of the i-th selected row of b in
// the columns at positions cols. It returns the new row numbers. Keys are
// checked after all rows have changed, so that keys may be swapped. b may be
// longer than BatchSize.
func (tx *Tx) Update(ctx context.Context, table string, rows []uint64, cols []int, b *value.Batch) ([]uint64, error) {
	return nil, errNotBuilt
}

// LoadOptions of BulkLoad.
type LoadOptions struct {
	// QuerySamples are query vectors typical for a vector column (position in
	// Def().Columns), to train its codes with.
	QuerySamples map[int][][]float32
	Progress     Progress
}

// BulkLoad starts loading rows past the write-ahead log. It holds the writer's
// place until Finish or Abort; readers go on and see all of it or nothing.
func (s *Store) BulkLoad(ctx context.Context, table string, opts LoadOptions) (*Loader, error) {
	return nil, errNotBuilt
}

// Loader is a bulk load in progress. It belongs to one goroutine.
type Loader struct{}

// Append adds the selected rows of a batch that has all columns of the table in
// their order. Errors as for Insert, but a duplicate key may show as late as in Finish.
// After an error only Abort is left.
func (l *Loader) Append(ctx context.Context, b *value.Batch) error { return errNotBuilt }

// Finish publishes all rows at once and returns how many there were. On an error nothing of the load stays.
func (l *Loader) Finish(ctx context.Context) (uint64, error) { return 0, errNotBuilt }

// Abort discards the load. After Finish it does nothing.
func (l *Loader) Abort() error { return errNotBuilt }

// Problem is something Check found.
type Problem struct {
	Table, Column string
	Where         string // "block 12", "row 40", "index by_name"
	Msg           string
}

func (p Problem) String() string {
	s := p.Table
	if p.Column != "" {
		s += "." + p.Column
	}
	if p.Where != "" {
		if s != "" {
			s += ", "
		}
		s += p.Where
	}
	return s + ": " + p.Msg
}

// Check verifies every invariant of the store and reports what it finds. The
// error is for what stops the check itself.
func (s *Store) Check(ctx context.Context, report func(Problem)) error { return errNotBuilt }

// Backup writes a copy of the store, as of now, into dir, which must not exist
// or be empty. Writes may go on. The copy opens as a store.
func (s *Store) Backup(ctx context.Context, dir string) error { return errNotBuilt }

// VacuumResult of Vacuum.
type VacuumResult struct {
	Table    string
	Rows     uint64 // live rows
	DeadRows uint64 // rows whose space was returned
}

// Vacuum returns the space of a table's deleted rows and refreshes its
// statistics. Row order stays; row numbers change.
func (s *Store) Vacuum(ctx context.Context, table string, progress Progress) (VacuumResult, error) {
	return VacuumResult{}, errNotBuilt
}

// StoreStats of Stats.
type StoreStats struct {
	DiskBytes  uint64
	CacheBytes int64
	CacheHits  int64
	CacheMiss  int64
}

// Stats returns figures about the store.
func (s *Store) Stats() StoreStats { return StoreStats{} }

// Salvage reads every row of a table that can be read, whatever the damage, and
// hands them to emit in batches (all columns; what can't be read is NULL). It
// reports what it could not read.
func (s *Store) Salvage(ctx context.Context, table string, emit func(*value.Batch) error, report func(Problem)) error {
	return errNotBuilt
}
