package statement

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/bind"
	"github.com/lupadb/lupa/query/internal/plan/build"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/plan/optimize"
	"github.com/lupadb/lupa/query/internal/plan/run"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// copyTo plans COPY t | (query) TO 'file'.
func (b *planner) copyTo(s *parse.CopyTo) (*run.Plan, error) {
	path, err := b.Path(s.File, "COPY")
	if err != nil {
		return nil, err
	}
	var rel *logical.Relation
	if s.Query != nil {
		if rel, err = b.Query(s.Query, nil, nil); err != nil {
			return nil, err
		}
	} else {
		def, scan, err := b.anyTable(s.Table)
		if err != nil {
			return nil, err
		}
		ords, err := bind.TargetColumns(def, s.Columns)
		if err != nil {
			return nil, err
		}
		rel = &logical.Relation{Node: scan.Node}
		for _, o := range ords {
			rel.Cols = append(rel.Cols, scan.Cols[o])
		}
	}
	opts, err := b.Options(s.Options)
	if err != nil {
		return nil, err
	}
	format, ferr := source.FormatOf(path)
	if ferr != nil {
		if format = formatOption(opts); format == "" {
			return nil, logical.ErrorAt(s.File.Position(), ferr)
		}
	}
	pos := s.Pos
	if len(s.Options) > 0 {
		pos = s.Options[0].Pos
	}
	format, o, err := source.ParseOptions(format, source.Export, opts)
	if err != nil {
		return nil, logical.ErrorAt(pos, err)
	}
	if rel, err = b.improved(rel, optimize.Kept); err != nil {
		return nil, err
	}
	var cols []source.Column
	for _, c := range rel.Cols {
		t := c.Type
		if t.Kind == value.Null {
			t = logical.TextType
		}
		cols = append(cols, source.Column{Name: c.Name, Type: t})
	}
	b.Once = true
	return b.planned(nil, func(b *build.Builder) (exec.Operator, func() int64, error) {
		child, err := b.Root(rel.Node, rel.Cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewExport(child, &b.Env, path, func() (source.Writer, error) {
			w, err := source.Create(path, format, cols, o)
			return w, logical.ErrorAt(s.File.Position(), err)
		})
		return b.Analyzed(op), func() int64 { return op.Affected }, nil
	}), nil
}
