// The program of the weight comparison, with SQLite and sqlite-vec.
package main

import (
	"database/sql"
	"path/filepath"

	sqlite_vec "github.com/asg017/sqlite-vec-go-bindings/cgo"
	_ "github.com/mattn/go-sqlite3"

	"github.com/lupadb/lupa/testdata/bench/rivals/weight/same"
)

func main() { same.Run(search) }

func search(dir string, vectors [][]float32, query []float32) ([]int, error) {
	sqlite_vec.Auto()
	store, err := sql.Open("sqlite3", filepath.Join(dir, "store.db"))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if _, err := store.Exec(`CREATE VIRTUAL TABLE t USING vec0(id INTEGER PRIMARY KEY, v FLOAT[64])`); err != nil {
		return nil, err
	}
	tx, err := store.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	for i, v := range vectors {
		blob, err := sqlite_vec.SerializeFloat32(v)
		if err != nil {
			return nil, err
		}
		if _, err := tx.Exec(`INSERT INTO t VALUES (?, ?)`, i, blob); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	blob, err := sqlite_vec.SerializeFloat32(query)
	if err != nil {
		return nil, err
	}
	rows, err := store.Query(`SELECT id FROM t WHERE v MATCH ? AND k = ? ORDER BY distance`, blob, same.K)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	same.Idle(store)
	return ids, rows.Err()
}
