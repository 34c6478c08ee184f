package plan

import "github.com/lupadb/lupa/storage"

// projectNode computes the columns outs.
type projectNode struct {
	in     node
	items  []*expr
	outs   []*column
	skip   *present // for an import of pictures: rows dropped before their picture is read
	stores bool     // its rows go into a table; each of its columns is used once
}

// present says which rows of an import of pictures are in the table already, so
// that their pictures need not be encoded: those whose primary key is there, and
// where the table keeps the size and time of files, whose file is still the same.
type present struct {
	table  *storage.Table
	key    int   // item with the primary key
	same   []int // items that have to equal the columns of the row that is there
	report bool  // rows whose key is there and that differ are left out as well, and reported
}

func (n *projectNode) columns() []*column { return n.outs }

func (n *projectNode) inputs() []*node { return []*node{&n.in} }

func (n *projectNode) exprs() []*expr { return n.items }

func (n *projectNode) copied() node {
	c := *n
	return &c
}
