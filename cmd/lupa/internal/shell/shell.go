package shell

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/postgres"
	"github.com/lupadb/lupa/encoder/onnx"
)

var errInterrupted = errors.New("interrupted")

// Shell runs statements and dot commands against one store. It is for one
// goroutine.
type Shell struct {
	std  stdio
	opts *options

	db    *db.DB
	conn  *db.Conn
	store string // as given

	set    settings
	params map[string]db.Value // by name; "1" is $1

	out  *sink // where results go
	once *sink // where the next result goes, if not nil

	interactive bool
	quit        bool
	failed      bool // a statement failed and the run went on
	results     int  // how many results have been echoed, for the blank line between them
	reading     int  // depth of .read
	stop        *interrupts
	bar         bar
	paging      atomic.Bool
	protocol    string // what .images auto has found, or ""
	fetched     fetcher
	history     *history // of the interactive shell
	madePage    string   // the gallery that was made last
}

// settings are what dot commands change and .show prints.
type settings struct {
	mode    string
	noHead  bool
	null    string
	maxRows int
	width   int   // 0 = the terminal's
	columns []int // of .width
	timer   bool
	echo    bool
	bail    bool
	pager   string // "auto", "off" or a command
	images  string
	imageAt string // template of .images
	gallery render.Gallery
	prompt  string // of .prompt; "" = the store's name and >
	further string // before the further lines of a statement
}

// sink is a place for results.
type sink struct {
	w    io.Writer
	file *os.File // the terminal or file behind w, or nil
	name string   // as .show prints it
}

func (s *sink) close() error {
	if s.file != nil && s.name != "stdout" {
		return s.file.Close()
	}
	return nil
}

// newShell prepares a shell; open opens its store.
func newShell(std stdio, o *options) (*Shell, error) {
	s := &Shell{std: std, opts: o, params: map[string]db.Value{}}
	s.out = &sink{std.out, std.outFile, "stdout"}
	s.set = settings{
		mode: o.format, noHead: o.noHeader, null: o.null, maxRows: o.maxRows, width: o.width,
		timer: o.timer, echo: o.echo, bail: !o.keepGoing, pager: "auto", images: o.images,
	}
	if o.format != "" {
		m, err := render.Lookup(o.format)
		if err != nil {
			return nil, usageError{err}
		}
		s.set.mode = m.Name
	}
	if s.set.images == "" {
		s.set.images = "auto"
	}
	if err := render.CheckProtocol(s.set.images); err != nil {
		return nil, usageError{err}
	}
	for _, p := range o.params {
		name, text, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usagef("--param needs NAME=VALUE, not %q", p)
		}
		v, err := parseParam(text)
		if err != nil {
			return nil, usagef("--param %s: %v", name, err)
		}
		s.params[strings.TrimLeft(name, ":$")] = v
	}
	return s, nil
}

// open opens the store in dir and begins a session in it, in place of the one
// that was open.
func (s *Shell) open(ctx context.Context, dir string, readOnly, mustExist bool) error {
	opts := &db.Options{
		ReadOnly:    readOnly,
		AsFound:     s.opts.asFound,
		MustExist:   mustExist,
		AllowURLs:   s.opts.urls,
		OpenEncoder: onnx.Opener(&onnx.Options{Models: s.opts.models}),
		Attach:      []db.Attachable{postgres.Opener(nil)},
		Warn:        func(msg string) { s.message("%s", "warning: "+msg) },
		Notice:      func(msg string) { s.message("%s", msg) },
	}
	d, err := db.OpenContext(ctx, dir, opts)
	if err != nil {
		return err
	}
	conn, err := d.Conn(ctx)
	if err != nil {
		d.Close()
		return err
	}
	if err := s.closeStore(); err != nil {
		conn.Close()
		d.Close()
		return err
	}
	s.db, s.conn, s.store = d, conn, dir
	return nil
}

func (s *Shell) closeStore() error {
	if s.db == nil {
		return nil
	}
	if s.conn.InTransaction() {
		s.message("the open transaction is rolled back")
	}
	err := errors.Join(s.conn.Close(), s.db.Close())
	s.db, s.conn = nil, nil
	return err
}

// message prints a line for people: to the error stream, so that results stay
// clean.
func (s *Shell) message(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	s.clearProgress()
	fmt.Fprintln(s.std.err, visibleOn(s.std.errFile, format))
}

// sink returns where the next result goes, using up .once.
func (s *Shell) sink() (to *sink, done func() error) {
	if s.once != nil {
		to, s.once = s.once, nil
		return to, to.close
	}
	return s.out, func() error { return nil }
}

// mode is the output mode for results written to to.
func (s *Shell) mode(to *sink) string {
	if s.set.mode != "" {
		return s.set.mode
	}
	if isTerminal(to.file) || s.set.width > 0 {
		return "box"
	}
	if m, ok := modeOfEnding[strings.ToLower(filepath.Ext(to.name))]; ok {
		return m
	}
	return "table"
}

// modeOfEnding is what a file's name asks for where no mode was chosen.
var modeOfEnding = map[string]string{
	".csv": "csv", ".tsv": "tsv", ".json": "json", ".jsonl": "jsonl", ".md": "markdown", ".html": "html",
}

// renderOptions are the settings as the renderers want them.
func (s *Shell) renderOptions(to *sink) render.Options {
	tty := isTerminal(to.file)
	o := render.Options{
		Screen: tty || s.set.width > 0, Escape: tty, Color: wantColor(s.opts.color, to.file),
		Width: s.set.width, Columns: s.set.columns, MaxRows: s.set.maxRows, NoHead: s.set.noHead, Null: s.set.null,
		Gallery: s.set.gallery,
	}
	if o.Width == 0 && tty {
		o.Width, _ = termSize(to.file)
	}
	return o
}

// openSink makes a file to write results to.
func openSink(name string) (*sink, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &sink{f, f, name}, nil
}

// args returns the arguments for the parameters a statement has, of those that
// --param and .parameter have set.
func (s *Shell) args(st *db.Stmt) ([]any, error) {
	var args []any
	for i := 1; i <= st.NumParams(); i++ {
		v, ok := s.params[fmt.Sprint(i)]
		if !ok {
			return nil, fmt.Errorf("no value for $%d; set it with .parameter set %d VALUE or --param %d=VALUE", i, i, i)
		}
		args = append(args, v)
	}
	for _, name := range st.ParamNames() {
		v, ok := s.params[name]
		if !ok {
			return nil, fmt.Errorf("no value for :%s; set it with .parameter set %s VALUE or --param %s=VALUE", name, name, name)
		}
		args = append(args, sql.Named(name, v))
	}
	return args, nil
}

// runStatement runs one statement and writes its result. An error has not been
// reported yet.
func (s *Shell) runStatement(ctx context.Context, text string) error {
	if s.conn == nil {
		return errors.New("no store is open; .open DIR opens one")
	}
	start := time.Now()
	ctx, stop := s.cancellable(ctx)
	defer stop()
	ctx = db.WithProgress(ctx, s.progress)

	rows, err := s.query(ctx, text)
	if err == nil {
		err = s.show(rows)
	}
	s.clearProgress()
	if err != nil && context.Cause(ctx) == errInterrupted {
		return errInterrupted
	}
	if err == nil && s.set.timer {
		s.message("time: %s", elapsed(time.Since(start)))
	}
	return err
}

func (s *Shell) query(ctx context.Context, text string) (*db.Rows, error) {
	if len(s.params) == 0 {
		return s.conn.Query(ctx, text)
	}
	st, err := s.conn.Prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	args, err := s.args(st)
	if err != nil {
		return nil, err
	}
	return st.Query(ctx, args...)
}

// show writes the rows of a statement and closes them; without columns it says
// what was done, to people.
func (s *Shell) show(rows *db.Rows) error {
	defer rows.Close()
	names := rows.Columns()
	if len(names) == 0 {
		for rows.Next() { // nothing comes; an error may
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if s.interactive || s.set.echo || s.set.timer {
			if msg := done(rows.Result()); msg != "" {
				s.message(msg)
			}
		}
		return nil
	}
	cols := make([]render.Column, len(names))
	for i, t := range rows.Types() {
		cols[i] = render.Column{Name: names[i], Type: t}
	}
	return s.render(cols, func(row func([]db.Value) error) error {
		for rows.Next() {
			if err := row(rows.Values()); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// render writes a result in the current mode: each calls row for every row.
func (s *Shell) render(cols []render.Column, each func(row func([]db.Value) error) error) (err error) {
	to, closeSink := s.sink()
	defer func() { err = errors.Join(err, closeSink()) }()
	if s.mode(to) == "gallery" && isTerminal(to.file) { // a page is for a browser
		f, err := os.CreateTemp("", "lupa-gallery-*.html")
		if err != nil {
			return err
		}
		defer f.Close()
		s.madePage = f.Name()
		defer s.message("the page is %s; .open gallery shows it in the browser", f.Name())
		to = &sink{f, f, f.Name()}
	}
	o := s.renderOptions(to)
	w, donePaging := s.page(to, s.mode(to))
	defer func() { donePaging() }()
	r, err := render.New(s.mode(to), w, o)
	if err != nil {
		return err
	}
	pics := s.thumbnails(to, cols, o)
	begun := false
	begin := func() error {
		s.clearProgress() // the bar makes room
		begun = true
		return r.Begin(cols)
	}
	err = each(func(vals []db.Value) error {
		if !begun {
			if err := begin(); err != nil {
				return err
			}
		}
		pics.Row(vals)
		return r.Row(vals)
	})
	if !begun && err == nil {
		err = begin()
	}
	s.clearProgress()
	// What came before an error is written, too: a result cut short by Ctrl-C
	// is of use, and the error says that it isn't all.
	if begun {
		if e := r.End(); err == nil {
			err = e
		}
	}
	// Pictures go past the pager, which would garble them.
	donePaging()
	donePaging = func() {}
	if err == nil {
		err = pics.Write(to.w)
	}
	return err
}

// done says in a few words what a statement without rows has done.
func done(r db.Result) string {
	n := fmt.Sprintf("%s rows", thousands(r.RowsAffected))
	if r.RowsAffected == 1 {
		n = "1 row"
	}
	switch r.Tag {
	case "INSERT":
		return n + " inserted"
	case "UPDATE":
		return n + " updated"
	case "DELETE":
		return n + " deleted"
	case "COPY":
		return n + " copied"
	}
	return strings.ToLower(r.Tag)
}

// baseName is the store's name in the prompt.
func (s *Shell) baseName() string {
	if s.store == "" || s.store == ":memory:" {
		return "memory"
	}
	abs, err := filepath.Abs(s.store)
	if err != nil {
		return s.store
	}
	return strings.TrimSuffix(filepath.Base(abs), ".lupa")
}

// elapsed writes a duration as people say it.
func elapsed(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.3f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Minute:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
