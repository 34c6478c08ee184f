package exec

import (
	"context"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
)

// SkipThere drops rows whose key is in a table of an attached database already: it asks for
// the keys of a batch at once. Pictures of its input are not encoded yet.
type SkipThere struct {
	input
	env    *Env
	at     *foreign.Attached
	table  *foreign.Table
	column int // of the key in the table
	key    int // and in the input
	chosen
}

// NewSkipThere returns a SkipThere over in.
func NewSkipThere(in Operator, env *Env, at *foreign.Attached, t *foreign.Table, column, key int) *SkipThere {
	return &SkipThere{input: input{in}, env: env, at: at, table: t, column: column, key: key}
}

func (s *SkipThere) Next(ctx context.Context) (*value.Batch, error) {
	return s.next(ctx, s.in, s.choose)
}

// choose selects the rows of a batch whose key is not there.
func (s *SkipThere) choose(ctx context.Context, b *value.Batch) error {
	t := s.table.Columns[s.column].Type
	col := &foreign.Expr{Op: foreign.OpColumn, Column: s.column, Type: t}
	in := &foreign.Expr{Op: foreign.OpIn, Type: value.Type{Kind: value.Boolean}, Args: []*foreign.Expr{col}}
	var args []value.Value
	for _, i := range b.Selected() {
		if v := b.Cols[s.key].Value(int(i)); !v.IsNull() {
			in.Args = append(in.Args, &foreign.Expr{Op: foreign.OpParam, Param: len(args), Type: t})
			args = append(args, v)
		}
	}
	there := map[string]bool{}
	if len(args) > 0 {
		rows, err := s.at.Database.Query(ctx, &foreign.Query{Tables: []*foreign.Table{s.table}, Out: []*foreign.Expr{col}, Where: []*foreign.Expr{in}, Limit: -1}, args)
		if err != nil {
			return RemoteError(s.at, err)
		}
		defer rows.Close()
		keys := &value.Column{}
		for {
			keys.Reset(t)
			n, err := rows.Next(ctx, []*value.Column{keys})
			if err != nil {
				return RemoteError(s.at, err)
			}
			if n == 0 {
				break
			}
			for i := range n {
				there[keys.Value(i).String()] = true
			}
		}
	}
	s.sel = s.sel[:0]
	for _, i := range b.Selected() {
		if v := b.Cols[s.key].Value(int(i)); !v.IsNull() && there[v.String()] {
			if s.env.Tally != nil {
				s.env.Tally.Present++
			}
			continue
		}
		s.sel = append(s.sel, i)
	}
	return nil
}

func (s *SkipThere) String() string {
	return "SkipExisting " + s.at.Name + "." + s.table.Name + "." + s.table.Columns[s.column].Name
}
