// The program of the weight comparison, with Lupa.
package main

import (
	"context"
	"path/filepath"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/testdata/bench/rivals/weight/same"
)

func main() { same.Run(search) }

func search(dir string, vectors [][]float32, query []float32) ([]int, error) {
	ctx := context.Background()
	store, err := db.Open(filepath.Join(dir, "store"), nil)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE TABLE t (id INTEGER PRIMARY KEY, v VECTOR(64))`); err != nil {
		return nil, err
	}
	err = store.Update(ctx, func(tx *db.Tx) error {
		for i, v := range vectors {
			if _, err := tx.Exec(ctx, `INSERT INTO t VALUES ($1, $2)`, i, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ids, err := db.Select[int](ctx, store, `SELECT id FROM t ORDER BY v <-> $1 LIMIT $2`, query, same.K)
	same.Idle(store)
	return ids, err
}
