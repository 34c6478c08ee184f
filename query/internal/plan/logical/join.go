package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/parse"
)

// Join joins two inputs.
type Join struct {
	Kind        parse.JoinKind
	Left, Right Node
	On          []*Expr // conditions; those that compare both sides become keys, the others Rest
	// set by the rules:
	LeftKeys, RightKeys []*Expr
	Rest                []*Expr // conditions that are no keys
	Ranges              []Range // without keys: bounds of one column of the right side; they are among Rest, too
	Pairs               *Pairs  // of two scans: one of Rest is that rows are similar
}

// Range bounds a column of a join's right side by what its left side has.
type Range struct {
	Column *Column
	Op     string // <, <=, > or >=
	By     *Expr  // over the left side
}

// Pairs is a join of the rows of two scans with similar vectors.
type Pairs struct {
	Score       *Expr // the OpScore
	Left, Right *Column
	Least       *Expr // fixed; of a distance, the most
	Open        bool
	Distinct    bool // of a table with itself: Rest leaves out pairs of a row with itself
}

func (n *Join) Columns() []*Column { return slices.Concat(n.Left.Columns(), n.Right.Columns()) }

func (n *Join) Inputs() []*Node { return []*Node{&n.Left, &n.Right} }

func (n *Join) Exprs() []*Expr { return slices.Concat(n.On, n.LeftKeys, n.RightKeys, n.Rest) }

func (n *Join) Copied() Node {
	c := *n
	c.On = slices.Clip(c.On)
	return &c
}

// Sides tells which inputs of a join an expression uses.
func (j *Join) Sides(e *Expr) (left, right bool) {
	l, r := j.Left.Columns(), j.Right.Columns()
	for c := range ColumnsOf(e) {
		left = left || slices.Contains(l, c)
		right = right || slices.Contains(r, c)
	}
	return
}
