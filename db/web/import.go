package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// importJob is an import of a directory of pictures: what was asked for.
type importJob struct {
	Folder string `json:"folder"`
	Table  string `json:"table"`
	Model  string `json:"model"` // of the table's vector column, where the table is made
}

// importState is how an import stands.
type importState struct {
	importJob
	Status  string   `json:"status"` // idle, running, done, stopped, interrupted (when the server ended) or failed
	Stage   string   `json:"stage,omitempty"`
	Done    int64    `json:"done"`
	Total   int64    `json:"total"` // 0 where it is not known yet
	Unit    string   `json:"unit,omitempty"`
	Skipped []string `json:"skipped"`          // the first of what could not be read, with the reason
	Failed  int      `json:"failed"`           // how many there are
	Result  string   `json:"result,omitempty"` // how it ended: counts
	Error   string   `json:"error,omitempty"`

	Statement string `json:"statement,omitempty"` // that does the same
}

// maxSkipped bounds what is kept of what could not be read.
const maxSkipped = 500

// importer runs one import at a time.
type importer struct {
	store *db.DB
	file  string // keeps the job as long as it is not done; "" keeps none

	mu      sync.Mutex
	state   importState
	changed chan struct{} // closed at the next change
	stop    context.CancelFunc
	ended   chan struct{} // closed when the import that runs has ended
}

func newImporter(store *db.DB, file string) *importer {
	m := &importer{store: store, file: file, changed: make(chan struct{})}
	m.state = importState{Status: "idle", Skipped: []string{}}
	if file == "" {
		return m
	}
	var job importJob
	if b, err := os.ReadFile(file); err == nil && json.Unmarshal(b, &job) == nil && job.Folder != "" {
		m.state.importJob, m.state.Status = job, "interrupted"
	}
	return m
}

// change changes the state, and tells those who watch it.
func (m *importer) change(fn func(*importState)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn(&m.state)
	close(m.changed)
	m.changed = make(chan struct{})
}

// now is the state, and what is closed when there is another.
func (m *importer) now() (importState, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	s.Skipped = slices.Clone(s.Skipped)
	return s, m.changed
}

// begin starts an import. It goes on when the request that has asked for it is over.
func (m *importer) begin(job importJob, create, insert string) error {
	m.mu.Lock()
	if m.stop != nil {
		m.mu.Unlock()
		return badf("an import of %s is running; stop it, or wait for its end", m.state.Folder)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.ended = cancel, make(chan struct{})
	m.mu.Unlock()
	err := m.keep(job)
	m.change(func(s *importState) {
		*s = importState{importJob: job, Status: "running", Stage: "looking for pictures", Skipped: []string{}}
		s.Statement = strings.Replace(create+insert, "$1", quote(job.Folder), 1)
		if err != nil {
			s.Skipped = append(s.Skipped, fmt.Sprintf("it can't be gone on with after a restart: %v", err))
		}
	})
	ctx = db.WithProgress(ctx, func(p db.Progress) {
		m.change(func(s *importState) { s.Stage, s.Done, s.Total, s.Unit = p.Stage, p.Done, p.Total, p.Unit })
	})
	ctx = db.WithWarn(ctx, func(text string) {
		m.change(func(s *importState) {
			if s.Failed++; len(s.Skipped) < maxSkipped {
				s.Skipped = append(s.Skipped, text)
			}
		})
	})
	ctx = db.WithNotice(ctx, func(text string) { m.change(func(s *importState) { s.Result = text }) })
	go func() {
		defer close(m.ended)
		var err error
		if create != "" {
			_, err = m.store.Exec(ctx, create)
		}
		if err == nil {
			_, err = m.store.Exec(ctx, insert, job.Folder)
		}
		m.finish(err)
	}()
	return nil
}

// finish tells how the import has ended.
func (m *importer) finish(err error) {
	status, text := "done", ""
	switch {
	case errors.Is(err, context.Canceled):
		status = "stopped"
	case errors.Is(err, db.ErrClosed):
		status = "interrupted"
	case err != nil:
		status, text = "failed", err.Error()
	}
	if status == "done" && m.file != "" {
		if err := os.Remove(m.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			text = err.Error()
		}
	}
	m.mu.Lock()
	m.stop() // the context is of no use any more
	m.stop = nil
	m.mu.Unlock()
	m.change(func(s *importState) { s.Status, s.Error, s.Stage = status, text, "" })
}

// keep writes down what is to be gone on with after a restart.
func (m *importer) keep(job importJob) error {
	if m.file == "" {
		return nil
	}
	b, err := json.Marshal(job)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(m.file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(m.file, b, 0o600)
	}
	return err
}

// end stops the import that runs, if there is one, and waits for its end.
func (m *importer) end() {
	m.mu.Lock()
	stop, ended := m.stop, m.ended
	m.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

// Close ends an import that is running. It goes on from where it was when it is asked for again.
// The store may be closed then; requests that watch the import are ended, too.
func (h *Handler) Close() {
	h.closing.Do(func() { close(h.closed) })
	h.imports.end()
}

var errReads = badf("this server only reads: lupa browse --write imports")

func (h *Handler) importState(*http.Request) (any, error) {
	s, _ := h.imports.now()
	return s, nil
}

func (h *Handler) stopImport(*http.Request) (any, error) {
	if !h.o.Write {
		return nil, errReads
	}
	h.imports.end()
	s, _ := h.imports.now()
	return s, nil
}

// startImport begins the import of a directory.
func (h *Handler) startImport(r *http.Request) (any, error) {
	if !h.o.Write {
		return nil, errReads
	}
	var job importJob
	if err := decode(r.Body, &job); err != nil {
		return nil, err
	}
	folder, err := h.folder(job.Folder)
	if err != nil {
		return nil, err
	}
	job.Folder = folder
	create, insert, err := h.importStatements(r.Context(), &job)
	if err != nil {
		return nil, err
	}
	if err := h.imports.begin(job, create, insert); err != nil {
		return nil, err
	}
	s, _ := h.imports.now()
	return s, nil
}

// importStatements are what a person would write to import a directory: one that makes the
// table, "" where it is there, and one that adds the pictures it has not.
func (h *Handler) importStatements(ctx context.Context, job *importJob) (create, insert string, err error) {
	if job.Table == "" {
		job.Table = "photos"
	}
	pk, vector := "path", "clip"
	given := map[string]bool{"taken": true, "width": true, "height": true}
	t, err := h.store.Table(ctx, job.Table)
	var missing *db.NoTableError
	switch {
	case errors.As(err, &missing):
		if job.Model == "" {
			return "", "", badf("model is the encoder for the new table %s", job.Table)
		}
		create = fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (path TEXT PRIMARY KEY, clip VECTOR ENCODER %s, taken TIMESTAMP, width INTEGER, height INTEGER);\n",
			db.Quote(job.Table), quote(job.Model))
	case err != nil:
		return "", "", err
	default:
		if vector, err = vectorColumn(&t, ""); err != nil {
			return "", "", err
		}
		c := column(&t, t.PrimaryKey)
		if c == nil || c.Type.Kind != value.Text {
			return "", "", badf("%s has no primary key that is a text, such as path TEXT PRIMARY KEY: what is in already could not be told", t.Name)
		}
		if vector == "" || column(&t, vector).Encoder == "" {
			return "", "", badf("%s has no vector column with an encoder", t.Name)
		}
		pk, job.Table, job.Model = c.Name, t.Name, column(&t, vector).Encoder
		for name, of := range pictureColumns {
			c := column(&t, name)
			given[name] = c != nil && c.Type.Kind == of && name != pk
		}
	}
	into, from := []string{db.Quote(pk), db.Quote(vector)}, []string{"path", "image(path)"}
	for _, name := range []string{"taken", "width", "height", "bytes", "modified", "format"} {
		if given[name] {
			into, from = append(into, db.Quote(name)), append(from, name)
		}
	}
	insert = fmt.Sprintf("INSERT INTO %s (%s)\n  SELECT %s FROM images($1) ON CONFLICT (%s) DO NOTHING", db.Quote(job.Table), strings.Join(into, ", "), strings.Join(from, ", "), db.Quote(pk))
	return create, insert, nil
}

// pictureColumns are those of images() that are filled where the table has them.
var pictureColumns = map[string]value.Kind{"taken": value.Timestamp, "modified": value.Timestamp, "width": value.Integer, "height": value.Integer,
	"bytes": value.Integer, "format": value.Text}

// folder is a directory that may be imported, its path resolved.
func (h *Handler) folder(path string) (string, error) {
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil || len(h.o.Roots) > 0 && !h.within(home) {
			if len(h.o.Roots) > 0 {
				return h.o.Roots[0], nil
			}
			return "", badf("folder is the path of a directory")
		}
		return home, nil
	}
	if !filepath.IsAbs(path) {
		return "", badf("folder is the whole path of a directory, not %q", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", badf("%s: there is no such directory", path)
	}
	if !h.within(real) {
		return "", badf("%s is outside of the directories that may be shown", path)
	}
	if st, err := os.Stat(real); err != nil || !st.IsDir() {
		return "", badf("%s is not a directory", path)
	}
	return filepath.Clean(path), nil
}

type foldersAnswer struct {
	Path    string   `json:"path"`
	Parent  string   `json:"parent,omitempty"`
	Folders []string `json:"folders"` // names of the directories in it
	More    bool     `json:"more"`    // there are more than those
	Files   int      `json:"files"`   // in it
}

const maxFolders = 2000

// folders lists the directories in one, so that one can be chosen.
func (h *Handler) folders(r *http.Request) (any, error) {
	if !h.o.Write {
		return nil, errReads
	}
	path, err := h.folder(r.FormValue("path"))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, badf("%s can't be read: %w", path, err)
	}
	a := foldersAnswer{Path: path, Folders: []string{}}
	if parent := filepath.Dir(path); parent != path {
		if _, err := h.folder(parent); err == nil {
			a.Parent = parent
		}
	}
	for _, e := range entries {
		dir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			st, err := os.Stat(filepath.Join(path, e.Name()))
			dir = err == nil && st.IsDir()
		}
		switch {
		case !dir:
			a.Files++
		case strings.HasPrefix(e.Name(), "."): // an import leaves those out
		case len(a.Folders) == maxFolders:
			a.More = true
		default:
			a.Folders = append(a.Folders, e.Name())
		}
	}
	return a, nil
}

// importEvents tells of every change of the import, as server-sent events, until the client leaves.
func (h *Handler) importEvents(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		s, changed := h.imports.now()
		b, err := json.Marshal(s)
		if err == nil {
			_, err = fmt.Fprintf(w, "data: %s\n\n", b)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			return
		}
		// At most ten a second, and one after a while so that a client that went away is noticed.
		for _, c := range []<-chan struct{}{nil, changed} {
			wait := time.NewTimer(100 * time.Millisecond)
			if c != nil {
				wait.Reset(20 * time.Second)
			}
			select {
			case <-c:
			case <-wait.C:
			case <-h.closed:
				wait.Stop()
				return
			case <-r.Context().Done():
				wait.Stop()
				return
			}
			wait.Stop()
		}
	}
}
