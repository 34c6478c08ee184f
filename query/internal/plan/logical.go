package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// node is one step of a logical plan: what is computed, not yet how.
type node interface {
	// columns are those that expressions above the node can use.
	columns() []*column
	// inputs are the nodes it reads from.
	inputs() []node
}

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

// filterNode keeps the rows for which all conditions hold.
type filterNode struct {
	in    node
	conds []*expr
}

// projectNode computes the columns outs.
type projectNode struct {
	in     node
	items  []*expr
	outs   []*column
	skip   *present // for an import of pictures: rows dropped before their picture is read
	stores bool     // its rows go into a table; each of its columns is used once
}

// joinNode joins two inputs.
type joinNode struct {
	kind parse.JoinKind
	l, r node
	on   []*expr // conditions; those that compare both sides become keys
	// set by the rules:
	lkeys, rkeys []*expr
	rest         []*expr // conditions that are no keys
}

// aggNode groups its input.
type aggNode struct {
	in      node
	keys    []*expr
	keyCols []*column
	aggs    []*aggregate
	aggCols []*column
}

// sortKey is one key of an ORDER BY.
type sortKey struct {
	expr  *expr
	order exec.Order
	text  string // with the direction taken, for EXPLAIN
}

// sortNode orders its input; with a limit it keeps only some rows.
type sortNode struct {
	in            node
	keys          []sortKey
	count, offset int64   // -1, 0 = all
	on            []*expr // DISTINCT ON: the first row for each of their values
}

// limitNode leaves out rows.
type limitNode struct {
	in            node
	count, offset int64
}

// distinctNode drops rows that are equal to an earlier one.
type distinctNode struct{ in node }

// unionNode puts inputs one after the other.
type unionNode struct {
	ins  []node
	outs []*column
}

// valuesNode is a list of rows. With no outs and one row it is what a SELECT
// without FROM reads.
type valuesNode struct {
	rows [][]*expr
	outs []*column
}

// sourceNode reads a table function.
type sourceNode struct {
	open func(b *builder, want []int) (exec.Operator, error)
	outs []*column
	text string
	rows float64

	images bool     // it is images()
	fast   bool     // its pictures are decoded at reduced size
	names  []string // what images() calls its columns
}

// aliasNode gives the columns of a subquery new identities.
type aliasNode struct {
	in   node
	from []*column
	outs []*column
}

func (n *scanNode) columns() []*column    { return n.cols }
func (n *filterNode) columns() []*column  { return n.in.columns() }
func (n *projectNode) columns() []*column { return n.outs }
func (n *joinNode) columns() []*column {
	return append(append([]*column(nil), n.l.columns()...), n.r.columns()...)
}
func (n *aggNode) columns() []*column {
	return append(append([]*column(nil), n.keyCols...), n.aggCols...)
}
func (n *sortNode) columns() []*column     { return n.in.columns() }
func (n *limitNode) columns() []*column    { return n.in.columns() }
func (n *distinctNode) columns() []*column { return n.in.columns() }
func (n *unionNode) columns() []*column    { return n.outs }
func (n *valuesNode) columns() []*column   { return n.outs }
func (n *sourceNode) columns() []*column   { return n.outs }
func (n *aliasNode) columns() []*column    { return n.outs }

func (n *scanNode) inputs() []node     { return nil }
func (n *filterNode) inputs() []node   { return []node{n.in} }
func (n *projectNode) inputs() []node  { return []node{n.in} }
func (n *joinNode) inputs() []node     { return []node{n.l, n.r} }
func (n *aggNode) inputs() []node      { return []node{n.in} }
func (n *sortNode) inputs() []node     { return []node{n.in} }
func (n *limitNode) inputs() []node    { return []node{n.in} }
func (n *distinctNode) inputs() []node { return []node{n.in} }
func (n *unionNode) inputs() []node    { return n.ins }
func (n *valuesNode) inputs() []node   { return nil }
func (n *sourceNode) inputs() []node   { return nil }
func (n *aliasNode) inputs() []node    { return []node{n.in} }
