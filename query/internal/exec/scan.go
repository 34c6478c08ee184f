package exec

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Scan reads columns of a table in row order, one block at a time.
type Scan struct {
	Env     *Env
	Table   *storage.Table
	Columns []int // positions in the table's definition
	// Within, if not nil, finds the rows to read, by an index or a key; the
	// others are left out.
	Within *Lookup

	// Transient: what is above keeps no text beyond a batch and asks for no row
	// numbers.
	Transient bool

	from, to uint32 // blocks of a part of the table; 0, 0 = all
	scanner  *storage.Scanner
	fetched  *emitter
	done     bool
}

// fetchLimit is the number of rows up to which single rows are fetched, rather
// than the blocks scanned that hold them.
const fetchLimit = 256

func (s *Scan) open(ctx context.Context) error {
	opts := storage.ScanOptions{Columns: s.Columns, FromBlock: s.from, ToBlock: s.to, Transient: s.Transient}
	if s.Within != nil {
		rows, set, err := s.Within.find(ctx, s.Table)
		if err != nil {
			return err
		}
		if set == nil {
			t := &rowsTable{}
			if len(rows) > 0 {
				b, err := s.Table.Fetch(ctx, rows, s.Columns)
				if err != nil {
					return err
				}
				t = &rowsTable{cols: b.Cols, rows: rows, n: len(rows)}
			}
			s.fetched = &emitter{t: t}
			return nil
		}
		opts.Filter = set
	}
	s.scanner = s.Table.Scan(opts)
	return nil
}

func (s *Scan) Next(ctx context.Context) (*value.Batch, error) {
	if s.done {
		return nil, nil
	}
	if s.scanner == nil && s.fetched == nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	if s.fetched != nil {
		return s.fetched.next(), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.scanner.Next(ctx)
	if b == nil {
		s.done = true
	}
	return b, err
}

func (s *Scan) Close() error {
	s.done = true
	if s.scanner == nil {
		return nil
	}
	sc := s.scanner
	s.scanner = nil
	return sc.Close()
}

func (s *Scan) Inputs() []Operator { return nil }

func (s *Scan) String() string {
	name := "Scan"
	if s.Within != nil {
		name = s.Within.String()
	}
	return name + " " + s.Table.Def().Name + columnList(s.Table.Def(), s.Columns)
}

// columnList is " (a, b)" or " (no column)".
func columnList(def *storage.TableDef, cols []int) string {
	if len(cols) == 0 {
		return " (no column)"
	}
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = def.Columns[c].Name
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// Lookup finds rows by the primary key or an index.
type Lookup struct {
	Index  *storage.IndexDef // nil = the primary key
	Keys   []value.Value     // rows whose key is one of these; nil: Ranges
	Ranges []storage.Range   // rows in any of these ranges
	First  int               // if not 0, only the first rows of the index, and those equal to the last one
	Text   string            // the condition, for EXPLAIN
}

// find returns the rows found: few as a list, in row order, else as a set.
func (l *Lookup) find(ctx context.Context, t *storage.Table) ([]uint64, *storage.RowSet, error) {
	var few []uint64
	if len(l.Ranges) == 0 && len(l.Keys) <= fetchLimit {
		for _, k := range l.Keys {
			row, ok, err := t.Lookup(ctx, k)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				few = append(few, row)
			}
		}
		slices.Sort(few)
		return slices.Compact(few), nil, nil
	}
	set, err := l.rows(ctx, t)
	if err != nil || set.Len() > fetchLimit {
		return nil, set, err
	}
	for r := range set.All() {
		few = append(few, r)
	}
	return few, nil, nil
}

// rows returns the rows found.
func (l *Lookup) rows(ctx context.Context, t *storage.Table) (*storage.RowSet, error) {
	set := new(storage.RowSet)
	for _, k := range l.Keys {
		row, ok, err := t.Lookup(ctx, k)
		if err != nil {
			return nil, err
		}
		if ok {
			set.Add(row)
		}
	}
	for _, r := range l.Ranges {
		r.Limit = l.First
		rows, err := t.IndexScan(ctx, l.Index, r)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			set.Add(row)
		}
		if l.First > 0 && len(rows) == l.First && r.Reverse {
			// Backwards, rows that are equal come in the wrong order.
			if err := l.addEqual(ctx, t, rows[len(rows)-1], set); err != nil {
				return nil, err
			}
		}
	}
	return set, nil
}

// addEqual adds the rows that have the same key as one in an index's first column.
func (l *Lookup) addEqual(ctx context.Context, t *storage.Table, row uint64, set *storage.RowSet) error {
	def := t.Def()
	ord := def.PrimaryKey
	if l.Index != nil {
		ord = def.ColumnID(l.Index.Columns[0])
	}
	b, err := t.Fetch(ctx, []uint64{row}, []int{ord})
	if err != nil {
		return err
	}
	rows, err := t.IndexScan(ctx, l.Index, storage.Range{Eq: []value.Value{b.Cols[0].Value(0)}})
	for _, r := range rows {
		set.Add(r)
	}
	return err
}

func (l *Lookup) String() string {
	if l.Index == nil {
		return fmt.Sprintf("KeyLookup [%s] in", l.Text)
	}
	return fmt.Sprintf("IndexLookup %s [%s] in", l.Index.Name, l.Text)
}
