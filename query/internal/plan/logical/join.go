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

func (n *Join) Columns() []*Column { return appendColumns(nil, n) }

// appendColumns appends the columns of n to a list. A chain of joins is walked once: joining the
// lists of its parts would copy the first of them once for each join.
func appendColumns(to []*Column, n Node) []*Column {
	if j, ok := n.(*Join); ok {
		return appendColumns(appendColumns(to, j.Left), j.Right)
	}
	return append(to, n.Columns()...)
}

func (n *Join) Inputs() []*Node { return []*Node{&n.Left, &n.Right} }

func (n *Join) Exprs() []*Expr { return slices.Concat(n.On, n.LeftKeys, n.RightKeys, n.Rest) }

func (n *Join) Copied() Node {
	c := *n
	c.On = slices.Clip(c.On)
	return &c
}

// Sides tells which inputs of a join an expression uses.
func (j *Join) Sides(e *Expr) (left, right bool) {
	for c := range ColumnsOf(e) {
		switch {
		case Gives(j.Right, c):
			right = true
		case Gives(j.Left, c):
			left = true
		}
	}
	return
}
