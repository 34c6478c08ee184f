package plan

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// tableFuncs are the functions of FROM: the format each reads.
var tableFuncs = map[string]string{
	"read_npy": "npy", "read_csv": "csv", "read_tsv": "tsv", "read_jsonl": "jsonl",
	"read_parquet": "parquet", "read_fvecs": "fvecs", "images": "",
}

// TableFunctions returns the names of the table functions, for completion.
func TableFunctions() []string {
	var names []string
	for n := range tableFuncs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// tableFunc binds a table function: read_csv('a.csv', header => true).
func (b *binder) tableFunc(t *parse.TableFunc) (*relation, error) {
	name := strings.ToLower(t.Func.Name)
	format, ok := tableFuncs[name]
	if !ok {
		if _, known := fn.Lookup(name); known {
			return nil, parse.Errorf(t.Func.Pos, "%s gives a value, not a table", name).WithHint("without FROM: SELECT %s(...)", name)
		}
		return nil, parse.Errorf(t.Func.Pos, "no table function %q", t.Func.Name).WithHint("%s", didYouMean(name, TableFunctions()))
	}
	if len(t.Args) != 1 {
		what := "the path of a file"
		if name == "images" {
			what = "a pattern of paths"
		}
		return nil, parse.Errorf(t.Pos, "%s takes %s; got %d arguments", name, what, len(t.Args))
	}
	path, err := b.path(t.Args[0], name)
	if err != nil {
		return nil, err
	}
	opts, err := b.options(t.Options)
	if err != nil {
		return nil, err
	}
	open := func() (source.Reader, error) { return source.Images(path, source.Options{}) }
	if name != "images" {
		_, o, err := source.ParseOptions(format, source.TableFunc, opts)
		if err != nil {
			return nil, errorAt(t.Pos, err)
		}
		o.Infer, o.Stop = true, b.ctx.Err
		open = func() (source.Reader, error) { return source.Open(path, format, o) }
	} else if len(opts) > 0 {
		return nil, parse.Errorf(t.Options[0].Pos, "images takes no options")
	}
	r, err := open()
	if err != nil {
		return nil, errorAt(t.Args[0].Position(), err)
	}
	cols := r.Columns()
	rows := float64(r.Rows())
	if rows < 0 {
		rows = 10000
	}
	r.Close()
	n := &sourceNode{text: t.String(), rows: rows}
	for _, c := range cols {
		n.outs = append(n.outs, &column{table: orElse(t.Alias.Name, name), name: c.Name, typ: c.Type})
	}
	if n.images = name == "images"; n.images {
		for _, c := range cols {
			n.names = append(n.names, c.Name)
		}
	}
	n.open = func(want []int) (exec.Operator, error) {
		r, err := open()
		if err != nil {
			return nil, errorAt(t.Args[0].Position(), err)
		}
		if err := r.Project(want, nil); err != nil {
			r.Close()
			return nil, errorAt(t.Pos, err)
		}
		if n.images {
			b.in.Env.Pictures = r.Progress
		}
		return &exec.ReadSource{Env: &b.in.Env, Reader: r, Text: n.text}, nil
	}
	rel := &relation{n, n.outs}
	if n.images {
		// The reason why a picture can't be read is there when asked for by name.
		for _, c := range n.outs {
			if c.name == source.ImageError {
				c.hidden = true
			}
		}
	}
	return rel, rename(rel.cols, t.Columns)
}

// path evaluates a file's name and checks that files may be used.
func (b *binder) path(e parse.Expr, what string) (string, error) {
	x, err := b.expr(&scope{inside: what}, e)
	if err != nil {
		return "", err
	}
	if !isConst(x) || x.val.Kind() != value.Text {
		return "", parse.Errorf(e.Position(), "%s needs a text: the path of a file", what)
	}
	if b.in.NoFiles {
		return "", parse.Errorf(e.Position(), "this program does not let statements use files")
	}
	return x.val.Str(), nil
}

// options evaluates the options of COPY and of table functions.
func (b *binder) options(opts []parse.Option) ([]source.Option, error) {
	var out []source.Option
	for _, o := range opts {
		s := source.Option{Name: o.Name}
		if o.Value != nil {
			x, err := b.expr(&scope{inside: "an option"}, o.Value)
			if err != nil {
				return nil, err
			}
			if !isConst(x) {
				return nil, parse.Errorf(o.Value.Position(), "an option needs a constant value")
			}
			s.Value, s.HasValue = x.val, true
		}
		out = append(out, s)
	}
	return out, nil
}

// maxPicture bounds the size of a picture's file.
const maxPicture = 256 << 20

// readFile reads a picture for image(): a path, or an address if those are
// allowed.
func (b *binder) readFile(ctx context.Context, path string) ([]byte, error) {
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		if !b.in.AllowURLs {
			return nil, fmt.Errorf("%s: addresses are not allowed here (AllowURLs)", path)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, res.Status)
		}
		return readAtMost(res.Body, path)
	}
	if b.in.NoFiles {
		return nil, fmt.Errorf("this program does not let statements use files")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, path)
}

func readAtMost(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPicture+1))
	if err == nil && len(data) > maxPicture {
		err = fmt.Errorf("%s: larger than %d MiB", name, maxPicture>>20)
	}
	return data, err
}
