package parse

// Comparisons of rows, (a, b) = (c, d), (a, b) < (c, d) and (a, b) IN (...), are what they stand
// for when they are planned: comparisons of their values.

// Row is (a, b, ...) or ROW(a, b, ...): values beside each other.
type Row struct {
	Pos
	List []Expr // an element may be an AllOf
}

// AllOf is t.*, the columns of a table, in the place of an argument or of a value of a row.
type AllOf struct {
	Pos
	Table Ident
}

func (*Row) expr()   {}
func (*AllOf) expr() {}

// rowValue parses the values of ROW(a, b) behind its parenthesis.
func (p *exprParser) rowValue(at Pos) (sized, error) {
	r := &Row{Pos: at}
	if p.accept(")") {
		return sized{r, 1}, nil
	}
	var below []sized
	for {
		e, err := p.argument()
		if err != nil {
			return sized{}, err
		}
		below, r.List = append(below, e), append(r.List, e.Expr)
		if p.accept(")") {
			return over(r, below...), nil
		}
		if !p.accept(",") {
			return sized{}, p.unexpected(",", ")")
		}
	}
}

// argument parses an expression, or t.*.
func (p *exprParser) argument() (sized, error) {
	if t := p.lex.Peek(); isName(t) && is(peek(p.lex, 1), ".") && is(peek(p.lex, 2), "*") && isAny(peek(p.lex, 3), ",", ")") != "" {
		id := identOf(p.lex.Next())
		p.lex.Next()
		p.lex.Next()
		return sized{&AllOf{id.Pos, id}, 1}, nil
	}
	return p.parse(precOr)
}

// CompareRows is row op other, of as many values each, at least one.
func CompareRows(row, other []Expr, op Op, at Pos) Expr {
	pair := func(i int, op Op) Expr { return &Binary{at, op, row[i], other[i]} }
	last := len(row) - 1
	out := pair(last, op)
	for i := last - 1; i >= 0; i-- {
		switch op {
		case OpEq, OpNotDistinct:
			out = &Binary{at, OpAnd, pair(i, op), out}
		case OpNe, OpDistinct:
			out = &Binary{at, OpOr, pair(i, op), out}
		default: // the first values that differ decide
			strict := op[:1]
			out = &Binary{at, OpOr, pair(i, strict), &Binary{at, OpAnd, pair(i, OpEq), out}}
		}
	}
	return out
}

// All is a tree of a operator over expressions, which is no higher than it has to be.
func All(op Op, at Pos, list []Expr) Expr {
	if len(list) == 1 {
		return list[0]
	}
	half := len(list) / 2
	return &Binary{at, op, All(op, at, list[:half]), All(op, at, list[half:])}
}

// RowsLike is that q has a row for which a condition holds: on its values, and on whether they are
// the same as those of row.
func RowsLike(row []Expr, q *Select, at Pos, holds func(same Expr, other []Expr) Expr) Expr {
	alias := Ident{Pos: at, Name: "in rows", Quoted: true}
	var names []Ident
	var other []Expr
	for i := range row {
		c := Ident{Pos: at, Name: "column " + string(rune('a'+i%26)) + string(rune('0'+i/26)), Quoted: true}
		names = append(names, c)
		other = append(other, &ColumnRef{at, alias, c})
	}
	core := &Core{Pos: at, Items: []SelectItem{{Pos: at, Star: true}}, From: &SubqueryTable{Pos: at, Query: q, Alias: alias, Columns: names, Row: true}, Where: holds(CompareRows(row, other, OpEq, at), other)}
	return &Exists{at, &Select{Pos: at, Body: core}}
}
