package parse

import (
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// quantifier reports whether ANY (, SOME ( or ALL ( is next.
func (p *exprParser) quantifier() bool {
	return isAny(p.lex.Peek(), "ANY", "SOME", "ALL") != "" && is(peek(p.lex, 1), "(")
}

// quantified parses ANY (array), ALL (array) and, for = and <>, a query in their place.
func (p *exprParser) quantified(left sized, op Op, not bool, at Pos) (sized, error) {
	word := p.lex.Next()
	all := is(word, "ALL")
	if beginsQuery(p.lex) {
		if op == OpEq && !all || op == OpNe && all {
			p.lex.Next()
			q, err := p.query()
			return over(&InQuery{at, left.Expr, all, q}, left), err
		}
		return sized{}, Errorf(posOf(word.Pos), "%s %s of a query is not supported", op, strings.ToUpper(word.Value)).
			WithHint("= ANY is IN, <> ALL is NOT IN; others compare with (SELECT min(x) ...) or (SELECT max(x) ...)")
	}
	p.lex.Next()
	y, err := p.parse(precOr)
	if err != nil {
		return sized{}, err
	}
	return over(&Quantified{at, left.Expr, op, not, all, y.Expr}, left, y), p.expect(")")
}

// is parses what follows IS.
func (p *exprParser) is(left sized, at Pos) (sized, error) {
	not := p.accept("NOT")
	switch {
	case p.accept("NULL"), p.accept("UNKNOWN"):
		return over(&IsNull{at, left.Expr, not}, left), nil
	case p.accept("TRUE"):
		return over(&IsBool{at, left.Expr, not, true}, left), nil
	case p.accept("FALSE"):
		return over(&IsBool{at, left.Expr, not, false}, left), nil
	case p.accept("DISTINCT"):
		if err := p.expect("FROM"); err != nil {
			return sized{}, err
		}
		op := OpDistinct
		if not {
			op = OpNotDistinct
		}
		right, err := p.parse(precIs + 1)
		return over(&Binary{at, op, left.Expr, right.Expr}, left, right), err
	}
	return sized{}, p.unexpected("NULL", "TRUE", "FALSE", "DISTINCT FROM")
}

// in parses what follows IN.
func (p *exprParser) in(left sized, not bool, at Pos) (sized, error) {
	if beginsQuery(p.lex) {
		p.lex.Next()
		q, err := p.query()
		return over(&InQuery{at, left.Expr, not, q}, left), err
	}
	if err := p.expect("("); err != nil {
		return sized{}, err
	}
	list, err := p.list()
	if err != nil {
		return sized{}, err
	}
	in := &InList{at, left.Expr, not, nil}
	for _, e := range list {
		in.List = append(in.List, e.Expr)
	}
	return over(in, append(list, left)...), nil
}

// list parses expressions with commas between them up to the closing
// parenthesis; the opening one is consumed.
func (p *exprParser) list() ([]sized, error) {
	var list []sized
	for {
		e, err := p.parse(precOr)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if p.accept(")") {
			return list, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected(",", ")")
		}
	}
}

// query parses a query up to its closing parenthesis; the opening one is
// consumed.
func (p *exprParser) query() (*Select, error) {
	var g *gSelect
	var err error
	if p.plain != nil {
		g, err = p.plain.query()
	} else {
		g, err = grammar().query.ParseFromLexer(p.lex.(*lexer.PeekingLexer), participle.AllowTrailing(true))
	}
	if err != nil {
		return nil, err
	}
	var c converter
	q := c.selectStmt(g)
	if c.err != nil {
		return nil, c.err
	}
	return q, p.expect(")")
}
