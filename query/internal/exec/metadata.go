package exec

import (
	"context"
	"math"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Metadata gives one row that is known without reading the table's rows: how many they
// are, or match words, and the first or last of an index.
type Metadata struct {
	Table *storage.Table
	Items []MetadataItem
	Match *WordsQuery // the rows that are counted, by a full-text index; nil = all
	Ctx   *fn.Ctx
	done  bool
}

// MetadataItem is a column of that row: the number of rows, or else the first value of
// an index, or the last that is not NULL.
type MetadataItem struct {
	Type   value.Type
	Count  bool
	Index  *storage.IndexDef // nil = the primary key
	Column int               // the index's, in the table
	Last   bool
}

func (m *Metadata) Next(ctx context.Context) (*value.Batch, error) {
	if m.done {
		return nil, nil
	}
	m.done = true
	b := &value.Batch{Len: 1}
	rows := m.Table.Rows()
	if m.Match != nil {
		q, err := m.Match.Prepare(ctx, m.Ctx)
		if err != nil {
			return nil, err
		}
		rows = 0
		if q != nil {
			if rows, err = q.Count(ctx); err != nil {
				return nil, err
			}
		}
	}
	for _, it := range m.Items {
		v := value.Int(int64(rows))
		if !it.Count {
			var err error
			if v, err = m.end(ctx, it); err != nil {
				return nil, err
			}
		}
		b.Cols = append(b.Cols, constant(v, it.Type, 1))
	}
	return b, nil
}

// end returns the value at an end of an index.
func (m *Metadata) end(ctx context.Context, it MetadataItem) (value.Value, error) {
	r := storage.Range{Limit: 1}
	if it.Last { // NULLs are last in an index; a bound leaves them out
		r.Reverse, r.Low = true, Least(m.Table.Def().Columns[it.Column].Type.Kind)
	}
	rows, err := m.Table.IndexScan(ctx, it.Index, r)
	if err != nil || len(rows) == 0 {
		return value.Value{}, err
	}
	got, err := m.Table.Fetch(ctx, rows, []int{it.Column})
	if err != nil {
		return value.Value{}, err
	}
	return got.Cols[0].Value(0), nil
}

// Least returns the least value of a kind, or NULL if it has none.
func Least(k value.Kind) value.Value {
	switch k {
	case value.Boolean:
		return value.Bool(false)
	case value.Integer:
		return value.Int(math.MinInt64)
	case value.Real:
		return value.Float(math.Inf(-1))
	case value.Timestamp:
		return value.Micros(math.MinInt64)
	case value.Date:
		return value.Days(math.MinInt64)
	case value.Text:
		return value.Str("")
	case value.Blob:
		return value.BlobOf("")
	}
	return value.Value{}
}

func (m *Metadata) Close() error       { return nil }
func (m *Metadata) Inputs() []Operator { return nil }
func (m *Metadata) String() string {
	if m.Match != nil {
		return "TextCount " + m.Match.Index.Name + " in " + m.Table.Def().Name
	}
	return "Metadata " + m.Table.Def().Name
}
