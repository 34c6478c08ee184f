// Demo opens the store that `make demo` has made, searches it with a phrase and
// with a vector, and adds a row to a table of its own.
//
//	make demo && go run ./examples/demo demo.lupa
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder/onnx"
)

type photo struct {
	ID      string
	Score   float64
	Caption string
}

func main() {
	log.SetFlags(0)
	path := "demo.lupa"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(context.Background(), path); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, path string) error {
	store, err := db.Open(path, &db.Options{
		MustExist:   true,
		OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{"testdata/models"}}),
	})
	if err != nil {
		return fmt.Errorf("%w\n(make demo makes the store)", err)
	}
	defer store.Close()

	const phrase = "a dog playing in the snow"
	found, err := db.Select[photo](ctx, store, `SELECT id, clip_sim($1) AS score, caption FROM photos ORDER BY score LIMIT 3`, phrase)
	if err != nil {
		return err
	}
	fmt.Println(phrase)
	print(found)

	// The vector of the best one, as a program would have it from elsewhere.
	var vec []float32
	if err := store.QueryRow(ctx, `SELECT clip FROM photos WHERE id = $1`, found[0].ID).Scan(&vec); err != nil {
		return err
	}
	similar, err := db.Select[photo](ctx, store, `SELECT id, clip_sim($1) AS score, caption FROM photos WHERE id <> $2 ORDER BY score LIMIT 3`, vec, found[0].ID)
	if err != nil {
		return err
	}
	fmt.Printf("like %s (%d dimensions)\n", found[0].ID, len(vec))
	print(similar)

	return store.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS searches (at TIMESTAMP, phrase TEXT, best TEXT, v VECTOR(128))`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO searches VALUES ($1, $2, $3, $4)`, time.Now(), phrase, found[0].ID, vec); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM searches`).Scan(&n); err != nil {
			return err
		}
		fmt.Printf("search no. %d written down\n", n)
		return nil
	})
}

func print(photos []photo) {
	for _, p := range photos {
		fmt.Printf("  %.4f  %s  %s\n", p.Score, p.ID, p.Caption)
	}
}
