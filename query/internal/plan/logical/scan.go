package logical

import (
	"slices"

	"github.com/lupadb/lupa/storage"
)

// Scan reads a table. Rules push conditions, a lookup and a search into it.
type Scan struct {
	Table   *storage.Table
	Cols    []*Column // all columns of the table
	Filters []*Expr
	Lenient bool // rows for which a condition fails are kept: it is tried again above
	Lookup  *Lookup
	Search  *Search
	Rows    float64 // estimated after lookup and filters
}

// Search is an order or threshold of a scan that the vector search serves.
type Search struct {
	Score  *Expr   // the OpScore
	Count  int64   // rows wanted, offset included; -1 = all
	Recall float64 // part of them that is to be found, on average; 0 = all
	Time   *TimeLimit
	Top    bool    // see Sort
	Offset int64   // of Count, with Time or Top
	Worst  bool    // the last rows in the metric's order first
	Within []*Expr // fixed bounds of the score, inclusive
	Ranked bool    // rows come in the order of the score, else in row order
	Nulls  bool    // rows without a score follow
	Ties   bool    // rows as good as the last one come too: another key decides among them
	Among  Node    // the candidates: rows of a scan of this table; nil = all
	Again  []*Expr // conditions of a lenient Among, which are tried again on the rows found
	Text   string
}

// Lookup finds the rows of a scan by the primary key or an index: see exec.Lookup.
type Lookup struct {
	Index  *storage.IndexDef
	Ord    int
	Keys   []*Expr // fixed; nil: bounds
	Met    *Expr   // the condition that all rows with one of Keys meet, and no others; may be nil
	Bounds []Bound
	Eq     []*Expr // fixed; of First: values of the index's columns before Ord
	First  int
	Last   bool
	Ties   []int // columns, of which rows equal to the last of First come too
	Most   float64
	Match  *Expr   // OpWords: the rows that match, by its index; LIKE: rows of which some match, by an index of trigrams
	Fusion *Fusion // the rows that can be among the best by a sum of scores
	Joins  bool    // the keys are those of the rows that the join above has on its left side,
	Key    int     // by this one of its keys; beyond Most rows all of the table are read
	Text   string
}

// Fusion is several scores of a scan by which the best Count rows are wanted: a sum of them,
// each times a number, or what their ranks are worth.
type Fusion struct {
	Sum   *Expr // of Terms, by their keys; nil: ranks
	Count int64
	Terms []FusionTerm
	Rest  float64 // the constants of the sum
	K     float64 // of ranks
	MMR   *MMR    // the sum is the relevance of rows that are to differ; nil = no
	Among Node    // the candidates: rows of a scan of this table; nil = all

	Grouped bool    // Count rows of each group
	Groups  []*Expr // whose values make a group; none: all rows are one
}

// MMR is what maximal marginal relevance compares rows by.
type MMR struct {
	Vector *Column
	Lambda float64
}

// FusionTerm is one score: a searchable similarity, a bm25, or a number made of other columns.
type FusionTerm struct {
	Expr  *Expr
	By    float64
	Times []*Expr // fixed, which multiply it, too
	Over  []*Expr // and which divide it
	Norm  *Column // of a normalize around it, nil without
	Text  string  // of that
	Low   bool    // the lowest value is the best
}

// Bound is one end of a range.
type Bound struct {
	Op string
	X  *Expr // fixed
}

// FetchFirst is the number of rows up to which a sort reads only its keys and
// fetches the other columns for the rows that remain.
const FetchFirst = 20000

// Searchable reports whether e compares a vector column of the scan with one
// vector.
func Searchable(scan *Scan, e *Expr) bool {
	if e.Op != OpScore || e.Args[0].Op != OpColumn || !slices.Contains(scan.Cols, e.Args[0].Column) || e.Args[1].Varies() {
		return false
	}
	q := e.Args[1]
	return !IsConst(q) || !q.Value.IsNull()
}

func (n *Scan) Columns() []*Column { return n.Cols }

func (n *Scan) Inputs() []*Node {
	if n.Search != nil && n.Search.Among != nil {
		return []*Node{&n.Search.Among}
	}
	if n.Lookup != nil && n.Lookup.Fusion != nil && n.Lookup.Fusion.Among != nil {
		return []*Node{&n.Lookup.Fusion.Among}
	}
	return nil
}

func (n *Scan) Exprs() []*Expr {
	out := slices.Clone(n.Filters)
	if n.Search != nil {
		out = append(append(append(out, n.Search.Score), n.Search.Within...), n.Search.Again...)
	}
	if n.Lookup != nil {
		out = append(append(out, n.Lookup.Keys...), n.Lookup.Eq...)
		for _, x := range n.Lookup.Bounds {
			out = append(out, x.X)
		}
		if n.Lookup.Match != nil {
			out = append(out, n.Lookup.fixed()...)
		}
		if n.Lookup.Fusion != nil {
			for _, t := range n.Lookup.Fusion.Terms {
				out = append(append(append(out, t.Expr), t.Times...), t.Over...)
			}
			out = append(out, n.Lookup.Fusion.Groups...)
		}
	}
	return out
}

func (n *Scan) Copied() Node {
	c := *n
	c.Filters = slices.Clip(c.Filters)
	if n.Search != nil {
		s := *n.Search
		c.Search = &s
	}
	if n.Lookup != nil && n.Lookup.Fusion != nil {
		l, f := *n.Lookup, *n.Lookup.Fusion
		l.Fusion, c.Lookup = &f, &l
	}
	return &c
}

// fixed is what a look-up of words asks for.
func (l *Lookup) fixed() []*Expr {
	if l.Match.Op == OpWords {
		return []*Expr{l.Match.WordsQuery()}
	}
	return l.Match.Args[1:]
}
