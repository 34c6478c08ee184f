package plan

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/exec"
)

// sourceNode reads a table function.
type sourceNode struct {
	open func(env *exec.Env, want []int) (exec.Operator, error) // for one run
	outs []*column
	text string
	rows float64

	images bool     // it is images()
	fast   bool     // its pictures are decoded at reduced size
	names  []string // what images() calls its columns
}

func (n *sourceNode) columns() []*column { return n.outs }

func (n *sourceNode) inputs() []*node { return nil }

func (n *sourceNode) exprs() []*expr { return nil }

func (n *sourceNode) copied() node {
	c := *n
	return &c
}

// origin follows a column down to what it is computed from, and the node that
// computes it.
func origin(n node, e *expr) (node, *expr) {
	if e.op != opColumn {
		return n, e
	}
	switch n := n.(type) {
	case *projectNode:
		if i := slices.Index(n.outs, e.col); i >= 0 {
			return origin(n.in, n.items[i])
		}
	case *aliasNode:
		if i := slices.Index(n.outs, e.col); i >= 0 {
			return origin(n.in, columnExpr(n.from[i], e.pos))
		}
	}
	for _, in := range n.inputs() {
		if slices.Contains((*in).columns(), e.col) {
			return origin(*in, e)
		}
	}
	return n, e
}

// fileColumn returns the name of the column of images() that e is, "" if it is
// anything else.
func fileColumn(n node, e *expr) string {
	n, e = origin(n, e)
	if s, ok := n.(*sourceNode); ok && s.images && e.op == opColumn {
		if i := slices.Index(s.outs, e.col); i >= 0 {
			return s.names[i]
		}
	}
	return ""
}

// fastPictures reports whether e is the path of a picture of images(..., fast => true).
func fastPictures(n node, e *expr) bool {
	n, _ = origin(n, e)
	s, ok := n.(*sourceNode)
	return ok && s.fast
}
