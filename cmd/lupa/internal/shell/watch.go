package shell

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
	"github.com/spf13/pflag"
)

// watchOptions are those of lupa watch.
type watchOptions struct {
	options
	once bool
}

func watchFlags(o *watchOptions) *pflag.FlagSet {
	f := pflag.NewFlagSet("lupa watch", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	f.BoolVar(&o.once, "once", false, "end when everything that waits is told")
	f.BoolVarP(&o.help, "help", "h", false, "this text")
	return f
}

// watchPoll is how often lupa watch looks whether a store has changed, and watchQuiet how
// long it must have been left alone before it is opened: a store is open in one program at a
// time, and one that is just about to write again should not find it taken.
var (
	watchPoll  = 250 * time.Millisecond
	watchQuiet = time.Second
)

// runWatch is lupa watch: the rows that a watch tells, a line each.
func runWatch(ctx context.Context, std stdio, args []string) (err error) {
	o := &watchOptions{options: options{images: "off", color: "auto", format: "jsonl"}}
	f := watchFlags(o)
	if err := f.Parse(args); err != nil {
		return usageError{err}
	}
	if o.help {
		return runHelp(std, []string{"watch"})
	}
	var name string
	switch f.NArg() {
	case 1:
		if o.store, err = onlyStore("."); err != nil {
			return err
		}
		name = f.Arg(0)
	case 2:
		o.store, name = f.Arg(0), f.Arg(1)
	default:
		return usagef("lupa watch needs a store and the name of a watch")
	}
	s, err := newShell(std, &o.options)
	if err != nil {
		return err
	}
	s.stop = catchInterrupts()
	defer s.stop.release()
	ctx, stop := s.cancellable(ctx)
	defer stop()
	err = s.watch(ctx, o, name)
	if err != nil && context.Cause(ctx) == errInterrupted {
		return nil // that is how it ends
	}
	return err
}

func (s *Shell) watch(ctx context.Context, o *watchOptions, name string) error {
	waits := false // that it waits for another program was said
	for {
		before := commitsOf(o.store)
		told, err := s.tellAll(ctx, o.store, name)
		switch {
		case errors.Is(err, db.ErrLocked) && !o.once:
			if !waits {
				waits = true
				s.message("the store is open in another program; what it writes is told when it has closed the store")
			}
			err = sleep(ctx, watchPoll)
		case err != nil || o.once:
			return err
		default:
			if waits = false; !told {
				// Nothing was committed here, so that what is different now is by others.
				err = untilChanged(ctx, o.store, before)
			}
		}
		if err != nil {
			return err
		}
	}
}

// tellAll prints what waits, acknowledges it, and gives the store back. It reports whether there
// was something.
func (s *Shell) tellAll(ctx context.Context, dir, name string) (told bool, err error) {
	store, err := db.OpenContext(ctx, dir, &db.Options{MustExist: true})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	w, err := store.Watch(ctx, name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for {
		some, err := w.Waiting()
		if err != nil || !some {
			return told, err
		}
		told = true
		var rows []db.Watched
		for some && len(rows) < 256 {
			m, err := w.Next()
			if err != nil {
				return told, err
			}
			rows = append(rows, m)
			if some, err = w.Waiting(); err != nil {
				return told, err
			}
		}
		cols := []render.Column{{Name: "watch", Type: db.Type{Kind: db.Text}}, {Name: "place", Type: db.Type{Kind: db.Text}}}
		for i, c := range rows[0].Columns {
			cols = append(cols, render.Column{Name: c, Type: rows[0].Values[i].Type()})
		}
		err = s.render(cols, func(row func([]db.Value) error) error {
			for _, m := range rows {
				vals := []db.Value{value.Str(name), value.Str(m.Place)}
				for i := range cols[2:] {
					v := db.Value{}
					if i < len(m.Values) {
						v = m.Values[i]
					}
					vals = append(vals, v)
				}
				if err := row(vals); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return told, err
		}
		// What was printed is told; when this fails it is told once more.
		if err := w.Ack(rows[len(rows)-1]); err != nil {
			return told, err
		}
	}
}

// commitsOf is the file of a store that tells the number of commits, which can be read while
// others write.
func commitsOf(dir string) []byte {
	b, _ := os.ReadFile(filepath.Join(dir, "COMMITS"))
	return b
}

// untilChanged waits until somebody has committed to a store since commitsOf gave was, and left
// it alone for a while.
func untilChanged(ctx context.Context, dir string, was []byte) error {
	var since time.Time
	for last := was; ; {
		if err := sleep(ctx, watchPoll); err != nil {
			return err
		}
		now := commitsOf(dir)
		switch {
		case !bytes.Equal(now, last):
			last, since = now, time.Now()
		case !bytes.Equal(now, was) && time.Since(since) >= watchQuiet:
			return nil
		}
	}
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
