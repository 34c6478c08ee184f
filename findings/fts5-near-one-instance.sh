#!/usr/bin/env bash
# SQLite's FTS5, as modernc.org/sqlite v1.38.2 has it: NEAR, and filters by column within each other.
#
# One expects NEAR(wolf wolf, 0) to ask for two wolves side by side, as NEAR(a wolf, 0) asks for the two
# words. It finds a text with one: an instance stands for both of two equal phrases. A longer phrase
# reaches further: what counts is how far the phrase that comes last begins, so that "grey x x c" has
# NEAR(grey "x x c", 1) and not NEAR(grey c, 1). And a filter by column within another one, which can
# hold nowhere, finds nothing in parentheses and is a syntax error without them.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat > main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"

	_ "modernc.org/sqlite"
)

func main() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	db.SetMaxOpenConns(1)
	for _, s := range []string{
		"CREATE VIRTUAL TABLE t USING fts5(title, caption)",
		"INSERT INTO t(rowid, title, caption) VALUES (1, 'one', 'a wolf'), (2, 'wolf', 'two wolf wolf'), (3, 'grey', 'grey x x c')",
	} {
		if _, err := db.Exec(s); err != nil {
			panic(err)
		}
	}
	for _, q := range []string{
		"NEAR(wolf wolf, 0)", "NEAR(a wolf, 0)", `NEAR(grey c, 1)`, `NEAR(grey "x x c", 1)`,
		"caption: (title: wolf)", "caption: title: wolf",
	} {
		var ids []int
		rows, err := db.Query("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rowid", q)
		if err == nil {
			for rows.Next() {
				var id int
				rows.Scan(&id)
				ids = append(ids, id)
			}
			err = rows.Err()
			rows.Close()
		}
		if err != nil {
			fmt.Println(q, "error")
			continue
		}
		fmt.Println(q, ids)
	}
}
GO
go mod init finding >/dev/null 2>&1
go get modernc.org/sqlite@v1.38.2 >/dev/null 2>&1
go mod tidy >/dev/null 2>&1
got=$(go run .)
echo "$got"
[ "$got" = 'NEAR(wolf wolf, 0) [1 2]
NEAR(a wolf, 0) [1]
NEAR(grey c, 1) []
NEAR(grey "x x c", 1) [3]
caption: (title: wolf) []
caption: title: wolf error' ] || { echo "this has changed"; exit 1; }
