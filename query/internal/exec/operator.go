package exec

import (
	"cmp"
	"context"
	"time"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Operator is one step of a physical plan. It belongs to one goroutine.
type Operator interface {
	// Next returns the next rows, never none, or nil after the last. The batch,
	// its selection included, is valid until the next call; who receives it
	// does not change it.
	Next(ctx context.Context) (*value.Batch, error)
	// Close releases what the operator and its inputs hold. It may be called
	// before the end and more than once.
	Close() error
	// Inputs returns the operators it reads from.
	Inputs() []Operator
	// String is the operator's line in EXPLAIN.
	String() string
}

// Env is what the operators of one running statement share.
type Env struct {
	Store    *storage.Store // of what is written
	Files    *storage.Store // which has room for temporary files; nil: Store
	View     *storage.View
	Tx       *storage.Tx // nil when nothing may be written
	Workers  int         // goroutines a scan may use; 0 = one per CPU
	Memory   *Budget
	Progress func(Progress) // may be nil
	Warn     func(string)   // may be nil
	Notice   func(string)   // may be nil

	// Touched is what parts of the statement have changed, nil where it has one part.
	Touched Touched

	// Pictures tells how many pictures of images() have been read, and how many
	// there are. It is nil in a statement without images().
	Pictures func() (done, total int64)

	// Tally counts what is read of files; nil in a statement without any.
	Tally *Tally

	// LastKey is the INTEGER primary key of the last row that an INSERT has written.
	LastKey value.Value

	// Within is the time limit of a search that may have one: see Nearest.
	Within *time.Duration

	// Partial is how far a search has come that had a time limit, nil without one.
	Partial *Partial
}

// progress reports to whoever listens.
func (e *Env) progress(p Progress) {
	if e.Progress != nil {
		e.Progress(p)
	}
}

// warn reports what does not stop the statement.
func (e *Env) warn(msg string) {
	if e.Warn != nil {
		e.Warn(msg)
	}
}

// input is embedded by operators that read one other.
type input struct{ in Operator }

func (i *input) Inputs() []Operator { return []Operator{i.in} }
func (i *input) Close() error       { return i.in.Close() }

// Drain reads an operator to its end and passes each batch to f.
func Drain(ctx context.Context, op Operator, f func(*value.Batch) error) error {
	for {
		b, err := op.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := f(b); err != nil {
			return err
		}
	}
}

// DrainAhead is Drain that reads while f works: f gets a copy of each batch. It
// returns when neither goes on.
func DrainAhead(ctx context.Context, op Operator, f func(*value.Batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, ended := make(chan *value.Batch), make(chan error, 1)
	go func() {
		ended <- Drain(ctx, op, func(b *value.Batch) error {
			select {
			case batches <- Copy(b):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for {
		select {
		case b := <-batches:
			if err := f(b); err != nil {
				cancel()
				<-ended
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

// spills returns the store in whose directory temporary files are written, or nil.
func (e *Env) spills() *storage.Store { return cmp.Or(e.Files, e.Store) }
