package db

import "context"

// AppenderOptions tune an Appender. nil means the default.
type AppenderOptions struct {
	// Atomic makes all rows visible together at Close, or none. The appender is
	// then the store's writer until it is closed. By default rows are committed
	// in batches as they fill up.
	Atomic bool
	// BatchRows is how many rows a commit takes; 0 means 4,096.
	BatchRows int
}

// Appender adds many rows from Go values, faster than INSERT. Append hands
// over full batches to a writer and blocks while it lags: memory stays bounded
// however fast rows come. It is for one goroutine at a time.
type Appender struct{}

// Appender returns an appender for the columns of the table, all of them in
// their order if none are named. Columns left out get their default.
func (db *DB) Appender(ctx context.Context, table string, columns []string, opts *AppenderOptions) (*Appender, error) {
	return nil, errNotYet
}

// Append adds a row, one argument a column, of the types that Query takes as
// arguments. They are converted to the columns' types; texts and pictures for
// a vector column are encoded, in batches. Slices must not be changed before the
// next Flush. The error may be that of an earlier row of the same batch.
func (a *Appender) Append(values ...any) error { return errNotYet }

// Flush writes what has been appended and waits for it; unless Atomic, it is
// then durable and visible.
func (a *Appender) Flush() error { return errNotYet }

// Rows returns how many rows have been written.
func (a *Appender) Rows() int64 { return 0 }

// Close flushes and commits. After an error nothing of the failed batch (with
// Atomic: nothing at all) has been added.
func (a *Appender) Close() error { return errNotYet }

// Abort drops what has not been committed. After Close it does nothing, so
// that it can be deferred.
func (a *Appender) Abort() {}
