package bind

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// tableFuncs are the functions of FROM: the format each reads.
var tableFuncs = map[string]string{
	"read_npy": "npy", "read_csv": "csv", "read_tsv": "tsv", "read_jsonl": "jsonl",
	"read_parquet": "parquet", "read_fvecs": "fvecs", "read_safetensors": "safetensors", "read_hdf5": "hdf5", "images": "", "frames": "",
}

// plannedFuncs are the functions of FROM that have a plan of their own.
var plannedFuncs map[string]func(*Binder, *parse.TableFunc, *Scope) (*logical.Relation, error)

func init() { // they bind expressions, in which table functions are looked for
	plannedFuncs = map[string]func(*Binder, *parse.TableFunc, *Scope) (*logical.Relation, error){
		duplicatesFunc: (*Binder).duplicates, watchedFunc: (*Binder).watched, whyFunc: (*Binder).why,
	}
}

// TableFunctions returns the names of the table functions, for completion.
func TableFunctions() []string {
	names := slices.Collect(maps.Keys(plannedFuncs))
	for n := range tableFuncs {
		names = append(names, n)
	}
	for n := range rowFuncs {
		if !strings.Contains(n, ".") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// tableFunc binds a table function: read_csv('a.csv', header => true).
func (b *Binder) tableFunc(t *parse.TableFunc, s *Scope) (*logical.Relation, error) {
	name := strings.ToLower(t.Func.Name)
	if bind := plannedFuncs[name]; bind != nil {
		return bind(b, t, s)
	}
	if f := rowFuncs[name]; f != nil {
		return b.rowFunc(t, f, s)
	}
	if t.Ordinality {
		return nil, parse.Errorf(t.Pos, "WITH ORDINALITY is for functions of values, such as unnest").WithHint("row_number() OVER () numbers rows")
	}
	format, ok := tableFuncs[name]
	if !ok {
		if _, known := fn.Lookup(name); known {
			return nil, parse.Errorf(t.Func.Pos, "%s gives a value, not a table", name).WithHint("without FROM: SELECT %s(...)", name)
		}
		what := hint.Question(name, TableFunctions())
		if f, err := source.FormatOf("x." + strings.TrimPrefix(name, "read_")); err == nil {
			what = fmt.Sprintf("read_%s reads such files", f) // read_npz, read_json
		}
		return nil, parse.Errorf(t.Func.Pos, "no table function %q", t.Func.Name).WithHint("%s", what)
	}
	if len(t.Args) == 0 || (name == "images" || name == "frames") && len(t.Args) > 1 {
		what := "the path of a file"
		switch name {
		case "images":
			what = "a pattern of paths"
		case "frames":
			what = "the path of a video"
		}
		return nil, parse.Errorf(t.Pos, "%s takes %s; got %d arguments", name, what, len(t.Args))
	}
	var paths []string
	for _, a := range t.Args {
		path, err := b.Path(a, name)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	opts, err := b.Options(t.Options)
	if err != nil {
		return nil, err
	}
	var open func() (source.Reader, error)
	var pictures *source.Pictures
	var o source.Options
	switch name {
	case "frames":
		if o, err = source.FramesOptions(opts); err != nil {
			return nil, logical.ErrorAt(t.Pos, err)
		}
		open = func() (source.Reader, error) { return source.OpenFrames(paths[0], o) }
	default:
		if _, o, err = source.ParseOptions(format, source.TableFunc, opts); err != nil {
			return nil, logical.ErrorAt(t.Pos, err)
		}
		o.Infer, o.Stop = true, b.Ctx.Err
		open = func() (source.Reader, error) { return source.OpenAll(paths, format, o) }
	case "images":
		if o, err = source.PicturesOptions(opts); err != nil {
			return nil, logical.ErrorAt(t.Pos, err)
		}
		// The files are looked for once: a statement reads those that it was planned for.
		if pictures, err = source.FindPictures(b.Ctx, paths[0], o); err != nil {
			return nil, logical.ErrorAt(t.Args[0].Position(), err)
		}
		open = func() (source.Reader, error) { return pictures.Open(), nil }
	}
	r, err := open()
	if err != nil {
		return nil, logical.ErrorAt(t.Args[0].Position(), err)
	}
	cols := r.Columns()
	rows := float64(r.Rows())
	if rows < 0 {
		rows = 10000
	}
	open = b.Again(r, open)
	n := &logical.Source{Text: t.String(), Rows: rows}
	for _, c := range cols {
		n.Outs = append(n.Outs, &logical.Column{Table: cmp.Or(t.Alias.Name, name), Name: c.Name, Type: c.Type})
	}
	if n.Images = pictures != nil; n.Images {
		n.Fast, n.Pixels = o.Fast, o.Pixels
		for _, c := range cols {
			n.Names = append(n.Names, c.Name)
		}
		b.tally(paths[0], pictures)
	} else if b.In.Env.Tally == nil {
		b.In.Env.Tally = &exec.Tally{}
	}
	b.Once = true
	n.Open = func(env *exec.Env, want []int) (exec.Operator, error) {
		r, err := open()
		if err != nil {
			return nil, logical.ErrorAt(t.Args[0].Position(), err)
		}
		if err := r.Project(want, nil); err != nil {
			r.Close()
			return nil, logical.ErrorAt(t.Pos, err)
		}
		if n.Images {
			env.Pictures = r.Progress
		}
		return &exec.ReadSource{Env: env, Reader: r, Text: n.Text, Count: !n.Images}, nil
	}
	rel := &logical.Relation{Node: n, Cols: n.Outs}
	if n.Images {
		for _, c := range n.Outs {
			if source.ImageHidden(c.Name) {
				c.Hidden = true
			}
		}
	}
	return rel, rename(rel.Cols, t.Columns)
}

// Again returns what gives r, which was opened to know its columns, when it is called
// first, and then opens another one each time: finding columns may take as long as reading.
func (b *Binder) Again(r source.Reader, open func() (source.Reader, error)) func() (source.Reader, error) {
	if b.How.Describe { // there will be no run
		r.Close()
		return open
	}
	var first atomic.Pointer[source.Reader] // what is never used, its file's finalizer closes
	first.Store(&r)
	return func() (source.Reader, error) {
		if r := first.Swap(nil); r != nil {
			return *r, nil
		}
		return open()
	}
}

// tally counts what images() found and what it left out, and says so at once
// where there would be no other word of it.
func (b *Binder) tally(pattern string, p *source.Pictures) {
	env := &b.In.Env
	if env.Tally == nil {
		env.Tally = &exec.Tally{}
	}
	t := env.Tally
	t.Pictures = true
	t.Found += int64(p.Len())
	for kind, n := range p.Skipped() {
		t.Skip(kind, n)
	}
	t.Failed += int64(len(p.Failed()))
	if b.In.Describe || env.Warn == nil {
		return
	}
	for _, err := range p.Failed() {
		env.Warn(fmt.Sprintf("%v; what is in it is left out", err))
	}
	if p.Len() == 0 {
		only := exec.Tally{Skipped: p.Skipped(), Failed: int64(len(p.Failed()))}
		env.Warn(fmt.Sprintf("images(%s): no pictures found; %s", value.Quote(pattern), only.Rest()))
	}
}

// Path evaluates a file's name and checks that files may be used.
func (b *Binder) Path(e parse.Expr, what string) (string, error) {
	text, err := b.Text(e, what, "the path of a file")
	if err != nil {
		return "", err
	}
	if b.In.NoFiles {
		return "", parse.Errorf(e.Position(), "this program does not let statements use files")
	}
	path, err := source.ExpandHome(text)
	if err != nil {
		return "", logical.ErrorAt(e.Position(), err)
	}
	return path, nil
}

// Text evaluates an expression that has to be a text.
func (b *Binder) Text(e parse.Expr, what, meaning string) (string, error) {
	x, err := b.Expr(&Scope{Inside: what}, e)
	if err != nil {
		return "", err
	}
	x, ok, err := b.constOf(x)
	if err != nil {
		return "", err
	}
	if !ok || x.Value.Kind() != value.Text {
		return "", parse.Errorf(e.Position(), "%s needs a text: %s", what, meaning)
	}
	return x.Value.Str(), nil
}

// Options evaluates the options of COPY and of table functions.
func (b *Binder) Options(opts []parse.Option) ([]source.Option, error) {
	var out []source.Option
	for _, o := range opts {
		s := source.Option{Name: o.Name}
		if o.Value != nil {
			x, err := b.Expr(&Scope{Inside: "an option"}, o.Value)
			if err != nil {
				return nil, err
			}
			x, ok, err := b.constOf(x)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, parse.Errorf(o.Value.Position(), "an option needs a constant value")
			}
			s.Value, s.HasValue = x.Value, true
		}
		out = append(out, s)
	}
	return out, nil
}
