package db

import (
	"context"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query"
	"github.com/lupadb/lupa/query/foreign"
)

// Attachable opens databases of another kind for ATTACH; see package db/postgres.
type Attachable = foreign.Opener

// Options say how to open a store. A nil *Options, and the zero value of every
// field, mean the default.
type Options struct {
	// ReadOnly opens without the right to write. Every write gives ErrReadOnly.
	// Any number of processes may hold a store open so, but not beside a writer.
	ReadOnly bool

	// MustExist makes Open fail, with an error that is fs.ErrNotExist, where
	// there is no store; the default is to make one, unless ReadOnly.
	MustExist bool

	// AsFound opens a damaged store for reading only, as it is: files that are missing
	// or differ from what was written, and commits missing at the end, do not keep it
	// from being opened. What can't be read is an error where it is met.
	AsFound bool

	// InMemory keeps everything in memory, gone at Close; dir is not used. So
	// does the name ":memory:".
	InMemory bool

	// CacheSize is the size in bytes of the block cache; 0 means a quarter of the
	// memory that the process may use (the machine's, or less where a control group
	// of Linux or GOMEMLIMIT says so), at most 4 GiB.
	CacheSize int64

	// NoSync acknowledges commits before they have reached the disk. A crash of
	// the machine may lose the last commits, whole ones, never parts.
	NoSync bool

	// Encoders are given by the program, found by their Model().Name before
	// OpenEncoder is asked. The DB does not close them.
	Encoders []encoder.Encoder

	// OpenEncoder finds the encoder that a column names, at its first use, for
	// example onnx.Opener(nil). The DB closes what it opened. nil: only Encoders.
	OpenEncoder encoder.Opener

	// Attach are the drivers by which ATTACH opens other databases, for example
	// postgres.Opener(nil). nil: ATTACH is an error. The DB closes what was attached.
	Attach []Attachable

	// PromptCache is how many bytes of encoded texts are kept, so that a phrase
	// asked again is not encoded again; 0 means 32 MiB, negative none.
	PromptCache int64

	// MemoryBudget bounds, in bytes, what one statement's sorts, groups and joins
	// may hold. Beyond about half of it, rows of ORDER BY, GROUP BY, DISTINCT [ON], UNION, INTERSECT,
	// EXCEPT, joins by equality, window functions with PARTITION BY, WITH [RECURSIVE] and IN (SELECT ...)
	// go to files in the store's directory, unless that is in memory or read-only; what can't go there
	// fails. 0 means 1 GiB.
	MemoryBudget int64

	// Workers is how many goroutines one search uses, at most 4,096; 0 means
	// GOMAXPROCS.
	Workers int

	// NoMerging leaves the space of deleted rows to VACUUM. Otherwise it is given back in
	// the background, in small steps after commits: blocks of which much is deleted are
	// merged. Rows keep their order.
	NoMerging bool

	// NoRetraining leaves the codes of vectors as they are when rows have come that are
	// unlike those they were trained on, or searches ask for what is unlike them.
	// Otherwise they are trained anew in the background, once searches have met that,
	// and the store keeps a sample of up to 1,024 of the vectors asked for. Answers don't
	// change, only the time.
	NoRetraining bool

	// WriterTimeout bounds how long a write waits for the transaction before it;
	// beyond it the error is ErrBusy. 0 means as long as its context allows.
	WriterTimeout time.Duration

	// NoFiles forbids statements that name files (COPY, read_*, images(), image
	// of a path, BACKUP TO) or, after ENCODER, directories; names of encoders remain: for
	// programs that pass on statements of strangers. WithNoFiles forbids it for one call.
	NoFiles bool

	// AllowURLs lets image('https://...') fetch pictures.
	AllowURLs bool

	// Progress is called during work that may take long, about ten times a
	// second, from the goroutine that does the work, and concurrently for
	// concurrent statements. WithProgress overrides it for one call.
	Progress func(Progress)

	// Warn is told what did not stop a statement but should be known, such as a
	// picture that could not be read during an import, with the path and the reason.
	// It may be called concurrently. WithWarn overrides it for one call.
	Warn func(message string)

	// Notice is told how an import ended, of files or of pictures: how many were read,
	// skipped, of which kind, and failed; and what of the rows of a search with a time limit is proven, where
	// not all are: see Rows.Partial. It may be called concurrently. WithNotice overrides it
	// for one call.
	Notice func(message string)

	// Trace is told of every statement: see Tracer.
	Trace Tracer
}

// Progress is how far work has come: Stage is what it is doing, Done of Total (0
// where that is not known) are the units done, and Unit is what they are: "rows",
// "bytes", "pictures".
type Progress = query.Progress

// maxWorkers is more than is of use on any machine; each costs memory.
const maxWorkers = 4096

// check looks for values that can't be meant; storage checks its own.
func (o *Options) check() error {
	if o.Workers < 0 || o.Workers > maxWorkers {
		return &OptionError{Option: "Workers", Value: int64(o.Workers), Want: "0 for one on each processor, or a number up to 4096"}
	}
	if o.MemoryBudget < 0 {
		return &OptionError{Option: "MemoryBudget", Value: o.MemoryBudget, Want: "0 for the default, or a number of bytes"}
	}
	return nil
}

// A Tracer sees every statement begin and end. Its methods are called concurrently
// for concurrent statements. They may not use the Rows, Tx or Conn of the statement
// they are told of, which wait for them.
type Tracer interface {
	// StatementStart is called before a statement runs, on the goroutine that runs
	// it. The context it returns is
	// the one the statement runs in, so that a tracer can hang a span on it.
	StatementStart(ctx context.Context, sql string) context.Context
	// StatementEnd is called once, when the statement has failed or its rows have
	// been read or closed; on another goroutine where a context that ended, or
	// DB.Close, has closed them.
	StatementEnd(ctx context.Context, e StatementEvent)
}

// StatementEvent is what a Tracer learns when a statement ends.
type StatementEvent struct {
	SQL          string
	Tag          string        // "SELECT", "INSERT", ...; "" if it didn't parse
	Duration     time.Duration // from start to the last row
	Rows         int64         // rows returned
	RowsAffected int64         // rows inserted, updated or deleted
	Err          error
}

type progressKey struct{}

// WithProgress returns a context under which statements report to fn instead of
// to Options.Progress.
func WithProgress(ctx context.Context, fn func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}
