package parse

import (
	"io"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// Token types of the grammar: the kinds, below participle's EOF.
const (
	lexWord    = lexer.TokenType(-2 - tokWord)
	lexKeyword = lexer.TokenType(-2 - tokKeyword)
	lexQuoted  = lexer.TokenType(-2 - tokQuoted)
	lexString  = lexer.TokenType(-2 - tokString)
	lexBlob    = lexer.TokenType(-2 - tokBlob)
	lexNumber  = lexer.TokenType(-2 - tokNumber)
	lexVector  = lexer.TokenType(-2 - tokVector)
	lexTexts   = lexer.TokenType(-2 - tokTexts)
	lexParam   = lexer.TokenType(-2 - tokParam)
	lexOp      = lexer.TokenType(-2 - tokOp)
)

// definition tells participle about the tokens; sources are cut by scanner.
type definition struct{}

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Word": lexWord, "Keyword": lexKeyword, "Quoted": lexQuoted, "String": lexString,
		"Blob": lexBlob, "Number": lexNumber, "Vector": lexVector, "Texts": lexTexts, "Param": lexParam, "Op": lexOp,
	}
}

func (definition) Lex(_ string, r io.Reader) (lexer.Lexer, error) {
	src, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	tokens, lexErr := lexStatement(newScanner(string(src)))
	if lexErr != nil {
		return nil, lexErr
	}
	return &tokenReader{tokens}, nil
}

// tokenReader hands out tokens, the last of which is an EOF.
type tokenReader struct{ tokens []lexer.Token }

func (r *tokenReader) Next() (lexer.Token, error) {
	t := r.tokens[0]
	if len(r.tokens) > 1 {
		r.tokens = r.tokens[1:]
	}
	return t, nil
}

// Limits on how deep a statement may be nested, so that neither parsing it nor
// walking its tree runs out of stack.
const (
	maxNesting = 250  // parentheses, brackets and CASE within each other
	maxQueries = 50   // queries within each other
	maxDepth   = 2000 // operands of operands within one expression
	maxHeight  = 5000 // operators on top of each other within one expression
)

// lexStatement returns the tokens of the next statement, ending with an EOF in
// place of its ';' or of the end of the source. An n-th ? gets the value "?n".
func lexStatement(s *scanner) ([]lexer.Token, *Error) { return lexInto(nil, s) }

// lexInto is lexStatement in the memory of tokens, which is empty.
func lexInto(tokens []lexer.Token, s *scanner) ([]lexer.Token, *Error) {
	if cap(tokens) == 0 {
		tokens = make([]lexer.Token, 0, min(16+(len(s.src)-s.off)/5, maxKeptTokens))
	}
	var nest []bool // for each open parenthesis or CASE: is it a query?
	queries := 0
	params := 0
	var question, numbered *Pos
	for {
		t, err := s.next()
		if err != nil {
			return tokens, err
		}
		tok := lexer.Token{
			Type:  lexer.TokenType(-2 - t.kind),
			Value: s.src[t.pos.Offset:t.end],
			Pos:   lexer.Position{Offset: t.pos.Offset, Line: t.pos.Line, Column: t.pos.Column},
		}
		open, shut := false, false
		switch t.kind {
		case tokEnd:
			tok.Type = lexer.EOF
			return append(tokens, tok), nil
		case tokParam:
			switch tok.Value[0] {
			case '?':
				if s.asks(tokens, t.end) {
					tok.Type = lexOp
					if next := s.src[t.end:]; next != "" && (next[0] == '|' || next[0] == '&') { // ?| and ?&
						tok.Value += next[:1]
						s.advance(t.end + 1)
					}
					break
				}
				params++
				tok.Value += strconv.Itoa(params)
				question = &t.pos
			case '$':
				numbered = &t.pos
			}
			if question != nil && numbered != nil {
				return tokens, Errorf(t.pos, "? and $1 cannot be mixed in one statement").WithHint("number all of them: $1, $2")
			}
		case tokKeyword:
			open, shut = isWord(tok.Value, "CASE"), isWord(tok.Value, "END") && len(tokens) > 0
			if n := len(tokens); n > 0 && tokens[n-1].Value == "(" &&
				(isWord(tok.Value, "SELECT") || isWord(tok.Value, "WITH") || isWord(tok.Value, "VALUES")) {
				nest[len(nest)-1] = true
				queries++
			}
		case tokWord:
			if n := len(tokens); n > 0 && n < 3 && isWord(tok.Value, "EXPLAIN") && isWord(tokens[0].Value, "EXPLAIN") &&
				(n == 1 || isWord(tokens[1].Value, "ANALYZE")) {
				return tokens, Errorf(t.pos, "EXPLAIN cannot explain an EXPLAIN")
			}
		case tokOp:
			open, shut = tok.Value == "(", tok.Value == ")"
		}
		if open {
			nest = append(nest, false)
		}
		if len(nest) > maxNesting || queries > maxQueries {
			return tokens, Errorf(t.pos, "nested too deeply: at most %d parentheses and %d queries within each other", maxNesting, maxQueries)
		}
		if shut && len(nest) > 0 {
			if nest[len(nest)-1] {
				queries--
			}
			nest = nest[:len(nest)-1]
		}
		tokens = append(tokens, tok)
	}
}

// asks reports whether a ? that ends at the offset is the operator of JSON, not a
// parameter: it stands between an operand and a text, a parameter or an array.
func (s *scanner) asks(before []lexer.Token, end int) bool {
	if len(before) == 0 {
		return false
	}
	switch last := &before[len(before)-1]; last.Type {
	case lexWord, lexQuoted, lexString, lexParam:
	case lexKeyword:
		if !isWord(last.Value, "END") && !isWord(last.Value, "NULL") {
			return false
		}
	default:
		if !is(last, ")") && !is(last, "]") {
			return false
		}
	}
	if end < len(s.src) && (s.src[end] == '&' || s.src[end] == '|' && !strings.HasPrefix(s.src[end:], "||")) {
		return true
	}
	next := *s
	next.off = end
	if next.skip() != nil || next.off == len(s.src) {
		return false
	}
	return strings.IndexByte("'$?", s.src[next.off]) >= 0
}

// posOf converts participle's position.
func posOf(p lexer.Position) Pos { return Pos{Offset: p.Offset, Line: p.Line, Column: p.Column} }
