package shell

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Pictures are fetched once a session, and no more is kept or read than allowed.
func TestFetcher(t *testing.T) {
	asked := map[string]int{}
	block := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch r.URL.Path {
		case "/gone":
			http.NotFound(w, r)
		case "/endless":
			for i := 0; i < maxFetched>>10+8; i++ {
				w.Write(make([]byte, 1<<10))
			}
		case "/slow":
			<-block
		default:
			w.Write([]byte(strings.Repeat("x", maxFetched-1)))
		}
	}))
	defer server.Close()
	defer close(block)
	var f fetcher
	for range 2 {
		if b, err := f.get(t.Context(), server.URL+"/a"); err != nil || len(b) != maxFetched-1 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
	if asked["/a"] != 1 {
		t.Errorf("asked %d times", asked["/a"])
	}
	for _, name := range []string{"/b", "/c", "/d", "/e"} { // five are too many
		if _, err := f.get(t.Context(), server.URL+name); err != nil {
			t.Error(err)
		}
	}
	if f.size > maxKept || len(f.kept) != len(f.order) || f.kept[server.URL+"/a"] != nil || f.kept[server.URL+"/e"] == nil {
		t.Errorf("%d pictures of %d bytes are kept", len(f.kept), f.size)
	}
	for name, want := range map[string]string{"/gone": "404", "/endless": "too large"} {
		if _, err := f.get(t.Context(), server.URL+name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.get(ctx, server.URL+"/slow"); err == nil {
		t.Error("a picture that never comes is waited for")
	}
}
