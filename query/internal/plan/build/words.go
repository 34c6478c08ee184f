package build

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
)

// words makes a function of a full-text index executable.
func (b *Builder) words(e *logical.Expr, args []fn.Expr) (fn.Expr, error) {
	q, err := b.wordsQuery(e, args[len(e.Words.Columns)])
	if err != nil {
		return nil, err
	}
	n := len(e.Words.Columns)
	return exec.NewWords(e.Words.Func, e.Type, q, args[:n], args[n+1:]), nil
}

// wordsQuery makes what prepares the query of e.
func (b *Builder) wordsQuery(e *logical.Expr, query fn.Expr) (*exec.WordsQuery, error) {
	i := slices.IndexFunc(b.Tables, func(t *storage.Table) bool { return t.Def().Name == e.Words.Table })
	if i < 0 {
		return nil, parse.Errorf(e.Pos, "internal error: table %s is not read", e.Words.Table)
	}
	x := b.Tables[i].Def().Index(e.Words.Index)
	if x == nil {
		return nil, parse.Errorf(e.Pos, "index %s is not there any more", e.Words.Index)
	}
	return &exec.WordsQuery{Table: b.Tables[i], Index: x, Columns: e.Words.Columns, X: query, At: logical.At(e.WordsQuery().Pos)}, nil
}

// match is a look-up of the rows that match.
func (b *Builder) match(e *logical.Expr) (*exec.WordsQuery, error) {
	x, err := b.Compile(compile.NewLayout(nil), e.WordsQuery())
	if err != nil {
		return nil, err
	}
	return b.wordsQuery(e, x)
}

// textTop builds a search for the best scores of words.
func (b *Builder) textTop(n *logical.Scan, want []*logical.Expr) (rel, error) {
	s := n.Search
	q, err := b.match(s.Score)
	if err != nil {
		return rel{}, err
	}
	op := &exec.TextTop{Env: &b.Env, Ctx: &b.Fnctx, Query: q, Count: s.Count, Text: s.Text}
	if s.Among != nil {
		r, err := b.build(s.Among, nil)
		if err != nil {
			return rel{}, err
		}
		op.Filter = r.op
	}
	sc := &logical.Column{Name: s.Score.Text, Type: logical.RealType}
	r := rel{op: b.Measured(op), lay: compile.NewLayout([]*logical.Column{sc}), scan: n}
	r.lay.Computed[s.Score.Key()] = sc
	if r, err = b.filter(r, n.Filters); err != nil {
		return r, err
	}
	return b.fetch(r, want)
}
