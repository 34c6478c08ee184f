package hub

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/internal/nearest"
)

// Options of a download; nil or zero values mean the default.
type Options struct {
	// Dir is the directory to put the outcome in. Default: for a model, the directory
	// of its name in "models" of encoder.CacheDir; for libonnxruntime, "runtime"
	// there.
	Dir string

	// Endpoint is the base URL to download from. Default for models: HF_ENDPOINT,
	// or else the public hub. Default for libonnxruntime: npm_config_registry, or
	// else whatever the npm client is set up with.
	Endpoint string

	// Client makes the requests; default http.DefaultClient.
	Client *http.Client

	// Progress, if not nil, is called now and then, from one goroutine.
	Progress func(Progress)

	// Retries is how often a transfer that broke off is taken up again without
	// any byte having come through in between; default 5. A negative number means
	// never.
	Retries int

	stale bool          // files without a SHA-256 are of another revision: fetched again
	pause time.Duration // before the first retry, doubled for each further one
}

// Progress of a download.
type Progress struct {
	File        string // being downloaded
	Done, Total int64  // bytes, of all files together; Done includes what was there already
}

// Model is one that can be pulled.
type Model struct {
	Name     string
	About    string
	Repo     string // owner and name on the hub
	Revision string // commit; "": the newest when it is first pulled
	Files    []File // nil: those that the hub lists
	Card     Card   `json:"-"`

	folder string            // of the repository, in which the graphs are; "": any
	sums   map[string]string // SHA-256 of files that the hub lists, as far as they are known
}

// Card tells what a model is for, and how good it is.
type Card struct {
	Texts, Pictures bool    // what it encodes
	Dim             int     // of its vectors
	Bytes           int64   // to fetch, about
	License         string  // of the weights
	Languages       string  // of texts
	Quality         float64 // in percent, 0 where no figure is known
	Source          string  // of what Quality is, and where it was published
}

// File of a model.
type File struct {
	Path   string // in the repository and in the directory
	Size   int64
	SHA256 string // "": not known, and trusted when it is first fetched
}

// Pinned reports whether all files of the model are known, with their SHA-256. Those of others
// are trusted when they are first fetched, and recorded.
func (m Model) Pinned() bool { return len(m.Files) > 0 }

// GraphsPinned reports whether at least the graphs of the model are known by their SHA-256.
func (m Model) GraphsPinned() bool { return m.Pinned() || len(m.sums) > 0 }

// Size returns the bytes of all files together.
func (m Model) Size() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// UnknownModelError says that there is no model of a name to pull.
type UnknownModelError struct{ Name string }

func (e *UnknownModelError) Error() string {
	var names []string
	for _, m := range Models() {
		names = append(names, m.Name)
	}
	s := fmt.Sprintf("no model %q is known to pull", e.Name)
	if near := nearest.Of(e.Name, names, 1); len(near) > 0 {
		return s + fmt.Sprintf(" (did you mean %q?)", near[0])
	}
	return s + "; there are " + strings.Join(names, ", ")
}

// Find returns the model of a name.
func Find(name string) (Model, error) {
	for _, m := range Models() {
		if m.Name == name {
			return m, nil
		}
	}
	return Model{}, &UnknownModelError{name}
}

// defaultDir is where a model goes, and is found by encoder.SearchPath.
func defaultDir(name string) (string, error) {
	cache, err := encoder.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "models", name), nil
}

func (o *Options) client() *http.Client {
	if o.Client != nil {
		return o.Client
	}
	return http.DefaultClient
}
