package shell

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestPlacesOfAPage(t *testing.T) {
	for store, want := range map[string]string{"x/photos.lupa": "x/photos.prompts.csv", "photos.lupa/": "photos.prompts.csv", "photos": "photos.prompts.csv", ":memory:": ""} {
		if got := filepath.ToSlash(marksOf(store)); got != want {
			t.Errorf("marks of %s are in %s, want %s", store, got, want)
		}
	}
	for listen, want := range map[string]bool{"localhost:0": true, "127.0.0.1:80": true, "[::1]:80": true, ":80": false, "0.0.0.0:80": false, "pictures.example:80": false, "x": false} {
		if got := loopback(listen); got != want {
			t.Errorf("%s: only this machine reaches it: %t", listen, got)
		}
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if a, b := importFile("a.lupa"), importFile("b.lupa"); a == b || a == "" || importFile(":memory:") != "" {
		t.Errorf("imports are kept in %q and %q", a, b)
	}
}

// The directory of a picture is shown by the program of the desktop.
func TestReveal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("xdg-open is a program of Linux")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$1\" > \"" + dir + "/said.new\" && mv \"" + dir + "/said.new\" \"" + dir + "/said\"\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	s := &Shell{std: stdio{err: io.Discard}}
	if err := reveal(s, "/pictures/of wolves/a.jpg"); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if b, err := os.ReadFile(filepath.Join(dir, "said")); err == nil {
			if string(b) != "/pictures/of wolves\n" {
				t.Errorf("opened %q", b)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("xdg-open was not run")
}

// With --write the page makes a store, imports into it, and its statements write; without, they don't.
func TestBrowseWrites(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "new.lupa")
	say := func(args []string, sql string) string {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		out, in := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- runBrowse(ctx, stdio{in: os.Stdin, out: in, err: io.Discard}, args) }()
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		base, token, _ := strings.Cut(strings.TrimSpace(line), "?token=")
		r, err := http.NewRequest(http.MethodPost, base+"api/v1/query", strings.NewReader(`{"sql": "`+sql+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if got := say([]string{"--write", dir}, "CREATE TABLE t (a INTEGER)"); !strings.Contains(got, `"changed":0`) {
		t.Error(got)
	}
	if got := say([]string{dir}, "INSERT INTO t VALUES (1)"); !strings.Contains(got, "read-only") {
		t.Error(got)
	}
	if got := say([]string{"--write", dir}, "COPY t TO '/tmp/x.csv'"); !strings.Contains(got, "does not let statements use files") {
		t.Error(got)
	}
}
