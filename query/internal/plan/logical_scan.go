package plan

import (
	"slices"

	"github.com/lupadb/lupa/storage"
)

// scanNode reads a table. Rules push conditions, a lookup and a search into it.
type scanNode struct {
	table   *storage.Table
	cols    []*column // all columns of the table
	filters []*expr
	lookup  *lookup
	search  *search
	rows    float64 // estimated after lookup and filters
}

// search is an order or threshold of a scan that the vector search serves.
type search struct {
	score  *expr   // the opScore
	count  int64   // rows wanted, offset included; -1 = all
	worst  bool    // the last rows in the metric's order first
	within []*expr // fixed bounds of the score, inclusive
	ranked bool    // rows come in the order of the score, else in row order
	nulls  bool    // rows without a score follow
	ties   bool    // rows as good as the last one come too: another key decides among them
	among  node    // the candidates: rows of a scan of this table; nil = all
	text   string
}

// lookup finds the rows of a scan by the primary key or an index: see exec.Lookup.
type lookup struct {
	index  *storage.IndexDef
	ord    int
	keys   []*expr // fixed; nil: bounds
	bounds []bound
	first  int
	last   bool
	most   float64
	text   string
}

// bound is one end of a range.
type bound struct {
	op string
	x  *expr // fixed
}

// fetchFirst is the number of rows up to which a sort reads only its keys and
// fetches the other columns for the rows that remain.
const fetchFirst = 20000

// searchable reports whether e compares a vector column of the scan with one
// vector.
func searchable(scan *scanNode, e *expr) bool {
	if e.op != opScore || e.args[0].op != opColumn || !slices.Contains(scan.cols, e.args[0].col) || e.args[1].varies() {
		return false
	}
	q := e.args[1]
	return !isConst(q) || !q.val.IsNull()
}

func (n *scanNode) columns() []*column { return n.cols }

func (n *scanNode) inputs() []*node {
	if n.search != nil && n.search.among != nil {
		return []*node{&n.search.among}
	}
	return nil
}

func (n *scanNode) exprs() []*expr {
	out := slices.Clone(n.filters)
	if n.search != nil {
		out = append(append(out, n.search.score), n.search.within...)
	}
	if n.lookup != nil {
		out = append(out, n.lookup.keys...)
		for _, x := range n.lookup.bounds {
			out = append(out, x.x)
		}
	}
	return out
}

func (n *scanNode) copied() node {
	c := *n
	c.filters = slices.Clip(c.filters)
	if n.search != nil {
		s := *n.search
		c.search = &s
	}
	return &c
}
