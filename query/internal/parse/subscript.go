package parse

import (
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// subscript parses what stands behind the bracket of x[n], x[from:to] or x['key'].
func (p *exprParser) subscript(x sized, at Pos) (sized, error) {
	e := &Subscript{Pos: at, X: x.Expr}
	below := []sized{x}
	part := func() (Expr, error) {
		i, err := p.parse(precOr)
		below = append(below, i)
		return i.Expr, err
	}
	var err error
	if p.accept("]") {
		return sized{}, Errorf(at, "a subscript is missing").WithHint("a[1] is the first element")
	}
	if !is(p.lex.Peek(), ":") {
		if e.At, err = part(); err != nil {
			return sized{}, err
		}
	}
	if p.accept(":") {
		e.Slice = true
		if !is(p.lex.Peek(), "]") {
			if e.To, err = part(); err != nil {
				return sized{}, err
			}
		}
	}
	if !p.accept("]") {
		return sized{}, p.unexpected("]")
	}
	return over(e, below...), nil
}

// arrayOfQuery parses ARRAY(SELECT x ...), which is an aggregate over the rows of the query.
func (p *exprParser) arrayOfQuery(at Pos) (sized, error) {
	p.lex.Next()
	q, err := p.query()
	if err != nil {
		return sized{}, err
	}
	column := Ident{Pos: at, Name: "x"}
	items := []SelectItem{{Pos: at, Expr: &Call{Pos: at, Func: Ident{Pos: at, Name: "array_agg"}, Args: []Expr{&ColumnRef{at, Ident{}, column}}}}}
	from := &SubqueryTable{at, false, q, Ident{Pos: at, Name: "rows"}, []Ident{column}, false}
	core := &Core{Pos: at, Items: items, From: from}
	none := &Array{Pos: at}
	return sized{&Call{Pos: at, Func: Ident{Pos: at, Name: "coalesce"}, Args: []Expr{&Subquery{at, &Select{Pos: at, Body: core}}, none}}, 2}, nil
}

// arrayCast parses what stands behind the type of x::TEXT[], which is to_array(x, 'text').
func (p *exprParser) arrayCast(x sized, typ Type, at Pos) (sized, error) {
	for p.accept("[") {
		if p.lex.Peek().Type == lexNumber { // as elsewhere, the length says nothing
			p.lex.Next()
		}
		if !p.accept("]") {
			return sized{}, p.unexpected("]")
		}
	}
	of := &Literal{Pos: typ.Pos, Value: value.Str(strings.ToLower(typ.Kind.String()))}
	return over(&Call{Pos: at, Func: Ident{Pos: at, Name: "to_array"}, Args: []Expr{x.Expr, of}}, x), nil
}
