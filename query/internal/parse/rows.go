package parse

// Comparisons of rows, (a, b) = (c, d), (a, b) < (c, d) and (a, b) IN (...), become what
// they stand for: comparisons of their values.

// compareRows parses what follows a row.
func (p *exprParser) compareRows(row []sized, at Pos) (sized, error) {
	t := p.lex.Peek()
	not := is(t, "NOT") && is(peek(p.lex, 1), "IN")
	if not {
		p.lex.Next()
	}
	if p.accept("IN") {
		return p.rowIn(row, not, at)
	}
	op := Op(isAny(t, "=", "<>", "!=", "<", "<=", ">", ">="))
	if is(t, "OVERLAPS") {
		return sized{}, Errorf(at, "there is no OVERLAPS").WithHint("from a to b overlaps from c to d where a < d AND c < b")
	}
	if op == "" {
		return sized{}, Errorf(at, "a list in parentheses is not a value").WithHint("rows can be compared: (a, b) = (1, 2), (a, b) < (1, 2), (a, b) IN ((1, 2), (3, 4))")
	}
	p.lex.Next()
	if op == "!=" {
		op = OpNe
	}
	other, err := p.rowOf(len(row))
	if err != nil {
		return sized{}, err
	}
	return compared(row, other, op, at), nil
}

// rowOf parses a row of n values.
func (p *exprParser) rowOf(n int) ([]sized, error) {
	at := posOf(p.lex.Peek().Pos)
	if beginsQuery(p.lex) || !p.accept("(") {
		return nil, p.unexpected(wantRow)
	}
	row, err := p.list()
	if err == nil && len(row) != n {
		err = Errorf(at, "a row of %s beside one of %d", plural(len(row), "value"), n)
	}
	return row, err
}

// compared is row op other.
func compared(row, other []sized, op Op, at Pos) sized {
	pair := func(i int, op Op) sized {
		return over(&Binary{at, op, row[i].Expr, other[i].Expr}, row[i], other[i])
	}
	join := func(a sized, op Op, b sized) sized { return over(&Binary{at, op, a.Expr, b.Expr}, a, b) }
	last := len(row) - 1
	out := pair(last, op)
	for i := last - 1; i >= 0; i-- {
		switch op {
		case OpEq:
			out = join(pair(i, OpEq), OpAnd, out)
		case OpNe:
			out = join(pair(i, OpNe), OpOr, out)
		default: // the first values that differ decide
			strict := op[:1]
			out = join(pair(i, strict), OpOr, join(pair(i, OpEq), OpAnd, out))
		}
	}
	return out
}

// rowIn parses what follows IN behind a row.
func (p *exprParser) rowIn(row []sized, not bool, at Pos) (sized, error) {
	if beginsQuery(p.lex) {
		if not {
			return sized{}, Errorf(at, "NOT IN of rows and a query is not supported").WithHint("write NOT EXISTS (SELECT 1 FROM ... WHERE a = x AND b = y)")
		}
		p.lex.Next()
		q, err := p.query()
		if err != nil {
			return sized{}, err
		}
		const name = "in rows"
		alias := Ident{Pos: at, Name: name, Quoted: true}
		var names []Ident
		var other []sized
		for i := range row {
			c := Ident{Pos: at, Name: "column " + string(rune('a'+i%26)) + string(rune('0'+i/26)), Quoted: true}
			names = append(names, c)
			other = append(other, sized{&ColumnRef{at, alias, c}, 1})
		}
		where := compared(row, other, OpEq, at)
		core := &Core{Pos: at, Items: []SelectItem{{Pos: at, Star: true}}, From: &SubqueryTable{Pos: at, Query: q, Alias: alias, Columns: names}, Where: where.Expr}
		return over(&Exists{at, &Select{Pos: at, Body: core}}, where), nil
	}
	if err := p.expect("("); err != nil {
		return sized{}, err
	}
	var out sized
	for i := 0; ; i++ {
		other, err := p.rowOf(len(row))
		if err != nil {
			return sized{}, err
		}
		eq := compared(row, other, OpEq, at)
		if i == 0 {
			out = eq
		} else {
			out = over(&Binary{at, OpOr, out.Expr, eq.Expr}, out, eq)
		}
		if out.height > maxHeight {
			return sized{}, Errorf(at, "too many rows in IN: at most %d", maxHeight).WithHint("FROM (VALUES ...) takes more")
		}
		if p.accept(")") {
			break
		}
		if !p.accept(",") {
			return sized{}, p.unexpected(",", ")")
		}
	}
	if not {
		out = over(&Unary{at, OpNot, out.Expr}, out)
	}
	return out, nil
}
