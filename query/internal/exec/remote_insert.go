package exec

import (
	"context"
	"time"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// RemoteInsert adds the rows of its input to a table of an attached database, all or none;
// an import of pictures, which can be run again, in portions.
type RemoteInsert struct {
	input
	Env      *Env
	In       *foreign.Attached
	Table    *foreign.Table
	Opts     foreign.Insert
	Portions bool

	Affected int64
	done     bool
}

// NewRemoteInsert returns a RemoteInsert over in, whose columns are those of opts.
func NewRemoteInsert(in Operator, env *Env, at *foreign.Attached, t *foreign.Table, opts foreign.Insert) *RemoteInsert {
	return &RemoteInsert{input: input{in}, Env: env, In: at, Table: t, Opts: opts}
}

func (r *RemoteInsert) Next(ctx context.Context) (_ *value.Batch, err error) {
	if r.done {
		return nil, nil
	}
	r.done = true
	var w foreign.Writer
	defer func() {
		if w != nil {
			w.Abort()
		}
	}()
	finish := func() error {
		n, err := w.Finish(ctx)
		w = nil
		r.Affected += n
		return RemoteError(r.In, err)
	}
	var since time.Time
	rows := int64(0)
	err = Drain(ctx, r.in, func(b *value.Batch) error {
		if w == nil {
			var err error
			if w, err = r.In.Database.Insert(ctx, r.Table, r.Opts); err != nil {
				return RemoteError(r.In, err)
			}
			since = time.Now()
		}
		if err := w.Write(ctx, b); err != nil {
			return RemoteError(r.In, err)
		}
		rows += int64(b.Count())
		r.Env.progress(Progress{Stage: "writing", Done: rows, Unit: "rows"})
		if r.Portions && time.Since(since) > portionTime {
			return finish()
		}
		return nil
	})
	if err == nil && w != nil {
		err = finish()
	}
	return nil, err
}

func (r *RemoteInsert) String() string { return "Insert into " + r.In.Name + "." + r.Table.Name }
