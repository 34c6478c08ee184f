package parse

import (
	"errors"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Participle walks a grammar by reflection, and makes a context for everything that may be left
// out: parsing a query of one line takes as long as planning and running it. So plain queries,
// SELECT ... FROM ... WHERE ... GROUP BY ... HAVING ... ORDER BY ... LIMIT over tables and joins,
// are read here, by the same productions, into the grammar's own structs. The language is what
// the grammar says: whatever is not plain, errors among it, is left to participle from its
// first token on, and a test wants the same trees of both.

// errNotPlain says that participle has to parse the statement.
var errNotPlain = errors.New("not a plain query")

// plainReader reads plain queries.
type plainReader struct {
	exprParser
	in cursor
}

// plainQuery reads the tokens of a whole statement; nil if it is not a plain query.
func plainQuery(tokens []lexer.Token) *gSelect {
	if !is(&tokens[0], "SELECT") || len(tokens) > participle.MaxIterations { // whose lists it bounds
		return nil
	}
	r := &plainReader{in: cursor{tokens: tokens}}
	r.lex, r.plain = &r.in, r
	g, err := r.query()
	if err != nil || !r.lex.Peek().EOF() {
		return nil
	}
	return g
}

func (r *plainReader) pos() lexer.Position { return r.in.Peek().Pos }

func (r *plainReader) expr() (Expr, error) {
	p := exprParser{lex: &r.in, plain: r}
	e, err := p.parse(precOr)
	return e.Expr, err
}

func (r *plainReader) name() (*gName, error) {
	id, ok := acceptName(&r.in)
	if !ok {
		return nil, errNotPlain
	}
	return &gName{id}, nil
}

// alias reads a name behind AS, or one without AS that begins no clause.
func (r *plainReader) alias() (as *gName, bare *gBare, err error) {
	switch t := r.in.Peek(); {
	case r.accept("AS"):
		as, err = r.name()
	case t.Type == lexQuoted || t.Type == lexWord && !clauseWord(t.Value):
		id, _ := acceptName(&r.in)
		bare = &gBare{gName{id}}
	}
	return as, bare, err
}

// query is the rule gSelect.
func (r *plainReader) query() (*gSelect, error) {
	g := &gSelect{Pos: r.pos()}
	var err error
	if g.Body, err = r.term(); err != nil {
		return nil, err
	}
	for {
		u := &gUnion{Pos: r.pos()}
		switch isAny(r.in.Peek(), "UNION", "INTERSECT", "EXCEPT") {
		case "":
			u = nil
		case "UNION":
			r.in.Next()
		default:
			u.Other = r.in.Next().Value
		}
		if u == nil {
			break
		}
		if u.All = r.accept("ALL"); !u.All {
			r.accept("DISTINCT")
		}
		if u.Term, err = r.term(); err != nil {
			return nil, err
		}
		g.Unions = append(g.Unions, u)
	}
	if r.accept("ORDER") {
		if !r.accept("BY") {
			return nil, errNotPlain
		}
		for again := true; again; again = r.accept(",") {
			o := &gOrder{Pos: r.pos()}
			if o.Expr, err = r.expr(); err != nil {
				return nil, err
			}
			if isAny(r.in.Peek(), "ASC", "DESC") != "" {
				o.Direction = r.in.Next().Value
			}
			if r.accept("NULLS") {
				if isAny(r.in.Peek(), "FIRST", "LAST") == "" {
					return nil, errNotPlain
				}
				o.Nulls = r.in.Next().Value
			}
			g.OrderBy = append(g.OrderBy, o)
		}
	}
	for {
		l := &gLimit{Pos: r.pos()}
		switch isAny(r.in.Peek(), "LIMIT", "OFFSET", "FETCH") {
		case "LIMIT":
			r.in.Next()
			if l.Limit, err = r.expr(); err == nil && isAny(r.in.Peek(), "APPROX", "APPROXIMATE", "WITH", "WITHIN") != "" {
				err = errNotPlain
			}
		case "OFFSET":
			r.in.Next()
			if l.Offset, err = r.expr(); err == nil && !r.accept("ROWS") {
				r.accept("ROW")
			}
		case "FETCH":
			return nil, errNotPlain
		default:
			return g, nil
		}
		if err != nil {
			return nil, err
		}
		g.Limits = append(g.Limits, l)
	}
}

// term is the rule gTerm, of SELECT.
func (r *plainReader) term() (*gTerm, error) {
	g := &gTerm{Pos: r.pos()}
	if !r.accept("SELECT") {
		return nil, errNotPlain
	}
	c := &gCore{Pos: r.pos()}
	g.Core = c
	if c.Distinct = r.accept("DISTINCT"); c.Distinct {
		if is(r.in.Peek(), "ON") {
			return nil, errNotPlain
		}
	} else {
		r.accept("ALL")
	}
	var err error
	for again := true; again; again = r.accept(",") {
		it, err := r.item()
		if err != nil {
			return nil, err
		}
		c.Items = append(c.Items, it)
	}
	if r.accept("FROM") {
		c.From = &gFrom{Pos: r.pos()}
		for again := true; again; again = r.accept(",") {
			chain, err := r.chain()
			if err != nil {
				return nil, err
			}
			c.From.Chains = append(c.From.Chains, chain)
		}
	}
	if r.accept("WHERE") {
		if c.Where, err = r.expr(); err != nil {
			return nil, err
		}
	}
	if r.accept("GROUP") {
		if !r.accept("BY") || is(r.in.Peek(), "ALL") {
			return nil, errNotPlain
		}
		for again := true; again; again = r.accept(",") {
			p := exprParser{lex: &r.in, plain: r}
			e, err := p.group(0)
			if err != nil {
				return nil, err
			}
			c.GroupBy = append(c.GroupBy, &gGroup{e})
		}
	}
	if r.accept("HAVING") {
		if c.Having, err = r.expr(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (r *plainReader) item() (*gItem, error) {
	g := &gItem{Pos: r.pos()}
	switch {
	case r.accept("*"):
		g.Star = true
		return g, nil
	case isName(r.in.Peek()) && is(peek(&r.in, 1), ".") && is(peek(&r.in, 2), "*"):
		g.Table, _ = r.name()
		r.in.Next()
		r.in.Next()
		return g, nil
	}
	var err error
	if g.Expr, err = r.expr(); err != nil {
		return nil, err
	}
	var alias *gName
	alias, g.Bare, err = r.alias()
	g.Alias = (*gLabel)(alias)
	return g, err
}

func (r *plainReader) chain() (*gChain, error) {
	g := &gChain{Pos: r.pos()}
	var err error
	if g.First, err = r.table(); err != nil {
		return nil, err
	}
	for {
		j := &gJoin{Pos: r.pos()}
		switch w := isAny(r.in.Peek(), "JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL"); w {
		case "":
			return g, nil
		case "JOIN":
			j.Kind = r.in.Next().Value
		default:
			j.Kind = r.in.Next().Value
			if w == "LEFT" || w == "RIGHT" || w == "FULL" {
				r.accept("OUTER")
			}
			if !r.accept("JOIN") {
				return nil, errNotPlain
			}
		}
		if j.Right, err = r.table(); err != nil {
			return nil, err
		}
		switch {
		case r.accept("ON"):
			if j.On, err = r.expr(); err != nil {
				return nil, err
			}
		case r.accept("USING"):
			if !r.accept("(") {
				return nil, errNotPlain
			}
			for again := true; again; again = r.accept(",") {
				n, err := r.name()
				if err != nil {
					return nil, err
				}
				j.Using = append(j.Using, n)
			}
			if !r.accept(")") {
				return nil, errNotPlain
			}
		}
		g.Joins = append(g.Joins, j)
	}
}

// table is the rule gTables, of a table of the store.
func (r *plainReader) table() (*gTables, error) {
	t := &gTable{Pos: r.pos()}
	if is(r.in.Peek(), "ROWS") && is(peek(&r.in, 1), "FROM") {
		return nil, errNotPlain
	}
	var err error
	if t.Name, err = r.name(); err != nil {
		return nil, err
	}
	if isAny(r.in.Peek(), ".", "(", "WITH") != "" {
		return nil, errNotPlain
	}
	if t.Alias, t.Bare, err = r.alias(); err != nil {
		return nil, err
	}
	if is(r.in.Peek(), "(") {
		return nil, errNotPlain
	}
	return &gTables{Table: t}, nil
}
