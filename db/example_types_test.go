package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/png"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

func ExampleDB_View() {
	ctx, store := example()
	defer store.Close()
	err := store.View(ctx, func(tx *db.Tx) error {
		before, err := db.Get[int](ctx, tx, `SELECT count(*) FROM pics`)
		if err != nil {
			return err
		}
		// What others write meanwhile is not seen here.
		if _, err := store.Exec(ctx, `INSERT INTO pics (id) VALUES ('d')`); err != nil {
			return err
		}
		after, err := db.Get[int](ctx, tx, `SELECT count(*) FROM pics`)
		fmt.Println(before, after)
		return err
	})
	fmt.Println(err)
	// Output:
	// 3 3
	// <nil>
}

func ExampleGet() {
	ctx, store := example()
	defer store.Close()
	width, err := db.Get[int](ctx, store, `SELECT width FROM pics WHERE id = $1`, "b")
	fmt.Println(width, err)
	_, err = db.Get[int](ctx, store, `SELECT width FROM pics WHERE id = $1`, "none")
	fmt.Println(errors.Is(err, db.ErrNoRows))
	// Output:
	// 800 <nil>
	// true
}

func ExampleEach() {
	ctx, store := example()
	defer store.Close()
	for id, err := range db.Each[string](ctx, store, `SELECT id FROM pics ORDER BY id`) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id)
		if id == "b" {
			break // the rest is not read
		}
	}
	// Output:
	// a
	// b
}

func ExampleNamed() {
	ctx, store := example()
	defer store.Close()
	var id string
	err := store.QueryRow(ctx, `SELECT id FROM pics WHERE width BETWEEN :low AND :high`, db.Named("low", 700), sql.Named("high", 900)).Scan(&id)
	fmt.Println(id, err)
	// Output: b <nil>
}

func ExampleFloats() {
	ctx, store := example()
	defer store.Close()
	var v db.Floats // a []float32 for whatever wants a sql.Scanner
	err := store.QueryRow(ctx, `SELECT v FROM pics WHERE id = 'c'`).Scan(&v)
	fmt.Println(v, err)
	// Output: [1 1] <nil>
}

// colours is an encoder whose vectors are the mean colours of pictures.
type colours struct{}

func (colours) Model() encoder.Model {
	return encoder.Model{Name: "colours", Dim: 3, Hash: "colours-1"}
}
func (colours) Close() error { return nil }
func (colours) EncodeTexts(context.Context, []string) ([][]float32, error) {
	return nil, encoder.ErrUnsupported
}
func (colours) EncodeImages(_ context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	out := make([]encoder.ImageResult, len(images))
	for i, im := range images {
		var sum [3]float32
		p := im.Decoded
		if p == nil {
			var err error
			if p, _, err = image.Decode(bytes.NewReader(im.Data)); err != nil {
				out[i].Err = err
				continue
			}
		}
		b := p.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				r, g, b, _ := p.At(x, y).RGBA()
				sum[0], sum[1], sum[2] = sum[0]+float32(r)+1, sum[1]+float32(g)+1, sum[2]+float32(b)+1
			}
		}
		out[i].Vector = unit(sum[:])
	}
	return out, nil
}

func ExampleImage() {
	ctx := context.Background()
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{colours{}}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	plain := func(c color.Color) image.Image {
		img := image.NewRGBA(image.Rect(0, 0, 2, 2))
		for i := range 4 {
			img.Set(i%2, i/2, c)
		}
		return img
	}
	if _, err := store.Exec(ctx, `CREATE TABLE pics (name TEXT, look VECTOR ENCODER 'colours')`); err != nil {
		log.Fatal(err)
	}
	for name, c := range map[string]color.Color{"fire": color.RGBA{250, 60, 0, 255}, "grass": color.RGBA{0, 200, 30, 255}} {
		// A decoded picture is an argument as it is; db.Image{Data: ...} holds the bytes of a file.
		if _, err := store.Exec(ctx, `INSERT INTO pics VALUES ($1, $2)`, name, plain(c)); err != nil {
			log.Fatal(err)
		}
	}
	name, err := db.Get[string](ctx, store, `SELECT name FROM pics ORDER BY look_sim($1) LIMIT 1`, db.Image{Decoded: plain(color.RGBA{200, 0, 0, 255})})
	fmt.Println(name, err)
	// Output: fire <nil>
}

func ExampleAppenderOptions() {
	ctx, store := example()
	defer store.Close()
	// All rows or none: the third repeats a key.
	app, err := store.Appender(ctx, "pics", []string{"id", "width"}, &db.AppenderOptions{Atomic: true})
	if err != nil {
		log.Fatal(err)
	}
	defer app.Abort()
	for _, id := range []string{"x", "y", "a"} {
		if err := app.Append(id, 100); err != nil {
			log.Fatal(err)
		}
	}
	var unique *db.UniqueError
	fmt.Println(errors.As(app.Close(), &unique))
	n, err := db.Get[int](ctx, store, `SELECT count(*) FROM pics`)
	fmt.Println(n, err)
	// Output:
	// true
	// 3 <nil>
}

func ExampleDB_Backup() {
	ctx, store := example()
	defer store.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	backup := filepath.Join(dir, "backup")
	if err := store.Backup(ctx, backup); err != nil {
		log.Fatal(err)
	}
	// The copy is a store like any other.
	copied, err := db.Open(backup, &db.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer copied.Close()
	problems, err := copied.Check(ctx)
	n, _ := db.Get[int](ctx, copied, `SELECT count(*) FROM pics`)
	fmt.Println(n, len(problems), err)
	// Output: 3 0 <nil>
}

func ExampleDB_Stats() {
	ctx, store := example()
	defer store.Close()
	before := store.Stats()
	if _, err := store.Exec(ctx, `SELECT * FROM pics`); err != nil {
		log.Fatal(err)
	}
	after := store.Stats()
	fmt.Println(after.Statements-before.Statements, after.RowsReturned-before.RowsReturned, after.Open)
	// Output: 1 3 0
}

func ExampleTable() {
	ctx, store := example()
	defer store.Close()
	table, err := store.Table(ctx, "pics")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range table.Columns {
		fmt.Println(c.Name, c.Type, c.PrimaryKey)
	}
	// Output:
	// id TEXT true
	// width INTEGER false
	// v VECTOR(2) false
}

// slowQueries tells of statements that took long.
type slowQueries struct{ limit time.Duration }

func (s slowQueries) StatementStart(ctx context.Context, sql string) context.Context { return ctx }

func (s slowQueries) StatementEnd(ctx context.Context, e db.StatementEvent) {
	if e.Duration >= s.limit || e.Err != nil {
		fmt.Println(e.Tag, e.SQL, e.Rows, "rows,", "failed:", e.Err != nil)
	}
}

func ExampleTracer() {
	store, err := db.Open(":memory:", &db.Options{Trace: slowQueries{limit: 0}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	store.Exec(context.Background(), `SELECT 1`)
	// Output: SELECT SELECT 1 1 rows, failed: false
}

func ExampleWithProgress() {
	ctx, store := example()
	defer store.Close()
	reports := 0
	ctx = db.WithProgress(ctx, func(p db.Progress) { reports++ }) // p.Stage, p.Done, p.Total, p.Unit
	if _, err := store.Exec(ctx, `INSERT INTO pics (id, width) SELECT 'copy of ' || id, width FROM pics`); err != nil {
		log.Fatal(err)
	}
	fmt.Println(reports < 100) // about ten a second
	// Output: true
}
