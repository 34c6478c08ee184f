package exec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage/value"
)

// Remote gives the rows that an attached database answers a query with.
type Remote struct {
	In      *foreign.Attached
	Query   *foreign.Query
	Ctx     *fn.Ctx
	Args    []fn.Expr // the parameters, each of one value
	Texts   []string  // as they are written
	Types   []value.Type
	Analyze bool // EXPLAIN ANALYZE: ask whether the answer is exact, too

	rows  foreign.Rows
	done  bool
	cols  []value.Column
	out   value.Batch
	exact string
	bytes int64
	asked int
}

// open sends the query.
func (r *Remote) open(ctx context.Context) error {
	args, err := Fixed(r.Ctx, r.Args)
	if err != nil {
		return err
	}
	if r.Query.Search && r.Analyze {
		r.exact = "exact: yes"
		index, err := r.In.Database.Exact(ctx, r.Query, args)
		if err != nil {
			return RemoteError(r.In, err)
		}
		if index != "" {
			r.exact = fmt.Sprintf("exact: no (%s)", index)
		}
	}
	if r.rows, err = r.In.Database.Query(ctx, r.Query, args); err != nil {
		return RemoteError(r.In, err)
	}
	r.cols = make([]value.Column, len(r.Types))
	for i := range r.cols {
		r.out.Cols = append(r.out.Cols, &r.cols[i])
	}
	return nil
}

// Fixed returns the values of expressions that have one each.
func Fixed(c *fn.Ctx, es []fn.Expr) ([]value.Value, error) {
	out := make([]value.Value, len(es))
	for i, e := range es {
		a, err := e.Eval(c, oneRow, nil)
		if err != nil {
			return nil, err
		}
		out[i] = a.At(0)
	}
	return out, nil
}

// RemoteError says of an error which attached database it comes from, and has tables described
// anew that are not as they were.
func RemoteError(in *foreign.Attached, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, foreign.ErrChanged) {
		in.Forget()
		return fmt.Errorf("%s: %w; the statement can be run again", in.Name, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s: %w", in.Name, err)
}

func (r *Remote) Next(ctx context.Context) (*value.Batch, error) {
	if r.done {
		return nil, nil
	}
	if r.rows == nil {
		if err := r.open(ctx); err != nil {
			return nil, err
		}
	}
	for i := range r.cols {
		r.cols[i].Reset(r.Types[i])
	}
	n, err := r.rows.Next(ctx, r.out.Cols)
	r.bytes, r.asked = r.rows.Bytes(), r.rows.Requests()
	if err != nil || n == 0 {
		r.done = true
		return nil, RemoteError(r.In, err)
	}
	r.out.Len = n
	return &r.out, nil
}

func (r *Remote) Close() error {
	r.done = true
	if r.rows == nil {
		return nil
	}
	rows := r.rows
	r.rows, r.out.Cols = nil, nil
	return rows.Close()
}

func (r *Remote) Inputs() []Operator { return nil }

func (r *Remote) String() string {
	s := "Ask " + r.In.Name + ": " + r.In.Database.Text(r.Query)
	if len(r.Texts) == 0 {
		return s
	}
	args := make([]string, len(r.Texts))
	for i, t := range r.Texts {
		args[i] = fmt.Sprintf("$%d = %s", i+1, t)
	}
	return s + " [" + strings.Join(args, ", ") + "]"
}

// Details tell how much has come, and whether it is the answer or one that may lack rows.
func (r *Remote) Details() []string {
	requests := "one request"
	if r.asked != 1 {
		requests = fmt.Sprintf("%d requests", r.asked)
	}
	s := fmt.Sprintf("%d bytes came in answer to %s", r.bytes, requests)
	if r.exact != "" {
		s += "; " + r.exact
	}
	return []string{s}
}
