package encoder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ModelsEnv names the environment variable that lists directories of models,
// separated as PATH is.
const ModelsEnv = "LUPA_MODELS"

// Models are the directories in which encoders are looked up by name, in order.
// The encoder "clip" is the directory "clip" in the first of them that has one.
type Models []string

// ModelFolder is one model found on disk.
type ModelFolder struct {
	Name string // as to be written after ENCODER
	Dir  string
	Kind Kind
}

// Kind says what a model directory holds, as far as its file names tell.
type Kind string

const (
	KindONNX    Kind = "onnx"  // ONNX graphs of one or two towers
	KindTable   Kind = "table" // prompts.txt and prompts.npy
	KindUnknown Kind = ""      // nothing that is known to be a model
)

// SearchPath returns the directories to look in: those given, then those of
// LUPA_MODELS, then the models directory of the per-user cache. Directories that do
// not exist stay in, so that an error can name them.
func SearchPath(given ...string) Models {
	var m Models
	add := func(dir string) {
		if dir != "" && !slices.Contains(m, dir) {
			m = append(m, dir)
		}
	}
	for _, d := range given {
		add(d)
	}
	for _, d := range filepath.SplitList(os.Getenv(ModelsEnv)) {
		add(d)
	}
	if cache, err := CacheDir(); err == nil {
		add(filepath.Join(cache, "models"))
	}
	return m
}

// CacheDir returns the directory, perhaps not there yet, in which Lupa keeps what
// it downloaded for this user: models in "models", libonnxruntime in
// "runtime".
func CacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("per-user cache directory: %w", err)
	}
	return filepath.Join(base, "lupa"), nil
}

// Find returns the directory of a name. A name may contain slashes
// ("Xenova/clip-vit-base-patch32"). One that starts with "/", "./" or "../" is
// itself the path of a directory, and so is another with a slash if no directory of
// models has it. The error is a *NotFoundError.
func (m Models) Find(name string) (ModelFolder, error) {
	missing := &NotFoundError{Name: name}
	if st, err := os.Stat(name); err == nil && st.IsDir() && !isPath(name) {
		missing.Here = true
	}
	if isPath(name) {
		if f, ok := inspect(name, name); ok {
			return f, nil
		}
		missing.Tried = []string{name}
		return ModelFolder{}, missing
	}
	if filepath.IsLocal(filepath.FromSlash(name)) {
		for _, dir := range m {
			if f, ok := inspect(name, filepath.Join(dir, filepath.FromSlash(name))); ok {
				return f, nil
			}
		}
	}
	missing.Tried = slices.Clone(m)
	if strings.ContainsAny(name, `/`+string(filepath.Separator)) {
		if f, ok := inspect(name, name); ok {
			return f, nil
		}
		missing.Tried = append(missing.Tried, name)
	}
	for _, f := range m.List() {
		missing.Known = append(missing.Known, f.Name)
	}
	return ModelFolder{}, missing
}

// List returns every model of the directories, each name once (the one that Find
// returns), in order of directory and then of name. Directories that can't be read
// are left out.
func (m Models) List() []ModelFolder {
	var out []ModelFolder
	seen := map[string]bool{}
	for _, dir := range m {
		out = appendModels(out, seen, dir, "", 2)
	}
	return out
}

// appendModels looks depth levels down for model directories: "owner/model" is how
// hubs name them.
func appendModels(out []ModelFolder, seen map[string]bool, dir, prefix string, depth int) []ModelFolder {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return out
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		name, path := prefix+e.Name(), filepath.Join(dir, e.Name())
		if f, ok := inspect(name, path); ok && f.Kind != KindUnknown {
			if !seen[name] {
				seen[name] = true
				out = append(out, f)
			}
		} else if ok && depth > 1 {
			out = appendModels(out, seen, path, name+"/", depth-1)
		}
	}
	return out
}

// isPath tells a path from a name.
func isPath(name string) bool {
	return filepath.IsAbs(name) || name == "." || name == ".." ||
		strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") ||
		strings.HasPrefix(name, `.\`) || strings.HasPrefix(name, `..\`)
}

// inspect tells what the directory dir holds; ok is false when it is not a directory.
func inspect(name, dir string) (f ModelFolder, ok bool) {
	st, err := os.Stat(dir)
	if err != nil || !st.IsDir() {
		return ModelFolder{}, false
	}
	f = ModelFolder{Name: name, Dir: dir}
	if exists(filepath.Join(dir, "prompts.txt")) || exists(filepath.Join(dir, "prompts.npy")) {
		f.Kind = KindTable
		return f, true
	}
	for _, sub := range []string{".", "onnx", "textual", "visual"} {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".onnx") }) {
			f.Kind = KindONNX
			break
		}
	}
	return f, true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
