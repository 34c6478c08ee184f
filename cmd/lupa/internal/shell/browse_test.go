package shell

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// The address that lupa browse prints opens the page, nothing else does, and the store can be
// opened again when it has ended.
func TestBrowse(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "x.lupa")
	store, err := db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Exec(t.Context(), "CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'x')"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- runBrowse(ctx, stdio{in: os.Stdin, out: in, err: io.Discard}, []string{dir}) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	base, _, _ := strings.Cut(address, "?")
	for _, x := range []struct {
		address string
		want    int
		has     string
	}{{base, 401, ""}, {address, 200, "<title>"}, {base + "api/v1/search?table=notes", 200, `"SELECT n, body FROM notes ORDER BY n LIMIT 60"`}} {
		resp, err := client.Get(x.address)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != x.want || !strings.Contains(string(body), x.has) {
			t.Errorf("%s: %s: %s", x.address, resp.Status, body)
		}
	}
	client.CloseIdleConnections()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	store, err = db.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := store.Check(t.Context()); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBrowseMistakes(t *testing.T) {
	std := stdio{in: os.Stdin, out: io.Discard, err: io.Discard}
	for _, args := range [][]string{{"a", "b"}, {"--nothere"}, {filepath.Join(t.TempDir(), "nothere.lupa")}, {"--listen", "nowhere:-1", t.TempDir()}} {
		if err := runBrowse(t.Context(), std, args); err == nil {
			t.Errorf("browse %v works", args)
		}
	}
}

func TestHostsOf(t *testing.T) {
	for listen, want := range map[string]string{"localhost:0": "localhost", "127.0.0.1:8080": "127.0.0.1", "pictures.example:80": "pictures.example", "[::1]:1": "::1"} {
		if got := hostsOf(listen); got[0] != want || !slices.Contains(got, "localhost") {
			t.Errorf("%s: %v", listen, got)
		}
	}
	if got := hostsOf(":8080"); slices.Contains(got, "0.0.0.0") || slices.Contains(got, "") || len(got) < 4 {
		t.Errorf("all addresses: %v", got)
	}
}
