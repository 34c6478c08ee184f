package statement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// A column is encoded anew in two steps. First a table beside it is filled with a vector for
// each source, text or picture, that its rows have: in portions that are committed, so that
// it goes on where it was when it is run again, while the column serves as before. Rows that
// come or change meanwhile make another round. Then one commit gives the column its new
// vectors, and the table beside goes.

// reencodePrefix begins the names of tables with vectors that are not yet those of a column;
// the IDs of table and column follow.
const reencodePrefix = "lupa_reencode_"

func reencodeTable(table, column uint32) string {
	return fmt.Sprintf("%s%d_%d", reencodePrefix, table, column)
}

// dropReencoded removes what was encoded for columns of a table that goes, or for one column
// of it.
func dropReencoded(ctx context.Context, tx *storage.Tx, table uint32, column uint32, all bool) error {
	for _, d := range tx.Tables() {
		of, ok := strings.CutPrefix(d.Name, fmt.Sprintf("%s%d_", reencodePrefix, table))
		if ok && (all || of == fmt.Sprint(column)) {
			if err := tx.DropTable(ctx, d.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// reencoding is ALTER TABLE ... SET ENCODER ... REENCODE FROM at work.
type reencoding struct {
	a        *parse.SetEncoder
	r        *build.Builder
	table    uint32 // ID
	column   storage.ColumnDef
	model    encoder.Model
	pictures bool
	source   parse.Expr // of the text, or of the picture's path or bytes

	tried   map[exec.SourceKey]struct{}  // sources that were encoded, or could not be
	late    map[exec.SourceKey][]float32 // vectors of those that came last
	encoded int64
	name    string // of the table
}

// reencode plans SET ENCODER ... REENCODE FROM.
func (b *planner) reencode(a *parse.SetEncoder, def *storage.TableDef, ord int, m encoder.Model) (func(context.Context, *build.Builder) error, error) {
	if err := b.outside(a.Pos, "REENCODE"); err != nil {
		return nil, err
	}
	c := def.Columns[ord]
	x := &reencoding{a: a, table: def.ID, column: c, model: m, source: a.From, name: def.Name}
	if call, ok := a.From.(*parse.Call); ok && strings.EqualFold(call.Func.Name, "image") {
		if len(call.Args) != 1 {
			return nil, parse.Errorf(call.Pos, "image takes one argument, the path of a picture or its bytes; got %d", len(call.Args))
		}
		x.pictures, x.source = true, call.Args[0]
	}
	rel, err := b.Query(x.sources(def.Name), nil, nil)
	if err != nil {
		return nil, err
	}
	if t := rel.Cols[0].Type; t.Kind != value.Text && !(x.pictures && t.Kind == value.Blob) {
		what := "a text, or image(...) of the path or the bytes of a picture"
		if x.pictures {
			what = "the path of a picture or its bytes"
		}
		return nil, parse.Errorf(a.From.Position(), "%s is encoded from %s, not from %v", c.Name, what, t)
	}
	if c.Default != "" {
		return nil, parse.Errorf(a.Pos, "%s has a DEFAULT, which is of the old model", c.Name).WithHint("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT first", parse.Quote(def.Name), parse.Quote(c.Name))
	}
	for _, k := range def.Checks {
		uses := false
		if e, err := parse.Parse("SELECT " + k.Expr); err == nil {
			parse.Walk(e, func(n parse.Node) bool {
				ref, ok := n.(*parse.ColumnRef)
				uses = uses || ok && ref.Name.Means(c.Name)
				return true
			})
		}
		if uses {
			return nil, parse.Errorf(a.Pos, "constraint %s of %s is about %s; drop it first", k.Name, def.Name, c.Name)
		}
	}
	return func(ctx context.Context, r *build.Builder) error {
		own := *x
		own.r = r
		return own.run(ctx)
	}, nil
}

// sources is the query for what the rows are encoded from, and whether they have no vector now.
func (x *reencoding) sources(table string) *parse.Select {
	old := &parse.ColumnRef{Pos: x.a.Pos, Name: exactly(x.column.Name)}
	return &parse.Select{Pos: x.a.Pos, Body: &parse.Core{
		Pos:   x.a.Pos,
		Items: []parse.SelectItem{{Pos: x.a.From.Position(), Expr: x.source}, {Pos: x.a.Pos, Expr: &parse.IsNull{Pos: x.a.Pos, X: old}}},
		From:  &parse.TableName{Pos: x.a.Pos, Table: exactly(table)},
	}}
}

func (x *reencoding) run(ctx context.Context) error {
	if err := x.prepare(ctx); err != nil {
		return err
	}
	x.tried = map[exec.SourceKey]struct{}{}
	for {
		if err := x.encode(ctx); err != nil {
			return err
		}
		again, err := x.swap(ctx)
		if err != nil {
			return err
		}
		if !again {
			return x.finish(ctx)
		}
	}
}

// in is the input of a statement that reads a view, or a transaction.
func (x *reencoding) in(v *storage.View, tx *storage.Tx) *bind.Input {
	in := *x.r.In
	in.Env = x.r.Env
	in.View, in.Tx = v, tx
	return &in
}

// find looks up the table as it is called now.
func (x *reencoding) find(v *storage.View) (*storage.Table, error) {
	for _, d := range v.Tables() {
		if d.ID == x.table {
			x.name = d.Name
			if d.ColumnID(x.column.ID) < 0 {
				return nil, parse.Errorf(x.a.Pos, "column %s of %s was changed in the meantime", x.column.Name, d.Name)
			}
			return v.Table(d.Name)
		}
	}
	return nil, &storage.NoTableError{Table: x.name}
}

// beside is the name of the table with the vectors.
func (x *reencoding) beside() string { return reencodeTable(x.table, x.column.ID) }

// prepare makes the table beside, unless there is one of an earlier run with the same model.
func (x *reencoding) prepare(ctx context.Context) error {
	tx, err := x.r.Env.Store.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := x.find(tx.View); err != nil {
		return err
	}
	t, err := tx.Table(x.beside())
	var none *storage.NoTableError
	switch {
	case errors.As(err, &none):
	case err != nil:
		return err
	case t.Def().Columns[1].Model.Same(x.model) && t.Def().Columns[1].Encoder == x.a.Encoder.Value.Str():
		return nil
	default: // of another model
		if err := tx.DropTable(ctx, x.beside()); err != nil {
			return err
		}
	}
	_, err = tx.CreateTable(ctx, storage.TableDef{Name: x.beside(), PrimaryKey: 0, Columns: []storage.ColumnDef{
		{Name: "source", Type: logical.TextType, NotNull: true},
		{Name: "vector", Type: value.Type{Kind: value.Vector, Dim: x.model.Dim}, NotNull: true, Encoder: x.a.Encoder.Value.Str(), Model: x.model},
	}})
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// encode adds the vectors of sources that have none.
func (x *reencoding) encode(ctx context.Context) error {
	v, err := x.r.Env.Store.Snapshot()
	if err != nil {
		return err
	}
	defer v.Close()
	t, err := x.find(v)
	if err != nil {
		return err
	}
	vectors, err := v.Table(x.beside())
	if err != nil {
		return err
	}
	in := x.in(v, nil)
	p, err := Make(ctx, in, x.sources(x.name))
	if err != nil {
		return err
	}
	run, _, err := p.Start(ctx, in)
	if err != nil {
		return err
	}
	missing := exec.NewUnencoded(run.Root, vectors)
	missing.Tried, missing.Stamp = x.tried, x.stamp(in)
	env := in.Env
	env.Tx = nil
	env.Pictures = func() (done, total int64) { return missing.Read, int64(t.Rows()) }
	op := x.encoder(missing, in, &env, vectors)
	into := exec.NewImport(op, &env, vectors.Def(), storage.InsertOptions{OnConflict: storage.ConflictSkip, Targets: []*storage.IndexDef{storage.PrimaryKeyTarget}}, nil)
	into.Stopped = func() string {
		return fmt.Sprintf("%d vectors for %s.%s are kept in table %s; run again, the statement goes on from there, or give them up with DROP TABLE %[4]s", into.Affected, x.name, x.column.Name, x.beside())
	}
	_, err = into.Next(ctx)
	for _, close := range []func() error{op.Close, run.Close} {
		if e := close(); err == nil {
			err = e
		}
	}
	x.encoded += into.Affected
	if err != nil {
		return err
	}
	return x.train(ctx)
}

// stamp tells how the files of pictures are, nil where there are none.
func (x *reencoding) stamp(in *bind.Input) func(path string) string {
	if !x.pictures {
		return nil
	}
	return in.PictureStamp
}

// encoder makes vectors of the sources of in, its second column.
func (x *reencoding) encoder(sources exec.Operator, in *bind.Input, env *exec.Env, vectors *storage.Table) exec.Operator {
	e := bind.EncodingOf(vectors.Def(), 1)
	open := func(ctx context.Context) (encoder.Encoder, error) { return in.OpenEncoder(ctx, e, x.a.Encoder.Pos) }
	if x.pictures {
		return exec.NewEncodeImages(sources, env, []exec.ImageJob{{Column: 1, Open: open, Dim: e.Dim, Pos: logical.At(x.a.From.Position())}}, in.ReadFile, in.Images)
	}
	return exec.NewEncodeTextColumn(sources, env, 1, e.Dim, open)
}

// train trains the codes of many vectors with queries such as searches ask for, so that the
// column has good ones from the first.
func (x *reencoding) train(ctx context.Context) error {
	v, err := x.r.Env.Store.Snapshot()
	if err != nil {
		return err
	}
	t, err := v.Table(x.beside())
	few := err != nil || t.Rows() < exec.SampledRows
	var def *storage.TableDef
	if err == nil {
		def = t.Def()
	}
	v.Close()
	if few || err != nil {
		return err
	}
	samples, err := querySamples(ctx, x.r.In, def)
	if err != nil {
		return err
	}
	return x.r.Env.Store.RetrainColumn(ctx, def.Name, "vector", samples[1], progress(x.r))
}

// lateRows is how many sources may have come since they were encoded for that to be made up
// for while nobody else can write: who writes all the time would never let this come to an end.
const lateRows = 256

// swap gives the column its new vectors. again says that rows have come meanwhile whose sources
// are not encoded.
func (x *reencoding) swap(ctx context.Context) (again bool, err error) {
	tx, err := x.r.Env.Store.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	tx.OneStatement()
	t, err := x.find(tx.View)
	if err != nil {
		return false, err
	}
	vectors, err := tx.Table(x.beside())
	if err != nil {
		return false, err
	}
	keys, missing, err := x.keys(ctx, tx, vectors)
	if err != nil {
		return false, err
	}
	if uint64(len(keys)) != t.Rows() {
		return false, parse.Errorf(x.a.From.Position(), "%s gives %d values for the %d rows of %s; one for each is needed", x.a.From, len(keys), t.Rows(), x.name)
	}
	if len(missing.late) > lateRows {
		return true, nil
	}
	if err := x.encodeLate(ctx, tx, &missing, vectors); err != nil {
		return false, err
	}
	if missing.rows > 0 && (!x.a.Force || x.column.NotNull) {
		return false, missing.error(x)
	}
	kind := value.Type{Kind: value.Vector, Dim: x.model.Dim, Half: x.column.Type.Half}
	at := 0
	err = tx.ReplaceVectors(ctx, x.name, t.Def().Columns[t.Def().ColumnID(x.column.ID)].Name, storage.NewVectors{
		Type: kind, Encoder: x.a.Encoder.Value.Str(), Model: x.model, Codes: vectors, CodesOf: 1,
		Vectors: func(ctx context.Context, rows []uint64, dst *value.Column) error {
			of := keys[at : at+len(rows)]
			at += len(rows)
			return x.vectorsOf(ctx, vectors, of, dst)
		},
	}, progress(x.r))
	if err != nil {
		return false, err
	}
	return false, tx.Commit(ctx)
}

// vectorsOf appends the vectors of sources to dst, NULL where there is none.
func (x *reencoding) vectorsOf(ctx context.Context, vectors *storage.Table, keys []exec.SourceKey, dst *value.Column) error {
	var rows []uint64
	at := make([]int, len(keys))
	place := map[uint64]int{}
	for i, k := range keys {
		at[i] = -1
		row, ok, err := vectors.Lookup(ctx, value.Str(k.String()))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p, known := place[row]
		if !known {
			p = len(rows)
			place[row] = p
			rows = append(rows, row)
		}
		at[i] = p
	}
	b, err := vectors.Fetch(ctx, rows, []int{1})
	if err != nil {
		return err
	}
	for i, p := range at {
		switch v := x.late[keys[i]]; {
		case p >= 0:
			dst.Append(i, value.Vec(b.Cols[0].Vec(p)))
		case v != nil:
			dst.Append(i, value.Vec(v))
		default:
			dst.Append(i, value.Value{})
		}
	}
	return nil
}

// lost tells of rows that would have no vector any more.
type lost struct {
	rows  int      // that have one now
	names []string // of some sources

	late map[exec.SourceKey]*lateSource // sources that were not encoded yet, some more than lateRows
}

// lateSource is the source of rows that have come, or were changed, last.
type lateSource struct {
	value value.Value
	lost  int // rows that it would leave without a vector
}

// lose counts rows that would be left without a vector.
func (m *lost) lose(name string, rows int) {
	if m.rows += rows; rows > 0 && len(m.names) < 3 && !slices.Contains(m.names, name) {
		m.names = append(m.names, name)
	}
}

// nameOf is what a source is called.
func nameOf(v value.Value) string {
	switch v.Kind() {
	case value.Null:
		return "NULL"
	case value.Text:
		if r := []rune(v.Str()); len(r) > 60 {
			return string(r[:60]) + "..."
		}
		return v.Str()
	}
	return "a picture"
}

// owned is a source that stays when the batch that it is from goes.
func owned(v value.Value) value.Value {
	return value.WithBody(v.Kind(), strings.Clone(v.Str()))
}

// encodeLate encodes the sources that came last.
func (x *reencoding) encodeLate(ctx context.Context, tx *storage.Tx, m *lost, vectors *storage.Table) error {
	x.late = map[exec.SourceKey][]float32{}
	if len(m.late) == 0 {
		return nil
	}
	in := x.in(nil, tx)
	b := &value.Batch{Len: len(m.late), Cols: []*value.Column{{Type: logical.TextType}, {}}}
	n := 0
	byName := map[string]exec.SourceKey{}
	for k, s := range m.late {
		if n == 0 {
			b.Cols[1].Type = s.value.Type()
		}
		b.Cols[0].Append(n, value.Str(k.String()))
		b.Cols[1].Append(n, s.value)
		byName[k.String()] = k
		x.tried[k] = struct{}{}
		n++
	}
	op := x.encoder(&exec.Values{Batches: []*value.Batch{b}}, in, &in.Env, vectors)
	err := exec.Drain(ctx, op, func(b *value.Batch) error {
		for _, i := range b.Selected() {
			x.late[byName[b.Cols[0].Strs[i]]] = slices.Clone(b.Cols[1].Vec(int(i)))
			x.encoded++
		}
		return nil
	})
	if e := op.Close(); err == nil {
		err = e
	}
	for k, s := range m.late {
		if x.late[k] == nil {
			m.lose(nameOf(s.value), s.lost)
		}
	}
	return err
}

// keys returns the keys of all rows' sources, in the order of the rows. The key of NULL is zero.
func (x *reencoding) keys(ctx context.Context, tx *storage.Tx, vectors *storage.Table) (keys []exec.SourceKey, m lost, err error) {
	in := x.in(nil, tx)
	p, err := Make(ctx, in, x.sources(x.name))
	if err != nil {
		return nil, m, err
	}
	run, _, err := p.Start(ctx, in)
	if err != nil {
		return nil, m, err
	}
	m.late = map[exec.SourceKey]*lateSource{}
	stamp := x.stamp(in)
	held := int64(0)
	defer func() { x.r.Env.Memory.Release(held) }()
	err = exec.Drain(ctx, run.Root, func(b *value.Batch) error {
		size := int64(b.Count()) * int64(len(exec.SourceKey{}))
		if err := x.r.Env.Memory.Reserve(size, "REENCODE"); err != nil {
			return err
		}
		held += size
		src, without := b.Cols[0], b.Cols[1]
		for _, i := range b.Selected() {
			v := src.Value(int(i))
			loses := 0
			if x.column.NotNull || !without.Bools[i] {
				loses = 1
			}
			if v.IsNull() {
				keys = append(keys, exec.SourceKey{})
				m.lose(nameOf(v), loses)
				continue
			}
			k := exec.KeyOfSource(v, stamp)
			keys = append(keys, k)
			_, there, err := vectors.Lookup(ctx, value.Str(k.String()))
			if err != nil {
				return err
			}
			_, tried := x.tried[k]
			switch {
			case there:
			case tried:
				m.lose(nameOf(v), loses)
			case m.late[k] != nil:
				m.late[k].lost += loses
			case len(m.late) <= lateRows:
				m.late[k] = &lateSource{owned(v), loses}
			}
		}
		progress(x.r)("comparing", uint64(len(keys)), uint64(vectors.Rows()))
		return nil
	})
	if e := run.Close(); err == nil {
		err = e
	}
	return keys, m, err
}

func (m *lost) error(x *reencoding) error {
	names := strings.Join(m.names, ", ")
	if m.rows > len(m.names) {
		names += ", ..."
	}
	e := parse.Errorf(x.a.Pos, "%s could not be encoded and would be left without a vector: %s; %s.%s is as it was", logical.Counted(m.rows, "row"), names, x.name, x.column.Name)
	if x.column.NotNull {
		return e.WithHint("delete these rows, or let the column be NULL; run again, the statement goes on with them")
	}
	return e.WithHint("run again, the statement goes on with these rows; with FORCE at its end they get NULL")
}

// finish drops the table beside, and has codes made where the vectors had none.
func (x *reencoding) finish(ctx context.Context) error {
	tx, err := x.r.Env.Store.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.DropTable(ctx, x.beside()); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if x.r.Env.Notice != nil {
		x.r.Env.Notice(fmt.Sprintf("%s.%s has vectors of %s; %d were encoded in this run", x.name, x.column.Name, x.model, x.encoded))
	}
	return nil
}
