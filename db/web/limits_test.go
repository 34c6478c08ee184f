package web_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
)

// forever is a statement that does not end by itself in a time that anybody waits for.
const forever = "SELECT count(*) FROM generate_series(1, 1000000000000) AS a(x) WHERE x % 7 = 9"

// More than may be sent is refused, and what takes too long, or too much memory, is ended.
func TestLimitsOfARequest(t *testing.T) {
	store := must(db.Open(":memory:", &db.Options{MemoryBudget: 8 << 20, Encoders: []encoder.Encoder{colours{}}}))
	defer func() { must(0, store.Close()) }()
	must(store.Exec(ctx, "CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'colours')"))
	s, _ := serve(t, store, &web.Options{Statements: true, Timeout: 300 * time.Millisecond, Marks: filepath.Join(t.TempDir(), "p.csv")})
	long := strings.Repeat("x", 1<<20)
	for _, path := range []string{"query", "marks", "import"} {
		body := map[string]string{"sql": "SELECT '" + long + "'"}
		if status, text := asks(t, s, path, body, nil); status != http.StatusRequestEntityTooLarge && (path != "import" || status != http.StatusForbidden) {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
	if status, text := asks(t, s, "query", map[string]string{"sql": forever}, nil); status != http.StatusGatewayTimeout || !strings.Contains(text, "too long") {
		t.Errorf("%d %s", status, text)
	}
	many := "SELECT string_agg(repeat('x', 1000), ',') FROM generate_series(1, 100000) AS a(x)"
	if status, text := asks(t, s, "query", map[string]string{"sql": many}, nil); status != http.StatusBadRequest || !strings.Contains(text, "memory") {
		t.Errorf("%d %.200s", status, text)
	}
	// A picture larger than may be sent: refused before all of it is in memory.
	read, write := io.Pipe()
	form := multipart.NewWriter(write)
	go func() {
		part, err := form.CreateFormFile("picture", "x.jpg")
		for n := 0; err == nil && n < 80; n++ {
			_, err = part.Write(make([]byte, 1<<20))
		}
		write.CloseWithError(errors.Join(err, form.Close()))
	}()
	h := must(web.New(store, nil))
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/search", read)
	r.Header.Set("Content-Type", form.FormDataContentType())
	h.ServeHTTP(rec, r)
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("80 MiB: %d %s", rec.Code, rec.Body)
	}
	read.Close()
}

// A client that sends its request slowly does not keep the connection.
func TestSlowClient(t *testing.T) {
	store, _ := photos(t)
	s, _ := serve(t, store, &web.Options{Statements: true, Timeout: 50 * time.Millisecond})
	c := must(net.Dial("tcp", s.Listener.Addr().String()))
	defer c.Close()
	fmt.Fprintf(c, "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	must(0, c.SetReadDeadline(time.Now().Add(time.Minute)))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("it is not ended: %v", err)
	}
}

// ends tells how statements end.
type ends struct {
	begun chan string
	mu    sync.Mutex
	err   map[string]error
	done  chan string
}

func (e *ends) StatementStart(ctx context.Context, sql string) context.Context {
	e.begun <- sql
	return ctx
}

func (e *ends) StatementEnd(_ context.Context, x db.StatementEvent) {
	e.mu.Lock()
	e.err[x.SQL] = x.Err
	e.mu.Unlock()
	e.done <- x.SQL
}

// What a client no longer waits for, as when somebody types on, is not gone on with.
func TestStaleRequestsAreCancelled(t *testing.T) {
	e := &ends{begun: make(chan string, 100), done: make(chan string, 100), err: map[string]error{}}
	store := must(db.Open(":memory:", &db.Options{Trace: e}))
	defer func() { must(0, store.Close()) }()
	s, _ := serve(t, store, &web.Options{Statements: true, Timeout: time.Hour})
	c, cancel := context.WithCancel(ctx)
	r := must(http.NewRequestWithContext(c, http.MethodPost, s.URL+"/api/v1/query", strings.NewReader(`{"sql": "`+forever+`"}`)))
	gone := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(r)
		gone <- err
	}()
	for <-e.begun != forever {
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for <-e.done != forever {
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.err[forever]; !errors.Is(err, context.Canceled) {
		t.Errorf("the statement ended with %v", err)
	}
}

// A picture of SVG, and one that only calls itself a picture, are not served, nor made into anything.
func TestHostilePictures(t *testing.T) {
	store, dir := photos(t)
	picture(t, filepath.Join(dir, `a"><img src=x onerror=alert(1)>.jpg`), 20, 10, color.Black)
	for name, text := range map[string]string{"a.svg": `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "b.png": `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"c.jpg": "GIF89a<script>", "d.gif": "%PDF-1.4"} {
		must(0, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		must(store.Exec(ctx, "INSERT INTO photos (path) VALUES ($1)", filepath.Join(dir, name)))
	}
	must(store.Exec(ctx, "INSERT INTO photos (path) VALUES ($1)", filepath.Join(dir, `a"><img src=x onerror=alert(1)>.jpg`)))
	s, _ := serve(t, store, nil)
	resp, body := get(t, s.URL+"/api/v1/search", nil)
	if resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || bytes.Contains(body, []byte("<img")) {
		t.Errorf("%s: %s", resp.Header.Get("Content-Type"), body)
	}
	for _, row := range ask(t, s, "search").Rows {
		if row.Picture == nil {
			continue
		}
		for _, path := range []string{row.Picture.Thumb, row.Picture.Full} {
			resp, _ := get(t, s.URL+"/"+path, nil)
			kind := resp.Header.Get("Content-Type")
			if resp.StatusCode == http.StatusOK && kind != "image/jpeg" && kind != "image/png" && kind != "image/gif" || resp.Header.Get("X-Content-Type-Options") != "nosniff" ||
				!strings.Contains(resp.Header.Get("Content-Security-Policy"), "script-src 'self'") {
				t.Errorf("%s: %s %s", row.Key, resp.Status, kind)
			}
		}
	}
}
