package web

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image/jpeg"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/encoder/clip"
)

const (
	maxFile   = 256 << 20 // bytes of a picture file
	thumbMost = 1600      // pixels
	thumbUse  = 360
)

// thumbnails makes small pictures of files, and keeps them on the disk.
type thumbnails struct {
	dir    string // "" keeps none
	limit  int64
	secret []byte // seals the names of files
	turn   *turns

	mu   sync.Mutex
	size int64 // of what is kept; -1 before it was counted
}

func newThumbnails(dir string, limit int64, workers int) *thumbnails {
	if limit <= 0 {
		limit = 256 << 20
	}
	t := &thumbnails{dir: dir, limit: limit, secret: make([]byte, 32), turn: &turns{free: workers}, size: -1}
	rand.Read(t.secret) // never fails
	return t
}

// seal turns the name of a file that a row has into one that only this handler can make, so
// that no other file can be asked for.
func (t *thumbnails) seal(path string) string {
	return base64.RawURLEncoding.EncodeToString(append(t.sum(path), path...))
}

func (t *thumbnails) sum(path string) []byte {
	m := hmac.New(sha256.New, t.secret)
	m.Write([]byte(path))
	return m.Sum(nil)[:16]
}

func (t *thumbnails) unseal(s string) (path string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 16 {
		return "", false
	}
	return string(b[16:]), hmac.Equal(b[:16], t.sum(string(b[16:])))
}

// errNoPicture is told to clients, who need not know more.
var errNoPicture = errors.New("no picture that can be shown")

// open finds the file of a request, if it may be served.
func (h *Handler) open(sealed string) (string, os.FileInfo, error) {
	path, ok := h.thumb.unseal(sealed)
	if !ok {
		return "", nil, fs.ErrNotExist
	}
	return h.file(path)
}

// file finds a picture's file, if it may be served. The name is resolved first: what counts is
// where a symbolic link leads.
func (h *Handler) file(path string) (string, os.FileInfo, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", nil, fs.ErrNotExist
	}
	if !h.within(path) {
		return "", nil, errNoPicture
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", nil, fs.ErrNotExist
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxFile {
		return "", nil, errNoPicture
	}
	return path, fi, nil
}

// within reports whether a resolved path is below one of Options.Roots, if there are any.
func (h *Handler) within(path string) bool {
	return len(h.o.Roots) == 0 || slices.ContainsFunc(h.o.Roots, func(root string) bool {
		rel, err := filepath.Rel(root, path)
		return err == nil && filepath.IsLocal(rel)
	})
}

// thumbnail serves a small picture of a file.
func (h *Handler) thumbnail(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.o.Timeout)
	defer cancel()
	size := thumbUse
	if s := r.URL.Query().Get("size"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > thumbMost {
			fail(w, r, badf("size is a number of pixels up to %d", thumbMost))
			return
		}
		size = n
	}
	path, fi, err := h.open(r.URL.Query().Get("p"))
	if err != nil {
		failPicture(w, r, err)
		return
	}
	tag := tagOf(path, fi, size)
	if unchanged(w, r, tag) {
		return
	}
	data, err := h.thumb.get(ctx, path, tag, size)
	if err != nil {
		failPicture(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data)
}

// unchanged answers a client that has the picture already. The cookie is asked for either way.
func unchanged(w http.ResponseWriter, r *http.Request, tag string) bool {
	w.Header().Set("Cache-Control", "private, max-age=600")
	w.Header().Set("ETag", `"`+tag+`"`)
	if r.Header.Get("If-None-Match") != `"`+tag+`"` {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

func failPicture(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.Context().Err() != nil:
	case errors.Is(err, context.DeadlineExceeded):
		http.Error(w, "it took too long", http.StatusGatewayTimeout)
	default:
		http.Error(w, errNoPicture.Error(), http.StatusNotFound)
	}
}

// shown are the kinds of pictures that browsers show and that hold no scripts, by what
// http.DetectContentType says of their first bytes.
var shown = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp"}

// picture serves the file itself, or where browsers don't know its kind, a large thumbnail.
func (h *Handler) picture(w http.ResponseWriter, r *http.Request) {
	path, fi, err := h.open(r.URL.Query().Get("p"))
	if err != nil {
		failPicture(w, r, err)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		failPicture(w, r, err)
		return
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0)
	kind := http.DetectContentType(head[:n])
	if !slices.Contains(shown, kind) {
		q := r.URL.Query()
		q.Set("size", strconv.Itoa(thumbMost))
		r.URL.RawQuery = q.Encode()
		h.thumbnail(w, r)
		return
	}
	if unchanged(w, r, tagOf(path, fi, 0)) {
		return
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", fi.ModTime(), f)
}

// tagOf names a picture of a file as it is now.
func tagOf(path string, fi os.FileInfo, size int) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%d\x00%d\x00%d", path, fi.Size(), fi.ModTime().UnixNano(), size)))
	return hex.EncodeToString(sum[:16])
}

// get returns a JPEG file of a picture, kept or made now.
func (t *thumbnails) get(ctx context.Context, path, tag string, size int) ([]byte, error) {
	kept := filepath.Join(t.dir, tag+".jpg")
	if t.dir != "" {
		if data, err := os.ReadFile(kept); err == nil {
			now := time.Now()
			_ = os.Chtimes(kept, now, now) // those used last stay
			return data, nil
		}
	}
	if err := t.turn.take(ctx); err != nil {
		return nil, err
	}
	defer t.turn.done()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := clip.Thumbnail(data, size, size)
	if err != nil {
		return nil, errNoPicture
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 82}); err != nil {
		return nil, err
	}
	if t.dir != "" {
		t.keep(kept, b.Bytes())
	}
	return b.Bytes(), nil
}

// keep writes a thumbnail to the directory. One that can't be kept is made again next time.
func (t *thumbnails) keep(name string, data []byte) {
	f, err := os.CreateTemp(t.dir, ".new-*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size >= 0 {
		t.size += int64(len(data))
	}
	if t.size < 0 || t.size > t.limit {
		t.prune()
	}
}

// prune counts what is kept, and removes those not used for longest when it is too much, down to
// three quarters. mu is held.
func (t *thumbnails) prune() {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return
	}
	type file struct {
		name string
		size int64
		used time.Time
	}
	var files []file
	t.size = 0
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !fi.Mode().IsRegular() || !strings.HasSuffix(e.Name(), ".jpg") {
			continue
		}
		files = append(files, file{e.Name(), fi.Size(), fi.ModTime()})
		t.size += fi.Size()
	}
	if t.size <= t.limit {
		return
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	for _, f := range files {
		if t.size <= t.limit/4*3 {
			break
		}
		if os.Remove(filepath.Join(t.dir, f.name)) == nil {
			t.size -= f.size
		}
	}
}

// turns lets a few work at a time, those who came last first: what is on the screen now was
// asked for after what has been scrolled past.
type turns struct {
	inOrder bool // those who came first are first

	mu      sync.Mutex
	free    int
	waiting []chan struct{}
}

func (t *turns) take(ctx context.Context) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		if i := slices.Index(t.waiting, mine); i >= 0 {
			t.waiting = slices.Delete(t.waiting, i, i+1)
			return ctx.Err()
		}
		t.next() // the turn came at the same moment
		return ctx.Err()
	}
}

func (t *turns) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next()
}

// next passes a turn on. mu is held.
func (t *turns) next() {
	if n := len(t.waiting); n > 0 {
		i := n - 1
		if t.inOrder {
			i = 0
		}
		close(t.waiting[i])
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return
	}
	t.free++
}

// Thumbnail returns a JPEG file of a row's picture, size pixels wide or high at most. It fails for
// pictures at an address.
func (h *Handler) Thumbnail(ctx context.Context, p *Picture, size int) ([]byte, error) {
	_, sealed, _ := strings.Cut(p.Thumb, "?p=")
	path, fi, err := h.open(sealed)
	if err != nil {
		return nil, err
	}
	return h.thumb.get(ctx, path, tagOf(path, fi, size), size)
}
