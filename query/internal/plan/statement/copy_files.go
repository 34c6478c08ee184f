package statement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// files binds the files of a COPY: their columns in order, zipped by position.
func (b *planner) files(s *parse.CopyFrom, def *storage.TableDef, ords []int) (*logical.Relation, error) {
	opts, err := b.Options(s.Options)
	if err != nil {
		return nil, err
	}
	types := make([]value.Type, len(ords))
	var names []string
	for i, o := range ords {
		c := &def.Columns[o]
		types[i] = c.Type
		if c.Type.Kind == value.Vector && bind.EncodingOf(def, o) != nil {
			types[i] = value.Type{} // a text may stand for a vector
		}
		names = append(names, c.Name)
	}
	var paths []string
	for _, f := range s.Files {
		p, err := b.Path(f, "COPY")
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	var unread []string
	open := func() (source.Reader, error) {
		unread = nil
		var readers []source.Reader
		fail := func(err error) (source.Reader, error) {
			for _, r := range readers {
				r.Close()
			}
			return nil, err
		}
		at := 0
		for i, p := range paths {
			format, ferr := source.FormatOf(p)
			if ferr != nil {
				format = formatOption(opts)
				if format == "" {
					return fail(logical.ErrorAt(s.Files[i].Position(), ferr))
				}
			}
			fopts := opts
			if len(paths) > 1 && formatOption(opts) == "" {
				fopts = fitting(format, opts)
			}
			name, o, err := source.ParseOptions(format, source.Import, fopts)
			if err != nil {
				return fail(logical.ErrorAt(optionsPos(s), err))
			}
			o.Names, o.Stop = names, b.Ctx.Err
			r, err := source.Open(p, name, o)
			if err != nil {
				return fail(logical.ErrorAt(s.Files[i].Position(), err))
			}
			readers = append(readers, r)
			cols := r.Columns()
			n := len(cols)
			pickCols, ok, err := byName(cols, names, len(paths) == 1 && source.Named(r), def.Name)
			if err != nil {
				return fail(parse.Errorf(s.Files[i].Position(), "%s %v", p, err))
			}
			if !ok {
				if at+n > len(ords) {
					if len(paths) == 1 {
						return fail(parse.Errorf(s.Files[i].Position(), "%s has %s, to go into %s of %s; name them: COPY %s (...) FROM ...", p, logical.Counted(n, "column"), logical.Counted(len(ords), "column"), def.Name, def.Name))
					}
					return fail(parse.Errorf(s.Files[i].Position(), "%s has %s, but only %d are left of those to be filled", p, logical.Counted(n, "column"), len(ords)-at))
				}
				pickCols = nil
				for k := range n {
					pickCols = append(pickCols, k)
				}
			}
			if at+len(pickCols) > len(types) {
				pickCols = pickCols[:len(types)-at]
			}
			for k, c := range cols {
				if !slices.Contains(pickCols, k) && len(s.Columns) == 0 { // who names columns knows
					unread = append(unread, c.Name)
				}
			}
			want := types[at : at+len(pickCols)]
			if name == "parquet" { // where no text is read as anything else
				want = nil
				for _, o := range ords[at : at+len(pickCols)] {
					want = append(want, def.Columns[o].Type)
				}
			}
			if err := r.Project(pickCols, want); err != nil {
				return fail(logical.ErrorAt(s.Files[i].Position(), err))
			}
			for k, got := range r.Columns() {
				want := def.Columns[ords[at+k]]
				if _, err := fn.Cast(got.Type, want.Type, fn.Assignment); err != nil && want.Type.Kind != value.Vector {
					return fail(parse.Errorf(s.Files[i].Position(), "%s has %v where %s is %v; list the columns in the order of the files: COPY %s (...) FROM ...", p, got.Type, want.Name, want.Type, def.Name))
				}
			}
			at += len(pickCols)
		}
		if at < len(ords) {
			hint := ""
			if format, err := source.FormatOf(paths[0]); len(paths) == 1 && at == 1 && (err != nil || format == "csv" || format == "tsv") {
				hint = "if something else than the usual delimiters stands between fields, name it: (DELIMITER ':')"
			}
			return fail(parse.Errorf(s.Files[0].Position(), "the files have %s, but %d are to be filled: %s has nothing", logical.Counted(at, "column"), len(ords), names[at]).WithHint("%s", hint))
		}
		z, err := source.Zip(readers, paths)
		if err != nil {
			return fail(logical.ErrorAt(s.Files[0].Position(), err))
		}
		return z, nil
	}
	r, err := open()
	if err != nil {
		return nil, err
	}
	n := &logical.Source{Text: joined(paths)}
	for i, c := range r.Columns() {
		pos := s.Files[min(i, len(s.Files)-1)].Position()
		col := &logical.Column{Name: c.Name, Type: c.Type}
		if i < len(ords) {
			want := def.Columns[ords[i]].Type
			if want.Kind == value.Vector && c.Type.Kind == value.Vector && c.Type.Dim > 0 && c.Type.Dim != want.Dim {
				r.Close()
				return nil, parse.Errorf(pos, "vectors of the file have %d dimensions, %s has %d", c.Type.Dim, def.Columns[ords[i]].Name, want.Dim)
			}
		}
		n.Outs = append(n.Outs, col)
	}
	n.Rows = float64(r.Rows())
	open = b.Again(r, open)
	b.Once = true
	if b.In.Env.Tally == nil {
		b.In.Env.Tally = &exec.Tally{}
	}
	b.In.Env.Tally.Unread = unread
	n.Open = func(env *exec.Env, want []int) (exec.Operator, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return &exec.ReadSource{Env: env, Reader: r, Text: n.Text, Stage: "reading " + n.Text, Pick: want, Count: true}, nil
	}
	return &logical.Relation{Node: n, Cols: n.Outs}, nil
}

func joined(paths []string) string {
	s := ""
	for i, p := range paths {
		if i > 0 {
			s += ", "
		}
		s += p
	}
	return s
}

// formatOption returns the FORMAT of the options, "" without one.
func formatOption(opts []source.Option) string {
	for _, o := range opts {
		if o.Name == "format" && o.Value.Kind() == value.Text {
			return o.Value.Str()
		}
	}
	return ""
}

// fitting are those options that a format knows, for files of several formats.
func fitting(format string, opts []source.Option) []source.Option {
	var out []source.Option
	for _, o := range opts {
		if _, _, err := source.ParseOptions(format, source.Import, []source.Option{o}); err == nil {
			out = append(out, o)
		}
	}
	return out
}

func optionsPos(s *parse.CopyFrom) parse.Pos {
	if len(s.Options) > 0 {
		return s.Options[0].Pos
	}
	return s.Pos
}

// byName picks the file's columns that have the names of the columns to be filled. Names
// match whatever their case. A file in which some of the names are found and others are
// not is an error; where none is found, its columns count by their order, and ok is false.
func byName(cols []source.Column, names []string, named bool, table string) (pick []int, ok bool, err error) {
	if !named {
		return nil, false, nil
	}
	var found, missing, there []string
	for _, n := range names {
		at := slices.IndexFunc(cols, func(c source.Column) bool { return c.Name == n })
		if at < 0 {
			at = slices.IndexFunc(cols, func(c source.Column) bool { return strings.EqualFold(c.Name, n) })
		}
		if at < 0 {
			missing = append(missing, n)
			continue
		}
		found = append(found, n)
		pick = append(pick, at)
	}
	if len(found) == 0 {
		return nil, false, nil
	}
	if len(missing) > 0 {
		for _, c := range cols {
			there = append(there, c.Name)
		}
		return nil, false, fmt.Errorf("has no column %s (there are %s); name those to be filled: COPY %s (%s) FROM ...",
			strings.Join(missing, ", "), strings.Join(there, ", "), table, strings.Join(found, ", "))
	}
	return pick, true, nil
}
