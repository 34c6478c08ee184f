package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
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
	Pos       []value.Value
	Named     map[string]value.Value
	Now       time.Time
	// Spell has EXPLAIN show the values of parameters.
	Spell bool
	// Describe plans without arguments and runs nothing: parameters are NULL.
	Describe bool
}

// Column is a column of a statement's rows.
type Column struct {
	Name string
	Type value.Type
}

// binder gives names their meaning, for one statement.
type binder struct {
	ctx   context.Context
	in    *Input
	view  *storage.View
	fnctx *fn.Ctx
	how

	ctes     []cte
	cteUses  int // so far
	shared   map[*parse.CTE]*sharedQuery
	depth    int
	slots    []*slot
	known    map[string]*slot // by what they are computed from
	block    *block           // being bound
	looked   []*parse.Param   // whose values the plan depends on
	once     bool             // the plan is for one run: it depends on files, or has changed something
	subs     []*subquery
	encoders map[string]encoder.Encoder
	tables   map[string]*storage.Table
}

// cte is a query that WITH has named.
type cte struct {
	def   *parse.CTE
	below int // number of ctes it can see
}

func newBinder(ctx context.Context, in *Input) *binder {
	return &binder{
		ctx: ctx, in: in, view: in.view(), how: how{describe: in.Describe},
		fnctx:    &fn.Ctx{Context: ctx, Now: in.Now},
		encoders: map[string]encoder.Encoder{}, tables: map[string]*storage.Table{}, block: &block{},
	}
}

// table finds a table.
func (b *binder) table(name parse.Ident) (*storage.Table, error) {
	if t := b.tables[name.Name]; t != nil {
		return t, nil
	}
	t, err := tableOf(b.view, name)
	if t != nil {
		if known := b.tables[t.Def().Name]; known != nil {
			return known, nil
		}
		b.tables[t.Def().Name] = t
	}
	var missing *storage.NoTableError
	if errors.As(err, &missing) {
		var names []string
		for _, d := range b.view.Tables() {
			names = append(names, d.Name)
		}
		e := parse.Errorf(name.Pos, "no table %q", name.Name).WithHint("%s", didYouMean(name.Name, names)).Because(missing)
		if e.Hint == "" && len(names) == 0 {
			e.Msg += "; there is no table yet, CREATE TABLE makes one"
		}
		if e.Hint == "" && len(names) > 0 && len(names) <= 5 {
			e.Hint = "there is " + strings.Join(names, ", ")
			if len(names) > 1 {
				e.Hint = "there are " + strings.Join(names, ", ")
			}
		}
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// tableOf finds the table that a name means: the one written so, else the only one of
// that name in another case.
func tableOf(view *storage.View, name parse.Ident) (*storage.Table, error) {
	t, err := view.Table(name.Name)
	var missing *storage.NoTableError
	if name.Quoted || !errors.As(err, &missing) {
		return t, err
	}
	var found []string
	for _, d := range view.Tables() {
		if name.Means(d.Name) {
			found = append(found, d.Name)
		}
	}
	switch len(found) {
	case 0:
		return nil, err
	case 1:
		return view.Table(found[0])
	}
	return nil, parse.Errorf(name.Pos, "table %q could be %s", name.Name, strings.Join(quoteAll(found), " or ")).WithHint("in double quotes a name's case counts")
}

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = parse.Ident{Name: n, Quoted: true}.String()
	}
	return out
}

// didYouMean is the hint for a name that is not among names, or "".
func didYouMean(name string, names []string) string {
	if n := hint.Nearest(name, names); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// nearColumn is the hint for a column that is not among names: the nearest one,
// or all if they are few.
func nearColumn(name string, names []string) string {
	if h := didYouMean(name, names); h != "" || len(names) == 0 || len(names) > 8 {
		return h
	}
	if len(names) == 1 {
		return "there is " + names[0]
	}
	return "there are " + strings.Join(names, ", ")
}

// tableColumn finds a column of a table by name.
func tableColumn(def *storage.TableDef, name parse.Ident) (int, error) {
	if i := def.Column(name.Name); i >= 0 {
		return i, nil
	}
	var names, found []string
	for _, c := range def.Columns {
		names = append(names, c.Name)
		if name.Means(c.Name) {
			found = append(found, c.Name)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return def.Column(found[0]), nil
	default:
		return 0, parse.Errorf(name.Pos, "column %q could be %s", name.Name, strings.Join(quoteAll(found), " or ")).WithHint("in double quotes a name's case counts")
	}
	return 0, parse.Errorf(name.Pos, "no column %q in %s", name.Name, def.Name).WithHint("%s", nearColumn(name.Name, names)).Because(&storage.NoColumnError{Table: def.Name, Column: name.Name})
}

// encodingOf returns the encoding of a table's column, nil without an encoder.
func encodingOf(def *storage.TableDef, i int) *encoding {
	c := &def.Columns[i]
	if c.Encoder == "" {
		return nil
	}
	return &encoding{name: c.Encoder, model: c.Model, table: def.Name, col: c.Name, dim: c.Type.Dim}
}

// open opens the encoder of a column, once for a statement.
func (b *binder) open(e *encoding, pos parse.Pos) error {
	key := e.name + "\x00" + e.table + "\x00" + e.col
	if b.encoders[key] != nil {
		return nil
	}
	enc, err := b.openEncoder(b.ctx, e, pos)
	b.encoders[key] = enc
	if err == nil && b.in.Warn != nil {
		if w := enc.Model().ProcessorWarning(e.model); w != "" {
			b.in.Warn(fmt.Sprintf("%s.%s: %s", e.table, e.col, w))
		}
	}
	return err
}

// openEncoder opens the encoder of a column and checks that it is the one the column
// was filled with.
func (b *binder) openEncoder(ctx context.Context, e *encoding, pos parse.Pos) (encoder.Encoder, error) {
	enc, err := b.find(ctx, e.name, e.model.Location)
	if err != nil {
		return nil, encoderError(pos, err)
	}
	m := enc.Model()
	if m.Dim != e.dim {
		return nil, parse.Errorf(pos, "encoder %s makes vectors of %d dimensions, %s.%s has %d", m.Name, m.Dim, e.table, e.col, e.dim)
	}
	if e.model.Hash != "" && m.Hash != e.model.Hash {
		return nil, &PlacedError{pos, &encoder.MismatchError{Table: e.table, Column: e.col, Stored: e.model, Given: m}}
	}
	return enc, nil
}

// find opens an encoder by name, or failing that from where it was once found.
func (b *binder) find(ctx context.Context, name, location string) (encoder.Encoder, error) {
	if b.in.Encoder == nil {
		return nil, &encoder.NotFoundError{Name: name}
	}
	enc, err := b.in.Encoder(ctx, name)
	var missing *encoder.NotFoundError
	if errors.As(err, &missing) && location != "" {
		there := encoder.ParseSpec(name)
		there.Name = location
		if other, err2 := b.in.Encoder(ctx, there.String()); err2 == nil {
			return other, nil
		}
	}
	return enc, err
}

// encoderError gives an error about an encoder its place, and a hint if its
// name is like a known one.
func encoderError(pos parse.Pos, err error) error {
	var missing *encoder.NotFoundError
	if errors.As(err, &missing) {
		e := parse.Errorf(pos, "%v", missing)
		if !strings.Contains(e.Msg, "did you mean") {
			e.Hint = didYouMean(missing.Name, missing.Known)
		}
		return &hintedError{e, err}
	}
	return errorAt(pos, err)
}

// hintedError is a *parse.Error that wraps what it is made of.
type hintedError struct {
	placed *parse.Error
	cause  error
}

func (e *hintedError) Error() string   { return e.placed.Error() }
func (e *hintedError) Unwrap() []error { return []error{e.placed, e.cause} }

func (b *binder) param(p *parse.Param) (value.Value, error) { return b.in.param(p) }

// param returns the value of a parameter.
func (in *Input) param(p *parse.Param) (value.Value, error) {
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
