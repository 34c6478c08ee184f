package logical

import "slices"

// Node is one step of a logical plan: what is computed, not yet how. Each kind has a file
// of its own.
type Node interface {
	// Columns are those that expressions above the node can use.
	Columns() []*Column
	// Inputs are the places of the nodes it reads from, to look at them or to put others there.
	Inputs() []*Node
	// Exprs are its own expressions.
	Exprs() []*Expr
	// Copied is a copy that can be changed without changing the node; inputs are shared.
	Copied() Node
}

// Relation is a bound query: its plan and its columns in order.
type Relation struct {
	Node Node
	Cols []*Column
}

// Gives reports whether a column is among those of n. It makes no list of them: rules ask it of
// each join of a chain.
func Gives(n Node, c *Column) bool {
	for {
		switch x := n.(type) {
		case *Join:
			if Gives(x.Right, c) { // chains grow at the left
				return true
			}
			n = x.Left
		case *Filter:
			n = x.In
		default:
			return slices.Contains(n.Columns(), c)
		}
	}
}

// MapInputs replaces the inputs of a node by what f gives for them.
func MapInputs(n Node, f func(Node) (Node, error)) error {
	for _, at := range n.Inputs() {
		in, err := f(*at)
		if err != nil {
			return err
		}
		*at = in
	}
	return nil
}

// CopyNode returns a copy of a plan that can be improved on its own. Columns and
// expressions, which nobody changes, are shared.
func CopyNode(n Node) Node {
	n = n.Copied()
	for _, at := range n.Inputs() {
		*at = CopyNode(*at)
	}
	return n
}

// AnyNode reports whether f says so of n or of a node below.
func AnyNode(n Node, f func(Node) bool) bool {
	return f(n) || slices.ContainsFunc(n.Inputs(), func(in *Node) bool { return AnyNode(*in, f) })
}

// ScanFor finds the scan below n that reads column c.
func ScanFor(n Node, c *Column) (scan *Scan) {
	AnyNode(n, func(n Node) bool {
		s, ok := n.(*Scan)
		if ok = ok && slices.Contains(s.Cols, c); ok {
			scan = s
		}
		return ok
	})
	return scan
}

// UsesOuter reports whether an expression of n, or below, depends on a column of a query
// around the block.
func UsesOuter(n Node, k *Block) bool {
	return AnyNode(n, func(n Node) bool {
		return slices.ContainsFunc(n.Exprs(), func(e *Expr) bool { return e.UsesOuter(k) })
	})
}
