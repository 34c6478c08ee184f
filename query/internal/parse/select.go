package parse

import (
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/storage/value"
)

// gSelect is the rule of a query.
type gSelect struct {
	Pos       lexer.Position
	Recursive *gRecursive `parser:"('WITH' @@?"`
	With      []*gCTE     `parser:"  @@ (',' @@)*)?"`
	Change    *gChange    `parser:"( @@"`
	Body      *gTerm      `parser:"| @@"`
	Unions    []*gUnion   `parser:"  @@*"`
	OrderBy   []*gOrder   `parser:"  ('ORDER' 'BY' @@ (',' @@)*)?"`
	Limits    []*gLimit   `parser:"  @@* )"`
}

// gChange is what may stand behind WITH, or be named by it, beside a query.
type gChange struct {
	Pos    lexer.Position
	Insert *gInsert `parser:"  'INSERT' @@"`
	Update *gUpdate `parser:"| 'UPDATE' @@"`
	Delete *gDelete `parser:"| 'DELETE' @@"`
}

type gCTE struct {
	Pos     lexer.Position
	Name    *gName   `parser:"@@"`
	Columns []*gName `parser:"('(' @@ (',' @@)* ')')?"`
	Kept    *gKept   `parser:"'AS' @@?"`
	Query   *gSelect `parser:"'(' @@ ')'"`
}

type gTerm struct {
	Pos    lexer.Position
	Core   *gCore   `parser:"  'SELECT' @@"`
	Values *gRows   `parser:"| 'VALUES' @@"`
	Paren  *gSelect `parser:"| '(' @@ ')'"`
}

type gUnion struct {
	Pos   lexer.Position
	Other string `parser:"( @('INTERSECT' | 'EXCEPT') | 'UNION' )"`
	All   bool   `parser:"(@'ALL' | 'DISTINCT')?"`
	Term  *gTerm `parser:"@@"`
}

type gCore struct {
	Pos      lexer.Position
	Distinct bool       `parser:"( @'DISTINCT'"`
	On       []Expr     `parser:"  ('ON' '(' @@ (',' @@)* ')')? | 'ALL' )?"`
	Items    []*gItem   `parser:"@@ (',' @@)*"`
	From     *gFrom     `parser:"('FROM' @@)?"`
	Where    Expr       `parser:"('WHERE' @@)?"`
	GroupBy  []*gGroup  `parser:"('GROUP' 'BY' @@ (',' @@)*)?"`
	Having   Expr       `parser:"('HAVING' @@)?"`
	Early    Expr       `parser:"('QUALIFY' @@)?"`
	Windows  []*gWindow `parser:"('WINDOW' @@ (',' @@)*)?"`
	Qualify  Expr       `parser:"('QUALIFY' @@)?"`
}

type gItem struct {
	Pos   lexer.Position
	Star  bool        `parser:"  @'*'"`
	Ahead *gStarAhead `parser:"| @@"`
	Table *gName      `parser:"  @@ '.' '*'"`
	Expr  Expr        `parser:"| @@"`
	Alias *gLabel     `parser:"  ('AS' @@"`
	Bare  *gBare      `parser:"  | @@)?"`
}

// gLabel is the name behind AS in a select list, which may be a reserved word.
type gLabel struct{ id Ident }

// Parse implements participle.Parseable.
func (n *gLabel) Parse(lex *lexer.PeekingLexer) error {
	id, ok := acceptName(lex)
	if t := lex.Peek(); !ok && t.Type == lexKeyword && (isAny(peek(lex, 1), ",", ")", "FROM") != "" || peek(lex, 1).EOF()) {
		id, ok = identOf(lex.Next()), true
	}
	if !ok {
		return participle.NextMatch
	}
	n.id = id
	return nil
}

// gRows is the rule of the rows of VALUES: ( value , ... ) , ... It is not left
// to participle, as there may be a million of them.
type gRows struct {
	at   []Pos
	rows [][]Expr
}

// Parse implements participle.Parseable.
func (r *gRows) Parse(lex *lexer.PeekingLexer) error {
	if !is(lex.Peek(), "(") {
		return participle.NextMatch
	}
	p := exprParser{lex: lex}
	for {
		r.at = append(r.at, posOf(lex.Peek().Pos))
		row, err := p.row()
		if err != nil {
			return err
		}
		r.rows = append(r.rows, row)
		if !p.accept(",") {
			return nil
		}
	}
}

// row parses the values of a row and the parentheses around them.
func (p *exprParser) row() ([]Expr, error) {
	if !p.accept("(") {
		return nil, p.unexpected(wantRow)
	}
	var row []Expr
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		row = append(row, v)
		if p.accept(")") {
			return row, nil
		}
		if !p.accept(",") {
			return nil, p.unexpected(",", ")")
		}
	}
}

// gValue is the rule of a value: an expression or DEFAULT.
type gValue struct{ expr Expr }

// Parse implements participle.Parseable.
func (v *gValue) Parse(lex *lexer.PeekingLexer) (err error) {
	if !is(lex.Peek(), "DEFAULT") && !beginsExpr(lex) {
		return participle.NextMatch
	}
	p := exprParser{lex: lex}
	v.expr, err = p.value()
	return err
}

// value parses an expression or DEFAULT.
func (p *exprParser) value() (Expr, error) {
	if is(p.lex.Peek(), "DEFAULT") {
		return &Default{posOf(p.lex.Next().Pos)}, nil
	}
	e, err := p.parse(precOr)
	return e.Expr, err
}

type gOrder struct {
	Pos       lexer.Position
	Expr      Expr   `parser:"@@"`
	Direction string `parser:"@('ASC' | 'DESC')?"`
	Nulls     string `parser:"('NULLS' @('FIRST' | 'LAST'))?"`
}

type gLimit struct {
	Pos    lexer.Position
	All    bool     `parser:"  'LIMIT' ( @'ALL'"`
	Limit  Expr     `parser:"           | @@ )"`
	Approx bool     `parser:"           @('APPROX' | 'APPROXIMATE')?"`
	Target Expr     `parser:"           ('WITH' 'TARGET' 'ACCURACY' @@)?"`
	Within *gWithin `parser:"           ('WITHIN' @@)?"`
	Fetch  *gFetch  `parser:"| 'FETCH' @@"`
	Lock   *gLock   `parser:"| @@"`
	Offset Expr     `parser:"| 'OFFSET' @@ ('ROWS' | 'ROW')?"`
}

// gFetch is what follows FETCH: standard SQL's LIMIT.
type gFetch struct {
	Pos    lexer.Position
	Approx bool     `parser:"@('APPROX' | 'APPROXIMATE')? ('FIRST' | 'NEXT')"`
	One    bool     `parser:"( @('ROW' | 'ROWS')"`
	Count  Expr     `parser:"| @@ ('ROW' | 'ROWS') ) 'ONLY'"`
	Target Expr     `parser:"('WITH' 'TARGET' 'ACCURACY' @@)?"`
	Within *gWithin `parser:"('WITHIN' @@)?"`
}

type gWithin struct {
	Pos  lexer.Position
	Time Expr   `parser:"@@"`
	Unit *gName `parser:"@@?"`
}

type gFrom struct {
	Pos    lexer.Position
	Chains []*gChain `parser:"@@ (',' @@)*"`
}

type gChain struct {
	Pos   lexer.Position
	First *gTables `parser:"@@"`
	Joins []*gJoin `parser:"@@*"`
}

type gJoin struct {
	Pos   lexer.Position
	Kind  string   `parser:"( @'JOIN' | @('INNER' | 'CROSS' | 'NATURAL') 'JOIN' | @('LEFT' | 'RIGHT' | 'FULL') 'OUTER'? 'JOIN' )"`
	Right *gTables `parser:"@@"`
	On    Expr     `parser:"( 'ON' @@"`
	Using []*gName `parser:"| 'USING' '(' @@ (',' @@)* ')' )?"`
}

// gTables is a table, or LATERAL and a query or a function.
type gTables struct {
	Lateral *gLateral `parser:"@@?"`
	Table   *gTable   `parser:"@@"`
}

type gTable struct {
	Pos     lexer.Position
	Ahead   *gQueryAhead `parser:"( @@"`
	Query   *gSelect     `parser:"  '(' @@ ')'"`
	Paren   *gChain      `parser:"| '(' @@ ')'"`
	Rows    *gRowsAhead  `parser:"| @@"`
	Funcs   []*gRowsFunc `parser:"  'ROWS' 'FROM' '(' @@ (',' @@)* ')'"`
	Beside  *gOrdinality `parser:"  @@?"`
	Name    *gName       `parser:"| @@"`
	Of      *gName       `parser:"  ('.' @@)?"`
	Func    *gArguments  `parser:"  @@?"`
	Ordinal *gOrdinality `parser:"  @@? )"`
	Alias   *gName       `parser:"( ('AS' @@"`
	Bare    *gBare       `parser:"  | @@)"`
	Columns []*gName     `parser:"  ('(' @@ (',' @@)* ')')? )?"`
}

// gRowsFunc is a function of ROWS FROM.
type gRowsFunc struct {
	Pos  lexer.Position
	Name *gName      `parser:"@@"`
	Of   *gName      `parser:"('.' @@)?"`
	Func *gArguments `parser:"@@"`
}

type gArguments struct {
	Pos  lexer.Position
	Open bool         `parser:"@'('"`
	Args []*gArgument `parser:"(@@ (',' @@)*)? ')'"`
}

type gArgument struct {
	Pos    lexer.Position
	Ahead  *gOptionAhead `parser:"  @@"`
	Option *gName        `parser:"  @@ ('=>' | ':=' | '=')"`
	Expr   Expr          `parser:"  @@"`
	Texts  string        `parser:"| @Texts"`
	Plain  Expr          `parser:"| @@"`
}

// gKept is MATERIALIZED or NOT MATERIALIZED, which the planner knows better.
type gKept struct{}

// Parse implements participle.Parseable.
func (*gKept) Parse(lex *lexer.PeekingLexer) error {
	return match(acceptWords(lex, "MATERIALIZED") || acceptWords(lex, "NOT", "MATERIALIZED"))
}

// withs are the queries that WITH names. Statements that change rows are among them where the
// statement itself begins with WITH.
func (c *converter) withs(g *gSelect, outermost bool) (all []CTE) {
	for _, w := range g.With {
		cte := CTE{Pos: posOf(w.Pos), Name: ident(w.Name), Columns: idents(w.Columns)}
		switch {
		case w.Query.Change == nil:
			cte.Query = c.selectStmt(w.Query)
		case !outermost:
			c.fail(Errorf(posOf(w.Query.Change.Pos), "what changes rows is named at the beginning of the statement, not in a query within it").WithHint("WITH %s AS (...) SELECT ...", cte.Name))
		default:
			if len(w.Query.With) > 0 {
				c.fail(Errorf(posOf(w.Query.Pos), "this WITH belongs to the beginning of the statement").WithHint("WITH a AS (...), %s AS (INSERT ...)", cte.Name))
			}
			cte.Change = c.change(w.Query.Change)
		}
		all = append(all, cte)
	}
	return all
}

func (c *converter) change(g *gChange) Statement {
	at := posOf(g.Pos)
	switch {
	case g.Insert != nil:
		return c.insert(at, g.Insert)
	case g.Update != nil:
		return c.update(at, g.Update)
	}
	return c.delete(at, g.Delete)
}

// outermost converts a statement that begins with WITH, SELECT or VALUES.
func (c *converter) outermost(g *gSelect) Statement {
	if g.Change == nil {
		with := c.withs(g, true)
		g.With = nil
		s := c.selectStmt(g)
		s.With, s.Recursive, s.Lock = with, g.Recursive != nil, c.locks
		return s
	}
	w := With{c.withs(g, true), g.Recursive != nil}
	switch s := c.change(g.Change).(type) {
	case *Insert:
		s.Pos, s.With = posOf(g.Pos), w
		return s
	case *Update:
		s.Pos, s.With = posOf(g.Pos), w
		return s
	default:
		d := s.(*Delete)
		d.Pos, d.With = posOf(g.Pos), w
		return d
	}
}

func (c *converter) selectStmt(g *gSelect) *Select {
	s := &Select{Pos: posOf(g.Pos), Recursive: g.Recursive != nil}
	if g.Change != nil {
		c.fail(Errorf(posOf(g.Change.Pos), "rows are changed by a statement, not by a query within one").WithHint("WITH x AS (INSERT ... RETURNING ...) SELECT ... FROM x"))
		return s
	}
	s.With = c.withs(g, false)
	s.Body = c.term(g.Body)
	for i, u := range g.Unions {
		op := UnionOp
		switch {
		case isWord(u.Other, "EXCEPT"):
			op = ExceptOp
		case u.Other != "":
			op = IntersectOp
		}
		if i == maxHeight {
			c.fail(Errorf(posOf(u.Pos), "too many UNIONs: at most %d", maxHeight))
		}
		// INTERSECT comes before the others.
		if last, ok := s.Body.(*Union); ok && op == IntersectOp && last.Op != IntersectOp {
			last.Right = &Union{posOf(u.Pos), last.Right, c.term(u.Term), u.All, op}
			continue
		}
		s.Body = &Union{posOf(u.Pos), s.Body, c.term(u.Term), u.All, op}
	}
	for _, o := range g.OrderBy {
		s.OrderBy = append(s.OrderBy, c.orderItem(o))
	}
	for _, l := range g.Limits {
		switch {
		case l.Lock != nil:
			s.Lock, c.locks = true, true
		case l.Offset != nil && s.Offset != nil, l.Offset == nil && s.Limit != nil:
			c.fail(Errorf(posOf(l.Pos), "LIMIT and OFFSET can be given only once"))
		case l.Offset != nil:
			s.Offset = l.Offset
		case l.Fetch != nil:
			s.Limit, s.Approx, s.Target = l.Fetch.Count, l.Fetch.Approx, l.Fetch.Target
			s.Within = c.within(l.Fetch.Within)
			if l.Fetch.One {
				s.Limit = &Literal{Pos: posOf(l.Fetch.Pos), Value: value.Int(1)}
			}
		default:
			s.Limit, s.Approx, s.Target = l.Limit, l.Approx, l.Target
			s.Within = c.within(l.Within)
		}
	}
	if s.Target != nil && !s.Approx {
		c.fail(Errorf(Start(s.Target), "TARGET ACCURACY is for APPROX").WithHint("LIMIT 10 APPROX WITH TARGET ACCURACY 95"))
	}
	// ((SELECT 1)) is SELECT 1.
	if inner, ok := s.Body.(*Select); ok && s.With == nil && s.OrderBy == nil && g.Limits == nil {
		return inner
	}
	return s
}

// timeUnits are those of WITHIN, by their names.
var timeUnits = map[string]string{"ms": "ms", "millisecond": "ms", "milliseconds": "ms", "s": "s", "second": "s", "seconds": "s"}

func (c *converter) within(g *gWithin) *Within {
	if g == nil {
		return nil
	}
	w := &Within{Pos: posOf(g.Pos), Time: g.Time}
	if g.Unit != nil {
		unit := ident(g.Unit)
		if w.Unit = timeUnits[strings.ToLower(unit.Name)]; w.Unit == "" {
			c.fail(Errorf(unit.Pos, "WITHIN knows no unit %q; ms and s", unit.Name).WithHint("LIMIT 10 WITHIN 5 ms"))
		}
	}
	return w
}

func (c *converter) orderItem(o *gOrder) OrderItem {
	it := OrderItem{Pos: posOf(o.Pos), Expr: o.Expr}
	switch {
	case isWord(o.Direction, "ASC"):
		it.Direction = Asc
	case isWord(o.Direction, "DESC"):
		it.Direction = Desc
	}
	switch {
	case isWord(o.Nulls, "FIRST"):
		it.Nulls = NullsFirst
	case isWord(o.Nulls, "LAST"):
		it.Nulls = NullsLast
	}
	return it
}

func (c *converter) term(g *gTerm) Body {
	switch {
	case g.Core != nil:
		return c.core(posOf(g.Pos), g.Core)
	case g.Paren != nil:
		// Parentheses matter only around what follows the body.
		s := c.selectStmt(g.Paren)
		if s.With == nil && s.OrderBy == nil && s.Limit == nil && s.Offset == nil {
			if _, ok := s.Body.(*Union); !ok {
				return s.Body
			}
		}
		return s
	}
	v := &Values{posOf(g.Pos), g.Values.rows}
	for i, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			c.fail(Errorf(g.Values.at[i], "row %d has %s, the first row has %d", i+1, plural(len(row), "value"), len(v.Rows[0])))
		}
	}
	return v
}

func (c *converter) core(at Pos, g *gCore) *Core {
	core := &Core{Pos: at, Distinct: g.Distinct && g.On == nil, DistinctOn: g.On, Where: g.Where, Having: g.Having,
		Windows: c.windows(g.Windows), Qualify: g.Qualify}
	if g.Early != nil {
		if g.Qualify != nil {
			c.fail(Errorf(Start(g.Qualify), "QUALIFY can be given only once"))
		}
		core.Qualify = g.Early
	}
	core.Items = c.items(g.Items)
	for _, x := range g.GroupBy {
		core.GroupBy = append(core.GroupBy, x.expr)
	}
	if g.From != nil {
		core.From = c.from(g.From)
	}
	return core
}

func (c *converter) items(gs []*gItem) []SelectItem {
	var items []SelectItem
	for _, g := range gs {
		items = append(items, SelectItem{posOf(g.Pos), g.Star || g.Table != nil, ident(g.Table), g.Expr, aliasOf((*gName)(g.Alias), g.Bare)})
	}
	return items
}

func (c *converter) from(g *gFrom) TableExpr {
	t := c.chain(g.Chains[0])
	for i, chain := range g.Chains[1:] {
		if i == maxJoins {
			c.fail(Errorf(posOf(chain.Pos), "too many tables: at most %d", maxJoins))
		}
		t = &Join{Pos: posOf(chain.Pos), Kind: CrossJoin, Left: t, Right: c.chain(chain)}
	}
	return t
}

// maxJoins limits the tables of one FROM.
const maxJoins = 64

func (c *converter) chain(g *gChain) TableExpr {
	t := c.table(g.First)
	for i, j := range g.Joins {
		if i == maxJoins {
			c.fail(Errorf(posOf(j.Pos), "too many tables: at most %d", maxJoins))
		}
		t = c.join(t, j)
	}
	return t
}

func (c *converter) join(left TableExpr, g *gJoin) TableExpr {
	j := &Join{Pos: posOf(g.Pos), Left: left, Right: c.table(g.Right), On: g.On, Using: idents(g.Using)}
	switch {
	case isWord(g.Kind, "LEFT"):
		j.Kind = LeftJoin
	case isWord(g.Kind, "CROSS"):
		j.Kind = CrossJoin
	case isWord(g.Kind, "RIGHT"):
		j.Kind = RightJoin
	case isWord(g.Kind, "FULL"):
		j.Kind = FullJoin
	case isWord(g.Kind, "NATURAL"):
		c.fail(Errorf(j.Pos, "NATURAL JOIN is not supported").WithHint("name the columns: JOIN ... USING (column)"))
	}
	conditioned := g.On != nil || g.Using != nil
	switch {
	case j.Kind == CrossJoin && conditioned:
		c.fail(Errorf(j.Pos, "CROSS JOIN takes no condition").WithHint("write JOIN ... ON"))
	case j.Kind != CrossJoin && !conditioned:
		c.fail(Errorf(j.Pos, "join without a condition").WithHint("add ON a.x = b.x or USING (x); for all pairs of rows write CROSS JOIN"))
	}
	return j
}

// texts returns the elements of a list of texts that begins at pos.
func (c *converter) texts(pos Pos, list string) []Expr {
	var out []Expr
	s := newScanner(list)
	for s.off = 1; ; s.off++ { // past the bracket, then past a comma
		s.skip()
		end, _ := quoteEnd(list, s.off, '\'', false)
		v, err := textValue(list[s.off:end])
		if err != nil {
			c.fail(Errorf(pos, "%v", err))
			return nil
		}
		at := pos
		if !strings.Contains(list[:s.off], "\n") {
			at.Offset, at.Column = pos.Offset+s.off, pos.Column+utf8.RuneCountInString(list[:s.off])
		}
		out = append(out, &Literal{Pos: at, Value: v})
		s.off = end
		if s.skip(); list[s.off] == ']' {
			return out
		}
	}
}

func (c *converter) table(of *gTables) TableExpr {
	g := of.Table
	at := posOf(g.Pos)
	alias, columns := aliasOf(g.Alias, g.Bare), idents(g.Columns)
	switch {
	case g.Query != nil:
		return &SubqueryTable{at, of.Lateral != nil, c.selectStmt(g.Query), alias, columns, false}
	case g.Paren != nil:
		if alias.Name != "" {
			c.fail(Errorf(alias.Pos, "a join in parentheses takes no alias").WithHint("name its tables"))
		}
		return c.chain(g.Paren)
	case g.Of != nil && g.Func == nil && ident(g.Name).Means("information_schema"):
		f := ident(g.Name)
		f.Name, f.Quoted = "information_schema."+strings.ToLower(g.Of.id.Name), false
		if alias.Name == "" {
			alias = ident(g.Of)
		}
		return &TableFunc{Pos: at, Func: f, Alias: alias, Columns: columns}
	case g.Funcs != nil:
		var t *TableFunc
		for i, f := range g.Funcs {
			x := c.tableFunc(posOf(f.Pos), f.Name, f.Of, f.Func)
			if i == 0 {
				t = x
			} else {
				t.Beside = append(t.Beside, x)
			}
		}
		t.Pos, t.Ordinality, t.Alias, t.Columns = at, g.Beside != nil, alias, columns
		return t
	case g.Of != nil && g.Func == nil:
		t := ident(g.Of)
		t.Pos, t.Database = at, databaseOf(ident(g.Name))
		return &TableName{at, t, alias, columns}
	case g.Func == nil && g.Ordinal != nil:
		c.fail(Errorf(at, "WITH ORDINALITY is for functions of FROM, such as unnest").WithHint("row_number() OVER () numbers the rows of a table"))
		fallthrough
	case g.Func == nil:
		return &TableName{at, ident(g.Name), alias, columns}
	}
	t := c.tableFunc(at, g.Name, g.Of, g.Func)
	t.Ordinality, t.Alias, t.Columns = g.Ordinal != nil, alias, columns
	return t
}

// tableFunc converts a function of FROM, which may be written with PostgreSQL's schema of functions.
func (c *converter) tableFunc(at Pos, name, of *gName, g *gArguments) *TableFunc {
	t := &TableFunc{Pos: at, Func: ident(name)}
	if of != nil {
		if schema := ident(name); !schema.Means("pg_catalog") && !schema.Means("public") {
			c.fail(Errorf(at, "functions are in no schema").WithHint("write %s(...)", ident(of)))
		}
		t.Func = ident(of)
	}
	t.Func.Quoted = false // functions are found in any case
	for _, a := range g.Args {
		switch {
		case a.Option != nil:
			t.Options = append(t.Options, Option{posOf(a.Pos), strings.ToLower(a.Option.id.Name), a.Expr})
		case t.Options != nil:
			c.fail(Errorf(posOf(a.Pos), "options (name => value) come last"))
		case a.Texts != "": // ['a', 'b']: one argument each
			t.Args = append(t.Args, c.texts(posOf(a.Pos), a.Texts)...)
		default:
			t.Args = append(t.Args, a.Plain)
		}
	}
	return t
}
