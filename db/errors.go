package db

import (
	"database/sql"
	"errors"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
)

// Errors to compare with errors.Is. What functions return wraps them and says
// which directory, table or key is meant.
var (
	// ErrClosed: the DB, Rows, Stmt, Conn or Appender has been closed.
	ErrClosed = storage.ErrClosed
	// ErrReadOnly: a write to a store or transaction opened for reading.
	ErrReadOnly = storage.ErrReadOnly
	// ErrLocked: the store is open already, in another process or this one.
	ErrLocked = storage.ErrLocked
	// ErrCorrupt: the store is damaged. CorruptError says where.
	ErrCorrupt = storage.ErrCorrupt
	// ErrNotStore: the directory holds something other than a store.
	ErrNotStore = storage.ErrNotStore
	// ErrFormat: the store was written by a newer Lupa.
	ErrFormat = storage.ErrFormat
	// ErrFailed: a write failed; what was committed before is safe, and the store has
	// to be opened again.
	ErrFailed = storage.ErrFailed
	// ErrFull: the disk is full. Nothing of the write is there, now or later; reading,
	// deleting and VACUUM go on, and writing does as soon as there is space.
	ErrFull = storage.ErrFull
	// ErrEncoderMismatch: a column was filled with another model than the one
	// given. EncoderMismatchError says which.
	ErrEncoderMismatch = encoder.ErrMismatch
	// ErrNoRows: QueryRow or Get found no row. It is sql.ErrNoRows.
	ErrNoRows = sql.ErrNoRows
	// ErrTxDone: the transaction has been committed or rolled back. It is
	// sql.ErrTxDone.
	ErrTxDone = sql.ErrTxDone
	// ErrTxFailed: a statement of the transaction failed, so that only Rollback is
	// left. Other statements return this, and so does Commit, having kept nothing.
	ErrTxFailed = query.ErrRolledBack
	// ErrTooLarge: a transaction changes more than can be kept in memory; use COPY,
	// an Appender, or several transactions.
	ErrTooLarge = storage.ErrTooLarge
	// ErrInUpdate: a write of the DB within the function of DB.Update, on its goroutine:
	// it would wait for the transaction that waits for it. Use the Tx.
	ErrInUpdate = errors.New("a write of the DB within Update would wait for ever; use the Tx")
	// ErrBusy: another transaction has held the writer lock for longer than
	// Options.WriterTimeout.
	ErrBusy = storage.ErrBusy
	// ErrNoTransaction: COMMIT or ROLLBACK outside of a transaction.
	ErrNoTransaction = query.ErrNoTransaction
	// ErrInTransaction: BEGIN within a transaction.
	ErrInTransaction = query.ErrInTransaction
)

var errTempNeedsSession = errors.New("a temporary table is gone at the end of its session: CREATE TEMP TABLE is for DB.Conn, DB.Update or DB.Begin, or for several statements in one Exec")

var errNeedsSession = errors.New("BEGIN is for a session; use DB.Update, DB.Begin or DB.Conn")

// Errors to look for with errors.As, as pointers:
//
//	var unique *db.UniqueError
//	if errors.As(err, &unique) { ... }
type (
	// ParseError is an error at a place of the statement's text: syntax, or a name
	// or type that doesn't fit. Its fields are Line, Column (characters, from 1),
	// Offset (bytes, from 0), Msg, Hint (such as `did you mean "width"?`) and Err,
	// the same as one of the errors below, or nil.
	ParseError = query.Error
	// UniqueError: a row would repeat a primary key or a key of a unique index. Its
	// fields are Table, Index ("" for the primary key), Columns, Key (as one reads
	// it) and Row (of the input, from 0; -1 where it is not known).
	UniqueError = storage.UniqueError
	// NotNullError: NULL for a column that is NOT NULL. Its fields are Table, Column
	// and Row (of the input, from 0; -1 where it is not known).
	NotNullError = storage.NotNullError
	// CheckError: a row breaks a CHECK of its table. Its fields are Table, Constraint,
	// Condition (as it was written) and Existing (rows that are there break one that
	// was to be added).
	CheckError = storage.CheckError
	// ReferenceError: a row refers to a key that is not there, or would be left doing
	// so. Its fields are Table, Constraint, Columns, Parent (the table referred to), Key
	// (as one reads it) and Gone (it is the key that goes).
	ReferenceError = storage.ReferenceError
	// DimensionError: a vector of another length than its column's. Its fields are
	// Table, Column, Got and Want.
	DimensionError = storage.DimensionError
	// NotFiniteError: a vector with NaN or an infinity. Its fields are Table, Column
	// and Row (of the input, from 0; -1 where it is not known).
	NotFiniteError = storage.NotFiniteError
	// ValueError: a value that its column's type can't be: TEXT or JSON that is not
	// UTF-8, JSON that does not parse, a TIMESTAMP beyond the years 1 to 9999. Its
	// fields are Table, Column, Row (of the input, from 0; -1 where it is not known)
	// and Err (the rule).
	ValueError = storage.ValueError
	// NoTableError: there is no table of the name. Its field is Table.
	NoTableError = storage.NoTableError
	// NoColumnError: the table has no column of the name. Its fields are Table and
	// Column.
	NoColumnError = storage.NoColumnError
	// NoIndexError: there is no index of the name. Its field is Index.
	NoIndexError = storage.NoIndexError
	// DependentError: views use what was to be dropped or renamed.
	DependentError = storage.DependentError
	// NoWatchError: there is no watch of the name. Its field is Watch.
	NoWatchError = storage.NoWatchError
	// ExistsError: a table, view, column or index of the name is there already. Its fields
	// are What ("table", "column", "index" or "watch") and Name.
	ExistsError = storage.ExistsError
	// OptionError: an option of Open has a value that can't be meant. Its fields are
	// Option, Value and Want.
	OptionError = storage.OptionError
	// MemoryError: a statement needs more than Options.MemoryBudget. Its fields are
	// What (the work that needs it) and Limit (bytes).
	MemoryError = query.MemoryError
	// CorruptError names the damaged part of a store: Table, Column and Where, any of
	// which may be "", and in Err what is wrong. It is ErrCorrupt for errors.Is.
	CorruptError = storage.CorruptError
	// FileError names a file of a store that is missing or is not as it was written:
	// File, and What is wrong. It is ErrCorrupt for errors.Is; nothing was changed.
	FileError = storage.FileError
	// EncoderMismatchError names the column, by Table and Column, and the two models,
	// Stored and Given. It is ErrEncoderMismatch for errors.Is.
	EncoderMismatchError = encoder.MismatchError
	// EncoderNotFoundError says that there is no encoder of the name Name, where it
	// was looked for (Tried) and which there are (Known).
	EncoderNotFoundError = encoder.NotFoundError
)
