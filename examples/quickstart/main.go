// Quickstart: the pictures of a directory go in, a phrase comes back as the best of
// them. It is the program of the README, with the small model of the tests.
//
//	LUPA_MODELS=testdata/models go run ./examples/quickstart testdata/toy-clip/scenes 'a dog playing in the snow'
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder/onnx"
)

func main() {
	ctx := context.Background()
	store, err := db.Open("quickstart.lupa", &db.Options{OpenEncoder: onnx.Opener(nil)})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE TABLE IF NOT EXISTS pics (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'toy-clip');
		INSERT INTO pics SELECT path, image(path) FROM images($1) ON CONFLICT (path) DO NOTHING`, os.Args[1]+"/*"); err != nil {
		log.Fatal(err)
	}
	rows, err := store.Query(ctx, `SELECT path, clip_sim($1) AS score FROM pics ORDER BY score LIMIT 3`, os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	for row, err := range rows.All() {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row[0], row[1])
	}
}
