package plan

import (
	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// copyTo plans COPY t | (query) TO 'file'.
func (b *planner) copyTo(s *parse.CopyTo) (*Plan, error) {
	path, err := b.path(s.File, "COPY")
	if err != nil {
		return nil, err
	}
	var rel *relation
	if s.Query != nil {
		if rel, err = b.query(s.Query, nil, nil); err != nil {
			return nil, err
		}
	} else {
		table, err := b.table(s.Table)
		if err != nil {
			return nil, err
		}
		ords, err := targetColumns(table.Def(), s.Columns)
		if err != nil {
			return nil, err
		}
		scan := scanOf(table, table.Def().Name)
		rel = &relation{node: scan.node}
		for _, o := range ords {
			rel.cols = append(rel.cols, scan.cols[o])
		}
	}
	opts, err := b.options(s.Options)
	if err != nil {
		return nil, err
	}
	format, ferr := source.FormatOf(path)
	if ferr != nil {
		if format = formatOption(opts); format == "" {
			return nil, errorAt(s.File.Position(), ferr)
		}
	}
	pos := s.Pos
	if len(s.Options) > 0 {
		pos = s.Options[0].Pos
	}
	format, o, err := source.ParseOptions(format, source.Export, opts)
	if err != nil {
		return nil, errorAt(pos, err)
	}
	if rel, err = b.improved(rel); err != nil {
		return nil, err
	}
	var cols []source.Column
	for _, c := range rel.cols {
		t := c.typ
		if t.Kind == value.Null {
			t = textType
		}
		cols = append(cols, source.Column{Name: c.name, Type: t})
	}
	b.once = true
	return b.planned(nil, func(b *builder) (exec.Operator, func() int64, error) {
		child, err := b.root(rel.node, rel.cols)
		if err != nil {
			return nil, nil, err
		}
		op := exec.NewExport(child, &b.env, path, func() (source.Writer, error) {
			w, err := source.Create(path, format, cols, o)
			return w, errorAt(s.File.Position(), err)
		})
		return b.measured(op), func() int64 { return op.Affected }, nil
	}), nil
}
