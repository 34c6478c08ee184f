package plan

import "slices"

// node is one step of a logical plan: what is computed, not yet how. Each kind has a file
// of its own.
type node interface {
	// columns are those that expressions above the node can use.
	columns() []*column
	// inputs are the places of the nodes it reads from, to look at them or to put others there.
	inputs() []*node
	// exprs are its own expressions.
	exprs() []*expr
	// copied is a copy that can be changed without changing the node; inputs are shared.
	copied() node
}

// relation is a bound query: its plan and its columns in order.
type relation struct {
	node node
	cols []*column
}

// mapInputs replaces the inputs of a node by what f gives for them.
func mapInputs(n node, f func(node) (node, error)) error {
	for _, at := range n.inputs() {
		in, err := f(*at)
		if err != nil {
			return err
		}
		*at = in
	}
	return nil
}

// copyNode returns a copy of a plan that can be improved on its own. Columns and
// expressions, which nobody changes, are shared.
func copyNode(n node) node {
	n = n.copied()
	for _, at := range n.inputs() {
		*at = copyNode(*at)
	}
	return n
}

// anyNode reports whether f says so of n or of a node below.
func anyNode(n node, f func(node) bool) bool {
	return f(n) || slices.ContainsFunc(n.inputs(), func(in *node) bool { return anyNode(*in, f) })
}

// scanFor finds the scan below n that reads column c.
func scanFor(n node, c *column) (scan *scanNode) {
	anyNode(n, func(n node) bool {
		s, ok := n.(*scanNode)
		if ok = ok && slices.Contains(s.cols, c); ok {
			scan = s
		}
		return ok
	})
	return scan
}

// usesOuter reports whether an expression of n, or below, depends on a column of a query
// around the block.
func usesOuter(n node, k *block) bool {
	return anyNode(n, func(n node) bool {
		return slices.ContainsFunc(n.exprs(), func(e *expr) bool { return e.usesOuter(k) })
	})
}
