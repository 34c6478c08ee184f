package logical

import "slices"

// Over is a function over all rows of a query, before it is given a column: rrf, normalize or
// mmr. The arguments of mmr are the relevance and a vector.
type Over struct {
	Func   string
	K      float64 // of rrf
	Low    []bool  // of rrf: arguments of which the lowest value is the best
	Lambda float64 // of mmr
}

// Ranks adds the columns of functions over all rows to its input.
type Ranks struct {
	In    Node
	Items []*Expr // OpOver
	Outs  []*Column
	First *Column // of mmr: its highest Count values are wanted alone; nil = all
	Count int64
}

func (n *Ranks) Columns() []*Column { return append(slices.Clone(n.In.Columns()), n.Outs...) }

func (n *Ranks) Inputs() []*Node { return []*Node{&n.In} }

// Exprs are the arguments of the functions.
func (n *Ranks) Exprs() []*Expr {
	var out []*Expr
	for _, e := range n.Items {
		out = append(out, e.Args...)
	}
	return out
}

func (n *Ranks) Copied() Node {
	c := *n
	c.Items = slices.Clone(c.Items)
	return &c
}

// Fused is the fusion that finds the rows of the scan below, nil for all rows.
func (n *Ranks) Fused() *Fusion {
	if scan, ok := n.In.(*Scan); ok && scan.Lookup != nil {
		return scan.Lookup.Fusion
	}
	return nil
}

// MMR returns the mmr that a sort has the highest values of first, or nil.
func (n *Ranks) MMR(k SortKey) *Expr {
	if n == nil || k.Expr.Op != OpColumn || !k.Order.Desc || k.Order.NullsFirst {
		return nil
	}
	if i := slices.Index(n.Outs, k.Expr.Column); i >= 0 && n.Items[i].Over.Func == "mmr" {
		return n.Items[i]
	}
	return nil
}
