package exec

import (
	"context"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// ReadSource gives the rows of a file, or of what else package source reads.
type ReadSource struct {
	Env    *Env
	Reader source.Reader
	Text   string // for EXPLAIN
	Stage  string // for progress reports
	Pick   []int  // columns of the reader to give; nil = all
	Count  bool   // in the tally
	closed bool
	ended  bool
	out    value.Batch
}

func (r *ReadSource) Next(ctx context.Context) (*value.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := r.Reader.Next(ctx)
	if b == nil && err == nil && !r.ended {
		r.ended = true
		for _, u := range source.Unread(r.Reader) {
			r.Env.warn(u)
		}
	}
	if err != nil || b == nil {
		return nil, err
	}
	if r.Stage != "" {
		done, total := r.Reader.Progress()
		r.Env.progress(Progress{Stage: r.Stage, Done: done, Total: total, Unit: "bytes"})
	}
	if r.Count && r.Env.Tally != nil {
		r.Env.Tally.Rows.Add(int64(b.Count()))
	}
	if b.Count() == 0 {
		return r.Next(ctx)
	}
	if r.Pick == nil {
		return b, nil
	}
	r.out = value.Batch{Len: b.Len, Sel: b.Sel}
	for _, c := range r.Pick {
		r.out.Cols = append(r.out.Cols, b.Cols[c])
	}
	return &r.out, nil
}

func (r *ReadSource) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.Reader.Close()
}

func (r *ReadSource) Inputs() []Operator { return nil }
func (r *ReadSource) String() string     { return "Read " + r.Text }
