package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

func Example() {
	ctx := context.Background()
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{ngram.New("text", 256)}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	_, err = store.Exec(ctx, `
		CREATE TABLE animals (name TEXT PRIMARY KEY, legs INTEGER, v VECTOR ENCODER 'text');
		INSERT INTO animals VALUES
			('wolf', 4, 'a grey wolf in the snow'),
			('wolf spider', 8, 'a wolf spider in the grass'),
			('eagle', 2, 'an eagle in the sky')`)
	if err != nil {
		log.Fatal(err)
	}
	rows, err := store.Query(ctx, `SELECT name FROM animals WHERE legs < $1 ORDER BY v_sim($2) LIMIT 2`, 8, "wolf")
	if err != nil {
		log.Fatal(err)
	}
	for row, err := range rows.All() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row[0])
	}
	// Output:
	// wolf
	// eagle
}

// example opens a store in memory with a few rows.
func example() (context.Context, *db.DB) {
	ctx := context.Background()
	store, err := db.Open(":memory:", nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Exec(ctx, `CREATE TABLE pics (id TEXT PRIMARY KEY, width INTEGER, v VECTOR(2));
		INSERT INTO pics VALUES ('a', 640, [1, 0]), ('b', 800, [0, 1]), ('c', NULL, [1, 1])`); err != nil {
		log.Fatal(err)
	}
	return ctx, store
}

func ExampleOpen_errors() {
	_, err := db.Open("no/such/store", &db.Options{ReadOnly: true})
	fmt.Println(err != nil)

	ctx, store := example()
	defer store.Close()
	_, err = store.Query(ctx, `SELECT widht FROM pics`)
	var parse *db.ParseError
	if errors.As(err, &parse) {
		fmt.Println(parse.Line, parse.Column, parse.Hint)
	}
	_, err = store.Exec(ctx, `INSERT INTO pics VALUES ('a', 1, NULL)`)
	var unique *db.UniqueError
	fmt.Println(errors.As(err, &unique))
	// Output:
	// true
	// 1 8 did you mean "width"?
	// true
}

func ExampleRows() {
	ctx, store := example()
	defer store.Close()
	rows, err := store.Query(ctx, `SELECT id, width, v <-> $1 AS d FROM pics ORDER BY d`, []float32{0, 1})
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var width *int // NULL where it is not known
		var d float64
		if err := rows.Scan(&id, &width, &d); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %t %.3f\n", id, width != nil, d)
	}
	if err := rows.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// b true 0.000
	// c false 1.000
	// a true 1.414
}

func ExampleSelect() {
	ctx, store := example()
	defer store.Close()
	type pic struct {
		ID    string
		Size  *int `lupa:"width"`
		Score float64
	}
	found, err := db.Select[pic](ctx, store, `SELECT id, width, v_sim($1) AS score FROM pics ORDER BY score LIMIT 2`, []float32{1, 0})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range found {
		fmt.Printf("%s %.3f\n", p.ID, p.Score)
	}
	// Output:
	// a 1.000
	// c 0.707
}

func ExampleStmt_QueryMany() {
	ctx, store := example()
	defer store.Close()
	nearest, err := store.Prepare(ctx, `SELECT id FROM pics ORDER BY v_sim($1) LIMIT 1`)
	if err != nil {
		log.Fatal(err)
	}
	defer nearest.Close()
	// One pass over the vectors answers both.
	answers, err := nearest.QueryMany(ctx, [][]any{{[]float32{1, 0.1}}, {[]float32{0.1, 1}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, rows := range answers {
		for row := range rows.All() {
			fmt.Println(row[0])
		}
	}
	// Output:
	// a
	// b
}

func ExampleDB_Update() {
	ctx, store := example()
	defer store.Close()
	err := store.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM pics`); err != nil {
			return err
		}
		return errors.New("on second thoughts, no") // rolls back
	})
	n, _ := db.Get[int](ctx, store, `SELECT count(*) FROM pics`)
	fmt.Println(n, err)
	// Output: 3 on second thoughts, no
}

func ExampleDB_Nearest() {
	ctx, store := example()
	defer store.Close()
	found, err := store.Nearest(ctx, "pics", "v", []float32{1, 0}, 5, &db.NearestOptions{Where: "width > $1", Args: []any{500}})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range found {
		fmt.Println(m.Key, m.Score)
	}
	// Output:
	// a 1
	// b 0
}

func ExampleAppender() {
	ctx, store := example()
	defer store.Close()
	app, err := store.Appender(ctx, "pics", []string{"id", "v"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer app.Abort()
	for i := range 10_000 {
		if err := app.Append(fmt.Sprint("new ", i), []float32{float32(i), 1}); err != nil {
			log.Fatal(err)
		}
	}
	if err := app.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Rows())
	// Output: 10000
}

func ExampleConn() {
	ctx, store := example()
	defer store.Close()
	conn, err := store.Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	for _, sql := range []string{`BEGIN`, `UPDATE pics SET width = 1`, `ROLLBACK`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			log.Fatal(err)
		}
		fmt.Println(sql, conn.InTransaction())
	}
	// Output:
	// BEGIN true
	// UPDATE pics SET width = 1 true
	// ROLLBACK false
}
