package parquet

import (
	"context"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/lupadb/lupa/query/internal/source"
	"github.com/lupadb/lupa/storage/value"
)

// writer writes optional columns, vectors as lists of float, compressed
// with snappy.
type writer struct {
	*source.Output
	w     *parquet.GenericWriter[any]
	kinds []value.Kind
	rows  []parquet.Row
	bytes int64 // in the current row group, estimated
}

// rowGroupBytes is how much is gathered before a row group is written.
const rowGroupBytes = 64 << 20

// orderedGroup is a group whose fields stay in the order of the columns.
type orderedGroup struct {
	parquet.Group
	names []string
}

func (g orderedGroup) Fields() []parquet.Field {
	fields := slices.Clone(g.Group.Fields())
	slices.SortFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(g.names, a.Name()) - slices.Index(g.names, b.Name())
	})
	return fields
}

func create(path string, cols []source.Column, _ source.Options) (source.Writer, error) {
	group := orderedGroup{Group: parquet.Group{}}
	w := &writer{}
	for _, c := range cols {
		if _, twice := group.Group[c.Name]; twice {
			return nil, fmt.Errorf("%s: two columns are called %q; give one another name with AS", path, c.Name)
		}
		var n parquet.Node
		switch c.Type.Kind {
		case value.Boolean:
			n = parquet.Leaf(parquet.BooleanType)
		case value.Integer:
			n = parquet.Int(64)
		case value.Real:
			n = parquet.Leaf(parquet.DoubleType)
		case value.Timestamp:
			n = parquet.Timestamp(parquet.Microsecond)
		case value.Date:
			n = parquet.Date()
		case value.JSON:
			n = parquet.JSON()
		case value.Blob:
			n = parquet.Leaf(parquet.ByteArrayType)
		case value.Vector:
			n = parquet.List(parquet.Leaf(parquet.FloatType))
		default:
			n = parquet.String()
		}
		group.Group[c.Name] = parquet.Optional(n)
		group.names = append(group.names, c.Name)
		w.kinds = append(w.kinds, c.Type.Kind)
	}
	out, err := source.CreateOutput(path)
	if err != nil {
		return nil, err
	}
	w.Output = out
	w.w = parquet.NewGenericWriter[any](out, parquet.NewSchema("lupa", group), parquet.Compression(&parquet.Snappy), parquet.CreatedBy("lupa", "1", ""))
	return w, nil
}

func (w *writer) Write(ctx context.Context, b *value.Batch) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.rows = w.rows[:0]
	source.EachRow(b, func(i int) bool {
		row := make(parquet.Row, 0, len(b.Cols))
		for k, c := range b.Cols {
			row = w.append(row, c, i, k)
		}
		w.rows = append(w.rows, row)
		return true
	})
	if _, err := w.w.WriteRows(w.rows); err != nil {
		return fmt.Errorf("%s: %w", w.Path(), err)
	}
	if w.bytes > rowGroupBytes {
		w.bytes = 0
		return w.w.Flush()
	}
	return nil
}

// append adds the values of column k in row i. Definition level 0 is NULL, 1 a
// value, of a list 1 an empty one and 2 an element.
func (w *writer) append(row parquet.Row, c *value.Column, i, k int) parquet.Row {
	if c.Null(i) {
		return append(row, parquet.NullValue().Level(0, 0, k))
	}
	w.bytes += 8
	var v parquet.Value
	switch c.Type.Kind {
	case value.Boolean:
		v = parquet.BooleanValue(c.Bools[i])
	case value.Integer, value.Timestamp:
		v = parquet.Int64Value(c.Ints[i])
	case value.Date:
		v = parquet.Int32Value(int32(c.Ints[i]))
	case value.Real:
		v = parquet.DoubleValue(c.Reals[i])
	case value.Vector:
		for e, x := range c.Vec(i) {
			row = append(row, parquet.FloatValue(x).Level(min(e, 1), 2, k))
		}
		w.bytes += int64(4 * c.Type.Dim)
		return row
	case value.Numeric: // its digits: a DECIMAL has as many places in every row
		v = parquet.ByteArrayValue(value.AppendDecimal(nil, c.Strs[i]))
		w.bytes += 16
	case value.Interval:
		v = parquet.ByteArrayValue(value.AppendSpan(nil, value.SpanOf(c.Strs[i])))
		w.bytes += 16
	default:
		v = parquet.ByteArrayValue([]byte(c.Strs[i]))
		w.bytes += int64(len(c.Strs[i]))
	}
	return append(row, v.Level(0, 1, k))
}

func (w *writer) Close() error {
	if err := w.w.Close(); err != nil {
		w.Abort()
		return fmt.Errorf("%s was not written: %w", w.Path(), err)
	}
	return w.Finish()
}
