package parse

import (
	"errors"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/storage/value"
)

// Expressions are a custom production of the grammar: precedence climbing over
// participle's tokens, in place of a dozen layers of rules. A query within an
// expression goes back to participle.

// parseExpr is the production of Expr. It returns participle.NextMatch where no
// expression begins.
func parseExpr(lex *lexer.PeekingLexer) (Expr, error) {
	if !beginsExpr(lex) {
		return nil, participle.NextMatch
	}
	p := exprParser{lex: lex}
	e, err := p.parse(precOr)
	if err != nil {
		return nil, err
	}
	return e.Expr, nil
}

// sized is an expression with the height of its tree.
type sized struct {
	Expr
	height int
}

// over returns e as the node above the given ones.
func over(e Expr, below ...sized) sized {
	h := 0
	for _, b := range below {
		h = max(h, b.height)
	}
	return sized{e, h + 1}
}

// exprParser parses one expression.
type exprParser struct {
	lex   stream
	depth int          // calls of parse within each other
	plain *plainReader // which reads queries within, or nil: participle does
}

// isWord reports whether an unquoted word is the given one.
func isWord(text, word string) bool {
	return len(text) == len(word) && strings.EqualFold(text, word)
}

// is reports whether a token is the word or operator s.
func is(t *lexer.Token, s string) bool {
	switch t.Type {
	case lexWord, lexKeyword:
		return isWord(t.Value, s)
	case lexOp:
		return t.Value == s
	}
	return false
}

// isAny returns which of the words or operators a token is, or "".
func isAny(t *lexer.Token, words ...string) string {
	for _, w := range words {
		if is(t, w) {
			return w
		}
	}
	return ""
}

// peek returns the token n places ahead; the last is an EOF.
func peek(lex stream, n int) *lexer.Token {
	t := lex.Peek()
	from := lex.RawCursor()
	for i := 0; i < n && !t.EOF(); i++ {
		from++
		t = &lex.Range(from, from+1)[0]
	}
	return t
}

// beginsExpr reports whether an expression can begin at the next token.
func beginsExpr(lex stream) bool {
	t := lex.Peek()
	switch t.Type {
	case lexWord, lexQuoted, lexString, lexBlob, lexNumber, lexVector, lexParam:
		return true
	case lexKeyword:
		return isAny(t, "NULL", "TRUE", "FALSE", "CASE", "CAST", "EXISTS", "NOT") != "" ||
			isAny(t, "LEFT", "RIGHT") != "" && is(peek(lex, 1), "(")
	}
	return isAny(t, "(", "-", "+", "~", "~~") != ""
}

// beginsQuery reports whether the parenthesis at the next token opens a query,
// rather than an expression or a join that itself begins with a query.
func beginsQuery(lex stream) bool {
	at := lex.RawCursor()
	next := func() *lexer.Token { return &lex.Range(at, at+1)[0] }
	opened := 0
	for ; is(next(), "("); at++ {
		opened++
	}
	if opened == 0 || isAny(next(), "SELECT", "WITH", "VALUES") == "" {
		return false
	}
	// "((SELECT 1) + 2)" is an expression, "((SELECT 1) UNION ...)" a query: what
	// follows the end of each inner parenthesis tells.
	for depth := opened; opened > 1; {
		t := next()
		if t.EOF() {
			return true
		}
		at++
		switch {
		case is(t, "("):
			depth++
		case is(t, ")"):
			depth--
			if depth < opened {
				opened = depth
				if isAny(next(), ")", "UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT", "OFFSET", "FETCH") == "" && !next().EOF() {
					return false
				}
			}
		}
	}
	return true
}

// accept consumes the next token if it is s.
func (p *exprParser) accept(s string) bool {
	if !is(p.lex.Peek(), s) {
		return false
	}
	p.lex.Next()
	return true
}

// expect consumes the next token, which has to be s.
func (p *exprParser) expect(s string) error {
	if !p.accept(s) {
		return p.unexpected(s)
	}
	return nil
}

// unexpected returns the error for the next token where one of others is right.
func (p *exprParser) unexpected(want ...string) error {
	return &unexpected{token: *p.lex.Peek(), want: want}
}

// parse parses an expression of operators that bind at least as tight as min.
func (p *exprParser) parse(min int) (sized, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxDepth {
		return sized{}, Errorf(posOf(p.lex.Peek().Pos), "expression is nested too deeply: at most %d levels", maxDepth)
	}
	left, err := p.prefix()
	if err != nil {
		return sized{}, err
	}
	last := 0 // level of the operator just done, if it takes no second one of its level
	for {
		t := p.lex.Peek()
		prec := p.infix(t)
		if prec == 0 || prec < min {
			return left, nil
		}
		if prec == last && prec == precCompare {
			return sized{}, Errorf(posOf(t.Pos), "comparisons cannot be chained").WithHint("write a < b AND b < c")
		}
		at := posOf(t.Pos)
		left, err = p.operator(left, prec, at)
		if err != nil {
			return sized{}, err
		}
		last = prec
	}
}

// infix returns the level of the operator that begins at token t, or 0.
func (p *exprParser) infix(t *lexer.Token) int {
	switch t.Type {
	case lexKeyword:
		switch isAny(t, "OR", "AND", "IS", "ISNULL", "NOTNULL", "LIKE", "ILIKE", "IN", "BETWEEN", "NOT") {
		case "OR":
			return precOr
		case "AND":
			return precAnd
		case "IS", "ISNULL", "NOTNULL":
			return precIs
		case "LIKE", "ILIKE", "IN", "BETWEEN":
			return precLike
		case "NOT":
			if isAny(peek(p.lex, 1), "LIKE", "ILIKE", "IN", "BETWEEN") != "" || is(peek(p.lex, 1), "SIMILAR") && is(peek(p.lex, 2), "TO") {
				return precLike
			}
		}
	case lexWord:
		if isWord(t.Value, "SIMILAR") && is(peek(p.lex, 1), "TO") {
			return precLike
		}
		if isWord(t.Value, "AT") && is(peek(p.lex, 1), "TIME") && is(peek(p.lex, 2), "ZONE") {
			return precZone
		}
		if isWord(t.Value, "COLLATE") && (isName(peek(p.lex, 1)) || is(peek(p.lex, 1), "DEFAULT")) {
			return precZone
		}
		if isWord(t.Value, "OPERATOR") && is(peek(p.lex, 1), "(") {
			return precOther
		}
	case lexOp:
		switch t.Value {
		case "::", "[":
			return precPostfix
		case "!=":
			return precCompare
		case "~~", "~~*", "!~~", "!~~*":
			return precOther
		case "=", "<>", "<", "<=", ">", ">=", "<->", "<#>", "<=>", "<+>", "+", "-", "||", "*", "/", "%", "->", "->>",
			"~", "~*", "!~", "!~*", "@>", "<@", "#>", "#>>", "#-", "?", "?|", "?&", "<~>", "<%>", "<<", ">>", "&", "|", "#", "^":
			return precOf(Op(t.Value))
		}
	}
	return 0
}

// operator parses the operator at the next token and what stands at its right.
func (p *exprParser) operator(left sized, prec int, at Pos) (sized, error) {
	if left.height > maxHeight {
		return sized{}, Errorf(at, "expression is too long: at most %d operators on top of each other", maxHeight).
			WithHint("a list of values can be written IN (...)")
	}
	t := p.lex.Next()
	switch {
	case is(t, "COLLATE"): // the order of texts is that of "C"
		return left, collation(p.lex)
	case is(t, "OPERATOR"):
		var err error
		if t, err = p.namedOperator(); err != nil {
			return sized{}, err
		}
	}
	if t.Type == lexOp {
		if t.Value == "::" {
			typ, err := parseType(p.lex)
			if err == nil && is(p.lex.Peek(), "[") {
				return p.arrayCast(left, typ, at)
			}
			if err != nil {
				return sized{}, err
			}
			return castOf(at, left, typ)
		}
		if t.Value == "[" {
			return p.subscript(left, at)
		}
		op := Op(t.Value)
		if op == "!=" {
			op = OpNe
		}
		if op == OpEq && p.lex.Peek().Type == lexOp && p.lex.Peek().Value == "=" && p.lex.Peek().Pos.Offset == at.Offset+1 {
			return sized{}, Errorf(at, "equality is written =, not ==")
		}
		if strings.Contains(t.Value, "~~") {
			return p.likeSign(left, t.Value, at)
		}
		if p.quantifier() {
			return p.quantified(left, op, false, at)
		}
		right, err := p.parse(prec + 1)
		if op == "^" {
			return over(&Call{Pos: at, Func: Ident{Pos: at, Name: "power"}, Args: []Expr{left.Expr, right.Expr}}, left, right), err
		}
		return over(&Binary{at, op, left.Expr, right.Expr}, left, right), err
	}
	switch {
	case is(t, "AT"):
		p.lex.Next()
		p.lex.Next()
		zone, err := p.parse(prec + 1)
		c := &Call{Pos: at, Func: Ident{Pos: at, Name: "timezone"}, Args: []Expr{zone.Expr, left.Expr}}
		if clockTime(left.Expr) {
			c.Func.Name = "from_timezone"
		}
		return over(c, left, zone), err
	case is(t, "OR"), is(t, "AND"):
		right, err := p.parse(prec + 1)
		return over(&Binary{at, Op(strings.ToUpper(t.Value)), left.Expr, right.Expr}, left, right), err
	case is(t, "ISNULL"), is(t, "NOTNULL"):
		return over(&IsNull{at, left.Expr, is(t, "NOTNULL")}, left), nil
	case is(t, "IS"):
		return p.is(left, at)
	}
	not := is(t, "NOT")
	if not {
		t = p.lex.Next()
	}
	switch {
	case is(t, "IN"):
		return p.in(left, not, at)
	case is(t, "SIMILAR"):
		return p.similar(left, not, at)
	case is(t, "BETWEEN"):
		symmetric := is(p.lex.Peek(), "SYMMETRIC") && operandAfter(p.lex)
		if symmetric || is(p.lex.Peek(), "ASYMMETRIC") && operandAfter(p.lex) {
			p.lex.Next()
		}
		low, err := p.parse(precOther)
		if err != nil {
			return sized{}, err
		}
		if err := p.expect("AND"); err != nil {
			return sized{}, err
		}
		high, err := p.parse(precOther)
		if symmetric && err == nil {
			return p.betweenEither(left, low, high, not, at), nil
		}
		return over(&Between{at, left.Expr, not, low.Expr, high.Expr}, left, low, high), err
	}
	if p.quantifier() {
		return p.quantified(left, Op(strings.ToUpper(t.Value)), not, at)
	}
	pattern, err := p.parse(precOther)
	if err != nil {
		return sized{}, err
	}
	var escape sized
	if p.accept("ESCAPE") {
		if escape, err = p.parse(precOther); err != nil {
			return sized{}, err
		}
	}
	return over(&Like{at, left.Expr, not, is(t, "ILIKE"), pattern.Expr, escape.Expr}, left, pattern, escape), nil
}

// likeSign parses what follows the operators that are LIKE and ILIKE.
func (p *exprParser) likeSign(left sized, sign string, at Pos) (sized, error) {
	not, anyCase := sign[0] == '!', sign[len(sign)-1] == '*'
	if p.quantifier() {
		op := Op("LIKE")
		if anyCase {
			op = "ILIKE"
		}
		return p.quantified(left, op, not, at)
	}
	pattern, err := p.parse(precOther + 1)
	return over(&Like{at, left.Expr, not, anyCase, pattern.Expr, nil}, left, pattern), err
}

// operandAfter reports whether an operand begins behind the next token, which is thus no name.
func operandAfter(lex stream) bool {
	t := peek(lex, 1)
	switch t.Type {
	case lexWord, lexQuoted, lexString, lexBlob, lexNumber, lexVector, lexParam:
		return true
	}
	return isAny(t, "(", "-", "+", "~", "~~", "NULL", "CASE", "CAST") != ""
}

// betweenEither is BETWEEN SYMMETRIC: between low and high, or between high and low.
func (p *exprParser) betweenEither(left, low, high sized, not bool, at Pos) sized {
	one := over(&Between{at, left.Expr, false, low.Expr, high.Expr}, left, low, high)
	other := over(&Between{at, left.Expr, false, high.Expr, low.Expr}, left, low, high)
	e := over(&Binary{at, OpOr, one.Expr, other.Expr}, one, other)
	if not {
		e = over(&Unary{at, OpNot, e.Expr}, e)
	}
	return e
}

// similar parses x SIMILAR TO pattern from TO on.
func (p *exprParser) similar(left sized, not bool, at Pos) (sized, error) {
	p.lex.Next()
	pattern, err := p.parse(precOther)
	if err != nil {
		return sized{}, err
	}
	c := &Call{Pos: at, Func: Ident{Pos: at, Name: "similar_to"}, Args: []Expr{left.Expr, pattern.Expr}}
	below := []sized{left, pattern}
	if p.accept("ESCAPE") {
		escape, err := p.parse(precOther)
		if err != nil {
			return sized{}, err
		}
		c.Args, below = append(c.Args, escape.Expr), append(below, escape)
	}
	e := over(c, below...)
	if not {
		e = over(&Unary{at, OpNot, e.Expr}, e)
	}
	return e, nil
}

// clockTime reports whether AT TIME ZONE makes a time of e, and not the time that clocks
// show of a time. There is one type, and columns, now() and the like are times; PostgreSQL
// has two, and a literal or what AT TIME ZONE gave of a time is of the other one.
func clockTime(e Expr) bool {
	switch e := e.(type) {
	case *Cast:
		_, text := e.X.(*Literal)
		return text && e.Type.Kind == value.Timestamp && !e.Type.zoned
	case *Call:
		return e.Func.Name == "timezone"
	}
	return false
}

// prefix parses an operand with the operators before it.
func (p *exprParser) prefix() (sized, error) {
	var ops []*lexer.Token
	for isAny(p.lex.Peek(), "-", "+", "~", "~~", "NOT") != "" {
		ops = append(ops, p.lex.Next())
		if is(ops[len(ops)-1], "NOT") { // weaker than what follows
			break
		}
		if len(ops) > maxNesting {
			return sized{}, Errorf(posOf(p.lex.Peek().Pos), "too many signs before an operand")
		}
	}
	var e sized
	var err error
	n := len(ops)
	switch {
	case n > 0 && is(ops[n-1], "NOT"):
		e, err = p.parse(precNot)
	case n > 0 && is(ops[n-1], "-") && p.lex.Peek().Type == lexNumber && !is(peek(p.lex, 1), "::"):
		n--
		e, err = p.number(true)
		if e.Expr != nil {
			e.Expr.(*Literal).Pos = posOf(ops[n].Pos)
		}
	default:
		e, err = p.primary()
		for err == nil && isAny(p.lex.Peek(), "::", "[") != "" {
			e, err = p.operator(e, precPostfix, posOf(p.lex.Peek().Pos))
		}
	}
	if err != nil {
		return sized{}, err
	}
	for n--; n >= 0; n-- {
		if is(ops[n], "~~") { // two of them
			continue
		}
		if is(ops[n], "~") {
			e = over(&Call{Pos: posOf(ops[n].Pos), Func: Ident{Pos: posOf(ops[n].Pos), Name: "bitnot"}, Args: []Expr{e.Expr}}, e)
			continue
		}
		e = over(&Unary{posOf(ops[n].Pos), Op(strings.ToUpper(ops[n].Value)), e.Expr}, e)
	}
	return e, nil
}

// number parses a number; a minus before it has been consumed.
func (p *exprParser) number(negative bool) (sized, error) {
	t := p.lex.Next()
	v, err := numberValue(t.Value, negative)
	if err != nil {
		return sized{}, Errorf(posOf(t.Pos), "%s", err)
	}
	l := &Literal{Pos: posOf(t.Pos), Value: v}
	if v.Kind() == value.Real {
		if l.Digits = t.Value; negative {
			l.Digits = "-" + t.Value
		}
	}
	return sized{l, 1}, nil
}

// primary parses an operand.
func (p *exprParser) primary() (sized, error) {
	t := p.lex.Peek()
	at := posOf(t.Pos)
	literal := func(v value.Value, err error) (sized, error) {
		p.lex.Next()
		if err != nil {
			return sized{}, Errorf(at, "%s", err)
		}
		return sized{&Literal{Pos: at, Value: v}, 1}, nil
	}
	switch t.Type {
	case lexNumber:
		return p.number(false)
	case lexString:
		return literal(textValue(t.Value))
	case lexBlob:
		return literal(blobValue(t.Value))
	case lexVector:
		return literal(vectorValue(t.Value))
	case lexParam:
		p.lex.Next()
		param, err := paramOf(t)
		return sized{param, 1}, err
	case lexWord, lexQuoted:
		return p.name()
	case lexOp:
		if t.Value != "(" {
			break
		}
		query := beginsQuery(p.lex)
		p.lex.Next()
		if query {
			q, err := p.query()
			return sized{&Subquery{at, q}, 1}, err
		}
		e, err := p.parse(precOr)
		if err != nil {
			return sized{}, err
		}
		if p.accept(",") {
			rest, err := p.list()
			if err != nil {
				return sized{}, err
			}
			r := &Row{at, []Expr{e.Expr}}
			for _, x := range rest {
				r.List = append(r.List, x.Expr)
			}
			return over(r, append(rest, e)...), nil
		}
		return e, p.expect(")")
	case lexKeyword:
		switch isAny(t, "NULL", "TRUE", "FALSE", "CASE", "CAST", "EXISTS", "LEFT", "RIGHT") {
		case "NULL":
			return literal(value.Value{}, nil)
		case "TRUE":
			return literal(value.Bool(true), nil)
		case "FALSE":
			return literal(value.Bool(false), nil)
		case "CASE":
			return p.caseExpr()
		case "CAST":
			return p.cast()
		case "EXISTS":
			p.lex.Next()
			if !beginsQuery(p.lex) {
				return sized{}, p.unexpected("a query in parentheses")
			}
			p.lex.Next()
			q, err := p.query()
			return sized{&Exists{at, q}, 1}, err
		case "LEFT", "RIGHT":
			if is(peek(p.lex, 1), "(") {
				return p.name()
			}
		}
	}
	return sized{}, p.unexpected(wantExpr)
}

// paramOf returns the parameter a token writes.
func paramOf(t *lexer.Token) (*Param, error) {
	param := &Param{Pos: posOf(t.Pos)}
	if t.Value[0] == ':' {
		param.Name = t.Value[1:]
		return param, nil
	}
	for _, c := range t.Value[1:] {
		param.Index = param.Index*10 + int(c-'0')
		if param.Index > maxParams {
			return nil, Errorf(param.Pos, "too high a parameter: at most $%d", maxParams)
		}
	}
	if param.Index == 0 {
		return nil, Errorf(param.Pos, "parameters are numbered from $1")
	}
	return param, nil
}

// maxParams is the highest number of a parameter.
const maxParams = 65535

// unexpected is the error for a token in the wrong place, before it has been
// put into words.
type unexpected struct {
	token lexer.Token
	want  []string // words and operators, and descriptions such as wantExpr
}

func (u *unexpected) Error() string { return "unexpected " + u.token.Value }

// asUnexpected returns participle's error for a token in the wrong place, or
// this package's, as an unexpected.
func asUnexpected(err error) (*unexpected, bool) {
	var ours *unexpected
	if errors.As(err, &ours) {
		return ours, true
	}
	var theirs *participle.UnexpectedTokenError
	if errors.As(err, &theirs) {
		return &unexpected{theirs.Unexpected, wanted(theirs)}, true
	}
	return nil, false
}
