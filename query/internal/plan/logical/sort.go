package logical

import (
	"slices"
	"time"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
)

// Sort orders its input; with a limit it keeps only some rows.
type Sort struct {
	In            Node
	Keys          []SortKey
	Count, Offset int64      // -1, 0 = all
	Recall        float64    // part of the rows that is to be found, on average; 0 = all
	Time          *TimeLimit // only what is found in this time; nil = all
	Top           bool       // the rows are those of the query, perhaps with a time limit that is not its own
	On            []*Expr    // DISTINCT ON: the first row for each of their values
}

// TimeLimit is WITHIN: the time after which a search gives what it has found.
type TimeLimit struct {
	Most time.Duration
	Pos  parse.Pos
}

// SortKey is one key of an ORDER BY.
type SortKey struct {
	Expr  *Expr
	Order exec.Order
	Text  string // with the direction taken, for EXPLAIN
}

func (n *Sort) Columns() []*Column { return n.In.Columns() }

func (n *Sort) Inputs() []*Node { return []*Node{&n.In} }

func (n *Sort) Exprs() []*Expr {
	out := slices.Clone(n.On)
	for _, k := range n.Keys {
		out = append(out, k.Expr)
	}
	return out
}

func (n *Sort) Copied() Node {
	c := *n
	c.Keys = slices.Clone(c.Keys)
	return &c
}
