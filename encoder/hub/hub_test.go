package hub

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// server keeps files as the hub does and misbehaves in the ways of networks.
type server struct {
	*httptest.Server
	files map[string][]byte // by path of the URL

	mu       sync.Mutex
	requests []string // "GET path range"
	cut      int      // break the connection after so many bytes of every answer; 0 never
	fail     int      // answer so many requests with 503 first
	noRanges bool
	redirect bool // to /cdn/...
}

func newServer(t *testing.T, files map[string][]byte) *server {
	s := &server{files: files}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	if s.fail > 0 {
		s.fail--
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	path := r.URL.Path
	if s.redirect && !strings.HasPrefix(path, "/cdn") {
		http.Redirect(w, r, "/cdn"+path, http.StatusFound)
		return
	}
	b, ok := s.files[strings.TrimPrefix(path, "/cdn")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.noRanges {
		r.Header.Del("Range")
	}
	if s.cut > 0 {
		w = &cutter{w, s.cut}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// cutter breaks the connection in the middle of an answer.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) > c.left {
		c.ResponseWriter.Write(b[:c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(b)
	return c.ResponseWriter.Write(b)
}

func (s *server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.requests = nil
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func file(path string, b []byte) File {
	sum := sha256.Sum256(b)
	return File{path, int64(len(b)), hex.EncodeToString(sum[:])}
}

// published is a model on a server.
func published(t *testing.T) (*server, Model) {
	small, graph := []byte(`{"model_type": "clip"}`), random(300_000)
	m := Model{Name: "toy", Repo: "owner/toy model", Revision: "0123abc", Files: []File{file("config.json", small), file("onnx/text_model.onnx", graph)}}
	return newServer(t, map[string][]byte{
		"/owner/toy model/resolve/0123abc/config.json":          small,
		"/owner/toy model/resolve/0123abc/onnx/text_model.onnx": graph,
	}), m
}

func (s *server) options(dir string) *Options {
	return &Options{Dir: dir, Endpoint: s.URL + "/", Retries: 3, pause: time.Millisecond}
}

// complete checks that dir holds the model and nothing is left beside it.
func complete(t *testing.T, dir string, m Model) {
	t.Helper()
	for _, f := range m.Files {
		if ok, err := matches(filepath.Join(dir, f.Path), f); !ok {
			t.Errorf("%s is not there: %v", f.Path, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v is left (%v)", entries, err)
	}
}

func TestPull(t *testing.T) {
	for name, trouble := range map[string]func(s *server){
		"plain":             func(s *server) {},
		"redirects":         func(s *server) { s.redirect = true },
		"connections cut":   func(s *server) { s.cut = 40_000 },
		"cut and redirects": func(s *server) { s.cut, s.redirect = 70_000, true },
		"busy at first":     func(s *server) { s.fail = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			s, m := published(t)
			s.set(func() { trouble(s) })
			o := s.options(filepath.Join(t.TempDir(), "models", "toy"))
			var last Progress
			o.Progress = func(p Progress) { last = p }
			dir, err := PullModel(t.Context(), m, o)
			if err != nil {
				t.Fatal(err)
			}
			complete(t, dir, m)
			if last.Done != m.Size() || last.Total != m.Size() {
				t.Errorf("progress ends at %+v, the model has %d", last, m.Size())
			}
			// Nothing is asked for twice.
			s.set(func() {})
			if _, err := PullModel(t.Context(), m, o); err != nil || len(s.requests) != 0 {
				t.Errorf("again: %v, %v", err, s.requests)
			}
		})
	}
}

// A server that can't do ranges and always breaks off is hopeless, and said to be.
func TestNoProgress(t *testing.T) {
	s, m := published(t)
	s.set(func() { s.fail = 1000 })
	dir := filepath.Join(t.TempDir(), "toy")
	if _, err := PullModel(t.Context(), m, s.options(dir)); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("got %v", err)
	}
	s.set(func() { s.fail, s.noRanges = 0, true })
	if _, err := PullModel(t.Context(), m, s.options(dir)); err != nil {
		t.Errorf("without ranges: %v", err)
	}
	complete(t, dir, m)
}

// What broke off goes on from there, and until then there is no model.
func TestResume(t *testing.T) {
	s, m := published(t)
	dir := filepath.Join(t.TempDir(), "toy")
	o := s.options(dir)
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Done > 100_000 {
			cancel()
		}
	}
	s.set(func() { s.cut = 120_000 })
	if _, err := PullModel(ctx, m, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("half a model is where a model should be")
	}
	s.set(func() { s.cut = 0 })
	o.Progress = nil
	if _, err := PullModel(t.Context(), m, o); err != nil {
		t.Fatal(err)
	}
	complete(t, dir, m)
	if len(s.requests) != 1 || !strings.Contains(s.requests[0], "text_model.onnx bytes=1") {
		t.Errorf("requests: %v", s.requests)
	}
}

// Wrong bytes are refused and not kept; right ones later make it whole.
func TestWrongBytes(t *testing.T) {
	s, m := published(t)
	dir := filepath.Join(t.TempDir(), "toy")
	right := s.files["/owner/toy model/resolve/0123abc/onnx/text_model.onnx"]
	wrong := bytes.Clone(right)
	wrong[150_000] ^= 1
	for _, bad := range [][]byte{wrong, []byte("<html>please log in</html>")} {
		s.set(func() { s.files["/owner/toy model/resolve/0123abc/onnx/text_model.onnx"] = bad })
		_, err := PullModel(t.Context(), m, s.options(dir))
		var sum *ChecksumError
		if errors.As(err, &sum) != (len(bad) == len(right)) || err == nil {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("a wrong model is where a model should be")
		}
	}
	s.set(func() { s.files["/owner/toy model/resolve/0123abc/onnx/text_model.onnx"] = right })
	if _, err := PullModel(t.Context(), m, s.options(dir)); err != nil {
		t.Fatal(err)
	}
	complete(t, dir, m)
	// A file that was damaged on disk is fetched anew, the others are not.
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.set(func() {})
	if _, err := PullModel(t.Context(), m, s.options(dir)); err != nil || len(s.requests) != 1 {
		t.Errorf("%v, %v", err, s.requests)
	}
	complete(t, dir, m)
}

func TestMissing(t *testing.T) {
	s, m := published(t)
	m.Files = append(m.Files, file("vocab.json", []byte("{}")))
	_, err := PullModel(t.Context(), m, s.options(filepath.Join(t.TempDir(), "toy")))
	var status *StatusError
	if !errors.As(err, &status) || !strings.Contains(status.Status, "404") {
		t.Errorf("got %v", err)
	}
	m.Files[0].Path = "../escape"
	if _, err := PullModel(t.Context(), m, s.options(filepath.Join(t.TempDir(), "toy"))); err == nil || !strings.Contains(err.Error(), "outside") {
		t.Errorf("got %v", err)
	}
	var unknown *UnknownModelError
	if _, err := Pull(t.Context(), "clip-vit-base-patch23", nil); !errors.As(err, &unknown) || !strings.Contains(err.Error(), `"clip-vit-base-patch32"`) {
		t.Errorf("got %v", err)
	}
}

func TestModels(t *testing.T) {
	for _, m := range Models() {
		if c := m.Card; c.Bytes < 50e6 || c.Dim < 100 || c.License == "" || c.Languages == "" || !c.Texts || (c.Quality > 0) != (c.Source != "") || m.About == "" || strings.Count(m.Repo, "/") != 1 {
			t.Errorf("%+v", m)
		}
		if !m.Pinned() {
			continue
		}
		if len(m.Revision) != 40 || m.Size() < 100e6 || m.Name == "" || m.About == "" {
			t.Errorf("%+v", m)
		}
		for _, f := range m.Files {
			if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != 32 || f.Size <= 0 {
				t.Errorf("%s: %+v", m.Name, f)
			}
		}
		if got := resolveURL("http://hub/", m, m.Files[0]); got != "http://hub/"+m.Repo+"/resolve/"+m.Revision+"/config.json" {
			t.Errorf("URL %s", got)
		}
	}
}

// tgz is a package with a library in it.
func tgz(t *testing.T, member string, lib []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, data := range map[string][]byte{"package/package.json": []byte("{}"), member: lib} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSetup(t *testing.T) {
	lib := random(100_000)
	archive := tgz(t, "package/bin/lib.so", lib)
	f := file(runtimePackage.Path, archive)
	libs := map[string]library{"plan9/mips": {"package/bin/lib.so", "lib.so.1", int64(len(lib)), file("", lib).SHA256}}
	s := newServer(t, map[string][]byte{"/onnxruntime-node/-/" + runtimePackage.Path: archive})
	s.set(func() { s.cut = 30_000 })
	dir := t.TempDir()
	for range 2 {
		path, err := setup(t.Context(), "plan9/mips", f, libs, s.options(dir))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, lib) || path != filepath.Join(dir, "lib.so.1") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}

	var none *NoLibraryError
	if _, err := setup(t.Context(), "darwin/amd64", f, libs, nil); !errors.As(err, &none) || !strings.Contains(err.Error(), "brew") {
		t.Errorf("got %v", err)
	}
	wrong := libs["plan9/mips"]
	wrong.sha256 = f.SHA256
	if _, err := setup(t.Context(), "x/x", f, map[string]library{"x/x": wrong}, s.options(t.TempDir())); err == nil || !strings.Contains(err.Error(), "not the library") {
		t.Errorf("got %v", err)
	}
	wrong.member = "package/none"
	if _, err := setup(t.Context(), "x/x", f, map[string]library{"x/x": wrong}, s.options(t.TempDir())); err == nil || !strings.Contains(err.Error(), "has no package/none") {
		t.Errorf("got %v", err)
	}
}

// Where no registry is named the npm client is asked, and packs where a plain
// request is refused; without it the error says what there is to do.
func TestSetupThroughNPM(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for npm is a shell script")
	}
	lib := random(1000)
	archive := tgz(t, "package/bin/lib.so", lib)
	f := file(runtimePackage.Path, archive)
	libs := map[string]library{"x/x": {"package/bin/lib.so", "lib.so.1", int64(len(lib)), file("", lib).SHA256}}
	s := newServer(t, nil) // answers 404, as one that wants a login may
	bin, store := t.TempDir(), filepath.Join(t.TempDir(), "store.tgz")
	t.Setenv(RegistryEnv, "")
	t.Setenv("PATH", bin)
	if _, err := setup(t.Context(), "x/x", f, libs, &Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), RegistryEnv) {
		t.Errorf("without npm: %v", err)
	}
	script := fmt.Sprintf("#!/bin/sh\nif [ $1 = config ]; then echo %s; else /bin/cp %s $4/%s; fi\n", s.URL, store, f.Path)
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store, archive, 0o644); err != nil {
		t.Fatal(err)
	}
	if path, err := setup(t.Context(), "x/x", f, libs, &Options{Dir: t.TempDir()}); err != nil || filepath.Base(path) != "lib.so.1" {
		t.Errorf("%s, %v", path, err)
	}
	if len(s.requests) != 1 || s.requests[0] != "/onnxruntime-node/-/"+f.Path {
		t.Errorf("requests: %v", s.requests)
	}
	if err := os.WriteFile(store, archive[:len(archive)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	var sum *ChecksumError
	if _, err := setup(t.Context(), "x/x", f, libs, &Options{Dir: t.TempDir()}); !errors.As(err, &sum) {
		t.Errorf("wrong package: %v", err)
	}
}
