package dbtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// Design is a physical shape in which a script's store is kept. It must not
// show in the answers.
type Design struct {
	Name   string
	Reopen bool // close and open the store after each statement
	// Shape, if not nil, brings the closed store in dir into the design after
	// each statement.
	Shape func(ctx context.Context, dir string) error
}

// Designs are all designs there are.
var Designs = []Design{
	{Name: "tail"}, // as it comes: scripts are small, their rows stay in the tail
	{Name: "sealed", Shape: seal},
	{Name: "indexed", Shape: indexEverything},
	{Name: "reopened", Reopen: true},
}

// change opens the store in dir and commits what fn does to it.
func change(ctx context.Context, dir string, fn func(tx *storage.Tx) error) error {
	s, err := storage.Open(dir, &storage.Options{NoSync: true})
	if err != nil {
		return err
	}
	// Rows that fill blocks up meet no condition.
	s.SetWatcher(func(_ context.Context, _ *storage.View, _ *storage.TableDef, which []int, _ []*value.Column, _ []int32) ([][]int32, error) {
		return make([][]int32, len(which)), nil
	})
	tx, err := s.Begin(ctx)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback(), s.Close())
	}
	return errors.Join(tx.Commit(ctx), s.Close())
}

// seal fills the last block of every table, which seals it, and deletes the
// rows it was filled with.
func seal(ctx context.Context, dir string) error {
	return change(ctx, dir, func(tx *storage.Tx) error {
		for _, def := range tx.Tables() {
			if err := sealTable(ctx, tx, def); err != nil {
				return fmt.Errorf("%s: %w", def.Name, err)
			}
		}
		return nil
	})
}

func sealTable(ctx context.Context, tx *storage.Tx, def *storage.TableDef) error {
	t, err := tx.Table(def.Name)
	if err != nil {
		return err
	}
	if t.Blocks() == 0 {
		return nil
	}
	// One row shows where the tail ends.
	first, err := tx.Insert(ctx, def.Name, filler(def, 0, 1), storage.InsertOptions{})
	if err != nil {
		return err
	}
	rows := first.Rows
	if rest := value.BatchSize - 1 - int(rows[0]%value.BatchSize); rest > 0 {
		more, err := tx.Insert(ctx, def.Name, filler(def, 1, rest), storage.InsertOptions{})
		if err != nil {
			return err
		}
		rows = append(rows, more.Rows...)
	}
	_, err = tx.Delete(ctx, def.Name, rows)
	return err
}

// filler returns n rows with keys that no script uses.
func filler(def *storage.TableDef, from, n int) *value.Batch {
	b := &value.Batch{Len: n}
	for _, c := range def.Columns {
		col := &value.Column{}
		col.Reset(c.Type)
		for i := from; i < from+n; i++ {
			v := value.Value{}
			switch c.Type.Kind {
			case value.Boolean:
				v = value.Bool(i%2 == 0)
			case value.Integer:
				v = value.Int(-9e15 - int64(i))
			case value.Real:
				v = value.Float(-9e99 * float64(i+1))
			case value.Timestamp:
				v = value.Micros(-9e15 - int64(i))
			case value.Date:
				v = value.Days(-7e5 + int64(i))
			case value.Interval:
				v = value.SpanValue(value.Span{Days: int32(i)})
			case value.Numeric:
				v = value.NumericOfInt(-9e15 - int64(i))
			case value.Text:
				v = value.Str(fmt.Sprintf("\x01filler %d", i))
			case value.Blob:
				v = value.Bytes(fmt.Appendf(nil, "\x01filler %d", i))
			case value.JSON:
				v = value.RawJSON(fmt.Sprint(i))
			case value.Vector:
				vec := make([]float32, c.Type.Dim)
				vec[i%len(vec)] = float32(i + 1)
				v = value.Vec(vec)
			}
			col.Append(i-from, v)
		}
		b.Cols = append(b.Cols, col)
	}
	return b
}

// indexEverything makes an index on every scalar column that has none of its own.
func indexEverything(ctx context.Context, dir string) error {
	return change(ctx, dir, func(tx *storage.Tx) error {
		for _, def := range tx.Tables() {
			for i, c := range def.Columns {
				if c.Type.Kind == value.Vector || c.Type.Kind == value.JSON || c.Type.Kind == value.Interval || i == def.PrimaryKey || indexed(def, c.ID) {
					continue
				}
				ix := storage.IndexDef{Name: fmt.Sprintf("dbtest_%d_%d", def.ID, c.ID), Columns: []uint32{c.ID}}
				if err := tx.CreateIndex(ctx, def.Name, ix, nil); err != nil {
					return fmt.Errorf("%s.%s: %w", def.Name, c.Name, err)
				}
			}
		}
		return nil
	})
}

func indexed(def *storage.TableDef, column uint32) bool {
	for _, ix := range def.Indexes {
		if ix.Columns[0] == column {
			return true
		}
	}
	return false
}
