package encoder

import (
	"errors"
	"fmt"
)

// ErrMismatch is what errors.Is finds in a *MismatchError.
var ErrMismatch = errors.New("the encoder is not the one the column was filled with")

// MismatchError says that a column holds vectors of one model and another one
// goes by its encoder's name now: comparing their vectors would give wrong
// answers.
type MismatchError struct {
	Table, Column string
	Stored, Given Model
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s.%s was filled with encoder %s, but the one given is %s; open the store with the former, or encode the rows anew: ALTER TABLE %s ALTER COLUMN %s SET ENCODER '%s' REENCODE FROM image(path), or from a column of texts; FORCE in its place says that the vectors there are of this encoder already",
		e.Table, e.Column, e.Stored, e.Given, e.Table, e.Column, e.Given.Name)
}

// Is makes errors.Is(err, ErrMismatch) hold.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }
