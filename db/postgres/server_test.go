//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/postgres"
)

// The servers that tests attach: PGlite, which is PostgreSQL with pgvector in WebAssembly and
// comes from npm, and PostgreSQL itself as the system has it, without pgvector. Each is
// started once, when the first test wants it.
var (
	pglite    = server{start: startPGlite}
	installed = server{start: startPostgres}
)

type server struct {
	once    sync.Once
	start   func() (address string, stop func(), why string)
	address string
	stop    func()
	why     string
}

// at is the address of a running server; a test that needs one that is not here says so.
func (s *server) at(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.address, s.stop, s.why = s.start() })
	if s.address == "" {
		t.Skip("left out: " + s.why)
	}
	return s.address
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range []*server{&pglite, &installed} {
		if s.stop != nil {
			s.stop()
		}
	}
	os.Exit(code)
}

func startPGlite() (string, func(), string) {
	dir, _ := filepath.Abs("../../.tools/pglite")
	node, err := exec.LookPath("node")
	if _, e := os.Stat(filepath.Join(dir, "node_modules")); e != nil || err != nil {
		return "", nil, "PGlite is not here (make test fetches it where there is npm)"
	}
	script, err := os.ReadFile("../../testdata/pglite/serve.mjs")
	if err != nil {
		return "", nil, err.Error()
	}
	path := filepath.Join(dir, "serve.mjs")
	if old, _ := os.ReadFile(path); string(old) != string(script) {
		os.WriteFile(path, script, 0o644)
	}
	cmd := exec.Command(node, path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err.Error()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err.Error()
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err.Error()
	}
	stop := func() { in.Close(); cmd.Process.Kill(); cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, "PGlite did not start: " + err.Error()
	}
	return "postgres://postgres@127.0.0.1:" + strings.TrimSpace(line) + "/postgres?sslmode=disable", stop, ""
}

func startPostgres() (string, func(), string) {
	initdb := program("initdb")
	if initdb == "" {
		return "", nil, "PostgreSQL's server is not here"
	}
	dir, err := os.MkdirTemp("", "lupa-postgres")
	if err != nil {
		return "", nil, err.Error()
	}
	as := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = dir
		if os.Getuid() == 0 { // as whom it refuses to run
			for _, name := range []string{"postgres", "nobody"} {
				if u, err := user.Lookup(name); err == nil {
					uid, _ := strconv.Atoi(u.Uid)
					gid, _ := strconv.Atoi(u.Gid)
					os.Chown(dir, uid, gid)
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
					break
				}
			}
		}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := as(exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")).CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Sprintf("initdb: %v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err.Error()
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := as(exec.Command(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"))
	if err := cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return "", nil, err.Error()
	}
	stop := func() {
		cmd.Process.Signal(syscall.SIGQUIT)
		cmd.Wait()
		os.RemoveAll(dir)
	}
	address := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	for range 200 {
		if c, err := pgx.Connect(context.Background(), address); err == nil {
			c.Close(context.Background())
			return address, stop, ""
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", nil, "PostgreSQL did not start"
}

// program finds a program of the server's, which is seldom in PATH.
func program(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if p, err := exec.LookPath(name); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			found = append(found, real)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

// open opens a store in memory with the database at address attached as x, in a schema of its
// own.
func open(t testing.TB, address string, opts *db.Options) (*db.DB, *pgx.Conn) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	schema := strings.ToLower(strings.NewReplacer("/", "_", "#", "_", " ", "_").Replace(t.Name()))
	if _, err := c.Exec(ctx, fmt.Sprintf("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %[1]s", schema)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "SET search_path = "+schema+", public"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(ctx) })
	if opts == nil {
		opts = &db.Options{}
	}
	opts.InMemory = true
	opts.Attach = []db.Attachable{postgres.Opener(nil)}
	d, err := db.Open("", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	run(t, d, "ATTACH $1 AS x", address+"&search_path="+schema+",public")
	return d, c
}

func run(t testing.TB, d *db.DB, sql string, args ...any) db.Result {
	t.Helper()
	r, err := d.Exec(context.Background(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

// rows are the rows of a query as texts, values separated by |.
func rows(t testing.TB, d *db.DB, sql string, args ...any) string {
	t.Helper()
	s, err := tryRows(d, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func tryRows(d *db.DB, sql string, args ...any) (string, error) {
	r, err := d.Query(context.Background(), sql, args...)
	if err != nil {
		return "", err
	}
	defer r.Close()
	var out []string
	for r.Next() {
		var line []string
		for _, v := range r.Values() {
			line = append(line, v.String())
		}
		out = append(out, strings.Join(line, "|"))
	}
	return strings.Join(out, "\n"), r.Err()
}

// plainBytes has the values of streamed stored out of line and not compressed.
func plainBytes(ctx context.Context, address string) error {
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "ALTER TABLE streamed ALTER clip SET STORAGE EXTERNAL")
	return err
}
