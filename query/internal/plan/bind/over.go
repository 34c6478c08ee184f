package bind

import (
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// overCall reports whether a call is of a function over all rows of a query.
func overCall(name string) bool { return name == "rrf" || name == "normalize" }

// rrfK is the constant of reciprocal rank fusion where none is given (Cormack, Clarke and
// Büttcher 2009).
const rrfK = 60

// over binds rrf(score, score, ... [, k]) or normalize(score).
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
	return &logical.Expr{Op: logical.OpOver, Type: logical.RealType, Pos: e.Pos, Args: args, Over: o, Text: e.String()}, nil
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
