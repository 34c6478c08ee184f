package bind

import (
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
)

// recommend binds recommend(vector, liked [, disliked [, strategy]]). The strategies mean what
// they do in Qdrant: 'average' compares with one vector, twice the mean of what is liked less the
// mean of what is not, which is an ordinary search; 'best' takes of each row the example that it
// is nearest to.
func (b *Binder) recommend(s *Scope, e *parse.Call) (*logical.Expr, error) {
	if len(e.Args) < 2 || len(e.Args) > 4 {
		return nil, parse.Errorf(e.Pos, "recommend takes a vector, what is liked, what is not, and 'average' or 'best'; got %s", logical.Counted(len(e.Args), "argument")).WithHint("recommend(clip, ARRAY['a wolf', 'snow'], ARRAY['a dog'])")
	}
	x, err := b.vector(s, e.Args[0], target{call: "recommend"})
	if err != nil {
		return nil, err
	}
	strategy := "average"
	if len(e.Args) == 4 {
		k, err := b.Expr(s, e.Args[3])
		if err != nil {
			return nil, err
		}
		c, ok, err := b.constOf(k)
		if err != nil {
			return nil, err
		}
		if strategy = ""; ok && c.Value.Kind() == value.Text {
			strategy = strings.ToLower(c.Value.Str())
		}
		if strategy != "average" && strategy != "best" {
			return nil, parse.Errorf(k.Pos, "the strategy of recommend is 'average' or 'best', not %s", k)
		}
	}
	liked := examplesOf(e.Args[1])
	disliked := &examples{}
	if len(e.Args) > 2 {
		disliked = examplesOf(e.Args[2])
	}
	if liked.none() && (strategy == "average" || disliked.none()) {
		return nil, parse.Errorf(e.Args[1].Position(), "recommend needs an example of what is liked").WithHint("with the strategy 'best' examples of what is not will do")
	}
	for _, from := range []*examples{liked, disliked} {
		if err := from.oneColumn(); err != nil {
			return nil, err
		}
	}
	t := targetOf(x, "recommend")
	var out *logical.Expr
	if strategy == "average" {
		out, err = b.recommendAverage(s, e, x, liked, disliked, t)
	} else {
		out, err = b.recommendBest(s, e, x, liked, disliked, t)
	}
	if err != nil {
		return nil, err
	}
	out.Text = e.String()
	return out, nil
}

// examples are what an argument of recommend has: vectors one by one, or the rows of a query.
type examples struct {
	list  []parse.Expr
	query *parse.Subquery
}

func (x *examples) none() bool { return len(x.list) == 0 && x.query == nil }

// oneColumn refuses a query whose examples would stand beside other columns.
func (x *examples) oneColumn() error {
	if x.query == nil {
		return nil
	}
	core, ok := x.query.Query.Body.(*parse.Core)
	if !ok || len(core.Items) == 1 {
		return nil
	}
	return parse.Errorf(x.query.Pos, "the subquery of examples has to give one column, vectors; this one gives %d", len(core.Items))
}

func examplesOf(e parse.Expr) *examples {
	switch e := e.(type) {
	case *parse.Array:
		return &examples{list: e.List}
	case *parse.Subquery:
		return &examples{query: e}
	case *parse.Literal:
		if e.Value.IsNull() {
			return &examples{}
		}
	}
	return &examples{list: []parse.Expr{e}}
}

// aggregate returns a query for one aggregate over the rows of the examples, whose vector is v.
func (x *examples) aggregate(name string, of func(v parse.Expr) parse.Expr) parse.Expr {
	at := x.query.Pos
	column, table := parse.Ident{Pos: at, Name: "the example", Quoted: true}, parse.Ident{Pos: at, Name: "the examples", Quoted: true}
	v := &parse.ColumnRef{Table: table, Name: column}
	agg := &parse.Call{Pos: at, Func: parse.Ident{Pos: at, Name: name}, Args: []parse.Expr{of(v)}}
	core := &parse.Core{Pos: at, Items: []parse.SelectItem{{Pos: at, Expr: agg}},
		From: &parse.SubqueryTable{Pos: at, Query: x.query.Query, Alias: table, Columns: []parse.Ident{column}}}
	return &parse.Subquery{Pos: at, Query: &parse.Select{Pos: at, Body: core}}
}

// recommendAverage compares with the mean of the examples. Each counts by its direction alone.
func (b *Binder) recommendAverage(s *Scope, e *parse.Call, x *logical.Expr, liked, disliked *examples, t target) (*logical.Expr, error) {
	sum := &logical.Expr{Op: logical.OpSum, Type: value.Type{Kind: value.Vector, Dim: x.Type.Dim}, Pos: e.Pos, Unit: true, Mean: true, Encoding: x.Encoding}
	add := func(from *examples, weight float64) error {
		if from.query != nil {
			mean := from.aggregate("avg", func(v parse.Expr) parse.Expr {
				return &parse.Call{Pos: e.Pos, Func: parse.Ident{Pos: e.Pos, Name: "l2_normalize"}, Args: []parse.Expr{v}}
			})
			a, err := b.vector(s, mean, t)
			if err != nil {
				return err
			}
			if weight < 0 && x.Type.Dim > 0 { // no rows are no examples
				zero := logical.Constant(value.Vec(make([]float32, x.Type.Dim)), e.Pos, "none")
				a = b.later(logical.SlotCostly, &logical.Expr{Op: logical.OpCoalesce, Type: sum.Type, Pos: a.Pos, Args: []*logical.Expr{a, zero}})
			}
			sum.Args, sum.Weights = append(sum.Args, a), append(sum.Weights, float32(weight))
			return nil
		}
		for _, one := range from.list {
			a, err := b.vector(s, one, t)
			if err != nil {
				return err
			}
			if !a.Encodes() {
				a = b.later(logical.SlotCostly, &logical.Expr{Op: logical.OpSum, Type: a.Type, Pos: a.Pos, Args: []*logical.Expr{a}, Weights: []float32{1}, Unit: true, Encoding: a.Encoding, Text: a.Text})
			}
			sum.Args, sum.Weights = append(sum.Args, a), append(sum.Weights, float32(weight/float64(len(from.list))))
		}
		return nil
	}
	if err := add(liked, 2); err != nil {
		return nil, err
	}
	if err := add(disliked, -1); err != nil {
		return nil, err
	}
	m, _ := fn.MeasureOf("similarity")
	return b.score(m, x, b.later(logical.SlotCostly, sum), e.Pos)
}

// recommendBest compares with each example.
func (b *Binder) recommendBest(s *Scope, e *parse.Call, x *logical.Expr, liked, disliked *examples, t target) (*logical.Expr, error) {
	m, _ := fn.MeasureOf("similarity")
	nearest := func(from *examples) (*logical.Expr, error) {
		if from.none() {
			return b.castTo(logical.Constant(value.Value{}, e.Pos, "NULL"), logical.RealType, fn.Explicit)
		}
		if from.query != nil {
			return b.Expr(s, from.aggregate("max", func(v parse.Expr) parse.Expr {
				return &parse.Call{Pos: e.Pos, Func: parse.Ident{Pos: e.Pos, Name: "similarity"}, Args: []parse.Expr{e.Args[0], v}}
			}))
		}
		var all []*logical.Expr
		for _, one := range from.list {
			a, err := b.vector(s, one, t)
			if err != nil {
				return nil, err
			}
			if a, err = b.score(m, x, a, e.Pos); err != nil {
				return nil, err
			}
			all = append(all, a)
		}
		return b.apply("greatest", e.Pos, all...)
	}
	p, err := nearest(liked)
	if err != nil {
		return nil, err
	}
	n, err := nearest(disliked)
	if err != nil {
		return nil, err
	}
	return b.apply("best_score", e.Pos, p, n)
}
