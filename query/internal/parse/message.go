package parse

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

const (
	wantExpr   = "an expression"
	wantColumn = "a column"
	wantType   = "a type"
)

func explain(src string, tokens []lexer.Token, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if u, ok := asUnexpected(err); ok {
		return Errorf(posOf(u.token.Pos), "unexpected %s, want %s", u.token.Value, strings.Join(u.want, ", "))
	}
	return err
}

func wanted(u *participle.UnexpectedTokenError) []string { return []string{u.Message()} }

func didYouMean(word string, words []string, otherwise string) string { return otherwise }

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
