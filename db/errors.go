package db

import (
	"database/sql"
	"errors"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/storage"
)

// Errors to compare with errors.Is. What functions return wraps them and says
// which folder, table or key is meant.
var (
	// ErrClosed: the DB, Rows, Stmt, Conn or Appender has been closed.
	ErrClosed = storage.ErrClosed
	// ErrReadOnly: a write to a store or transaction opened for reading.
	ErrReadOnly = storage.ErrReadOnly
	// ErrLocked: another process has the store open.
	ErrLocked = storage.ErrLocked
	// ErrCorrupt: the store is damaged. CorruptError says where.
	ErrCorrupt = storage.ErrCorrupt
	// ErrNotStore: the folder holds something other than a store.
	ErrNotStore = storage.ErrNotStore
	// ErrFormat: the store was written by a newer Lupa.
	ErrFormat = storage.ErrFormat
	// ErrFailed: a write failed, for example because the disk is full; what was
	// committed before is safe, and the store has to be opened again.
	ErrFailed = storage.ErrFailed
	// ErrEncoderMismatch: a column was filled with another model than the one
	// given. EncoderMismatchError says which.
	ErrEncoderMismatch = encoder.ErrMismatch
	// ErrNoRows: QueryRow or Get found no row. It is sql.ErrNoRows.
	ErrNoRows = sql.ErrNoRows
	// ErrTxDone: the transaction has been committed or rolled back. It is
	// sql.ErrTxDone.
	ErrTxDone = sql.ErrTxDone
	// ErrTxFailed: a statement of the transaction failed, so that only Rollback is
	// left; Commit returned this and kept nothing.
	ErrTxFailed = query.ErrRolledBack
	// ErrNoTransaction: COMMIT or ROLLBACK outside of a transaction.
	ErrNoTransaction = query.ErrNoTransaction
	// ErrInTransaction: BEGIN within a transaction.
	ErrInTransaction = query.ErrInTransaction
)

var errNeedsSession = errors.New("BEGIN is for a session; use DB.Update, DB.Begin or DB.Conn")

// Errors to look for with errors.As.
type (
	// ParseError is an error at a place of the statement's text: syntax, or a name
	// or type that doesn't fit.
	ParseError = query.Error
	// UniqueError: a row would repeat a primary key or a key of a unique index.
	UniqueError = storage.UniqueError
	// NotNullError: NULL for a column that is NOT NULL.
	NotNullError = storage.NotNullError
	// DimensionError: a vector of another length than its column's.
	DimensionError = storage.DimensionError
	// NotFiniteError: a vector with NaN or an infinity.
	NotFiniteError = storage.NotFiniteError
	// NoTableError: there is no table of the name.
	NoTableError = storage.NoTableError
	// NoColumnError: the table has no column of the name.
	NoColumnError = storage.NoColumnError
	// NoIndexError: there is no index of the name.
	NoIndexError = storage.NoIndexError
	// ExistsError: a table, column or index of the name is there already.
	ExistsError = storage.ExistsError
	// CorruptError names the damaged part of a store.
	CorruptError = storage.CorruptError
	// EncoderMismatchError names the two models.
	EncoderMismatchError = encoder.MismatchError
	// EncoderNotFoundError says where an encoder was looked for.
	EncoderNotFoundError = encoder.NotFoundError
)
