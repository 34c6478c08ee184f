package encoder_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lupadb/lupa/encoder"
)

func touch(t *testing.T, elem ...string) {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestModels(t *testing.T) {
	a, b, cache := t.TempDir(), filepath.Join(t.TempDir(), "odd [name]*"), t.TempDir()
	t.Setenv(encoder.ModelsEnv, b+string(os.PathListSeparator)+filepath.Join(b, "missing"))
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // what macOS goes by
	touch(t, a, "clip", "onnx", "text_model.onnx")
	touch(t, b, "clip", "model.onnx") // hidden by a's
	touch(t, b, "Xenova", "クリップ", "textual", "model.onnx")
	touch(t, b, "animals", "prompts.txt")
	touch(t, b, "not a model", "readme")
	dir, err := encoder.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	touch(t, dir, "models", "pulled", "visual", "model.onnx")

	m := encoder.SearchPath(a)
	want := []encoder.ModelFolder{
		{Name: "clip", Dir: filepath.Join(a, "clip"), Kind: encoder.KindONNX},
		{Name: "Xenova/クリップ", Dir: filepath.Join(b, "Xenova", "クリップ"), Kind: encoder.KindONNX},
		{Name: "animals", Dir: filepath.Join(b, "animals"), Kind: encoder.KindTable},
		{Name: "pulled", Dir: filepath.Join(dir, "models", "pulled"), Kind: encoder.KindONNX},
	}
	if got := m.List(); !reflect.DeepEqual(got, want) {
		t.Errorf("list\n got %v\nwant %v", got, want)
	}
	for _, w := range want {
		if got, err := m.Find(w.Name); err != nil || got != w {
			t.Errorf("Find(%q) = %v, %v", w.Name, got, err)
		}
	}
	if f, err := m.Find(filepath.Join(b, "clip")); err != nil || f.Dir != filepath.Join(b, "clip") {
		t.Errorf("by path: %v, %v", f, err)
	}

	t.Chdir(filepath.Dir(b))
	if f, err := m.Find(filepath.Base(b) + "/animals"); err != nil || f.Kind != encoder.KindTable {
		t.Errorf("by a path below: %v, %v", f, err)
	}

	for _, name := range []string{"animal", "", "../" + filepath.Base(a) + "x", "a/../../b", "nul\x00"} {
		_, err := m.Find(name)
		var missing *encoder.NotFoundError
		if !errors.As(err, &missing) || missing.Name != name || len(missing.Tried) == 0 {
			t.Errorf("Find(%q): %v", name, err)
		}
	}
	if _, err := m.Find("animal"); !strings.Contains(err.Error(), `did you mean "animals"`) || !strings.Contains(err.Error(), b) {
		t.Errorf("no hint in %v", err)
	}
}

// A name without a slash is one of the directories of models; where there is such a directory here, the
// error says how that is written.
func TestFolderHere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("mine", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"mine": true, "other": false, "./other": false} {
		_, err := encoder.Models{t.TempDir()}.Find(name)
		if err == nil || strings.Contains(err.Error(), "the directory here is written ./mine") != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
