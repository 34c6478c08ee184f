package parse

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/storage/value"
)

// name parses what begins with a name: a column, a call, or Type 'text'.
func (p *exprParser) name() (sized, error) {
	t := p.lex.Next()
	id := identOf(t)
	next := p.lex.Peek()
	switch {
	case is(next, "(") && t.Type == lexWord && isWord(t.Value, "ARRAY") && beginsQuery(p.lex):
		return p.arrayOfQuery(id.Pos)
	case is(next, "(") && t.Type == lexWord && isWord(t.Value, "ROW"):
		p.lex.Next()
		return p.rowValue(id.Pos)
	case is(next, "(") && t.Type == lexWord && isWord(t.Value, "OPERATOR"):
		return sized{}, Errorf(id.Pos, "OPERATOR(...) stands between two operands")
	case is(next, "("):
		p.lex.Next()
		return p.call(id, t)
	case next.Type == lexString && t.Type == lexWord:
		typ, ok := plainType(t.Value)
		if !ok {
			if hint := otherTypes[strings.ToUpper(t.Value)]; hint != "" {
				return sized{}, Errorf(id.Pos, "there is no type %s", strings.ToUpper(t.Value)).WithHint("%s", hint)
			}
			return sized{}, &unexpected{token: *next, want: nil}
		}
		text, err := p.primary()
		if err == nil && typ.Kind == value.Interval {
			p.unit(text.Expr)
		}
		if err != nil {
			return sized{}, err
		}
		return castOf(id.Pos, text, Type{Pos: id.Pos, Type: typ, zoned: isWord(t.Value, "TIMESTAMPTZ")})
	case is(next, "."):
		p.lex.Next()
		col, ok := acceptName(p.lex)
		switch {
		case !ok && is(p.lex.Peek(), "*"):
			return sized{}, Errorf(posOf(p.lex.Peek().Pos), "%s.* stands for columns, not for a value", id).
				WithHint("it goes into a select list by itself")
		case !ok:
			return sized{}, p.unexpected(wantColumn)
		case is(p.lex.Peek(), "("):
			p.lex.Next()
			e, err := p.call(col, t)
			if c, ok := e.Expr.(*Call); ok && err == nil {
				c.Pos = id.Pos
				if !id.Means("pg_catalog") { // where PostgreSQL has its functions
					c.Of = id
				}
			}
			return e, err
		case is(p.lex.Peek(), "."):
			return sized{}, Errorf(posOf(p.lex.Peek().Pos), "a column is written table.column at most").WithHint("there are no schemas")
		}
		return sized{&ColumnRef{id.Pos, id, col}, 1}, nil
	}
	if t.Type == lexWord && isWord(t.Value, "ARRAY") && is(next, "[") {
		return p.array(id.Pos)
	}
	if t.Type == lexWord {
		if f := wordCalls[strings.ToUpper(t.Value)]; f != "" {
			return sized{&Call{Pos: id.Pos, Func: Ident{Pos: id.Pos, Name: f}}, 1}, nil
		}
	}
	return sized{&ColumnRef{id.Pos, Ident{}, id}, 1}, nil
}

// unit appends to the text of INTERVAL '5' the unit that may stand behind it: DAY.
func (p *exprParser) unit(text Expr) {
	l, ok := text.(*Literal)
	if !ok {
		return
	}
	if w := isAny(p.lex.Peek(), "YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"); w != "" && strings.Trim(l.Value.Str(), " +-.0123456789") == "" {
		p.lex.Next()
		l.Value = value.Str(l.Value.Str() + " " + strings.ToLower(w))
	}
}

// wordCalls are the functions that SQL calls by a word alone.
var wordCalls = map[string]string{"CURRENT_TIMESTAMP": "now", "LOCALTIMESTAMP": "now", "CURRENT_DATE": "current_date",
	"CURRENT_USER": "current_user", "SESSION_USER": "current_user", "CURRENT_SCHEMA": "current_schema", "CURRENT_CATALOG": "current_database",
	"CURRENT_TIME": "current_time", "LOCALTIME": "localtime"}

// array parses ARRAY[a, b, ...] from its bracket.
func (p *exprParser) array(at Pos) (sized, error) {
	p.lex.Next()
	a := &Array{Pos: at}
	if p.accept("]") {
		return sized{a, 1}, nil
	}
	var below []sized
	for {
		e, err := p.parse(precOr)
		if err != nil {
			return sized{}, err
		}
		below, a.List = append(below, e), append(a.List, e.Expr)
		if p.accept("]") {
			return over(a, below...), nil
		}
		if !p.accept(",") {
			return sized{}, p.unexpected(",", "]")
		}
	}
}

// orderBy parses the items of an ORDER BY, which is consumed.
func (p *exprParser) orderBy() (items []OrderItem, below []sized, err error) {
	for {
		it := OrderItem{Pos: posOf(p.lex.Peek().Pos)}
		e, err := p.parse(precOr)
		if err != nil {
			return nil, nil, err
		}
		it.Expr = e.Expr
		switch {
		case p.accept("ASC"):
			it.Direction = Asc
		case p.accept("DESC"):
			it.Direction = Desc
		}
		if p.accept("NULLS") {
			switch {
			case p.accept("FIRST"):
				it.Nulls = NullsFirst
			case p.accept("LAST"):
				it.Nulls = NullsLast
			default:
				return nil, nil, p.unexpected("FIRST", "LAST")
			}
		}
		items, below = append(items, it), append(below, e)
		if !p.accept(",") {
			return items, below, nil
		}
	}
}

// arguments parses the arguments of a call up to the closing parenthesis, with an
// ORDER BY behind them.
func (p *exprParser) arguments(c *Call) ([]sized, error) {
	var args []sized
	for {
		e, err := p.argument()
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		if is(p.lex.Peek(), "ORDER") && is(peek(p.lex, 1), "BY") {
			p.lex.Next()
			p.lex.Next()
			var below []sized
			if c.OrderBy, below, err = p.orderBy(); err != nil {
				return nil, err
			}
			for _, a := range args {
				c.Args = append(c.Args, a.Expr)
			}
			return append(args, below...), p.expect(")")
		}
		if p.accept(")") {
			for _, a := range args {
				c.Args = append(c.Args, a.Expr)
			}
			return args, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected(",", ")")
		}
		if isName(p.lex.Peek()) && isAny(peek(p.lex, 1), "=>", ":=") != "" {
			return p.named(c.Func, args)
		}
	}
}

// spanFields are the names of the arguments of make_interval.
var spanFields = []string{"years", "months", "weeks", "days", "hours", "mins", "secs"}

// named parses arguments that have names, name => x, up to the closing parenthesis, behind
// those that have none.
func (p *exprParser) named(f Ident, args []sized) ([]sized, error) {
	if at := posOf(p.lex.Peek().Pos); !strings.EqualFold(f.Name, "make_interval") {
		return nil, Errorf(at, "the arguments of %s have no names here", f.Name).WithHint("write the values in their order; options such as header => true are given in FROM")
	}
	given := make([]sized, len(spanFields))
	if len(args) > len(given) {
		return args, nil // which is too many
	}
	last := copy(given, args)
	for {
		t := p.lex.Next()
		at, id := posOf(t.Pos), identOf(t)
		i := slices.IndexFunc(spanFields, func(s string) bool { return strings.EqualFold(s, id.Name) })
		switch {
		case !isName(t) || isAny(p.lex.Peek(), "=>", ":=") == "":
			return nil, Errorf(at, "an argument without a name behind one that has a name")
		case i < 0:
			return nil, Errorf(at, "make_interval has no argument %s", id.Name).WithHint("%s", strings.Join(spanFields, ", "))
		case given[i].Expr != nil:
			return nil, Errorf(at, "%s is given twice", id.Name)
		}
		p.lex.Next()
		x, err := p.parse(precOr)
		if err != nil {
			return nil, err
		}
		given[i], last = x, max(last, i+1)
		if p.accept(")") {
			break
		}
		if !p.accept(",") {
			return nil, p.unexpected(",", ")")
		}
	}
	for i := range given[:last] {
		if given[i].Expr == nil {
			given[i] = sized{&Literal{Pos: f.Pos, Value: value.Int(0)}, 1}
		}
	}
	return given[:last], nil
}

// trim parses trim(BOTH | LEADING | TRAILING x FROM s), from the word on.
func (p *exprParser) trim(c *Call) ([]sized, error) {
	switch isAny(p.lex.Peek(), "BOTH", "LEADING", "TRAILING") {
	case "LEADING":
		c.Func.Name = "ltrim"
	case "TRAILING":
		c.Func.Name = "rtrim"
	}
	if isAny(p.lex.Peek(), "BOTH", "LEADING", "TRAILING") != "" {
		p.lex.Next()
	}
	if p.accept("FROM") {
		s, err := p.parse(precOr)
		if err != nil {
			return nil, err
		}
		return []sized{s}, p.expect(")")
	}
	x, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	switch {
	case p.accept("FROM"):
		s, err := p.parse(precOr)
		if err != nil {
			return nil, err
		}
		return []sized{s, x}, p.expect(")")
	case p.accept(","):
		rest, err := p.list()
		return append([]sized{x}, rest...), err
	}
	if !p.accept(")") {
		return nil, p.unexpected(",", ")", "FROM")
	}
	return []sized{x}, nil
}

// position parses position(x IN s).
func (p *exprParser) position() ([]sized, error) {
	x, err := p.parse(precOther)
	if err != nil {
		return nil, err
	}
	if err := p.expect("IN"); err != nil {
		return nil, err
	}
	s, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	return []sized{s, x}, p.expect(")")
}

// call parses the arguments of a function; the parenthesis is consumed.
func (p *exprParser) call(id Ident, name *lexer.Token) (sized, error) {
	id.Quoted = false // functions are found in any case
	c := &Call{Pos: id.Pos, Func: id}
	var args []sized
	var err error
	switch {
	case p.accept(")"):
	case is(p.lex.Peek(), "*"):
		p.lex.Next()
		c.Star = true
		err = p.expect(")")
	case name.Type == lexWord && isWord(name.Value, "EXTRACT") && is(peek(p.lex, 1), "FROM"):
		args, err = p.extract()
	case name.Type == lexWord && (isWord(name.Value, "SUBSTRING") || isWord(name.Value, "SUBSTR")):
		args, err = p.substring(c)
	case name.Type == lexWord && isWord(name.Value, "OVERLAY"):
		args, err = p.overlay()
	case name.Type == lexWord && isWord(name.Value, "TRIM"):
		args, err = p.trim(c)
	case name.Type == lexWord && isWord(name.Value, "POSITION"):
		c.Func.Name = "strpos"
		args, err = p.position()
	case isName(p.lex.Peek()) && isAny(peek(p.lex, 1), "=>", ":=") != "":
		args, err = p.named(id, nil)
	default:
		if c.Distinct = p.accept("DISTINCT"); !c.Distinct {
			p.accept("ALL")
		}
		args, err = p.arguments(c)
	}
	if err != nil {
		return sized{}, err
	}
	if c.Args == nil {
		for _, a := range args {
			c.Args = append(c.Args, a.Expr)
		}
	}
	if is(p.lex.Peek(), "WITHIN") && is(peek(p.lex, 1), "GROUP") && c.OrderBy == nil {
		p.lex.Next()
		p.lex.Next()
		for _, w := range []string{"(", "ORDER", "BY"} {
			if err := p.expect(w); err != nil {
				return sized{}, err
			}
		}
		var below []sized
		if c.OrderBy, below, err = p.orderBy(); err != nil {
			return sized{}, err
		}
		c.Within, args = true, append(args, below...)
		if err := p.expect(")"); err != nil {
			return sized{}, err
		}
	}
	if is(p.lex.Peek(), "FILTER") && is(peek(p.lex, 1), "(") {
		p.lex.Next()
		p.lex.Next()
		if err := p.expect("WHERE"); err != nil {
			return sized{}, err
		}
		filter, err := p.parse(precOr)
		if err != nil {
			return sized{}, err
		}
		c.Filter = filter.Expr
		args = append(args, filter)
		if err := p.expect(")"); err != nil {
			return sized{}, err
		}
	}
	if beginsOver(p.lex) {
		p.lex.Next()
		w, below, err := p.over()
		if err != nil {
			return sized{}, err
		}
		c.Over, args = w, append(args, below...)
	}
	return over(c, args...), nil
}

// extract parses field FROM x).
func (p *exprParser) extract() ([]sized, error) {
	t := p.lex.Next()
	at := posOf(t.Pos)
	var field string
	switch t.Type {
	case lexString:
		v, err := textValue(t.Value)
		if err != nil {
			return nil, Errorf(at, "%s", err)
		}
		field = v.Str()
	case lexWord, lexQuoted:
		field = strings.ToLower(identOf(t).Name)
	default:
		return nil, &unexpected{token: *t, want: []string{"a field such as year"}}
	}
	p.lex.Next() // FROM
	x, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	return []sized{{&Literal{Pos: at, Value: value.Str(field)}, 1}, x}, p.expect(")")
}

// overlay parses x, part, from, count) and x PLACING part FROM from FOR count).
func (p *exprParser) overlay() ([]sized, error) {
	var args []sized
	for _, word := range []string{"PLACING", "FROM", "FOR"} {
		x, err := p.parse(precOr)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
		if word == "FOR" && p.accept(")") {
			return args, nil
		}
		if !p.accept(word) && !p.accept(",") {
			return nil, p.unexpected(word)
		}
	}
	x, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	return append(args, x), p.expect(")")
}

// substring parses x, from, for) and x FROM from FOR for).
func (p *exprParser) substring(c *Call) ([]sized, error) {
	x, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	args := []sized{x}
	if is(p.lex.Peek(), "FROM") || is(p.lex.Peek(), "FOR") {
		c.Func.Name = "substr"
		from := sized{&Literal{Pos: c.Pos, Value: value.Int(1)}, 1}
		if p.accept("FROM") {
			if from, err = p.parse(precOr); err != nil {
				return nil, err
			}
		}
		args = append(args, from)
		if p.accept("FOR") {
			n, err := p.parse(precOr)
			if err != nil {
				return nil, err
			}
			args = append(args, n)
		}
		return args, p.expect(")")
	}
	if p.accept(")") {
		return args, nil
	}
	if !p.accept(",") {
		return nil, p.unexpected(",", ")")
	}
	rest, err := p.list()
	return append(args, rest...), err
}

// caseExpr parses CASE ... END.
func (p *exprParser) caseExpr() (sized, error) {
	c := &Case{Pos: posOf(p.lex.Next().Pos)}
	var below []sized
	part := func() (Expr, error) {
		e, err := p.parse(precOr)
		below = append(below, e)
		return e.Expr, err
	}
	var err error
	if !is(p.lex.Peek(), "WHEN") {
		if c.Operand, err = part(); err != nil {
			return sized{}, err
		}
	}
	for is(p.lex.Peek(), "WHEN") {
		w := When{Pos: posOf(p.lex.Next().Pos)}
		if w.Cond, err = part(); err != nil {
			return sized{}, err
		}
		if err := p.expect("THEN"); err != nil {
			return sized{}, err
		}
		if w.Then, err = part(); err != nil {
			return sized{}, err
		}
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		return sized{}, p.unexpected("WHEN")
	}
	if p.accept("ELSE") {
		if c.Else, err = part(); err != nil {
			return sized{}, err
		}
		return over(c, below...), p.expect("END")
	}
	if !p.accept("END") {
		return sized{}, p.unexpected("WHEN", "ELSE", "END")
	}
	return over(c, below...), nil
}

// cast parses CAST(x AS type).
func (p *exprParser) cast() (sized, error) {
	at := posOf(p.lex.Next().Pos)
	if err := p.expect("("); err != nil {
		return sized{}, err
	}
	x, err := p.parse(precOr)
	if err != nil {
		return sized{}, err
	}
	if err := p.expect("AS"); err != nil {
		return sized{}, err
	}
	typ, err := parseType(p.lex)
	if err != nil {
		return sized{}, err
	}
	if is(p.lex.Peek(), "[") {
		e, err := p.arrayCast(x, typ, at)
		if err != nil {
			return sized{}, err
		}
		return e, p.expect(")")
	}
	if err := p.expect(")"); err != nil {
		return sized{}, err
	}
	return castOf(at, x, typ)
}
