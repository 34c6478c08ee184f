// Photos-cleanup indexes the pictures of a directory and everything below it, and
// shows which of them are copies of each other, smaller, re-encoded or exact ones,
// and which were taken in one burst; and of each group, which to keep.
//
//	photos-cleanup -models testdata/models -encoder toy-clip DIR
//	photos-cleanup -list remove.txt DIR
//
// It removes nothing. With -list it writes the paths of what can go, one a line: all
// copies but the best of each group and, with -bursts, all pictures of a burst but the
// best, be it one that was best of its copies. Look at the list, and then
//
//	xargs -d '\n' rm -- < remove.txt
//
// The best picture has the most pixels; of those, it tells when it was taken, as copies
// that a messenger has sent no longer do; of those, it has the largest file, as sharp
// pictures and gentle compression have; then the first path counts.
//
// Copies are found by their vectors: -least says how near they are. Groups may be chains,
// of which not every picture is that near to the best: such ones are shown, and stay.
// A burst is pictures of one camera, each taken at most -within after the one before.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder/onnx"
)

// options are what the flags say.
type options struct {
	models, encoder, index, list string
	least                        float64
	within                       time.Duration
	bursts                       bool
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.models, "models", "", "directory of models, besides LUPA_MODELS")
	flag.StringVar(&o.encoder, "encoder", "clip-vit-b-32", "name of the model")
	flag.StringVar(&o.index, "index", "", "directory of the index (default: DIR/.index.lupa)")
	flag.Float64Var(&o.least, "least", 0.97, "cosine similarity from which pictures are copies of each other")
	flag.DurationVar(&o.within, "within", 2*time.Second, "time between two pictures of a burst")
	flag.BoolVar(&o.bursts, "bursts", false, "list all of a burst but the best, too")
	flag.StringVar(&o.list, "list", "", "write the files to remove into this new file")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: photos-cleanup [flags] DIR")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	// A list of absolute paths can be used from anywhere, and so can the index.
	dir, err := filepath.Abs(flag.Arg(0))
	if err == nil {
		err = run(ctx, dir, o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, o options) error {
	if o.list != "" { // before an hour of encoding
		if _, err := os.Lstat(o.list); err == nil {
			return fmt.Errorf("%s exists already: -list writes a new file", o.list)
		}
	}
	if o.index == "" {
		o.index = filepath.Join(dir, ".index.lupa")
	}
	store, err := db.Open(o.index, &db.Options{
		OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{o.models}}),
		Warn:        func(msg string) { log.Print(msg) },
		Progress: func(p db.Progress) {
			fmt.Fprintf(os.Stderr, "\r%s %d/%d %s ", p.Stage, p.Done, p.Total, p.Unit)
		},
	})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := update(ctx, store, dir, o.encoder); err != nil {
		return err
	}

	session, err := store.Conn(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	var spare list
	if err := copies(ctx, session, o.least, &spare); err != nil {
		return err
	}
	alsoRemove := &spare
	if !o.bursts {
		alsoRemove = nil
	}
	if err := bursts(ctx, session, o.within, o.least, alsoRemove); err != nil {
		return err
	}
	fmt.Printf("%d files to remove, %d bytes\n", len(spare.paths), spare.bytes)
	if o.list == "" {
		return nil
	}
	return spare.write(o.list)
}

// update makes the index show the directory as it is. What is gone or has changed leaves
// it first: nothing may be given up for a picture that isn't there any more.
func update(ctx context.Context, store *db.DB, dir, enc string) error {
	// A name can't be a parameter: quote it.
	if _, err := store.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS pictures (
		path TEXT PRIMARY KEY, width INTEGER, height INTEGER, bytes INTEGER, modified TIMESTAMP,
		taken TIMESTAMP, camera TEXT, look VECTOR ENCODER '%s')`, strings.ReplaceAll(enc, "'", "''"))); err != nil {
		return err
	}
	gone, err := store.Exec(ctx, `DELETE FROM pictures
		WHERE NOT EXISTS (SELECT 1 FROM images($1) AS f
			WHERE f.path = pictures.path AND f.bytes = pictures.bytes AND f.modified = pictures.modified)`, dir)
	if err != nil {
		return err
	}
	added, err := store.Exec(ctx, `INSERT INTO pictures
		SELECT path, width, height, bytes, modified, taken, camera, image(path) FROM images($1)
		WHERE path NOT IN (SELECT path FROM pictures)
		ON CONFLICT (path) DO NOTHING`, dir)
	if err != nil {
		return err
	}
	fmt.Printf("%d new pictures, %d gone or changed\n", added.RowsAffected, gone.RowsAffected)
	return nil
}

// copies shows the groups of pictures that are nearly the same, and adds those that can go.
// They stay in the session's table copies.
func copies(ctx context.Context, session *db.Conn, least float64, spare *list) error {
	if _, err := session.Exec(ctx, `CREATE TEMP TABLE copies AS
		WITH ranked AS (
			SELECT d.path, first_value(d.path) OVER (PARTITION BY d.group_number
				ORDER BY p.width * p.height DESC, p.taken IS NULL, p.bytes DESC, d.path) AS keep
			FROM duplicates('pictures', 'look', $1) AS d JOIN pictures AS p ON p.path = d.path)
		SELECT r.path, r.keep, similarity(p.look, k.look) AS similarity
		FROM ranked AS r JOIN pictures AS p ON p.path = r.path JOIN pictures AS k ON k.path = r.keep`, least); err != nil {
		return err
	}
	type picture struct {
		Path, Keep           string
		Similarity           float64
		Width, Height, Bytes int64
	}
	group := 0
	for p, err := range db.Each[picture](ctx, session, `
		SELECT c.path, keep, similarity, width, height, bytes
		FROM copies AS c JOIN pictures AS p ON p.path = c.path
		ORDER BY keep, c.path <> keep, similarity DESC, c.path`) {
		if err != nil {
			return err
		}
		what := "keep"
		switch {
		case p.Path == p.Keep:
			group++
			fmt.Printf("copies %d\n", group)
		case p.Similarity < least:
			what = "differs"
		default:
			if what, err = spare.add(p.Path, p.Keep, p.Bytes); err != nil {
				return err
			}
		}
		fmt.Printf("  %-7s  %.4f  %s  (%d x %d, %d bytes)\n", what, p.Similarity, p.Path, p.Width, p.Height, p.Bytes)
	}
	return nil
}

// bursts shows the best of each burst, and adds the others to spare, which may be nil. A
// burst ends where the time to the picture before is too long: the sum of such ends so far
// is the burst's number. Copies that can go are no part of it.
func bursts(ctx context.Context, session *db.Conn, within time.Duration, least float64, spare *list) error {
	type picture struct {
		Path, Keep           string
		Began                time.Time
		Pictures             int64
		Width, Height, Bytes int64
	}
	for p, err := range db.Each[picture](ctx, session, `
		WITH steps AS (
			SELECT *, coalesce(taken - lag(taken) OVER (PARTITION BY camera ORDER BY taken, path) <= $1::INTERVAL, false) AS goes_on
			FROM pictures
			WHERE taken IS NOT NULL AND path NOT IN (SELECT path FROM copies WHERE path <> keep AND similarity >= $2)),
		numbered AS (
			SELECT *, sum(CASE WHEN goes_on THEN 0 ELSE 1 END) OVER (PARTITION BY camera ORDER BY taken, path) AS burst
			FROM steps)
		SELECT path, first_value(path) OVER best AS keep, min(taken) OVER one AS began, count(*) OVER one AS pictures, width, height, bytes
		FROM numbered
		WINDOW one AS (PARTITION BY camera, burst), best AS (one ORDER BY width * height DESC, bytes DESC, path)
		QUALIFY count(*) OVER one > 1
		ORDER BY began, keep, path <> keep, taken, path`, fmt.Sprintf("%d microseconds", within.Microseconds()), least) {
		if err != nil {
			return err
		}
		what := "other"
		switch {
		case p.Path == p.Keep:
			what = "best"
			fmt.Printf("burst of %d, %s\n", p.Pictures, p.Began.Format(time.DateTime))
		case spare != nil:
			if what, err = spare.add(p.Path, p.Keep, p.Bytes); err != nil {
				return err
			}
		}
		fmt.Printf("  %-7s  %s  (%d x %d, %d bytes)\n", what, p.Path, p.Width, p.Height, p.Bytes)
	}
	return nil
}

// list is what can be removed.
type list struct {
	paths []string
	bytes int64
}

// add adds a file that goes for the sake of another, and says what becomes of it. A link to
// what is kept, or what a kept link leads to, is the same file and stays.
func (l *list) add(path, keep string, bytes int64) (what string, err error) {
	kept, err := os.Stat(keep)
	if err != nil {
		return "", err
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "gone", nil
	case err != nil:
		return "", err
	case os.SameFile(kept, st):
		return "same", nil
	case strings.ContainsAny(path, "\r\n"):
		log.Printf("%q: a list of lines can't hold this name; it is left out", path)
		return "unsaid", nil
	}
	l.paths = append(l.paths, path)
	l.bytes += bytes
	return "remove", nil
}

// write writes the list into a new file.
func (l *list) write(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	for _, path := range l.paths {
		if _, err := fmt.Fprintln(f, path); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
