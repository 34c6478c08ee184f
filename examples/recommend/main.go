// Recommend finds pictures like those somebody liked: the mean of their vectors
// is what is searched for, and they themselves are left out.
//
//	recommend -data testdata/toy-clip/corpus PVUDufpRuGS cwOXY9NcBJN
//
// The vectors were computed beforehand: no encoder is needed.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/db"
)

func main() {
	log.SetFlags(0)
	data := flag.String("data", "testdata/toy-clip/corpus", "directory with features.npy, photo_ids.csv and metadata.csv")
	flag.Parse()
	if flag.NArg() == 0 {
		log.Fatal("usage: recommend [-data DIR] ID...")
	}
	if err := run(context.Background(), *data, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, data string, liked []string) error {
	store, err := db.Open(":memory:", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Exec(ctx, `CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR(128));
		CREATE TABLE likes (id TEXT PRIMARY KEY)`); err != nil {
		return err
	}
	if _, err := store.Exec(ctx, `COPY photos (clip, id) FROM $1, $2`,
		filepath.Join(data, "features.npy"), filepath.Join(data, "photo_ids.csv")); err != nil {
		return err
	}
	likes, err := store.Prepare(ctx, `INSERT INTO likes VALUES ($1)`)
	if err != nil {
		return err
	}
	for _, id := range liked {
		if _, err := likes.Exec(ctx, id); err != nil {
			return err
		}
	}

	type photo struct {
		ID      string
		Caption string
		Score   float64
	}
	show := func(heading, sql string, args ...any) error {
		found, err := db.Select[photo](ctx, store, sql, args...)
		if err != nil {
			return err
		}
		fmt.Println(heading)
		for _, p := range found {
			fmt.Printf("  %.4f  %s  %s\n", p.Score, p.ID, p.Caption)
		}
		return nil
	}
	if _, err := store.Exec(ctx, `CREATE TABLE captions (id TEXT PRIMARY KEY, caption TEXT);
		INSERT INTO captions SELECT photo_id, caption FROM read_csv('`+strings.ReplaceAll(filepath.Join(data, "metadata.csv"), "'", "''")+`')`); err != nil {
		return err
	}
	if err := show("liked", `SELECT likes.id, caption, 1.0 AS score FROM likes JOIN captions ON captions.id = likes.id`); err != nil {
		return err
	}
	return show("you may like", `
		WITH best AS (
			SELECT id, clip_sim((SELECT avg(l2_normalize(clip)) FROM photos WHERE id IN (SELECT id FROM likes))) AS score
			FROM photos WHERE id NOT IN (SELECT id FROM likes) ORDER BY score LIMIT 5)
		SELECT best.id, caption, score FROM best JOIN captions ON captions.id = best.id ORDER BY score DESC`)
}
