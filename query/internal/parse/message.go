package parse

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/lupadb/lupa/query/internal/hint"
)

// What may be wanted at a place, apart from single words and marks.
const (
	wantExpr   = "an expression"
	wantColumn = "a column"
	wantType   = "a type"
	wantName   = "a name"
	wantRow    = "a row in parentheses"
	wantQuery  = "SELECT or VALUES"
)

// mistake is a token in the wrong place, with the tokens around it, about to be
// put into words.
type mistake struct {
	src    string
	tokens []lexer.Token // of the statement, ending with EOF
	at     int           // the token in question
	want   []string
}

// explain turns the error of parsing a statement into an *Error.
func explain(src string, tokens []lexer.Token, err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	u, ok := asUnexpected(err)
	if strings.Contains(err.Error(), "too many iterations") {
		return Errorf(posOf(tokens[0].Pos), "a list in this statement is too long: at most %d elements", participle.MaxIterations)
	}
	if !ok {
		return Errorf(posOf(tokens[0].Pos), "this statement cannot be parsed: %v", err)
	}
	at, _ := slices.BinarySearchFunc(tokens, u.token.Pos.Offset, func(t lexer.Token, offset int) int { return t.Pos.Offset - offset })
	m := &mistake{src, tokens, min(at, len(tokens)-1), u.want}
	return m.explain()
}

// tok returns the token n places after the mistaken one (before it, for
// negative n), or an EOF.
func (m *mistake) tok(n int) *lexer.Token {
	if n += m.at; n < 0 || n >= len(m.tokens) {
		return &lexer.Token{Type: lexer.EOF}
	}
	return &m.tokens[n]
}

// text returns a token's source.
func (m *mistake) text(t *lexer.Token) string {
	if t.Type == lexParam && t.Value[0] == '?' {
		return "?"
	}
	return t.Value
}

// explain puts the mistake into words.
func (m *mistake) explain() *Error {
	found := m.tok(0)
	if e := m.known(); e != nil {
		return e
	}
	if e := m.misspelt(); e != nil {
		return e
	}
	if m.at == 0 {
		return m.errorf(0, "a statement cannot begin with %s", m.found(0)).
			WithHint("statements begin with %s", oneOf(statementWords[:10])+" ...")
	}
	if found.Type == lexWord && isAny(m.tok(-1), "EXPLAIN", "ANALYZE") != "" {
		return m.errorf(0, "a statement to explain is expected here, not %s", m.found(0))
	}
	if is(m.tok(-1), ",") && (found.EOF() || is(found, ")") || m.clause(0)) && !slices.Contains(m.want, ")") {
		return m.errorf(-1, "after this comma %s is missing", m.wanted()).WithHint("or the comma is one too many")
	}
	open := m.open()
	if len(m.want) == 0 {
		return m.trailing(open)
	}
	if slices.Contains(m.want, ")") && open != nil && (found.EOF() || m.clause(0)) {
		return m.errorf(0, "a ) is missing, for the ( at %d:%d", open.Pos.Line, open.Pos.Column)
	}
	if found.EOF() {
		return m.errorf(0, "the statement ends where %s should follow", m.wanted())
	}
	e := m.errorf(0, "%s is expected here, not %s", m.wanted(), m.found(0))
	if found.Type == lexKeyword && m.wantsName() && m.usedAsName() {
		e.Msg = fmt.Sprintf("%s is expected here; %s is a reserved word", m.wanted(), strings.ToUpper(found.Value))
		e.WithHint(`as a name it is written "%s"`, found.Value)
	}
	if e.Hint == "" {
		e.Hint = m.hint()
	}
	return e
}

// hint says how the mistaken place is written, where that is worth saying.
func (m *mistake) hint() string {
	first := &m.tokens[0]
	switch {
	case is(m.tok(-1), "IN"):
		return "IN takes a list in parentheses, or a query"
	case is(first, "SHOW"):
		return "SHOW TABLES lists the tables, DESCRIBE t the columns of one"
	case is(first, "CREATE") && is(&m.tokens[1], "TABLE") && slices.Contains(m.want, "("):
		return "write CREATE TABLE t (id TEXT PRIMARY KEY, ...)"
	case is(first, "UPDATE") && slices.Contains(m.want, "SET"):
		return "write UPDATE t SET column = value"
	case is(first, "DELETE") && slices.Contains(m.want, "FROM"):
		return "write DELETE FROM t WHERE ..."
	case is(first, "COPY") && slices.Contains(m.want, "FROM"):
		return "write COPY t FROM 'file' or COPY t TO 'file'"
	}
	return ""
}

// errorf returns an error at the token n places on. At the end it is the place
// right after the last token.
func (m *mistake) errorf(n int, format string, args ...any) *Error {
	t := m.tok(n)
	p := posOf(t.Pos)
	if t.EOF() && m.at+n > 0 {
		last := m.tok(n - 1)
		p = posOf(last.Pos)
		end := newScanner(m.src)
		end.off, end.counted = p.Offset, p.Offset
		end.line, end.column = p.Line, p.Column
		end.advance(p.Offset + len(m.text(last)))
		p = end.pos()
	}
	return Errorf(p, format, args...)
}

// found describes the token n places on.
func (m *mistake) found(n int) string {
	t := m.tok(n)
	switch {
	case t.EOF():
		return "the end"
	case t.Type == lexKeyword:
		return strings.ToUpper(t.Value)
	case t.Type == lexWord, t.Type == lexOp:
		return `"` + abbreviate(t.Value) + `"`
	}
	return abbreviate(m.text(t))
}

// wanted lists what would be right.
func (m *mistake) wanted() string {
	var words []string
	for _, w := range m.want {
		switch {
		case isAny(m.tok(-1), "LIMIT", "OFFSET") != "":
			w = "a number"
		case w == wantName:
			w = m.nameOf()
		case w == ")" && len(m.want) == 1 && (m.operand(-1) || is(m.tok(-1), ")")):
			words = append(words, `","`)
			fallthrough
		case !letters(w):
			w = `"` + w + `"`
		}
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return oneOf(words)
}

// letters reports whether a word is one, not a mark such as ">=".
func letters(word string) bool { return nameStart(rune(word[0])) }

// nameOf says what kind of name belongs to the mistaken place.
func (m *mistake) nameOf() string {
	switch p := m.tok(-1); {
	case isAny(p, "TABLE", "INTO", "UPDATE", "FROM", "JOIN", "COPY", "DESCRIBE", "DESC", "EXISTS") != "",
		is(p, "ON") && is(m.tok(0), "("):
		return "a table's name"
	case isAny(p, "(", ",", "COLUMN", "SET", "RENAME", "ADD", "DROP", "ALTER", "USING", ".") != "":
		return "a column's name"
	case is(p, "INDEX"):
		return "an index's name"
	}
	return wantName
}

func (m *mistake) wantsName() bool {
	for _, w := range m.want {
		switch w {
		case wantName, wantExpr, wantColumn, "a table":
			return true
		}
	}
	return false
}

// clauses are the words that begin the clauses of a query, in their order.
var clauses = []string{"FROM", "WHERE", "GROUP", "HAVING", "UNION", "ORDER", "LIMIT", "OFFSET"}

// clauseNames are the clauses as they are spoken of.
var clauseNames = map[string]string{"GROUP": "GROUP BY", "ORDER": "ORDER BY"}

func clauseName(word string) string {
	if n := clauseNames[word]; n != "" {
		return n
	}
	return word
}

// clause reports whether the token n places on is a word that begins a clause.
func (m *mistake) clause(n int) bool { return isAny(m.tok(n), clauses...) != "" }

// usedAsName reports whether the mistaken token, a reserved word, is followed by
// what follows a name.
func (m *mistake) usedAsName() bool {
	next := m.tok(1)
	return isAny(next, ",", ")", ".", "=", "FROM") != "" || next.EOF() && !m.clause(0) ||
		isAny(&m.tokens[0], "CREATE", "ALTER") != "" && next.Type == lexWord
}

// open returns the innermost parenthesis that is open at the mistaken token.
func (m *mistake) open() *lexer.Token {
	var stack []*lexer.Token
	for i := range m.tokens[:m.at] {
		switch t := &m.tokens[i]; {
		case is(t, "("):
			stack = append(stack, t)
		case is(t, ")") && len(stack) > 0:
			stack = stack[:len(stack)-1]
		}
	}
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// trailing explains a token after a statement that could have ended before it.
func (m *mistake) trailing(open *lexer.Token) *Error {
	found := m.tok(0)
	switch {
	case found.EOF():
		return m.errorf(0, "the statement ends too early")
	case is(found, ")"):
		return m.errorf(0, "there is no ( for this )")
	}
	if word := isAny(found, clauses...); word != "" {
		if e := m.clauseOrder(word); e != nil {
			return e
		}
	}
	if word := isAny(found, "APPROX", "WITHIN"); word != "" && is(m.tok(-2), "OFFSET") {
		return m.errorf(0, "%s stands after OFFSET", word).WithHint("it belongs to the LIMIT: LIMIT 10 %s OFFSET 20", map[string]string{"APPROX": "APPROX", "WITHIN": "WITHIN 5 ms"}[word])
	}
	switch {
	case m.operand(-1) && m.operand(0) || is(m.tok(-1), ")") && m.operand(0):
		return m.errorf(0, "%s cannot follow %s directly", m.found(0), m.found(-1)).
			WithHint("a comma, an operator or a word such as AND is missing")
	case m.clause(0) && isAny(&m.tokens[0], "UPDATE", "DELETE", "COPY", "DROP", "CREATE", "ALTER") != "" && open == nil:
		return m.errorf(0, "%s is not part of %s", clauseName(strings.ToUpper(found.Value)), strings.ToUpper(m.tokens[0].Value))
	case found.Type == lexKeyword && !m.clause(0):
		return m.errorf(0, "%s is not allowed here", m.found(0)).WithHint(`as a name it is written "%s"`, found.Value)
	}
	return m.errorf(0, "%s is not allowed here", m.found(0))
}

// clauseOrder explains a clause that stands after one it has to stand before.
func (m *mistake) clauseOrder(word string) *Error {
	depth := 0
	for n := -1; m.at+n >= 0; n-- {
		t := m.tok(n)
		switch {
		case is(t, ")"):
			depth++
		case is(t, "("):
			depth--
		}
		if depth < 0 {
			break
		}
		before := isAny(t, clauses...)
		if depth > 0 || before == "" {
			continue
		}
		switch {
		case before == word:
			return m.errorf(0, "%s is given twice", clauseName(word))
		case slices.Index(clauses, before) > slices.Index(clauses, word):
			return m.errorf(0, "%s stands after %s", clauseName(word), clauseName(before)).
				WithHint("the order is FROM, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET")
		}
	}
	return nil
}

// operand reports whether the token n places on could be an operand by itself.
func (m *mistake) operand(n int) bool {
	switch m.tok(n).Type {
	case lexWord, lexQuoted, lexString, lexBlob, lexNumber, lexVector, lexParam:
		return true
	}
	return isAny(m.tok(n), "NULL", "TRUE", "FALSE", "END") != ""
}

// afterOperand are the words that may follow an operand.
var afterOperand = []string{"FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET", "UNION",
	"AND", "OR", "NOT", "LIKE", "ILIKE", "BETWEEN", "ASC", "DESC", "NULLS", "JOIN", "LEFT", "INNER", "CROSS",
	"VALUES", "SET", "RETURNING", "ON CONFLICT", "THEN", "WHEN", "ELSE", "END", "IS"}

// statementWords are the words statements begin with.
var statementWords = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "COPY", "EXPLAIN", "SHOW",
	"DESCRIBE", "BEGIN", "COMMIT", "ROLLBACK", "BACKUP", "CHECK", "VACUUM", "WITH", "VALUES", "START", "END", "ABORT"}

// misspelt looks for a word of the grammar that is meant by the mistaken token,
// or by the one before it if that was taken for an alias: SELECT a FORM t.
func (m *mistake) misspelt() *Error {
	if m.at == 0 {
		return m.meant(0, statementWords, "")
	}
	var words []string
	for _, w := range m.want {
		switch {
		case w == wantQuery:
			words = append(words, "SELECT", "VALUES", "WITH")
		case plainName(w):
			words = append(words, w)
		}
	}
	switch first := &m.tokens[0]; {
	case isAny(first, "EXPLAIN") != "" && isAny(m.tok(-1), "EXPLAIN", "ANALYZE") != "":
		words = statementWords
	case is(m.tok(-1), "IF"):
		words = append(words, "EXISTS", "NOT EXISTS")
	case isAny(first, "CREATE", "ALTER") != "":
		words = append(words, "PRIMARY KEY", "NOT NULL", "DEFAULT", "ENCODER", "DIMENSIONS", "VARIANT", "DOCUMENT")
	case m.at == 1 && isAny(first, "BEGIN", "COMMIT", "ROLLBACK", "END", "ABORT") != "":
		words = append(words, "TRANSACTION", "WORK", "READ ONLY")
	}
	wanted := ""
	if len(m.want) > 0 {
		wanted = m.wanted()
	}
	if e := m.meant(0, words, wanted); e != nil {
		return e
	}
	if m.operand(-1) || is(m.tok(-1), ")") {
		if e := m.meant(0, afterOperand, ""); e != nil {
			return e
		}
	}
	if m.operand(-2) || isAny(m.tok(-2), ")", "*") != "" {
		return m.meant(-1, afterOperand, "")
	}
	return nil
}

// meant returns the error for the token n places on if it is nearly one of the
// words.
func (m *mistake) meant(n int, words []string, wanted string) *Error {
	t := m.tok(n)
	if t.Type != lexWord {
		return nil
	}
	single := make([]string, len(words))
	for i, w := range words {
		single[i], _, _ = strings.Cut(w, " ")
	}
	i := slices.Index(single, hint.Within(t.Value, single, min(2, len(t.Value)/3)))
	if i < 0 || isWord(t.Value, single[i]) {
		return nil
	}
	word := words[i]
	if strings.Contains(word, " ") && is(m.tok(n+1), strings.Fields(word)[1]) {
		word = single[i]
	}
	if wanted == "" || wanted == word {
		return m.errorf(n, "unexpected %s", m.found(n)).WithHint("did you mean %s?", word)
	}
	return m.errorf(n, "%s is expected here, not %s", wanted, m.found(n)).WithHint("did you mean %s?", word)
}

// known explains what other languages have, and what people often write.
func (m *mistake) known() *Error {
	for _, n := range []int{0, -1} {
		if is(m.tok(n-1), "(") && isAny(m.tok(n), "INSERT", "UPDATE", "DELETE") != "" && m.tok(n+1).Type != lexOp {
			return m.errorf(n, "rows are changed by a statement, not by a query within one").WithHint("WITH x AS (%s ... RETURNING ...) SELECT ... FROM x", strings.ToUpper(m.tok(n).Value))
		}
	}
	found, before := m.tok(0), m.tok(-1)
	first := func(word string) bool { return is(&m.tokens[0], word) }
	switch {
	case m.at == 0 && is(found, "#"):
		return m.errorf(0, "a statement cannot begin with #").WithHint("a comment begins with --")
	case m.at == 0:
		for _, k := range otherStatements {
			if is(found, k.word) {
				return m.errorf(0, "there is no statement %s", k.word).WithHint("%s", k.hint)
			}
		}
	case m.at == 3 && first("CREATE") && is(before, "REPLACE"):
		return m.errorf(-2, "there is no CREATE OR REPLACE but that of a VIEW").WithHint("DROP ... IF EXISTS, then CREATE")
	case m.at == 1 && first("CREATE"):
		for _, k := range otherObjects {
			if is(found, k.word) {
				return m.errorf(0, "there is no CREATE %s", k.word).WithHint("%s", k.hint)
			}
		}
	case m.at == 1 && first("DROP"):
		for _, k := range otherObjects {
			if is(found, k.word) {
				return m.errorf(0, "there is no DROP %s", k.word).WithHint("%s", k.hint)
			}
		}
	case m.at == 1 && first("INSERT") && is(found, "OR"):
		return m.errorf(0, "INSERT OR is not part of the language").
			WithHint("write INSERT INTO ... ON CONFLICT (key) DO NOTHING, or DO UPDATE SET ...")
	case is(found, ",") && is(m.tok(-2), "LIMIT"):
		return m.errorf(0, "LIMIT takes one number").WithHint("write LIMIT %s OFFSET %s", m.found(1), m.found(-1))
	case is(found, "#") && !m.operand(-1), is(before, "#"):
		at := 0
		if is(before, "#") {
			at = -1
		}
		return m.errorf(at, "# is an operator of bits").WithHint("a comment begins with --")
	case is(found, "/") && is(before, "/"):
		return m.errorf(-1, "there is no operator //").WithHint("integers divide to integers by /; div(a, b) is the whole quotient of any numbers")
	case first("COPY") && isAny(found, "FORMAT", "HEADER", "DELIMITER", "CSV", "NULL") != "" && (before.Type == lexString || is(before, "WITH")):
		return m.errorf(0, "the options of COPY stand in parentheses").WithHint("write (FORMAT csv, HEADER)")
	case is(before, "*") && is(m.tok(-2), ".") && found.Type == lexOp && len(m.want) == 0 && !is(found, ")"):
		return m.errorf(0, "%s.* stands for columns, not for a value", m.tok(-3).Value)
	case is(before, "TOP") && is(m.tok(-2), "SELECT") && found.Type == lexNumber:
		return m.errorf(-1, "there is no TOP").WithHint("write LIMIT %s at the end", m.found(0))
	case found.Type == lexVector && (m.operand(-1) || is(before, ")")):
		return m.errorf(0, "there are no subscripts with [ ]").WithHint("an element of a JSON value: value -> 0, value ->> 'key'")
	case is(found, "."):
		return m.errorf(0, "a name has at most two parts, table.column").WithHint("there are no schemas")
	case first("CREATE"):
		for _, k := range otherConstraints {
			if is(found, k.word) && m.at > 3 {
				return m.errorf(0, "there is no %s", k.word).WithHint("%s", k.hint)
			}
		}
	case m.operand(-1) || is(before, ")"):
		for _, w := range []string{"REGEXP", "RLIKE", "GLOB", "SIMILAR", "MATCH"} {
			if is(found, w) {
				return m.errorf(0, "there is no operator %s", w).WithHint("use LIKE or ILIKE, with %% and _")
			}
		}
	}
	if e := m.typedLiteral(); e != nil {
		return e
	}
	return nil
}

// typedLiteral explains DATE '2024-01-01' and the like as a default or operand.
func (m *mistake) typedLiteral() *Error {
	before := m.tok(-1)
	if m.tok(0).Type != lexString || before.Type != lexWord {
		return nil
	}
	if hint := otherTypes[strings.ToUpper(before.Value)]; hint != "" {
		return m.errorf(-1, "there is no type %s", strings.ToUpper(before.Value)).WithHint("%s", hint)
	}
	return nil
}

// otherStatements are statements of other languages.
var otherStatements = []struct{ word, hint string }{
	{"REPLACE", "write INSERT INTO ... ON CONFLICT (key) DO UPDATE SET ..."},
	{"UPSERT", "write INSERT INTO ... ON CONFLICT (key) DO UPDATE SET ..."},
	{"MERGE", "write INSERT INTO ... ON CONFLICT (key) DO UPDATE SET ..."},
	{"REINDEX", "indexes are always up to date; CHECK verifies them"},
	{"LOCK", "there is one writer at a time: BEGIN and the first change are the lock"},
	{"PREPARE", "programs prepare statements with their driver; parameters are ?, $1 or :name"},
	{"EXECUTE", "programs prepare statements with their driver"},
	{"DEALLOCATE", "programs close the statements that they prepared with their driver"},
	{"DECLARE", "programs read rows one by one with their driver"},
	{"LISTEN", "other processes are not told of changes"},
	{"NOTIFY", "other processes are not told of changes"},
	{"DO", "statements of a batch run one after the other; logic is the program's"},
	{"CALL", "there are no procedures; logic is the program's"},
	{"TABLE", "write SELECT * FROM"},
	{"PRAGMA", "SHOW TABLES and DESCRIBE tell about the schema"},
	{"USE", "a store is opened by its directory"},
	{"ATTACH", "a store is opened by its directory"},
	{"SAVEPOINT", "there are BEGIN, COMMIT and ROLLBACK"},
	{"ANALYZE", "statistics are always up to date; EXPLAIN ANALYZE runs a statement and tells what it did"},
	{"GRANT", "whoever can read the store's directory can read the store"},
	{"LOAD", "write COPY t FROM 'file'"},
	{"IMPORT", "write COPY t FROM 'file'"},
	{"EXPORT", "write COPY t TO 'file'"},
	{"FROM", "a query begins with SELECT: SELECT * FROM ..."},
	{"WHERE", "a query begins with SELECT: SELECT * FROM ... WHERE ..."},
	{"HELP", "in the shell: .help"},
	{"QUIT", "in the shell: .quit"},
	{"EXIT", "in the shell: .quit"},
}

// otherObjects are what others create beside tables and indexes.
var otherObjects = []struct{ word, hint string }{
	{"MATERIALIZED", "CREATE TABLE ... AS SELECT keeps the rows of a query"},
	{"REPLACE", "DROP TABLE IF EXISTS, then CREATE"},
	{"UNLOGGED", "CREATE TABLE"},
	{"SEQUENCE", "SERIAL, or INTEGER GENERATED BY DEFAULT AS IDENTITY, numbers the rows of a table"},
	{"SCHEMA", "a store has one schema; another store is another directory"},
	{"DATABASE", "a store is made by opening its directory"},
	{"TYPE", "a CHECK says which values are possible: CHECK (mood IN ('sad', 'happy'))"},
	{"DOMAIN", "a CHECK says which values are possible"},
	{"FUNCTION", "programs have functions in their own language"},
	{"PROCEDURE", "programs have functions in their own language"},
	{"TRIGGER", "CHECK, DEFAULT and REFERENCES ... ON DELETE are what a table does by itself"},
	{"ROLE", "whoever can read the store's directory can read the store"},
	{"USER", "whoever can read the store's directory can read the store"},
}

// otherConstraints are parts of a column's definition that others have.
var otherConstraints = []struct{ word, hint string }{
	{"AUTOINCREMENT", "INTEGER GENERATED BY DEFAULT AS IDENTITY, or SERIAL, numbers the rows"},
	{"AUTO_INCREMENT", "INTEGER GENERATED BY DEFAULT AS IDENTITY, or SERIAL, numbers the rows"},
	{"GENERATED", "there are no generated columns"},
}

// didYouMean returns a hint naming the candidate nearest to name, or otherwise.
func didYouMean(name string, candidates []string, otherwise string) string {
	if c := hint.Nearest(name, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	return otherwise
}

// oneOf joins words as "a, b or c".
func oneOf(words []string) string {
	switch n := len(words); n {
	case 0:
		return "something else"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}

// plural returns "1 value", "2 values".
func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
