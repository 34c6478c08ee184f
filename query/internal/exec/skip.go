package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// SkipExisting drops rows whose key is in a table already. Its input has the
// table's columns in their order, those of pictures not encoded yet.
type SkipExisting struct {
	input
	env    *Env
	table  *storage.Table
	key    int
	same   []int // columns that tell whether a row is still as it is in the table
	report bool

	seen *fn.Groups // keys so far; nil unless Once
	ids  []int32
	chosen
}

// chosen is the memory of an operator that leaves out rows of its input.
type chosen struct {
	sel []int32
	out value.Batch
}

// next returns the next batch of in of which choose, which sets sel, leaves rows.
func (c *chosen) next(ctx context.Context, in Operator, choose func(context.Context, *value.Batch) error) (*value.Batch, error) {
	for {
		b, err := in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if err := choose(ctx, b); err != nil {
			return nil, err
		}
		if len(c.sel) > 0 {
			c.out = *b
			c.out.Sel = c.sel
			return &c.out, nil
		}
	}
}

// NewSkipExisting returns a SkipExisting over in; key is the position of the
// column with the table's primary key.
func NewSkipExisting(in Operator, env *Env, t *storage.Table, key int) *SkipExisting {
	return &SkipExisting{input: input{in}, env: env, table: t, key: key}
}

// Once makes it drop rows whose key has come before, too.
func (s *SkipExisting) Once() *SkipExisting {
	s.seen = fn.NewGroups([]value.Type{s.table.Def().Columns[s.key].Type})
	return s
}

// Changed makes it look at rows whose key is there: with one of the columns same
// other than in the table a row is reported, or else passed on.
func (s *SkipExisting) Changed(same []int, report bool) *SkipExisting {
	s.same, s.report = same, report
	return s
}

func (s *SkipExisting) Next(ctx context.Context) (*value.Batch, error) {
	return s.next(ctx, s.in, s.choose)
}

// choose selects the rows of a batch that are kept.
func (s *SkipExisting) choose(ctx context.Context, b *value.Batch) error {
	s.sel = s.sel[:0]
	c := b.Cols[s.key]
	fresh := int32(0)
	if s.seen != nil {
		if len(s.ids) < b.Len {
			s.ids = make([]int32, b.Len)
		}
		fresh = int32(s.seen.Len())
		if err := s.seen.Assign([]fn.Arg{{Column: c}}, b.Len, b.Sel, fn.SkipNull, s.ids); err != nil {
			return err
		}
	}
	var there []uint64 // rows of the table
	var at []int       // their places in s.sel
	for _, i := range b.Selected() {
		if s.seen != nil && !c.Null(int(i)) {
			if s.ids[i] < fresh {
				continue
			}
			fresh = s.ids[i] + 1
		}
		if !c.Null(int(i)) {
			row, ok, err := s.table.Lookup(ctx, c.Value(int(i)))
			if err != nil {
				return err
			}
			if ok && len(s.same) == 0 {
				s.present()
				continue
			}
			if ok {
				there, at = append(there, row), append(at, len(s.sel))
			}
		}
		s.sel = append(s.sel, i)
	}
	if len(there) == 0 {
		return nil
	}
	old, err := s.table.Fetch(ctx, there, s.same)
	if err != nil {
		return err
	}
	for k, place := range at {
		i := int(s.sel[place])
		changed := false
		for j, col := range s.same {
			changed = changed || !identical(b.Cols[col].Value(i), old.Cols[j].Value(k))
		}
		if changed && s.report {
			s.env.warn(fmt.Sprintf("%s has changed since it was imported; left as it is (ON CONFLICT ... DO UPDATE SET would encode it again)", c.Value(i)))
		}
		if !changed || s.report {
			s.present()
			s.sel[place] = -1
		}
	}
	kept := s.sel[:0]
	for _, i := range s.sel {
		if i >= 0 {
			kept = append(kept, i)
		}
	}
	s.sel = kept
	return nil
}

// present counts a picture that is in the table.
func (s *SkipExisting) present() {
	if s.env.Tally != nil {
		s.env.Tally.Present++
	}
}

// identical compares what two columns of one type hold, vectors apart; NULL is
// identical to NULL.
func identical(a, b value.Value) bool {
	return a.Kind() == b.Kind() && a.Int() == b.Int() && a.Str() == b.Str()
}

func (s *SkipExisting) String() string {
	return "SkipExisting " + s.table.Def().Name + "." + s.table.Def().Columns[s.key].Name
}
