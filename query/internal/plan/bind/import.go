package bind

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// present finds out what is in the table already for an INSERT ... ON CONFLICT
// of the given rows; nil means that all rows have to be encoded to tell.
func (b *Binder) present(s *parse.Insert, table *storage.Table, opts storage.InsertOptions, full *logical.Project) *logical.Present {
	def := table.Def()
	if s.OnConflict == nil || def.PrimaryKey < 0 || opts.Targets != nil && opts.Targets[0] != storage.PrimaryKeyTarget {
		return nil
	}
	p := &logical.Present{Table: table, Key: def.PrimaryKey, Report: s.OnConflict.Set == nil}
	if p.Report {
		for i, e := range full.Items {
			if c := logical.FileColumn(full.In, e); c == source.ImageModified || c == source.ImageBytes {
				p.Same = append(p.Same, i)
			}
		}
		return p
	}
	// DO UPDATE changes nothing where it sets what is there already. The vector of
	// a picture is what it was when the file's time is.
	timed := false
	for i := range s.OnConflict.Set {
		a := &s.OnConflict.Set[i]
		ref, ok := a.Value.(*parse.ColumnRef)
		if !ok || !ref.Table.Means("excluded") || !ref.Name.Means(a.Column.Name) {
			return nil
		}
		o, err := TableColumn(def, a.Column)
		if err != nil {
			return nil
		}
		item := full.Items[o]
		if def.Columns[o].Type.Kind == value.Vector {
			if _, e := logical.Origin(full.In, item); e.Op != logical.OpImage {
				return nil
			}
			continue
		}
		timed = timed || logical.FileColumn(full.In, item) == source.ImageModified
		p.Same = append(p.Same, o)
	}
	if !timed {
		return nil
	}
	return p
}
