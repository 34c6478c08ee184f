package db_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/lupadb/lupa/db"
)

func ExampleInsert() {
	ctx, store := example()
	defer store.Close()
	type pic struct {
		ID    string `lupa:"id"`
		Width int
		V     []float32
	}
	if _, err := db.Insert(ctx, store, "pics", pic{"d", 1024, []float32{1, 0}}, pic{"e", 320, nil}); err != nil {
		log.Fatal(err)
	}
	r, err := db.Upsert(ctx, store, "pics", pic{"d", 2048, []float32{0, 1}})
	if err != nil {
		log.Fatal(err)
	}
	width, err := db.Get[int](ctx, store, `SELECT width FROM pics WHERE id = 'd'`)
	fmt.Println(r.RowsAffected, width, err)
	// Output: 1 2048 <nil>
}

func ExampleCollect() {
	ctx, store := example()
	defer store.Close()
	wide, err := store.Prepare(ctx, `SELECT id FROM pics WHERE width >= :least ORDER BY id`)
	if err != nil {
		log.Fatal(err)
	}
	defer wide.Close()
	fmt.Println(wide.ParamNames(), wide.NumParams()) // ? and $1 are counted
	ids, err := db.Collect[string](wide.Query(ctx, db.Named("least", 700)))
	fmt.Println(ids, err)
	// Output:
	// [least] 0
	// [b] <nil>
}

func ExampleDB_Begin() {
	ctx, store := example()
	defer store.Close()
	set, err := store.Prepare(ctx, `UPDATE pics SET width = $2 WHERE id = $1`)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	tx, err := store.Begin(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback() // does nothing after Commit
	for i, id := range []string{"a", "b"} {
		if _, err := tx.Stmt(set).Exec(ctx, id, i); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(tx.Commit())
	fmt.Println(db.Select[int](ctx, store, `SELECT width FROM pics WHERE id IN ('a', 'b') ORDER BY id`))
	// Output:
	// <nil>
	// [0 1] <nil>
}

func ExampleConn_Begin() {
	ctx, store := example()
	defer store.Close()
	conn, err := store.Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Begin(ctx, nil); err != nil {
		log.Fatal(err)
	}
	_, err = conn.Exec(ctx, `INSERT INTO pics VALUES ('a', 1, NULL)`)
	fmt.Println(err)
	fmt.Println(conn.Failed(), conn.Rollback())
	if err := conn.Begin(ctx, nil); err != nil {
		log.Fatal(err)
	}
	if _, err := conn.Exec(ctx, `DELETE FROM pics WHERE id = 'a'`); err != nil {
		log.Fatal(err)
	}
	fmt.Println(conn.Commit(ctx))
	// Output:
	// duplicate key "a" in pics.id violates unique constraint "pics_pkey" (row 1 of the input)
	// true <nil>
	// <nil>
}

func ExampleDB_Watch() {
	ctx, store := example()
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE WATCH wide ON pics WHERE width > 700`); err != nil {
		log.Fatal(err)
	}
	w, err := store.Watch(ctx, "wide")
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	if _, err := store.Exec(ctx, `INSERT INTO pics VALUES ('d', 900, NULL), ('e', 10, NULL)`); err != nil {
		log.Fatal(err)
	}
	row, err := w.Next() // waits for one
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row.Key())
	if err := w.Ack(row); err != nil { // else it is told again, to the next program too
		log.Fatal(err)
	}
	fmt.Println(w.Waiting())
	// Output:
	// d
	// false <nil>
}

func ExampleDB_Tables() {
	ctx, store := example()
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE VIEW wide AS SELECT id FROM pics WHERE width > 700`); err != nil {
		log.Fatal(err)
	}
	tables, err := store.Tables(ctx)
	if err != nil {
		log.Fatal(err)
	}
	views, err := store.Views(ctx)
	if err != nil {
		log.Fatal(err)
	}
	sizes, err := store.TableSizes(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tables[0].Name, len(tables[0].Columns), views[0].Name, sizes[0].Rows)
	// Output: pics 3 wide 3
}

func ExampleQuote() {
	fmt.Println(db.Quote("photos"), db.Quote("my photos"), db.Quote("select"))
	// Output: photos "my photos" "select"
}

func ExampleToValue() {
	v, err := db.ToValue(map[string]int{"width": 640})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", v.Kind(), db.GoValue(v))
	// Output: JSON {"width":640}
}

func ExampleRestore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lupa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := func(name string) string { return filepath.Join(dir, name) }
	store, err := db.OpenContext(ctx, path("pics.lupa"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Exec(ctx, `CREATE TABLE pics (id TEXT PRIMARY KEY); INSERT INTO pics VALUES ('a'), ('b'), ('c'); DELETE FROM pics WHERE id = 'a'`); err != nil {
		log.Fatal(err)
	}
	if err := store.Vacuum(ctx, "pics"); err != nil {
		log.Fatal(err)
	}
	if err := store.BackupWith(ctx, path("backup"), &db.BackupOptions{HardLinks: true}); err != nil {
		log.Fatal(err)
	}
	if err := store.Close(); err != nil {
		log.Fatal(err)
	}

	if err := db.Restore(ctx, path("backup"), path("again.lupa")); err != nil {
		log.Fatal(err)
	}
	did, err := db.Repair(path("again.lupa")) // nothing is missing
	fmt.Println(len(did), err)
	if _, err := db.Salvage(ctx, path("again.lupa"), path("saved.lupa"), nil); err != nil { // were it damaged
		log.Fatal(err)
	}
	saved, err := db.OpenContext(ctx, path("saved.lupa"), &db.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer saved.Close()
	fmt.Println(saved.ReadOnly(), filepath.Base(saved.Dir()))
	fmt.Println(db.Select[string](ctx, saved, `SELECT id FROM pics ORDER BY id`))
	// Output:
	// 0 <nil>
	// true saved.lupa
	// [b c] <nil>
}

// Statements of strangers reach no file, those of the program do; it is told how its own ended.
func ExampleWithNoFiles() {
	dir, err := os.MkdirTemp("", "lupa")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trees.csv")
	if err := os.WriteFile(file, []byte("name\noak\nash\n"), 0o644); err != nil {
		panic(err)
	}
	store, err := db.Open(":memory:", nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	ctx := context.Background()
	_, err = store.Query(db.WithNoFiles(ctx), "SELECT * FROM read_csv($1)", file)
	fmt.Println(err)

	told := db.WithNotice(ctx, func(message string) { fmt.Println(message) })
	_, err = store.Exec(told, "CREATE TABLE trees (name TEXT); COPY trees FROM '"+file+"'")
	fmt.Println(err)
	// Output:
	// 1:24: this program does not let statements use files
	// 2 rows read, 0 skipped, 0 failed
	// <nil>
}

func ExampleWithin() {
	store, err := db.Open(":memory:", nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()
	ctx := context.Background()
	if _, err := store.Exec(ctx, `CREATE TABLE pics (id TEXT PRIMARY KEY, v VECTOR(2)); INSERT INTO pics VALUES ('a', [1, 0]), ('b', [0, 1]), ('c', [1, 1])`); err != nil {
		panic(err)
	}
	rows, err := store.Query(db.Within(ctx, 5*time.Millisecond), "SELECT id FROM pics ORDER BY v <=> $1 LIMIT 2", []float32{1, 0.1})
	if err != nil {
		panic(err)
	}
	for row := range rows.All() {
		fmt.Println(row[0])
	}
	if p, ok := rows.Partial(); ok && p.Complete {
		fmt.Println("all of", p.Proven, "rows are proven")
	} else if ok {
		fmt.Println(p.Proven, "rows are proven; another one could have a distance of", p.Unseen)
	}
	// Output:
	// a
	// c
	// all of 2 rows are proven
}
