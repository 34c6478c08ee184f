package db

import "errors"

var errNotYet = errors.New("not ready")

// Errors to compare with errors.Is.
var (
	ErrClosed          = errors.New("store is closed")
	ErrReadOnly        = errors.New("store is read-only")
	ErrLocked          = errors.New("store is held by another process")
	ErrCorrupt         = errors.New("store is corrupt")
	ErrNotStore        = errors.New("not a lupa store")
	ErrFormat          = errors.New("store has a newer format")
	ErrEncoderMismatch = errors.New("encoder differs from the column's")
	ErrMemory          = errors.New("statement needs more memory than its budget")
	ErrNoRows          = errors.New("no rows")
	ErrTxDone          = errors.New("transaction has already been committed or rolled back")
	ErrStmtClosed      = errors.New("statement is closed")
)

// ParseError is what is wrong in the text of a statement, and where.
type ParseError struct {
	Line, Column int    // from 1; columns count characters
	Msg          string // what was wrong, without the position
	Hint         string // what would be right, or ""
}

func (e *ParseError) Error() string { return e.Msg }
