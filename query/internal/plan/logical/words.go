package logical

import "slices"

// Words is a function of a full-text index: match, bm25, snippet or highlight. The arguments
// of its expression are columns of the index, the query, and what else the function takes.
type Words struct {
	Func    string
	Table   string // of the index
	Index   string
	Columns []int // of the table, for the first arguments
}

// Query is the expression of the query.
func (e *Expr) WordsQuery() *Expr { return e.Args[len(e.Words.Columns)] }

// WordsOf reports whether e is a function of a full-text index of the scan's table, for one
// query in a run.
func WordsOf(scan *Scan, e *Expr, name string) bool {
	if e.Op != OpWords || e.Words.Func != name || e.WordsQuery().Varies() || scan.Table.Def().Name != e.Words.Table {
		return false
	}
	for _, a := range e.Args[:len(e.Words.Columns)] {
		if a.Op != OpColumn || !slices.Contains(scan.Cols, a.Column) {
			return false
		}
	}
	return true
}
