package onnx

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/lupadb/lupa/encoder"
)

// LibraryEnv names the environment variable that holds the path of
// libonnxruntime, or of the directory it lies in.
const LibraryEnv = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// MinVersion is the oldest release of ONNX Runtime that works.
const MinVersion = "1.24"

// RuntimeError says why ONNX Runtime can't be used. It wraps ErrNoRuntime.
type RuntimeError struct {
	Tried []string // each place looked at, with what was wrong there
}

func (e *RuntimeError) Error() string {
	s := fmt.Sprintf("ONNX Runtime %s or newer is needed to encode texts and pictures and was not found; `lupa setup` fetches it, or set %s. Tried:", MinVersion, LibraryEnv)
	for _, t := range e.Tried {
		s += "\n  " + t
	}
	return s
}

func (e *RuntimeError) Unwrap() error { return ErrNoRuntime }

// errNoCgo is what a program gets that was built without cgo.
var errNoCgo = fmt.Errorf("%w: this program was built with CGO_ENABLED=0, which leaves it out; build with cgo, or use a table of prompts or an encoder of your own", ErrNoRuntime)

// LibraryPaths returns where libonnxruntime is looked for, in order. A path that
// was given, or set in the environment, is the only one: it is not replaced by
// another in silence. Otherwise it is looked for beside the program, in the
// per-user cache that `lupa setup` fills, and where the system's loader looks.
func LibraryPaths(given string) []string {
	if given != "" {
		return inFolder(given)
	}
	if env := os.Getenv(LibraryEnv); env != "" {
		return inFolder(env)
	}
	var out []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		out = append(out, inFolder(filepath.Dir(exe))...)
	}
	if cache, err := encoder.CacheDir(); err == nil {
		out = append(out, inFolder(filepath.Join(cache, "runtime"))...)
	}
	if runtime.GOOS == "darwin" { // Homebrew's, where the loader does not look
		out = append(out, inFolder("/opt/homebrew/lib")...)
		out = append(out, inFolder("/usr/local/lib")...)
	}
	return append(out, libraryNames()[0]) // no slash: the loader searches
}

// libraryNames returns the file names of this system's library, the one that
// the loader knows first.
func libraryNames() []string {
	switch runtime.GOOS {
	case "windows":
		return []string{"onnxruntime.dll"}
	case "darwin":
		return []string{"libonnxruntime.dylib", "libonnxruntime.*.dylib"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so", "libonnxruntime.so.1.*"}
}

// inFolder returns the libraries in path if that is a directory (or one name, for
// the error, if there is none), else path itself.
func inFolder(path string) []string {
	st, err := os.Stat(path)
	if err == nil && !st.IsDir() {
		return []string{path}
	}
	if err != nil && isLibrary(path) {
		return []string{path}
	}
	entries, _ := os.ReadDir(path)
	var out []string
	for _, pattern := range libraryNames() {
		for _, e := range slices.Backward(entries) { // newer versions first
			full := filepath.Join(path, e.Name())
			if ok, _ := filepath.Match(pattern, e.Name()); ok && !slices.Contains(out, full) {
				out = append(out, full)
			}
		}
	}
	if len(out) == 0 {
		out = []string{filepath.Join(path, libraryNames()[0])}
	}
	return out
}

// isLibrary tells by the name, of something that does not exist, that it was
// meant as a file.
func isLibrary(path string) bool {
	base := filepath.Base(path)
	return strings.Contains(base, ".so") || strings.HasSuffix(base, ".dylib") || strings.HasSuffix(base, ".dll")
}

// tooOld reports whether a version such as "1.23.2" is below MinVersion.
func tooOld(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major < 1 || major == 1 && minor < 24
}
