// The program of the weight comparison, with DuckDB.
package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/lupadb/lupa/testdata/bench/rivals/weight/same"
)

func main() { same.Run(search) }

func search(dir string, vectors [][]float32, query []float32) ([]int, error) {
	store, err := sql.Open("duckdb", filepath.Join(dir, "store.db"))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if _, err := store.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v FLOAT[64])`); err != nil {
		return nil, err
	}
	tx, err := store.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	for i, v := range vectors {
		if _, err := tx.Exec(`INSERT INTO t VALUES (?, ?::FLOAT[64])`, i, literal(v)); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, err
	}
	rows, err := store.Query(`SELECT id FROM t ORDER BY array_distance(v, ?::FLOAT[64]) LIMIT ?`, literal(query), same.K)
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

// literal writes a vector as the driver takes it: as text.
func literal(v []float32) string { return strings.Join(strings.Fields(fmt.Sprint(v)), ", ") }
