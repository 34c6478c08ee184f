package logical

import (
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage"
)

// Project computes the columns outs.
type Project struct {
	In     Node
	Items  []*Expr
	Outs   []*Column
	Skip   *Present // for an import of pictures: rows dropped before their picture is read
	Stores bool     // its rows go into a table; each of its columns is used once
}

// Present says which rows of an import of pictures are in the table already, so
// that their pictures need not be encoded: those whose primary key is there, and
// where the table keeps the size and time of files, whose file is still the same.
type Present struct {
	Table  *storage.Table
	Key    int   // item with the primary key
	Same   []int // items that have to equal the columns of the row that is there
	Report bool  // rows whose key is there and that differ are left out as well, and reported

	// Remote, if not nil, is the table instead, of an attached database: rows whose Key is in
	// its Column are left out.
	Remote *foreign.Attached
	There  *foreign.Table
	Column int
}

func (n *Project) Columns() []*Column { return n.Outs }

func (n *Project) Inputs() []*Node { return []*Node{&n.In} }

func (n *Project) Exprs() []*Expr { return n.Items }

func (n *Project) Copied() Node {
	c := *n
	return &c
}
