package bind

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Input is what a statement is planned and run with.
type Input struct {
	exec.Env
	Encoder   encoder.Opener
	Texts     *exec.TextCache
	Images    *exec.Counter // pictures encoded
	NoFiles   bool
	AllowURLs bool
	Attached  *foreign.Set
	Pos       []value.Value
	Named     map[string]value.Value
	Now       time.Time
	// Base is what the statement reads where that is not what it writes to: the store where it
	// changes temporary tables, or the store as it was before the statement. nil: as Snapshot says.
	Base *storage.View
	// Temp are the temporary tables of the session, nil if there are none; ToTemp says that
	// the statement changes one of them: Store and Tx are theirs.
	Temp   *storage.View
	ToTemp bool
	// Spell has EXPLAIN show the values of parameters.
	Spell bool
	// Describe plans without arguments and runs nothing: parameters are NULL.
	Describe bool
}

// How says what a run does beside giving rows.
type How struct {
	Describe bool // nothing: only the columns are asked for
	Explain  bool // nothing is run
	Analyze  bool // operators count what they do
	Spell    bool // EXPLAIN shows the values of parameters
}

// Param returns the value of a parameter.
func (in *Input) Param(p *parse.Param) (value.Value, error) {
	if in.Describe {
		return value.Value{}, nil
	}
	if p.Name != "" {
		v, ok := in.Named[p.Name]
		if !ok {
			return v, parse.Errorf(p.Pos, "no argument for the parameter :%s", p.Name)
		}
		return v, nil
	}
	if p.Index < 1 || p.Index > len(in.Pos) {
		return value.Value{}, parse.Errorf(p.Pos, "no argument for the parameter $%d", p.Index)
	}
	return in.Pos[p.Index-1], nil
}

// Snapshot is what the statement reads.
func (in *Input) Snapshot() *storage.View {
	switch {
	case in.Base != nil:
		return in.Base
	case in.Tx != nil:
		return in.Tx.View
	}
	return in.View
}

// Target has the tables beside which a statement makes another one: those of the store, or the
// temporary ones.
func (in *Input) Target() *storage.View {
	switch {
	case in.ToTemp:
		return in.Temp
	case in.Tx != nil:
		return in.Tx.View
	}
	return in.Snapshot()
}

// OpenEncoder opens the encoder of a column and checks that it is the one the column
// was filled with.
func (in *Input) OpenEncoder(ctx context.Context, e *logical.Encoding, pos parse.Pos) (encoder.Encoder, error) {
	enc, err := in.FindEncoder(ctx, e.Name, e.Model.Location)
	if err != nil {
		return nil, EncoderError(pos, err)
	}
	m := enc.Model()
	if m.Dim != e.Dim {
		return nil, parse.Errorf(pos, "encoder %s makes vectors of %d dimensions, %s.%s has %d", m.Name, m.Dim, e.Table, e.Col, e.Dim)
	}
	if e.Model.Hash != "" && m.Hash != e.Model.Hash {
		return nil, &logical.PlacedError{Pos: pos, Err: &encoder.MismatchError{Table: e.Table, Column: e.Col, Stored: e.Model, Given: m}}
	}
	return enc, nil
}

// FindEncoder opens an encoder by name, or failing that from where it was once found.
func (in *Input) FindEncoder(ctx context.Context, name, location string) (encoder.Encoder, error) {
	if in.Encoder == nil {
		return nil, &encoder.NotFoundError{Name: name}
	}
	enc, err := in.Encoder(ctx, name)
	var missing *encoder.NotFoundError
	if errors.As(err, &missing) && location != "" {
		there := encoder.ParseSpec(name)
		there.Name = location
		if other, err2 := in.Encoder(ctx, there.String()); err2 == nil {
			return other, nil
		}
	}
	return enc, err
}

// EncoderError gives an error about an encoder its place, and a hint if its
// name is like a known one.
func EncoderError(pos parse.Pos, err error) error {
	var missing *encoder.NotFoundError
	if errors.As(err, &missing) {
		e := parse.Errorf(pos, "%v", missing)
		if !strings.Contains(e.Msg, "did you mean") {
			e.Hint = hint.Question(missing.Name, missing.Known)
		}
		return &hintedError{e, err}
	}
	return logical.ErrorAt(pos, err)
}

// hintedError is a *parse.Error that wraps what it is made of.
type hintedError struct {
	placed *parse.Error
	cause  error
}

func (e *hintedError) Error() string   { return e.placed.Error() }
func (e *hintedError) Unwrap() []error { return []error{e.placed, e.cause} }
