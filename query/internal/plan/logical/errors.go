package logical

import (
	"context"
	"errors"
	"fmt"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
)

// PlacedError is an error at a place of the statement. errors.As finds a
// *parse.Error in it as well as what it wraps.
type PlacedError struct {
	Pos parse.Pos
	Err error
}

func (e *PlacedError) Error() string {
	return fmt.Sprintf("%d:%d: %v", e.Pos.Line, e.Pos.Column, e.Err)
}

func (e *PlacedError) Unwrap() error { return e.Err }

// As offers the error as a *parse.Error.
func (e *PlacedError) As(target any) bool {
	if p, ok := target.(**parse.Error); ok {
		*p = parse.Errorf(e.Pos, "%v", e.Err)
		return true
	}
	return false
}

// Move moves the position of an error of a statement to the text of which the
// statement is a piece, beginning at at.
func Move(err error, at parse.Pos) error {
	move := func(p parse.Pos) parse.Pos {
		if p.Line == 1 {
			p.Column += at.Column - 1
		}
		p.Line += at.Line - 1
		p.Offset += at.Offset
		return p
	}
	switch e := err.(type) {
	case *parse.Error:
		moved := *e
		p := move(parse.Pos{Line: e.Line, Column: e.Column, Offset: e.Offset})
		moved.Line, moved.Column, moved.Offset = p.Line, p.Column, p.Offset
		return &moved
	case *PlacedError:
		return &PlacedError{Pos: move(e.Pos), Err: e.Err}
	}
	return err
}

// stops reports whether an error is about the run and not about a place in the
// statement.
func stops(err error) bool {
	var placed *PlacedError
	var p *parse.Error
	var m *exec.MemoryError
	return errors.As(err, &placed) || errors.As(err, &p) || errors.As(err, &m) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Cancelled reports whether a statement was stopped, whatever it did.
func Cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Counted returns "1 column", "2 columns".
func Counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// At gives an error a place in the source, unless it has one.
func At(pos parse.Pos) func(error) error {
	return func(err error) error { return ErrorAt(pos, err) }
}

// ErrorAt gives an error a place in the source, unless it has one or is about the run.
func ErrorAt(pos parse.Pos, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*parse.Error); ok || pos.Line == 0 || stops(err) {
		return err
	}
	return &PlacedError{Pos: pos, Err: err}
}

// NoSearch is the error for WITHIN in a query that is not one search.
func NoSearch(pos parse.Pos) error {
	return parse.Errorf(pos, "WITHIN is for one search: ORDER BY the similarity of a column of a table of the store with one vector, and a LIMIT")
}
