package logical

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
)

// Source reads a table function.
type Source struct {
	Open func(env *exec.Env, want []int) (exec.Operator, error) // for one run
	Outs []*Column
	Text string
	Rows float64

	Images bool     // it is images()
	Fast   bool     // its pictures are decoded at reduced size
	Pixels int      // the most that one of them may have; 0: as many as usual
	Names  []string // what images() calls its columns
}

func (n *Source) Columns() []*Column { return n.Outs }

func (n *Source) Inputs() []*Node { return nil }

func (n *Source) Exprs() []*Expr { return nil }

func (n *Source) Copied() Node {
	c := *n
	return &c
}

// Origin follows a column down to what it is computed from, and the node that
// computes it.
func Origin(n Node, e *Expr) (Node, *Expr) {
	if e.Op != OpColumn {
		return n, e
	}
	switch n := n.(type) {
	case *Project:
		if i := slices.Index(n.Outs, e.Column); i >= 0 {
			return Origin(n.In, n.Items[i])
		}
	case *Alias:
		if i := slices.Index(n.Outs, e.Column); i >= 0 {
			return Origin(n.In, ColumnExpr(n.From[i], e.Pos))
		}
	}
	for _, in := range n.Inputs() {
		if slices.Contains((*in).Columns(), e.Column) {
			return Origin(*in, e)
		}
	}
	return n, e
}

// FileColumn returns the name of the column of images() that e is, "" if it is
// anything else.
func FileColumn(n Node, e *Expr) string {
	n, e = Origin(n, e)
	if s, ok := n.(*Source); ok && s.Images && e.Op == OpColumn {
		if i := slices.Index(s.Outs, e.Column); i >= 0 {
			return s.Names[i]
		}
	}
	return ""
}

// PicturesOf returns the images() that e is the path of a picture of, or nil.
func PicturesOf(n Node, e *Expr) *Source {
	n, _ = Origin(n, e)
	if s, ok := n.(*Source); ok && s.Images {
		return s
	}
	return nil
}
