package onnx

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

// inChild runs the named test alone in a process of its own, for a library once
// loaded stays. It reports whether this is the child.
func inChild(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv("LUPA_TEST_CHILD") == t.Name() {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), "LUPA_TEST_CHILD="+t.Name()), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// Without a library the error says what was tried and what to do, and opening
// still works.
func TestNoRuntime(t *testing.T) {
	dir := t.TempDir()
	if !inChild(t, LibraryEnv+"=", "XDG_CACHE_HOME="+dir, "HOME="+dir) {
		return
	}
	e, err := Open(filepath.Join(models, "tiny-clip"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.EncodeTexts(t.Context(), []string{"a wolf"})
	if err == nil {
		t.Skip("this system has libonnxruntime installed")
	}
	if !errors.Is(err, ErrNoRuntime) {
		t.Fatal(err)
	}
	if errors.Is(err, errNoCgo) {
		return
	}
	cache, err2 := encoder.CacheDir()
	if err2 != nil {
		t.Fatal(err2)
	}
	for _, want := range []string{"lupa setup", LibraryEnv, filepath.Join(cache, "runtime"), filepath.Dir(os.Args[0])} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// A file that is no library, and a library that is not ONNX Runtime, are named.
func TestWrongLibrary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("names a library of Linux")
	}
	if !inChild(t, LibraryEnv+"="+filepath.Join(t.TempDir(), "none.so")) {
		return
	}
	text := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(text, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "none.so: not there", text: "libonnxruntime.so: ", "libc.so.6": "OrtGetApiBase", filepath.Dir(text): "libonnxruntime.so: "} {
		_, _, err := RuntimeVersion(&Options{Library: path})
		if !errors.Is(err, ErrNoRuntime) || !errors.Is(err, errNoCgo) && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", path, err, want)
		}
	}
}

func TestLibraryPaths(t *testing.T) {
	dir := t.TempDir()
	name := map[string]string{"darwin": "libonnxruntime.1.24.3.dylib", "windows": "onnxruntime.dll"}[runtime.GOOS]
	if name == "" {
		name = "libonnxruntime.so.1.24.3"
	}
	lib := filepath.Join(dir, name)
	if err := os.WriteFile(lib, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(LibraryEnv, dir)
	if got := LibraryPaths(""); len(got) != 1 || got[0] != lib {
		t.Errorf("directory in the environment: %v", got)
	}
	if got := LibraryPaths("/other/libonnxruntime.so.1"); len(got) != 1 || got[0] != "/other/libonnxruntime.so.1" {
		t.Errorf("given path: %v", got)
	}
	t.Setenv(LibraryEnv, "")
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	cache, err := encoder.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cached := filepath.Join(cache, "runtime", name)
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cached, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := LibraryPaths("")
	if n := len(got); n < 3 || got[n-2] != cached || filepath.Base(got[n-1]) != got[n-1] {
		t.Errorf("search: %v", got)
	}
}

func TestTooOld(t *testing.T) {
	for v, want := range map[string]bool{"1.23.2": true, "1.24.0": false, "1.30.1": false, "2.0": false, "0.9": true, "": false, "strange": false} {
		if got := tooOld(v); got != want {
			t.Errorf("tooOld(%q) = %v", v, got)
		}
	}
}
