package logical

import "github.com/lupadb/lupa/storage"

// Why tells what each word of a phrase contributes to the score of a row.
type Why struct {
	Table    *storage.Table
	Column   int // the vector column
	Encoding *Encoding
	Phrase   *Expr // fixed, a text
	Key      *Expr // fixed, of the type of the primary key
	Outs     []*Column
	Text     string
}

func (n *Why) Columns() []*Column { return n.Outs }

func (n *Why) Inputs() []*Node { return nil }

func (n *Why) Exprs() []*Expr { return []*Expr{n.Phrase, n.Key} }

func (n *Why) Copied() Node {
	c := *n
	return &c
}
