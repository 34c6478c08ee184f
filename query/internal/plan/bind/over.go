package bind

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// overCall reports whether a call is of a function over all rows of a query.
func overCall(name string) bool { return name == "rrf" || name == "normalize" || name == "mmr" }

// rrfK is the constant of reciprocal rank fusion where none is given (Cormack, Clarke and
// Büttcher 2009).
const rrfK = 60

// over binds rrf(score, score, ... [, k]), normalize(score) or mmr(score, vector, lambda).
func (b *Binder) over(s *Scope, e *parse.Call, name string) (*logical.Expr, error) {
	if !s.aggregates || s.Inside == "HAVING" {
		where := "here"
		if s.Inside != "" {
			where = "in " + s.Inside
		}
		return nil, parse.Errorf(e.Pos, "%s looks at all rows of a query and can't be used %s", name, where).WithHint("compute it in a subquery in FROM")
	}
	args, err := b.Exprs(s, e.Args)
	if err != nil {
		return nil, err
	}
	if name == "mmr" {
		return b.mmr(e, args)
	}
	o := &logical.Over{Func: name, K: rrfK}
	if name == "rrf" && len(args) > 1 {
		// A number at the end is k: it ranks nothing.
		k, ok, err := b.constOf(args[len(args)-1])
		if err != nil {
			return nil, err
		}
		if ok {
			if k, err = b.castConst(k, logical.RealType, fn.Implicit); err != nil {
				return nil, err
			}
			if k.Value.Kind() != value.Real || !(k.Value.Float() >= 0 && k.Value.Float() <= 1e9) {
				return nil, parse.Errorf(args[len(args)-1].Pos, "the k of rrf is a number from 0 on, not %s", args[len(args)-1])
			}
			o.K, args = k.Value.Float(), args[:len(args)-1]
		}
	}
	switch {
	case name == "normalize" && len(args) != 1:
		return nil, parse.Errorf(e.Pos, "normalize takes one score, got %s", logical.Counted(len(args), "argument"))
	case len(args) == 0:
		return nil, parse.Errorf(e.Pos, "rrf takes the scores to rank by: rrf(clip_sim('a wolf'), bm25(caption, 'wolf'))")
	}
	for i, a := range args {
		switch a.Type.Kind {
		case value.Real, value.Integer, value.Null, value.Timestamp:
		default:
			return nil, parse.Errorf(a.Pos, "%s takes scores, which are numbers; %s is %v", name, a.Text, a.Type)
		}
		if a.Uses(logical.OpOver) {
			return nil, parse.Errorf(a.Pos, "%s can't be used within %s", a.Text, name).WithHint("compute the inner one in a subquery in FROM")
		}
		o.Low = append(o.Low, name == "rrf" && a.Op == logical.OpScore && b.rankOf(a) == logical.Ascending)
		if a.Type.Kind == value.Timestamp {
			if name == "normalize" {
				return nil, parse.Errorf(a.Pos, "normalize takes a number; %s is %v", a.Text, a.Type).WithHint("extract(epoch FROM ...) is one")
			}
			continue
		}
		if args[i], err = b.castTo(a, logical.RealType, fn.Implicit); err != nil {
			return nil, err
		}
	}
	return &logical.Expr{Op: logical.OpOver, Type: logical.RealType, Pos: e.Pos, Args: args, Over: o, Text: b.texts.Of(e)}, nil
}

// mmr binds mmr(score, vector, lambda).
func (b *Binder) mmr(e *parse.Call, args []*logical.Expr) (*logical.Expr, error) {
	if len(args) != 3 {
		return nil, parse.Errorf(e.Pos, "mmr takes a score, a vector and a number from 0 to 1, got %s", logical.Counted(len(args), "argument")).WithHint("mmr(clip_sim('a wolf'), clip, 0.7)")
	}
	score, v, lambda := args[0], args[1], args[2]
	switch {
	case score.Type.Kind != value.Real && score.Type.Kind != value.Integer && score.Type.Kind != value.Null:
		return nil, parse.Errorf(score.Pos, "mmr takes a score, which is a number; %s is %v", score.Text, score.Type)
	case score.Op == logical.OpScore && b.rankOf(score) == logical.Ascending:
		return nil, parse.Errorf(score.Pos, "mmr takes a score of which the highest is the best; %s is a distance", score.Text).WithHint("similarity(a, b) is such a score, and so is -(a <-> b)")
	case v.Type.Kind != value.Vector && v.Type.Kind != value.Null:
		return nil, parse.Errorf(v.Pos, "mmr compares rows by a vector; %s is %v", v.Text, v.Type)
	}
	for _, a := range args {
		if a.Uses(logical.OpOver) {
			return nil, parse.Errorf(a.Pos, "%s can't be used within mmr", a.Text).WithHint("compute the inner one in a subquery in FROM")
		}
	}
	k, ok, err := b.constOf(lambda)
	if err != nil {
		return nil, err
	}
	if ok {
		if k, err = b.castConst(k, logical.RealType, fn.Implicit); err != nil {
			return nil, err
		}
	}
	if !ok || k.Value.Kind() != value.Real || !(k.Value.Float() >= 0 && k.Value.Float() <= 1) {
		return nil, parse.Errorf(lambda.Pos, "the lambda of mmr is a number from 0 (variety alone) to 1 (relevance alone), not %s", lambda)
	}
	if score, err = b.castTo(score, logical.RealType, fn.Implicit); err != nil {
		return nil, err
	}
	o := &logical.Over{Func: "mmr", Lambda: k.Value.Float(), Low: make([]bool, 2)}
	return &logical.Expr{Op: logical.OpOver, Type: logical.RealType, Pos: e.Pos, Args: []*logical.Expr{score, v}, Over: o, Text: e.String()}, nil
}

// overRows gives the functions over all rows in es columns of a node above in, if there are any.
func (b *Binder) overRows(in logical.Node, es ...[]*logical.Expr) logical.Node {
	n := &logical.Ranks{In: in}
	cols := map[string]*logical.Column{}
	for _, list := range es {
		for i, e := range list {
			list[i] = e.Rewrite(func(x *logical.Expr) *logical.Expr {
				if x.Op != logical.OpOver {
					return nil
				}
				k := x.Key()
				if cols[k] == nil {
					cols[k] = &logical.Column{Name: x.Text, Type: x.Type, Rank: b.rankOf(x)}
					n.Items, n.Outs = append(n.Items, x), append(n.Outs, cols[k])
				}
				r := logical.ColumnExpr(cols[k], x.Pos)
				r.Text = x.Text
				return r
			})
		}
	}
	if len(n.Items) == 0 {
		return in
	}
	return n
}
