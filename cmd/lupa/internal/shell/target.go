package shell

import (
	"context"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
)

// findTarget finds the column that --table and --column name, or the only one
// there is that has an encoder.
func (s *Shell) findTarget(ctx context.Context, table, column string) (eval.Target, error) {
	tables, err := s.tables(ctx, "")
	if err != nil {
		return eval.Target{}, err
	}
	if table != "" {
		t, err := s.table(ctx, table)
		if err != nil {
			return eval.Target{}, err
		}
		tables = []db.Table{t}
	}
	return eval.FindTarget(tables, table, column)
}
