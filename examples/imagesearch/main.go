// Imagesearch indexes the pictures of a directory and everything below it, and
// answers with those that fit a phrase or look like another picture.
//
//	imagesearch -models testdata/models -encoder toy-clip DIR 'a dog playing in the snow'
//	imagesearch -models testdata/models -encoder toy-clip -like DIR/scene001.jpg DIR
//
// A second run only encodes what is new. Pictures that can't be read are
// reported and left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder/onnx"
)

func main() {
	log.SetFlags(0)
	var (
		models = flag.String("models", "", "directory of models, besides LUPA_MODELS")
		enc    = flag.String("encoder", "clip-vit-b-32", "name of the model")
		like   = flag.String("like", "", "search by this picture instead of a phrase")
		index  = flag.String("index", "", "directory of the index (default: DIR/.index.lupa)")
		k      = flag.Int("k", 5, "pictures to show")
	)
	flag.Parse()
	if flag.NArg() < 1 || flag.NArg() < 2 && *like == "" {
		log.Fatal("usage: imagesearch [flags] DIR PHRASE...")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir := flag.Arg(0)
	if *index == "" {
		*index = filepath.Join(dir, ".index.lupa")
	}
	if err := run(ctx, *index, *models, *enc, dir, *like, strings.Join(flag.Args()[1:], " "), *k); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, index, models, enc, dir, like, phrase string, k int) error {
	store, err := db.Open(index, &db.Options{
		OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{models}}),
		Warn:        func(msg string) { log.Print(msg) },
		Progress: func(p db.Progress) {
			fmt.Fprintf(os.Stderr, "\r%s %d/%d %s ", p.Stage, p.Done, p.Total, p.Unit)
		},
	})
	if err != nil {
		return err
	}
	defer store.Close()

	// A name can't be a parameter: quote it.
	if _, err := store.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS pictures (
		path TEXT PRIMARY KEY, width INTEGER, height INTEGER, taken TIMESTAMP,
		look VECTOR ENCODER '%s')`, strings.ReplaceAll(enc, "'", "''"))); err != nil {
		return err
	}
	added, err := store.Exec(ctx, `INSERT INTO pictures
		SELECT path, width, height, taken, image(path) FROM images($1)
		WHERE path NOT IN (SELECT path FROM pictures)
		ON CONFLICT (path) DO NOTHING`, filepath.Join(dir, "**", "*"))
	if err != nil {
		return err
	}
	fmt.Printf("%d new pictures\n", added.RowsAffected)

	var query any = phrase
	if like != "" {
		data, err := os.ReadFile(like)
		if err != nil {
			return err
		}
		query = db.Image{Data: data}
	}
	found, err := store.Nearest(ctx, "pictures", "look", query, k, &db.NearestOptions{Columns: []string{"width", "height"}})
	if err != nil {
		return err
	}
	for i, m := range found {
		fmt.Printf("%d  %.4f  %s  (%v x %v)\n", i+1, m.Score, m.Key, m.Values[0], m.Values[1])
	}
	return nil
}
