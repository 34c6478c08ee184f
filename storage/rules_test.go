package storage_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// broken are values that break a rule of their kind, and ruled those at its border.
var (
	broken = []value.Value{
		value.Str("x\xff"), value.Str("\xc3"), value.Str("\xed\xa0\x80"),
		value.RawJSON("\"x\xff\""), value.RawJSON("{"), value.RawJSON(""), value.RawJSON("nan"),
		value.Micros(value.MinTimestamp - 1), value.Micros(value.MaxTimestamp + 1), value.Micros(math.MaxInt64), value.Micros(math.MinInt64),
		value.Vec([]float32{float32(math.NaN()), 0}), value.Vec([]float32{0, float32(math.Inf(-1))}),
	}
	ruled = []value.Value{
		value.Str(""), value.Str("ä\x00🐺"), value.RawJSON(` "\u0000é" `), value.RawJSON("1e400"),
		value.Micros(value.MinTimestamp), value.Micros(value.MaxTimestamp), value.Float(math.NaN()), value.BlobOf("\xff"),
		value.Vec([]float32{math.MaxFloat32, -math.SmallestNonzeroFloat32}),
	}
)

// Every way into a table refuses a value that breaks a rule, names its row, and takes
// those at the rule's border; what is in passes Check.
func TestEveryDoorHasTheRulesOfValues(t *testing.T) {
	for _, v := range append(append([]value.Value{}, broken...), ruled...) {
		ok := v.Check() == nil
		t.Run(fmt.Sprintf("%v %.20q", v.Kind(), v), func(t *testing.T) {
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: vfs.NewMem()}))
			defer func() { healthy(t, s); check(t, s.Close()) }()
			good := value.Value{}
			batch := func(v value.Value) *value.Batch {
				b := &value.Batch{Len: 2, Cols: []*value.Column{{Type: v.Type()}}}
				b.Cols[0].Append(0, good)
				b.Cols[0].Append(1, v)
				return b
			}
			def := storage.TableDef{Name: "t", PrimaryKey: -1, Columns: []storage.ColumnDef{{Name: "v", Type: v.Type()}}}
			update(t, s, func(tx *storage.Tx) error {
				if _, err := tx.CreateTable(ctx, def); err != nil {
					return err
				}
				_, err := tx.Insert(ctx, "t", batch(good), storage.InsertOptions{})
				return err
			})
			try := func(door string, row int64, err error) {
				t.Helper()
				var bad *storage.ValueError
				var nan *storage.NotFiniteError
				switch {
				case ok && err != nil:
					t.Errorf("%s refuses it: %v", door, err)
				case !ok && errors.As(err, &bad) && bad.Table == "t" && bad.Row == row:
				case !ok && errors.As(err, &nan) && nan.Table == "t" && nan.Row == row:
				case !ok:
					t.Errorf("%s: %v", door, err)
				}
			}
			within := func(fn func(tx *storage.Tx) error) error {
				tx := must[*storage.Tx](t)(s.Begin(ctx))
				if err := fn(tx); err != nil {
					check(t, tx.Rollback())
					return err
				}
				return tx.Commit(ctx)
			}
			try("Insert", 1, within(func(tx *storage.Tx) error {
				_, err := tx.Insert(ctx, "t", batch(v), storage.InsertOptions{})
				return err
			}))
			try("Update", 1, within(func(tx *storage.Tx) error {
				_, err := tx.Update(ctx, "t", []uint64{0, 1}, []int{0}, batch(v))
				return err
			}))
			try("AddColumn", -1, within(func(tx *storage.Tx) error {
				return tx.AddColumn(ctx, "t", storage.ColumnDef{Name: "w", Type: v.Type()}, v)
			}))
			l := must[*storage.Loader](t)(s.BulkLoad(ctx, "t", storage.LoadOptions{WithoutCodes: true}))
			err := l.Append(ctx, widened(batch(v), len(must[*storage.TableDef](t)(defOf(s, "t")).Columns)))
			if err == nil {
				_, err = l.Finish(ctx)
			} else {
				check(t, l.Abort())
			}
			try("BulkLoad", 1, err)
		})
	}
}

// widened gives a batch the columns of a table that may have got more of them.
func widened(b *value.Batch, n int) *value.Batch {
	for len(b.Cols) < n {
		b.Cols = append(b.Cols, nil)
	}
	return b
}

func defOf(s *storage.Store, table string) (*storage.TableDef, error) {
	v, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	tab, err := v.Table(table)
	if err != nil {
		return nil, err
	}
	return tab.Def(), nil
}
