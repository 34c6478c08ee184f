package parse

import "fmt"

// Error is an error at a place of the source. The planner uses it too, so that
// a misspelt column and a missing comma read alike.
type Error struct {
	Line, Column int    // from 1; Column counts characters
	Offset       int    // bytes from the start of the source
	Msg          string // what was wrong, and what would be right
	Hint         string // `did you mean "width"?`, or empty
	Err          error  // the same as a typed error, for errors.As; may be nil
}

// Error returns "line:column: message (hint)".
func (e *Error) Error() string {
	s := fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errorf returns an error at p.
func Errorf(p Pos, format string, args ...any) *Error {
	return &Error{Line: p.Line, Column: p.Column, Offset: p.Offset, Msg: fmt.Sprintf(format, args...)}
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Because sets Err and returns e.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}
