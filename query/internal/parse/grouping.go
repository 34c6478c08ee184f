package parse

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// GroupKind is the kind of a Grouping.
type GroupKind uint8

// The kinds. A GroupList is (a, b), or () for all rows at once; GroupAll is all that is selected and no aggregate.
const (
	GroupList GroupKind = iota
	Rollup
	Cube
	GroupingSets
	GroupAll
)

// Grouping is an item of GROUP BY other than an expression. Its List holds expressions and Groupings.
type Grouping struct {
	Pos
	Kind GroupKind
	List []Expr
}

func (*Grouping) expr() {}

func (e *Grouping) String() string { return sprint(Expr(e)) }

func (p *printer) grouping(e *Grouping) {
	if e.Kind == GroupAll {
		p.print("ALL")
		return
	}
	p.print([...]string{"", "ROLLUP ", "CUBE ", "GROUPING SETS "}[e.Kind], "(", e.List, ")")
}

// gGroup is the rule of an item of GROUP BY.
type gGroup struct{ expr Expr }

// Parse implements participle.Parseable.
func (g *gGroup) Parse(lex *lexer.PeekingLexer) (err error) {
	if is(lex.Peek(), "ALL") {
		g.expr = &Grouping{Pos: posOf(lex.Next().Pos), Kind: GroupAll}
		return nil
	}
	if !beginsExpr(lex) {
		return participle.NextMatch
	}
	p := exprParser{lex: lex}
	g.expr, err = p.group(0)
	return err
}

func (p *exprParser) group(depth int) (Expr, error) {
	t := p.lex.Peek()
	g := &Grouping{Pos: posOf(t.Pos)}
	switch {
	case depth > maxGroupings:
		return nil, Errorf(g.Pos, "GROUPING SETS are nested too deep: at most %d", maxGroupings)
	case is(t, "ROLLUP") && is(peek(p.lex, 1), "("):
		p.lex.Next()
		g.Kind = Rollup
	case is(t, "CUBE") && is(peek(p.lex, 1), "("):
		p.lex.Next()
		g.Kind = Cube
	case is(t, "GROUPING") && is(peek(p.lex, 1), "SETS") && is(peek(p.lex, 2), "("):
		p.lex.Next()
		p.lex.Next()
		g.Kind = GroupingSets
	case !is(t, "(") || !listAhead(p.lex, depth > 0):
		e, err := p.parse(precOr)
		return e.Expr, err
	}
	p.lex.Next()
	if g.Kind == GroupList && p.accept(")") {
		return g, nil
	}
	for {
		e, err := p.group(depth + 1)
		if err != nil {
			return nil, err
		}
		g.List = append(g.List, e)
		if p.accept(")") {
			return g, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected(",", ")")
		}
	}
}

// maxGroupings bounds the nesting of GROUPING SETS.
const maxGroupings = 20

// listAhead reports whether the next parenthesis opens a list of GROUP BY, and no expression: it is empty or
// has a comma, or it is an element of another list.
func listAhead(lex stream, element bool) bool {
	open, comma := 0, false
	for n := 0; ; n++ {
		t := peek(lex, n)
		switch {
		case t.EOF():
			return false
		case is(t, "("):
			open++
		case is(t, ","):
			comma = comma || open == 1
		case is(t, ")"):
			if open--; open == 0 {
				next := peek(lex, n+1)
				return n == 1 || comma && !is(next, "=") || element && isAny(next, ",", ")") != ""
			}
		}
	}
}
