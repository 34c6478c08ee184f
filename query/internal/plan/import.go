package plan

import (
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// present finds out what is in the table already for an INSERT ... ON CONFLICT
// of the given rows; nil means that all rows have to be encoded to tell.
func (b *binder) present(s *parse.Insert, table *storage.Table, opts storage.InsertOptions, full *projectNode) *present {
	def := table.Def()
	if s.OnConflict == nil || def.PrimaryKey < 0 || opts.Target != nil && opts.Target != storage.PrimaryKeyTarget {
		return nil
	}
	p := &present{table: table, key: def.PrimaryKey, report: s.OnConflict.Set == nil}
	if p.report {
		for i, e := range full.items {
			if c := fileColumn(full.in, e); c == source.ImageModified || c == source.ImageBytes {
				p.same = append(p.same, i)
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
		o, err := tableColumn(def, a.Column)
		if err != nil {
			return nil
		}
		item := full.items[o]
		if def.Columns[o].Type.Kind == value.Vector {
			if _, e := origin(full.in, item); e.op != opImage {
				return nil
			}
			continue
		}
		timed = timed || fileColumn(full.in, item) == source.ImageModified
		p.same = append(p.same, o)
	}
	if !timed {
		return nil
	}
	return p
}
