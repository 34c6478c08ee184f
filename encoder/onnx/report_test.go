package onnx

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// storeWith makes a store with a table that has a column of the model in dir,
// and some rows.
func storeWith(t testing.TB, dir string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "store")
	s, err := db.Open(path, &db.Options{OpenEncoder: Opener(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	vector := "[1" + strings.Repeat(", 0", 31) + "]"
	for _, sql := range []string{
		"CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR ENCODER '" + dir + "')",
		"INSERT INTO photos VALUES ('a', " + vector + "), ('b', NULL)",
	} {
		if _, err := s.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// useWithoutEncoding opens a store and asks what needs no model.
func useWithoutEncoding(t testing.TB, path string) {
	t.Helper()
	s, err := db.Open(path, &db.Options{OpenEncoder: Opener(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.Query(context.Background(), "SELECT id FROM photos WHERE id <> 'c' ORDER BY clip_sim((SELECT clip FROM photos WHERE id = 'a')) LIMIT 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var id string
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil || id != "a" {
		t.Fatal(id, err)
	}
}

// While no text and no picture is encoded, nothing of ONNX Runtime is loaded,
// whatever is asked of a store with encoders.
func TestNothingIsLoaded(t *testing.T) {
	if os.Getenv("LUPA_TEST_CHILD") != t.Name() {
		needRuntime(t)
	}
	if !inChild(t, LibraryEnv+"="+os.Getenv(LibraryEnv)) {
		return
	}
	maps := func() string {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip("needs /proc")
		}
		return string(b)
	}
	dir, err := filepath.Abs(filepath.Join(models, "tiny-clip"))
	if err != nil {
		t.Fatal(err)
	}
	path := storeWith(t, dir)
	useWithoutEncoding(t, path)
	if strings.Contains(maps(), "libonnxruntime") {
		t.Error("libonnxruntime is loaded though nothing was encoded")
	}
	// So that the check above can fail:
	e := open(t, dir, nil)
	if _, err := e.EncodeTexts(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(maps(), "libonnxruntime") {
		t.Error("libonnxruntime is loaded and not to be seen")
	}
}

// BenchmarkOpenStore is the cost of opening a store with an encoder and of a
// search that needs no model.
func BenchmarkOpenStore(b *testing.B) {
	dir, err := filepath.Abs(filepath.Join(models, "tiny-clip"))
	if err != nil {
		b.Fatal(err)
	}
	path := storeWith(b, dir)
	for b.Loop() {
		useWithoutEncoding(b, path)
	}
}

// BenchmarkMemory reports the memory of a process without any tower, and with
// each and both of towers as large as ViT-B/32's (254 and 340 MB as float32).
func BenchmarkMemory(b *testing.B) {
	needRuntime(b)
	dir := heavyFolder(b, true)
	for _, what := range []string{"neither", "text", "image", "both"} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(os.Args[0], "-test.run", "^TestMemoryChild$", "-test.v")
				cmd.Env = append(os.Environ(), "LUPA_MEMORY="+what, "LUPA_MEMORY_DIR="+dir)
				out, err := cmd.Output()
				_, after, found := bytes.Cut(out, []byte("resident "))
				var kb float64
				if _, e := fmt.Sscan(string(after), &kb); err != nil || !found || e != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				b.ReportMetric(kb/1e3, "MB")
			}
		})
	}
}

// TestMemoryChild is what BenchmarkMemory runs in a process of its own.
func TestMemoryChild(t *testing.T) {
	what := os.Getenv("LUPA_MEMORY")
	if what == "" {
		t.Skip("runs for BenchmarkMemory")
	}
	e := open(t, os.Getenv("LUPA_MEMORY_DIR"), nil)
	if what == "text" || what == "both" {
		if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err != nil {
			t.Fatal(err)
		}
	}
	if what == "image" || what == "both" {
		if _, err := e.EncodeImages(t.Context(), []encoder.Image{{Data: tiny(t, "tiny-clip/images/gray.png")}}); err != nil {
			t.Fatal(err)
		}
	}
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc")
	}
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	fmt.Println("resident", strings.TrimSuffix(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]), " kB"))
}
