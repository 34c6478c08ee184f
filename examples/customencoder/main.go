// Customencoder stores notes with an encoder of the program's own: no cgo, no
// model file (see package ngram). It builds with CGO_ENABLED=0.
//
//	customencoder 'wolves in winter'
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

var notes = []string{
	"Saw a wolf at the edge of the forest this morning.",
	"The winter was long; wolves came down to the village.",
	"Recipe: red cabbage with apples and cloves.",
	"Apple cake needs less sugar than the recipe says.",
	"The castle's roof is to be mended before winter.",
	"Bought a new lens for the camera.",
}

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), strings.Join(os.Args[1:], " ")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, phrase string) error {
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{ngram.New("letters", 256)}})
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, v VECTOR ENCODER 'letters')`); err != nil {
		return err
	}
	app, err := store.Appender(ctx, "notes", nil, nil)
	if err != nil {
		return err
	}
	defer app.Abort()
	for i, n := range notes {
		if err := app.Append(i+1, n, n); err != nil { // the text itself, and its vector
			return err
		}
	}
	if err := app.Close(); err != nil {
		return err
	}
	type note struct {
		Body  string
		Score float64
	}
	found, err := db.Select[note](ctx, store, `SELECT body, v_sim($1) AS score FROM notes ORDER BY score LIMIT 2`, phrase)
	if err != nil {
		return err
	}
	for _, n := range found {
		fmt.Printf("%.3f  %s\n", n.Score, n.Body)
	}
	return nil
}
