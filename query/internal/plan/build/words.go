package build

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// words makes a function of a full-text index executable.
func (b *Builder) words(e *logical.Expr, args []fn.Expr) (fn.Expr, error) {
	q, err := b.wordsQuery(e, args[len(e.Words.Columns)])
	if err != nil {
		return nil, err
	}
	q.Marks = e.Type.Kind == value.Text
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
		return nil, parse.Errorf(e.Pos, "index %s no longer exists", e.Words.Index)
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

// TextQuery prepares the query of e, which is the same for all rows; nil where it is NULL.
func (b *Builder) TextQuery(ctx context.Context, e *logical.Expr) (*storage.TextQuery, error) {
	q, err := b.match(e)
	if err != nil {
		return nil, err
	}
	return q.Prepare(ctx, &b.Fnctx)
}

// like is a look-up of rows of which some match a LIKE.
func (b *Builder) like(l *logical.Lookup, table *storage.Table) (*exec.WordsQuery, error) {
	args, err := b.CompileAll(compile.NewLayout(nil), l.Match.Args[1:])
	if err != nil {
		return nil, err
	}
	q := &exec.WordsQuery{Table: table, Index: l.Index, Columns: []int{l.Ord}, X: args[0], At: logical.At(l.Match.Pos), Like: &exec.LikeText{Fold: l.Match.Call.Func.Name == "ilike"}}
	if len(args) > 1 {
		q.Like.Escape = args[1]
	}
	return q, nil
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
	r := rel{op: b.Analyzed(op), lay: compile.NewLayout([]*logical.Column{sc}), scan: n}
	r.lay.Computed[s.Score.Key()] = sc
	if r, err = b.filter(r, n.Filters); err != nil {
		return r, err
	}
	return b.fetch(r, want)
}

// fusion makes what finds the rows that can be among the best by several scores.
func (b *Builder) fusion(f *logical.Fusion) (*exec.Fusion, error) {
	x := &exec.Fusion{Env: &b.Env, Count: int(f.Count), Rest: f.Rest, RRF: f.Sum == nil, K: f.K, Loose: b.loose[f]}
	if f.MMR != nil {
		x.MMR = &exec.MMR{Vector: f.MMR.Vector.Ord, Lambda: f.MMR.Lambda, Count: int(f.Count)}
	}
	lay := compile.NewLayout(nil)
	byKey := map[string]*logical.Column{}
	for i := range f.Terms {
		t := &f.Terms[i]
		e := t.Expr
		out := exec.FusedTerm{By: t.By, Text: e.Text, Low: t.Low, Norm: t.Text}
		var err error
		if out.Times, err = b.CompileAll(compile.NewLayout(nil), t.Times); err != nil {
			return nil, err
		}
		if out.Over, err = b.CompileAll(compile.NewLayout(nil), t.Over); err != nil {
			return nil, err
		}
		switch e.Op {
		case logical.OpScore:
			to, err := b.Compile(compile.NewLayout(nil), e.Args[1])
			if err != nil {
				return nil, err
			}
			out.To, out.At, out.FromOne, out.Columns = to, logical.At(e.Args[1].Pos), e.Measure.FromOne, []int{e.Args[0].Column.Ord}
		case logical.OpWords:
			q, err := b.match(e)
			if err != nil {
				return nil, err
			}
			out.Words = q
		default:
			var cols []*logical.Column
			for c := range logical.ColumnsOf(e) {
				cols = append(cols, c)
			}
			out.Columns = ordsOf(cols)
			if out.X, err = b.Compile(compile.NewLayout(cols), e); err != nil {
				return nil, err
			}
		}
		c := &logical.Column{Name: e.Text, Type: logical.RealType}
		lay = lay.With(c)
		if t.Norm != nil {
			e = logical.ColumnExpr(t.Norm, e.Pos)
		}
		byKey[e.Key()] = c
		x.Terms = append(x.Terms, out)
	}
	if f.Grouped {
		x.Groups = &exec.FusionGroups{}
		var cols []*logical.Column
		for c := range logical.ColumnsOf(f.Groups...) {
			cols = append(cols, c)
		}
		x.Groups.Columns = ordsOf(cols)
		var err error
		if x.Groups.Of, err = b.CompileAll(compile.NewLayout(cols), f.Groups); err != nil {
			return nil, err
		}
		for _, e := range f.Groups {
			x.Groups.Types = append(x.Groups.Types, e.Type)
		}
	}
	if f.Among != nil {
		r, err := b.build(f.Among, nil)
		if err != nil {
			return nil, err
		}
		x.Among = r.op
	}
	if f.Sum == nil {
		return x, nil
	}
	sum := f.Sum.Rewrite(func(e *logical.Expr) *logical.Expr {
		if logical.Fixed(e) {
			return e
		}
		if c := byKey[e.Key()]; c != nil {
			return logical.ColumnExpr(c, e.Pos)
		}
		return nil
	})
	var err error
	x.Sum, err = b.Compile(lay, sum)
	return x, err
}

// ranks builds functions over all rows.
func (b *Builder) ranks(n *logical.Ranks, want []*logical.Expr) (rel, error) {
	args := n.Exprs()
	_, table := n.In.(*logical.Scan)
	var keep []*logical.Expr // columns that are wanted above; vectors of a table are fetched later
	for c := range logical.ColumnsOf(want...) {
		if slices.Contains(n.In.Columns(), c) && !(table && c.Type.Kind == value.Vector) {
			keep = append(keep, logical.ColumnExpr(c, parse.Pos{}))
		}
	}
	slices.SortFunc(keep, func(a, b *logical.Expr) int {
		return cmp.Or(a.Column.Ord-b.Column.Ord, strings.Compare(a.Text, b.Text))
	})
	r, err := b.build(n.In, concat(args, keep))
	if err != nil {
		return r, err
	}
	var from *exec.Fusion
	if f := n.Fused(); f != nil {
		from = b.fused[f]
	}
	// The arguments come last.
	var items []*logical.Expr
	var outs []*logical.Column
	for _, e := range keep {
		items, outs = append(items, e), append(outs, e.Column)
	}
	kept := len(items)
	for _, a := range args {
		items, outs = append(items, a), append(outs, &logical.Column{Name: a.Text, Type: a.Type})
	}
	scan := r.scan
	if r, err = b.project(r, items, outs); err != nil {
		return r, err
	}
	var ranks []exec.RankItem
	at := 0
	for i, e := range n.Items {
		x := exec.RankItem{RRF: e.Over.Func == "rrf", K: e.Over.K, Text: e.Text}
		if e.Over.Func == "mmr" {
			x.MMR = &exec.MMR{Lambda: e.Over.Lambda, Vector: at + 1}
			if n.Outs[i] == n.First {
				x.MMR.Count = int(n.Count)
			}
		}
		for i, a := range e.Args {
			x.Args = append(x.Args, exec.RankArg{At: at, Low: e.Over.Low[i], Has: a.Op == logical.OpWords && a.Words.Func == "bm25"})
			at++
		}
		ranks = append(ranks, x)
	}
	op := exec.NewRanks(r.op, &b.Env, ranks, len(args), from)
	r = rel{op: b.Analyzed(op), lay: compile.NewLayout(append(outs[:kept:kept], n.Outs...))}
	if table {
		r.scan = scan
		return b.fetch(r, want)
	}
	return r, nil
}
