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

// fusion makes what finds the rows that can be among the best by a sum of scores.
func (b *Builder) fusion(f *logical.Fusion) (*exec.Fusion, error) {
	x := &exec.Fusion{Workers: b.Env.Workers, Count: int(f.Count), Rest: f.Rest}
	for i, e := range f.Sims {
		to, err := b.Compile(compile.NewLayout(nil), e.Args[1])
		if err != nil {
			return nil, err
		}
		x.Sims = append(x.Sims, exec.FusedSim{By: f.SimBy[i], Column: e.Args[0].Column.Ord, To: to, At: logical.At(e.Args[1].Pos)})
	}
	for i, e := range f.Words {
		q, err := b.match(e)
		if err != nil {
			return nil, err
		}
		x.Words = append(x.Words, exec.FusedWords{By: f.WordsBy[i], Query: q})
	}
	var cols []*logical.Column
	for c := range logical.ColumnsOf(f.Sum) {
		cols = append(cols, c)
	}
	x.Columns = ordsOf(cols)
	var err error
	x.Sum, err = b.Compile(compile.NewLayout(cols), f.Sum)
	return x, err
}
