package exec

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Scan reads columns of a table in row order, one block at a time.
type Scan struct {
	Env     *Env
	Ctx     *fn.Ctx
	Table   *storage.Table
	Columns []int // positions in the table's definition
	Nulls   []int // columns of which only it is asked what is NULL: BOOLEANs after Columns
	// Within, if not nil, finds the rows to read, by an index or a key; the
	// others are left out.
	Within *Lookup
	// Unread is how many of the last columns hold zeros where Within has found the rows:
	// those that only its condition asks for.
	Unread int

	// Transient: what is above keeps no text beyond a batch and asks for no row
	// numbers.
	Transient bool

	from, to uint32 // blocks of a part of the table; 0, 0 = all
	scanner  *storage.Scanner
	fetched  *value.Batch // what Within has found
	fetcher  storage.Fetcher
	done     bool
	sought   []uint64 // Within.Joins: the rows to read
	whole    bool     // or all of them
}

// fetchLimit is the number of rows up to which single rows are fetched, rather
// than the blocks scanned that hold them.
const fetchLimit = 256

func (s *Scan) open(ctx context.Context) error {
	opts := storage.ScanOptions{Columns: s.Columns, Nulls: s.Nulls, FromBlock: s.from, ToBlock: s.to, Transient: s.Transient}
	if s.Within != nil && s.Within.Joins {
		if !s.whole && len(s.sought) <= fetchLimit {
			var err error
			s.fetched, err = s.fetcher.Fetch(ctx, s.Table, s.sought, slices.Concat(s.Nulls, s.Columns))
			if err == nil {
				s.fetched = onlyNulls(s.fetched, len(s.Nulls))
			}
			return err
		}
		if !s.whole {
			opts.Filter = storage.RowsOf(s.sought)
		}
	} else if s.Within != nil {
		rows, set, usable, err := s.Within.find(ctx, s.Ctx, s.Table)
		if err != nil {
			return err
		}
		if usable && set == nil {
			s.fetcher.Unread = s.Unread
			cols := s.Columns
			if len(s.Nulls) > 0 {
				cols = slices.Concat(s.Nulls, cols)
			}
			if s.fetched, err = s.fetcher.Fetch(ctx, s.Table, rows, cols); err == nil {
				s.fetched = onlyNulls(s.fetched, len(s.Nulls))
			}
			return err
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
		s.done = true
		if s.fetched.Len == 0 {
			return nil, nil
		}
		return s.fetched, nil
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

// seek makes it give these rows, which ascend, or all rows.
func (s *Scan) seek(rows []uint64, whole bool) error {
	var err error
	if s.scanner != nil {
		err = s.scanner.Close()
	}
	s.scanner, s.fetched, s.done, s.sought, s.whole = nil, nil, false, rows, whole
	return err
}

func (s *Scan) Close() error {
	s.done = true
	var err error
	for _, in := range s.Inputs() {
		err = in.Close()
	}
	if s.scanner == nil {
		return err
	}
	sc := s.scanner
	s.scanner = nil
	return errors.Join(err, sc.Close())
}

func (s *Scan) Inputs() []Operator {
	if s.Within != nil && s.Within.Fusion != nil && s.Within.Fusion.Among != nil {
		return []Operator{s.Within.Fusion.Among}
	}
	return nil
}

// Details tell what a fusion did.
func (s *Scan) Details() []string {
	if s.Within == nil || s.Within.Fusion == nil {
		return nil
	}
	return s.Within.Fusion.details()
}

func (s *Scan) String() string {
	name := "Scan"
	if s.Within != nil {
		name = s.Within.String()
	}
	return name + " " + s.Table.Def().Name + columnList(s.Table.Def(), s.Columns, s.Nulls...)
}

// onlyNulls returns the batch with its first n columns put last, as whether they are NULL.
func onlyNulls(b *value.Batch, n int) *value.Batch {
	if n == 0 {
		return b
	}
	out := *b
	out.Cols = slices.Clone(b.Cols[n:])
	for _, c := range b.Cols[:n] {
		is := &value.Column{Type: value.Type{Kind: value.Boolean}, Bools: make([]bool, b.Len)}
		for i := range is.Bools {
			is.Bools[i] = c.Null(i)
		}
		out.Cols = append(out.Cols, is)
	}
	return &out
}

// columnList is " (a, b)" or " (no column)"; of nulls only it is read what is NULL.
func columnList(def *storage.TableDef, cols []int, nulls ...int) string {
	if len(cols)+len(nulls) == 0 {
		return " (no column)"
	}
	var names []string
	for _, c := range cols {
		names = append(names, def.Columns[c].Name)
	}
	for _, c := range nulls {
		names = append(names, "NULLs of "+def.Columns[c].Name)
	}
	return " (" + strings.Join(names, ", ") + ")"
}
