package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// Door is a way to run statements on a store.
type Door interface {
	// Name is what scripts call the door.
	Name() string
	// Open opens the store in dir, with models the directory of encoders.
	Open(ctx context.Context, dir, models string) (Store, error)
}

// Store is a store opened through a door.
type Store interface {
	// Exec runs the statements of a block and returns how many rows they
	// affected, -1 if the door doesn't tell.
	Exec(ctx context.Context, b *Block) (affected int64, err error)
	// Query runs the statement of a block.
	Query(ctx context.Context, b *Block) (names []string, rows [][]string, err error)
	// InTransaction reports whether a transaction is open.
	InTransaction() bool
	// NewSession ends the session, and with it an open transaction.
	NewSession(ctx context.Context) error
	Close() error
}

// Config is what a script runs under.
type Config struct {
	Door    Door
	Design  Design
	Rewrite string // path of the script, to write the answers found into it
}

// Run runs a script from an empty store, and checks the store afterwards.
func Run(t *testing.T, s *Script, c Config) {
	for _, name := range s.Skip {
		if name == c.Door.Name() || name == c.Design.Name {
			t.Skipf("the script leaves out %s", name)
		}
	}
	ctx := context.Background()
	r := &runner{t: t, c: c, work: t.TempDir()}
	r.dir = filepath.Join(r.work, "store")
	r.models = filepath.Join(r.work, "models")
	if err := WriteModels(r.models); err != nil {
		t.Fatal(err)
	}
	r.run(ctx, s)
	CheckStore(t, r.dir)
}

type runner struct {
	t                 *testing.T
	c                 Config
	work, dir, models string
	store             Store
	got               map[int][][]string
}

func (r *runner) run(ctx context.Context, s *Script) {
	r.got = map[int][][]string{}
	r.open(ctx)
	defer func() { r.store.Close() }()
	for i := range s.Blocks {
		b := s.Blocks[i] // a copy: ${dir} is put in
		if !b.runsUnder(r.c.Door.Name(), r.c.Design.Name) || b.HasArgs() && r.c.Door.Name() == "batch" {
			continue
		}
		b.SQL = strings.ReplaceAll(b.SQL, "${dir}", r.work)
		r.block(ctx, i, &b)
		if b.SQL != "" && !r.store.InTransaction() && (r.c.Design.Reopen || b.Kind == "exec" || b.Kind == "query" && !reads.MatchString(b.SQL)) {
			r.redesign(ctx)
		}
	}
	if r.c.Rewrite != "" && !r.t.Failed() {
		if err := os.WriteFile(r.c.Rewrite, []byte(s.Rewrite(r.got)), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// reads matches statements that leave the store as it is.
var reads = regexp.MustCompile(`(?i)^\s*(SELECT|WITH|EXPLAIN|SHOW|DESCRIBE|VALUES)\b`)

func (r *runner) open(ctx context.Context) {
	var err error
	if r.store, err = r.c.Door.Open(ctx, r.dir, r.models); err != nil {
		r.t.Fatalf("open: %v", err)
	}
}

func (r *runner) close() {
	if err := r.store.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// redesign brings the store into the shape of the design after a statement.
func (r *runner) redesign(ctx context.Context) {
	d := r.c.Design
	if d.Shape == nil && !d.Reopen {
		return
	}
	r.close()
	if d.Shape != nil {
		if err := d.Shape(ctx, r.dir); err != nil {
			r.t.Errorf("design %s: %v", d.Name, err)
		}
	}
	r.open(ctx)
}

func (r *runner) block(ctx context.Context, i int, b *Block) {
	r.t.Helper()
	fail := func(format string, args ...any) {
		r.t.Helper()
		r.t.Errorf("line %d: %s\n"+format, append([]any{b.Line, indent(b.SQL)}, args...)...)
	}
	switch b.Kind {
	case "file":
		r.writeFile(b)
	case "reopen":
		r.close()
		r.open(ctx)
	case "session":
		if err := r.store.NewSession(ctx); err != nil {
			fail("new session: %v", err)
		}
	case "exec":
		n, err := r.store.Exec(ctx, b)
		r.checkExec(b, n, err)
	case "error":
		_, err := r.store.Exec(ctx, b)
		r.checkError(b, err)
	case "query":
		names, rows, err := r.store.Query(ctx, b)
		if err != nil {
			fail("failed: %v", err)
			return
		}
		r.got[i] = rows
		r.checkRows(b, names, rows)
		r.again(ctx, b, rows)
	}
}

func (r *runner) writeFile(b *Block) {
	path := filepath.Join(r.work, b.File)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(b.Content), 0o644))
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) checkExec(b *Block, affected int64, err error) {
	r.t.Helper()
	switch {
	case err != nil:
		r.t.Errorf("line %d: %s\nfailed: %v", b.Line, indent(b.SQL), err)
	case b.Affected >= 0 && affected >= 0 && affected != b.Affected:
		r.t.Errorf("line %d: %s\naffected %d rows, want %d", b.Line, indent(b.SQL), affected, b.Affected)
	}
}

func (r *runner) checkError(b *Block, err error) {
	r.t.Helper()
	switch {
	case err == nil:
		r.t.Errorf("line %d: %s\nsucceeded, want the error %s", b.Line, indent(b.SQL), b.Error)
	case !b.Error.MatchString(err.Error()):
		r.t.Errorf("line %d: %s\nfailed with\n\t%v\nwant\n\t%s", b.Line, indent(b.SQL), err, b.Error)
	}
}

func (r *runner) checkRows(b *Block, names []string, rows [][]string) {
	r.t.Helper()
	if r.c.Rewrite != "" {
		return
	}
	if diff := b.compareRows(names, rows); diff != "" {
		r.t.Errorf("line %d: %s\n%s", b.Line, indent(b.SQL), diff)
	}
}

func indent(s string) string { return "\n\t" + strings.ReplaceAll(s, "\n", "\n\t") }

// CheckStore opens the store in dir and fails the test if Check finds a problem.
func CheckStore(t testing.TB, dir string) {
	t.Helper()
	d, err := db.Open(dir, nil)
	if err != nil {
		t.Errorf("open for the check: %v", err)
		return
	}
	defer d.Close()
	problems, err := d.Check(context.Background())
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, p := range problems {
		t.Errorf("check: %v", p)
	}
}

// Scripts returns the scripts of a directory whose names match the expression.
func Scripts(dir string, match *regexp.Regexp) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.test"))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range paths {
		if match == nil || match.MatchString(filepath.Base(p)) {
			out = append(out, p)
		}
	}
	return out, nil
}
