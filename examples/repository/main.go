// Repository keeps bookmarks with database/sql alone: no mapper, no other API. The
// type Bookmarks is the repository, and all that knows SQL.
//
//	repository bookmarks.lupa add https://go.dev/blog/slog 'Structured logging with slog' go logging
//	repository bookmarks.lupa search 'how to log'
//	repository bookmarks.lupa like https://go.dev/blog/slog
//	repository bookmarks.lupa show https://go.dev/blog/slog
//	repository bookmarks.lupa remove https://go.dev/blog/slog
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) < 3 {
		return errors.New("usage: repository STORE add URL TITLE [TAG...] | search PHRASE [TAG] | like URL | show URL | remove URL")
	}
	pool := sql.OpenDB(driver.NewConnector(args[0], &db.Options{Encoders: []encoder.Encoder{ngram.New("text", 256)}}))
	defer func() { err = errors.Join(err, pool.Close()) }()
	bookmarks, err := NewBookmarks(ctx, pool)
	if err != nil {
		return err
	}
	what, args := args[1], args[2:]
	switch {
	case what == "add" && len(args) >= 2:
		return bookmarks.Add(ctx, Bookmark{URL: args[0], Title: args[1], Added: time.Now(), Tags: args[2:]})
	case what == "remove":
		return bookmarks.Remove(ctx, args[0])
	case what == "show":
		b, err := bookmarks.Get(ctx, args[0])
		if err == nil {
			fmt.Printf("%s\n%s\nadded %s, tags: %s\n", b.URL, b.Title, b.Added.Format(time.DateOnly), strings.Join(b.Tags, ", "))
		}
		return err
	case what == "search":
		tag := ""
		if len(args) > 1 {
			tag = args[1]
		}
		return show(bookmarks.Search(ctx, args[0], tag, 3))
	case what == "like":
		return show(bookmarks.Like(ctx, args[0], 3))
	}
	return fmt.Errorf("can't %q that", what)
}

func show(found []Match, err error) error {
	for _, m := range found {
		fmt.Printf("%.3f  %s  %s\n", m.Score, m.Title, m.URL)
	}
	return err
}
