package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
)

// Options say what a Handler shows and to whom. A nil *Options means the defaults.
type Options struct {
	// Token is what a request has to bring; "" lets everybody in who can reach the
	// address.
	Token string

	// Hosts are the names, without port, that the Host header may have; none means
	// localhost and the loopback addresses.
	Hosts []string

	// Statements lets requests run any statement that reads. None reaches files.
	Statements bool

	// Write lets requests import directories of pictures and, with Statements, run statements that
	// write. Neither statement reaches files; an import reads pictures below Roots, or any.
	Write bool

	// Models are the encoders that a new table can be made with by an import; nil offers none.
	Models func() []string

	// ImportFile keeps what is imported, so that it can be gone on with after a restart; "" keeps nothing.
	ImportFile string

	// Reveal shows a picture's file in the file manager of who sits at the server; nil is not offered.
	Reveal func(path string) error

	// Image, Link and Credit say where a row's picture is, where it leads and who made
	// it: templates as those of COPY ... (FORMAT gallery), such as pictures/{id}.jpg. "" takes the first
	// column that names a picture, the picture itself, and nothing.
	Image, Link, Credit string

	// Roots are directories outside of which no file is served; none means any file that a
	// row names.
	Roots []string

	// Cache is the directory for thumbnails, made if need be; "" keeps none.
	Cache string

	// CacheSize is how many bytes of thumbnails are kept there; 0 means 256 MiB.
	CacheSize int64

	// Marks is a file of prompts, .csv or .tsv, in which the page keeps what somebody says of hits: right
	// or wrong. lupa eval reads it, and so does the page to show which first hits are wrong. It is
	// made with the first mark; "" takes none.
	Marks string

	// Timeout bounds a request; 0 means 30 seconds.
	Timeout time.Duration
}

const (
	maxUpload = 64 << 20 // bytes of a picture that is sent
	maxAsked  = 1 << 20  // bytes of any other request
	maxRows   = 1000     // that one request gets
	maxOffset = 100_000
)

// Handler serves the page and its interface.
type Handler struct {
	store *db.DB
	o     Options
	mux   *http.ServeMux
	thumb *thumbnails
	marks *eval.Marks // nil: none are taken

	searches *turns
	imports  *importer
	closed   chan struct{} // by Close
	closing  sync.Once
}

//go:embed assets
var assets embed.FS

// NewToken returns a token nobody can guess.
func NewToken() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// New returns a handler over a store. It fails when a directory of the options is not there, or
// the one for thumbnails can't be made.
func New(store *db.DB, opts *Options) (*Handler, error) {
	h := &Handler{store: store, mux: http.NewServeMux(), closed: make(chan struct{})}
	if opts != nil {
		h.o = *opts
	}
	if len(h.o.Hosts) == 0 {
		h.o.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	if h.o.Timeout <= 0 {
		h.o.Timeout = 30 * time.Second
	}
	h.o.Roots = slices.Clone(h.o.Roots)
	for i, root := range h.o.Roots {
		abs, err := filepath.Abs(root)
		if err == nil {
			abs, err = filepath.EvalSymlinks(abs)
		}
		if err != nil {
			return nil, fmt.Errorf("directory of pictures: %w", err)
		}
		h.o.Roots[i] = abs
	}
	if h.o.Cache != "" {
		if err := os.MkdirAll(h.o.Cache, 0o700); err != nil {
			return nil, fmt.Errorf("directory of thumbnails: %w", err)
		}
	}
	if h.o.Marks != "" {
		h.marks = eval.NewMarks(h.o.Marks)
	}
	h.thumb = newThumbnails(h.o.Cache, h.o.CacheSize, runtime.GOMAXPROCS(0))
	h.searches = &turns{free: max(2, runtime.GOMAXPROCS(0)), inOrder: true}
	h.imports = newImporter(store, h.o.ImportFile)
	h.routes()
	return h, nil
}

// Token returns what a request has to bring; "" is nothing.
func (h *Handler) Token() string { return h.o.Token }

func (h *Handler) routes() {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the directory is part of the program
	}
	static := http.FileServerFS(files)
	h.mux.Handle("GET /{$}", static)
	for _, name := range []string{"app.js", "style.css", "icon.svg"} {
		h.mux.Handle("GET /"+name, static)
	}
	h.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "openapi.json")
	})
	h.handle("GET /api/v1/tables", maxAsked, h.tables)
	h.handle("GET /api/v1/search", maxAsked, h.search)
	h.handle("POST /api/v1/search", maxUpload, h.search)
	h.handle("GET /api/v1/row", maxAsked, h.row)
	h.handle("GET /api/v1/facet", maxAsked, h.facet)
	h.handle("POST /api/v1/query", maxAsked, h.query)
	h.handle("POST /api/v1/relevance", maxUpload, h.relevanceOf)
	h.handle("POST /api/v1/stacks", maxAsked, h.stacks)
	h.handle("GET /api/v1/marks", maxAsked, h.allMarks)
	h.handle("POST /api/v1/marks", maxAsked, h.mark)
	h.handle("GET /api/v1/eval", maxAsked, h.eval)
	h.handle("POST /api/v1/gallery", maxUpload, h.gallery)
	h.handle("POST /api/v1/reveal", maxAsked, h.reveal)
	h.handle("GET /api/v1/folders", maxAsked, h.folders)
	h.handle("GET /api/v1/import", maxAsked, h.importState)
	h.handle("POST /api/v1/import", maxAsked, h.startImport)
	h.handle("POST /api/v1/import/stop", maxAsked, h.stopImport)
	h.mux.HandleFunc("GET /api/v1/import/events", h.importEvents)
	h.mux.HandleFunc("GET /api/v1/thumb", h.thumbnail)
	h.mux.HandleFunc("GET /api/v1/picture", h.picture)
}

// handle serves a function whose answer is JSON.
func (h *Handler) handle(pattern string, limit int64, f func(r *http.Request) (any, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		// A client that sends or reads slowly keeps a connection no longer than a request may take. Where
		// there is no connection, in tests, there is nothing to bound.
		conn, begun := http.NewResponseController(w), time.Now()
		_ = conn.SetReadDeadline(begun.Add(h.o.Timeout + time.Second))
		_ = conn.SetWriteDeadline(begun.Add(2*h.o.Timeout + time.Second))
		ctx, cancel := context.WithTimeout(r.Context(), h.o.Timeout)
		defer cancel()
		answer, err := f(r.WithContext(db.WithNoFiles(ctx)))
		if err != nil {
			fail(w, r, err)
			return
		}
		if page, ok := answer.(htmlPage); ok {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="gallery.html"`)
			w.Write(page)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(answer) // a client that went away is no error
	})
}

// decode reads a request in JSON, which has no other fields than those asked for.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return badRequest{err}
	}
	return nil
}

// policy is what the page may do: run and load what comes from here, and show pictures at
// the addresses that rows have.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data: https: http:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Cache-Control", "no-store")
	if !h.hostAllowed(r.Host) {
		http.Error(w, "this server answers to "+strings.Join(h.o.Hosts, ", ")+" only", http.StatusForbidden)
		return
	}
	if foreign(r) {
		http.Error(w, "a page of another site asked", http.StatusForbidden)
		return
	}
	if h.o.Token != "" && !h.admitted(w, r) {
		return
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) hostAllowed(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return slices.ContainsFunc(h.o.Hosts, func(s string) bool { return strings.EqualFold(s, name) })
}

// foreign reports whether a browser sent a request on behalf of another site. Opening the
// page by a link from elsewhere is no harm: it does nothing by itself.
func foreign(r *http.Request) bool {
	if o := r.Header.Get("Origin"); o != "" {
		u, err := url.Parse(o)
		return err != nil || u.Host != r.Host
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/api/")
	}
	return false
}

const cookieName = "lupa"

// admitted reports whether a request brings the token. The address that has it is
// answered by one without, so that it stays out of what the page links to.
func (h *Handler) admitted(w http.ResponseWriter, r *http.Request) bool {
	same := func(s string) bool { return subtle.ConstantTimeCompare([]byte(s), []byte(h.o.Token)) == 1 }
	if t := r.URL.Query().Get("token"); t != "" && r.URL.Path == "/" && same(t) {
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: t, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return false
	}
	if c, err := r.Cookie(cookieName); err == nil && same(c.Value) {
		return true
	}
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(t) {
		return true
	}
	http.Error(w, "open the address that lupa browse has printed, with its token", http.StatusUnauthorized)
	return false
}

// badRequest is a mistake of the client's.
type badRequest struct{ error }

func (e badRequest) Unwrap() error { return e.error }

func badf(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

// problem is the answer to a request that failed.
type problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	// Where in the statement, from 1; 0 where that is not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadRequest // nearly all statements come from the client
	var large *http.MaxBytesError
	switch {
	case r.Context().Err() != nil:
		return // nobody is listening
	case errors.As(err, &large):
		status, err = http.StatusRequestEntityTooLarge, fmt.Errorf("more than %d MiB were sent", large.Limit>>20)
	case errors.Is(err, errReads), errors.Is(err, db.ErrReadOnly):
		status = http.StatusForbidden
	case errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	case errors.Is(err, context.DeadlineExceeded):
		status, err = http.StatusGatewayTimeout, errors.New("it took too long")
	case errors.Is(err, db.ErrClosed):
		status = http.StatusServiceUnavailable
	case errors.Is(err, db.ErrCorrupt):
		status = http.StatusInternalServerError
	}
	p := problem{Error: err.Error()}
	var parse *db.ParseError
	if errors.As(err, &parse) {
		p.Error, p.Hint, p.Line, p.Column = parse.Msg, parse.Hint, parse.Line, parse.Column
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(p)
}
