// Products searches a catalogue by meaning and words, and by price, stock and category, in
// one statement: the filter comes first, and k products that match come back if
// there are k.
//
//	products -max 150 -category jackets 'something waterproof for cycling'
//
// The encoder is the little one of package ngram, so that the example needs no
// model; with encoder/onnx and a text model the statements are the same.
package main

import (
	"context"
	_ "embed"
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

//go:embed products.csv
var catalogue string

type product struct {
	SKU   string `lupa:"sku"`
	Name  string
	Price float64
	Stock int
	Added time.Time
	Score float64
}

func main() {
	log.SetFlags(0)
	maxPrice := flag.Float64("max", 1e9, "highest price")
	category := flag.String("category", "", "only this category")
	flag.Parse()
	if err := run(context.Background(), strings.Join(flag.Args(), " "), *maxPrice, *category); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, phrase string, maxPrice float64, category string) error {
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{ngram.New("text", 512)}})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := load(ctx, store); err != nil {
		return err
	}

	// By both rankings: what is like the phrase, and what has its words. websearch takes
	// whatever somebody types. NULL for the category means any.
	var only *string
	if category != "" {
		only = &category
	}
	found, err := db.Select[product](ctx, store, `
		SELECT sku, name, price, stock, added, rrf(about_sim(:phrase), bm25(words, websearch(:phrase))) AS score
		FROM products
		WHERE price <= :max AND stock > 0 AND (:category::text IS NULL OR category = :category)
		ORDER BY score LIMIT 4`,
		db.Named("phrase", phrase), db.Named("max", maxPrice), db.Named("category", only))
	if err != nil {
		return err
	}
	for _, p := range found {
		fmt.Printf("%.3f  %s  %-22s %8.2f  %2d left, since %s\n", p.Score, p.SKU, p.Name, p.Price, p.Stock, p.Added.Format("January 2006"))
	}

	// The best of each category, in one statement.
	type best struct{ Category, Name string }
	perCategory, err := db.Select[best](ctx, store, `
		SELECT DISTINCT ON (category) category, name FROM products
		WHERE stock > 0 ORDER BY category, about_sim($1)`, phrase)
	if err != nil {
		return err
	}
	for _, b := range perCategory {
		fmt.Printf("best of %s: %s\n", b.Category, b.Name)
	}
	return nil
}

func load(ctx context.Context, store *db.DB) error {
	if _, err := store.Exec(ctx, `
		CREATE TABLE products (
			sku TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT, category TEXT,
			price REAL, stock INTEGER, added TIMESTAMP, about VECTOR ENCODER 'text');
		CREATE INDEX by_category ON products (category);
		CREATE INDEX words ON products USING fulltext (name, description) WITH (language = 'english', weights = '2, 1')`); err != nil {
		return err
	}
	records, err := csv.NewReader(strings.NewReader(catalogue)).ReadAll()
	if err != nil {
		return err
	}
	return store.Update(ctx, func(tx *db.Tx) error {
		// What is searched is name and description together.
		insert, err := tx.Prepare(ctx, `INSERT INTO products VALUES ($1, $2, $3, $4, $5::real, $6::integer, $7::timestamp, $8)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range records[1:] {
			if _, err := insert.Exec(ctx, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[1]+" "+r[2]); err != nil {
				return err
			}
		}
		return nil
	})
}
