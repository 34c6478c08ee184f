package plan

import (
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Import reports whether an INSERT outside of a transaction is one of pictures
// that can be run again: it reads images() and says what becomes of rows that
// are there. It is committed in portions; see exec.Import.
func Import(s *parse.Insert) bool {
	if s.Query == nil || s.OnConflict == nil || len(s.Returning) > 0 {
		return false
	}
	found := false
	parse.Walk(s.Query, func(n parse.Node) bool {
		if f, ok := n.(*parse.TableFunc); ok && strings.EqualFold(f.Func.Name, "images") {
			found = true
		}
		return !found
	})
	return found
}

// present says which rows of an import of pictures are in the table already, so
// that their pictures need not be encoded: those whose primary key is there, and
// where the table keeps the size and time of files, whose file is still the same.
type present struct {
	table  *storage.Table
	key    int   // item with the primary key
	same   []int // items that have to equal the columns of the row that is there
	report bool  // rows whose key is there and that differ are left out as well, and reported
}

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

// origin follows a column down to what it is computed from, and the node that
// computes it.
func origin(n node, e *expr) (node, *expr) {
	if e.op != opColumn {
		return n, e
	}
	switch n := n.(type) {
	case *projectNode:
		if i := slices.Index(n.outs, e.col); i >= 0 {
			return origin(n.in, n.items[i])
		}
	case *aliasNode:
		if i := slices.Index(n.outs, e.col); i >= 0 {
			return origin(n.in, columnExpr(n.from[i], e.pos))
		}
	}
	for _, in := range n.inputs() {
		if contains(in.columns(), e.col) {
			return origin(in, e)
		}
	}
	return n, e
}

// fileColumn returns the name of the column of images() that e is, "" if it is
// anything else.
func fileColumn(n node, e *expr) string {
	n, e = origin(n, e)
	if s, ok := n.(*sourceNode); ok && s.images && e.op == opColumn {
		if i := slices.Index(s.outs, e.col); i >= 0 {
			return s.names[i]
		}
	}
	return ""
}

// fastPictures reports whether e is the path of a picture of images(..., fast => true).
func fastPictures(n node, e *expr) bool {
	n, _ = origin(n, e)
	s, ok := n.(*sourceNode)
	return ok && s.fast
}
