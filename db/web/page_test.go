package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
)

// asks sends a form, or where body is no url.Values JSON, and reads the answer into a.
func asks(t *testing.T, s *httptest.Server, path string, body, a any) (status int, text string) {
	t.Helper()
	var resp *http.Response
	if form, ok := body.(url.Values); ok {
		resp = must(http.PostForm(s.URL+"/api/v1/"+path, form))
	} else {
		resp = must(http.Post(s.URL+"/api/v1/"+path, "application/json", bytes.NewReader(must(json.Marshal(body)))))
	}
	defer resp.Body.Close()
	b := must(io.ReadAll(resp.Body))
	if a != nil && resp.StatusCode == http.StatusOK {
		must(0, json.Unmarshal(b, a))
	}
	return resp.StatusCode, string(b)
}

// What is said of hits goes into a file of prompts, comes back, and is measured.
func TestMarksAndEval(t *testing.T) {
	store, dir := photos(t)
	file := filepath.Join(t.TempDir(), "p.csv")
	s, _ := serve(t, store, &web.Options{Marks: file})
	red, green, blue := dir+"/red.jpg", dir+"/green.png", dir+"/blue.jpg"
	type said struct {
		Q, Key string
		Right  *bool
	}
	all := func() (a struct{ Marks []said }) {
		_, body := get(t, s.URL+"/api/v1/marks?table=photos", nil)
		must(0, json.Unmarshal(body, &a))
		return a
	}
	type judged struct {
		Q, First, Best string
		Right          bool
		Rank           int
		Margin         *float64
	}
	eval := func() (a struct {
		Figures []struct {
			Name string
			Mean float64
		}
		Prompts []judged
	}) {
		resp, body := get(t, s.URL+"/api/v1/eval?table=photos", nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s", body)
		}
		must(0, json.Unmarshal(body, &a))
		return a
	}
	if len(all().Marks) > 0 || len(eval().Prompts) > 0 {
		t.Error("there are marks before the first")
	}
	for _, m := range []map[string]any{
		{"table": "photos", "q": "red", "key": red, "right": true},
		{"table": "photos", "q": " green ", "key": green, "right": false},
		{"table": "photos", "q": "blue", "key": green, "right": true},
		{"table": "photos", "q": "blue", "key": red, "right": true},
		{"table": "photos", "q": "blue", "key": red, "right": nil},
	} {
		if status, text := asks(t, s, "marks", m, nil); status != http.StatusOK {
			t.Fatalf("%v: %s", m, text)
		}
	}
	if text := string(must(os.ReadFile(file))); text != fmt.Sprintf("query,id,right,table\nred,%s,yes,photos\ngreen,%s,no,photos\nblue,%s,yes,photos\n", red, green, green) {
		t.Errorf("the file is\n%s", text)
	}
	if m := all().Marks; len(m) != 3 || m[1].Q != "green" || m[1].Key != green || *m[1].Right {
		t.Errorf("%+v", m)
	}
	a := eval()
	if len(a.Prompts) != 3 || a.Figures[0].Name != "precision@1" || a.Figures[0].Mean < 0.333 || a.Figures[0].Mean > 0.334 {
		t.Fatalf("%+v", a)
	}
	p := a.Prompts[slices.IndexFunc(a.Prompts, func(p judged) bool { return p.Q == "blue" })]
	if p.Right || p.First != blue || p.Best != green || p.Rank < 2 || *p.Margin <= 0 {
		t.Errorf("%+v", p)
	}
	p = a.Prompts[2]
	if p.Q != "red" || !p.Right || p.Rank != 1 || *p.Margin != 0 {
		t.Errorf("right ones come last: %+v", a.Prompts)
	}
	for _, c := range []struct {
		m    map[string]any
		want string
	}{
		{map[string]any{"table": "photos", "q": " ", "key": red, "right": true}, "not empty"},
		{map[string]any{"table": "notes", "q": "x", "key": "one", "right": true}, "n: "},
		{map[string]any{"table": "nothere", "q": "x", "key": "1", "right": true}, "nothere"},
		{map[string]any{"q": "x", "kye": "1"}, "kye"},
	} {
		if status, text := asks(t, s, "marks", c.m, nil); status != http.StatusBadRequest || !strings.Contains(text, c.want) {
			t.Errorf("%v: %d %s", c.m, status, text)
		}
	}
	closed, _ := serve(t, store, nil)
	if status, text := asks(t, closed, "marks", map[string]any{"q": "x"}, nil); status != http.StatusBadRequest || !strings.Contains(text, "takes no marks") {
		t.Errorf("%d %s", status, text)
	}
}

// Rows that are nearly the same lie on the first of them, and further rows change nothing about it; what is
// relevant is told of the rows that are named.
func TestStacksAndRelevance(t *testing.T) {
	store, _ := photos(t)
	must(store.Exec(ctx, `CREATE TABLE v (id INTEGER PRIMARY KEY, v VECTOR ENCODER 'colours');
		INSERT INTO v VALUES (1, [1, 0, 0]), (2, [0, 1, 0]), (3, [0.99, 0.05, 0]), (4, [0.9, 0.4, 0]), (5, [0.99, 0.06, 0]), (6, NULL)`))
	s, _ := serve(t, store, nil)
	stacks := func(form url.Values) []string {
		form.Set("table", "v")
		var a struct{ Stacks []string }
		if status, text := asks(t, s, "stacks", form, &a); status != http.StatusOK {
			t.Fatal(text)
		}
		return a.Stacks
	}
	for _, c := range []struct {
		heads, keys, least string
		want               string
	}{
		{"", "1 2 3 4 5 6", "", "1 2 1 4 1 6"},
		{"", "5 3 1", "", "5 5 5"},
		{"1 2", "3 4 5", "", "1 4 1"},
		{"1", "4", "0.9", "1"},
		{"1", "4", "0.999", "4"},
		{"", "1 9", "", "1 9"}, // a row that is gone lies on none
		{"1", "", "", ""},
	} {
		form := url.Values{"head": strings.Fields(c.heads), "key": strings.Fields(c.keys)}
		if c.least != "" {
			form.Set("least", c.least)
		}
		if got := strings.Join(stacks(form), " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for form, want := range map[string]string{"key=one": "id", "key=1&least=2": "least is", "table=nothere": "nothere"} {
		q := must(url.ParseQuery("table=v&" + form))
		if strings.HasPrefix(form, "table") {
			q = must(url.ParseQuery(form))
		}
		if status, text := asks(t, s, "stacks", q, nil); status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", form, status, text)
		}
	}

	var a struct{ Relevance []*float64 }
	form := url.Values{"table": {"v"}, "q": {"red"}, "key": {"2", "1", "6", "9"}}
	if status, text := asks(t, s, "relevance", form, &a); status != http.StatusOK || len(a.Relevance) != 4 {
		t.Fatalf("%d %s", status, text)
	}
	if a.Relevance[0] == nil || a.Relevance[1] == nil || !(*a.Relevance[1] > *a.Relevance[0]) || a.Relevance[2] != nil || a.Relevance[3] != nil {
		t.Errorf("%v", a.Relevance)
	}
	want := must(db.Get[float64](ctx, store, "SELECT relevance(v, 'red') FROM v WHERE id = 1"))
	if *a.Relevance[1] != want {
		t.Errorf("relevance is %v, a statement says %v", *a.Relevance[1], want)
	}
	form.Del("q")
	if asks(t, s, "relevance", form, &a); a.Relevance[1] != nil {
		t.Errorf("relevant to nothing: %v", a.Relevance)
	}
}

// A page of what was found has the pictures of rows in it, and no other file.
func TestGallery(t *testing.T) {
	store, dir := photos(t)
	outside := t.TempDir()
	picture(t, filepath.Join(outside, "secret.jpg"), 90, 90, color.Black)
	must(0, os.Symlink(filepath.Join(outside, "secret.jpg"), filepath.Join(dir, "link.jpg")))
	must(store.Exec(ctx, "INSERT INTO photos (path) VALUES ($1)", filepath.Join(dir, "link.jpg")))
	s, _ := serve(t, store, &web.Options{Roots: []string{dir}})
	resp := must(http.PostForm(s.URL+"/api/v1/gallery", url.Values{"table": {"photos"}, "q": {"red"}}))
	body := string(must(io.ReadAll(resp.Body)))
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") || strings.Count(body, "data:image/jpeg") != 3 ||
		!strings.Contains(body, "no picture that can be shown") || strings.Contains(body, hostile) {
		t.Errorf("%s, %d pictures", resp.Status, strings.Count(body, "data:image/jpeg"))
	}
	_, body = asks(t, s, "gallery", url.Values{"table": {"photos"}, "q": {"red"}, "key": {dir + "/blue.jpg"}}, nil)
	if strings.Count(body, "data:image/jpeg") != 1 || !strings.Contains(body, "blue.jpg") {
		t.Errorf("%d pictures of a row that was chosen", strings.Count(body, "data:image/jpeg"))
	}
	if status, text := asks(t, s, "gallery", url.Values{"k": {"1000"}}, nil); status != http.StatusBadRequest || !strings.Contains(text, "300 rows") {
		t.Errorf("%d %s", status, text)
	}
}

func TestReveal(t *testing.T) {
	store, dir := photos(t)
	var shown []string
	s, _ := serve(t, store, &web.Options{Roots: []string{dir}, Reveal: func(path string) error { shown = append(shown, path); return nil }})
	_, sealed, _ := strings.Cut(ask(t, s, "search?q=red&k=1").Rows[0].Picture.Thumb, "?p=")
	if status, text := asks(t, s, "reveal", map[string]string{"p": sealed}, nil); status != http.StatusOK || len(shown) != 1 || filepath.Base(shown[0]) != "red.jpg" {
		t.Errorf("%d %s %v", status, text, shown)
	}
	if status, _ := asks(t, s, "reveal", map[string]string{"p": dir + "/red.jpg"}, nil); status != http.StatusNotFound || len(shown) != 1 {
		t.Errorf("a name that was not sealed: %d %v", status, shown)
	}
	closed, _ := serve(t, store, nil)
	if status, _ := asks(t, closed, "reveal", map[string]string{"p": sealed}, nil); status != http.StatusBadRequest {
		t.Errorf("%d", status)
	}
}

// With Write statements write, but reach no file.
func TestWriting(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, &web.Options{Statements: true, Write: true})
	var a struct {
		Changed *int64
		Rows    []web.Row
	}
	if status, text := asks(t, s, "query", map[string]string{"sql": "UPDATE photos SET place = 'x' WHERE place = 'snow'"}, &a); status != http.StatusOK || a.Changed == nil || *a.Changed != 2 {
		t.Errorf("%d %s", status, text)
	}
	if asks(t, s, "query", map[string]string{"sql": "DELETE FROM notes WHERE n = 1 RETURNING n, body"}, &a); len(a.Rows) != 1 || *a.Changed != 1 {
		t.Errorf("%+v", a)
	}
	a.Changed = nil
	if asks(t, s, "query", map[string]string{"sql": "SELECT 1"}, &a); a.Changed != nil {
		t.Error("a SELECT is told to have changed rows")
	}
	for _, sql := range []string{"COPY photos TO '" + dir + "/x.csv'", "BACKUP TO '" + dir + "/b'", "SELECT * FROM read_csv('" + dir + "/x.csv')", "SELECT path FROM images('" + dir + "')",
		"INSERT INTO photos (path, clip) SELECT path, image(path) FROM images('" + dir + "') ON CONFLICT (path) DO NOTHING",
		"SELECT * FROM photos ORDER BY clip_sim(image('" + dir + "/red.jpg'))"} {
		if status, text := asks(t, s, "query", map[string]string{"sql": sql}, nil); status != http.StatusBadRequest || !strings.Contains(text, "does not let statements use files") {
			t.Errorf("%s: %d %s", sql, status, text)
		}
	}
	if problems := must(store.Check(ctx)); len(problems) > 0 {
		t.Error(problems)
	}
}

type importing struct {
	Folder, Table, Model, Status, Stage, Result, Error, Statement string
	Done, Total                                                   int64
	Skipped                                                       []string
	Failed                                                        int
}

// events are the states that the server sends.
func events(t *testing.T, s *httptest.Server) func() importing {
	resp := must(http.Get(s.URL + "/api/v1/import/events"))
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatal(kind)
	}
	lines := bufio.NewReader(resp.Body)
	return func() (s importing) {
		for {
			line := must(lines.ReadString('\n'))
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				must(0, json.Unmarshal([]byte(data), &s))
				return s
			}
		}
	}
}

// until reads states up to one that is no longer running.
func until(next func() importing, running bool) importing {
	for {
		if s := next(); (s.Status == "running") == running {
			return s
		}
	}
}

// The page imports a directory into a table that it makes, tells what it could not read, and goes on after a restart.
func TestImport(t *testing.T) {
	store, dir := photos(t)
	if err := os.WriteFile(filepath.Join(dir, "broken.jpg"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(0, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	file := filepath.Join(t.TempDir(), "imports", "job.json")
	o := &web.Options{Write: true, Statements: true, ImportFile: file, Models: func() []string { return []string{"colours"} }}
	s, h := serve(t, store, o)
	next := events(t, s)
	if first := next(); first.Status != "idle" {
		t.Errorf("%+v", first)
	}
	var begun importing
	if status, text := asks(t, s, "import", map[string]string{"folder": dir, "table": "new", "model": "colours"}, &begun); status != http.StatusOK {
		t.Fatal(text)
	}
	end := until(next, false)
	for end.Status == "idle" {
		end = until(next, false)
	}
	if end.Status != "done" || end.Failed != 1 || !strings.Contains(end.Skipped[0], "broken.jpg") || !strings.HasPrefix(end.Result, "3 pictures read") || !strings.Contains(end.Result, "1 .txt") {
		t.Errorf("%+v", end)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is done is still to be gone on with: %v", err)
	}
	if n := must(db.Get[int64](ctx, store, "SELECT count(*) FROM new WHERE width = 800 AND height = 600 AND clip IS NOT NULL")); n != 3 {
		t.Errorf("%d rows are in", n)
	}
	// The statement that is shown does the same: there is nothing left to do.
	said := ""
	must(store.Exec(db.WithNotice(ctx, func(s string) { said = s }), end.Statement))
	if !strings.Contains(said, "0 pictures read, 3 there already") {
		t.Errorf("%s\nsays %q", end.Statement, said)
	}
	// Into a table that is there, only what is new.
	picture(t, filepath.Join(dir, "more.jpg"), 40, 30, color.RGBA{0, 0, 255, 255})
	if status, text := asks(t, s, "import", map[string]string{"folder": dir, "table": "photos"}, &begun); status != http.StatusOK || begun.Model != "colours" {
		t.Fatal(text)
	}
	for end = next(); end.Status == "running" || end.Table != "photos"; end = next() {
	}
	if !strings.HasPrefix(end.Result, "1 picture read, 3 there already") {
		t.Errorf("%+v", end)
	}
	if n := must(db.Get[int64](ctx, store, `SELECT count(*) FROM photos WHERE path LIKE '%more.jpg' AND clip IS NOT NULL AND "Width" IS NULL`)); n != 1 {
		t.Error("columns named as those of images() are filled, and no others")
	}
	h.Close()

	// One that was cut off is known when the server starts again.
	must(0, os.WriteFile(file, must(json.Marshal(map[string]string{"folder": dir, "table": "new", "model": "colours"})), 0o600))
	s, _ = serve(t, store, o)
	_, body := get(t, s.URL+"/api/v1/import", nil)
	var state importing
	must(0, json.Unmarshal(body, &state))
	if state.Status != "interrupted" || state.Folder != dir || state.Table != "new" {
		t.Errorf("%s", body)
	}
	next = events(t, s)
	asks(t, s, "import", map[string]string{"folder": state.Folder, "table": state.Table, "model": state.Model}, nil)
	for end = next(); end.Status == "running" || end.Status == "interrupted"; end = next() {
	}
	if !strings.HasPrefix(end.Result, "1 picture read, 3 there already") {
		t.Errorf("%+v", end)
	}
	if problems := must(store.Check(ctx)); len(problems) > 0 {
		t.Error(problems)
	}
}

// slow is colours that wait until they are told.
type slow struct {
	colours
	begun, until chan struct{}
}

func (e slow) EncodeImages(c context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	select {
	case e.begun <- struct{}{}:
	default:
	}
	select {
	case <-e.until:
	case <-c.Done():
		return nil, c.Err()
	}
	return e.colours.EncodeImages(c, images)
}

// An import can be stopped, one runs at a time, and Close ends it and who watches it.
func TestStoppingAnImport(t *testing.T) {
	dir := t.TempDir()
	picture(t, filepath.Join(dir, "a.jpg"), 40, 30, color.Black)
	e := slow{begun: make(chan struct{}, 1), until: make(chan struct{})}
	store := must(db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{e}}))
	defer func() { must(0, store.Close()) }()
	file := filepath.Join(t.TempDir(), "job.json")
	s, h := serve(t, store, &web.Options{Write: true, ImportFile: file})
	job := map[string]string{"folder": dir, "table": "t", "model": "colours"}
	if status, text := asks(t, s, "import", job, nil); status != http.StatusOK {
		t.Fatal(text)
	}
	<-e.begun
	if status, text := asks(t, s, "import", job, nil); status != http.StatusBadRequest || !strings.Contains(text, "is running") {
		t.Errorf("a second one: %d %s", status, text)
	}
	var state importing
	if asks(t, s, "import/stop", map[string]string{}, &state); state.Status != "stopped" {
		t.Errorf("%+v", state)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("what was stopped can't be gone on with: %v", err)
	}
	stream := must(http.Get(s.URL + "/api/v1/import/events")).Body
	defer stream.Close()
	asks(t, s, "import", job, nil)
	<-e.begun
	h.Close()
	if _, err := io.Copy(io.Discard, stream); err != nil { // it ends
		t.Error(err)
	}
	_, body := get(t, s.URL+"/api/v1/import", nil)
	if must(0, json.Unmarshal(body, &state)); state.Status != "stopped" {
		t.Errorf("%s", body)
	}
	if problems := must(store.Check(ctx)); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestImportMistakes(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, &web.Options{Write: true, Roots: []string{dir}})
	outside := t.TempDir()
	must(0, os.Symlink(outside, filepath.Join(dir, "out")))
	must(store.Exec(ctx, "CREATE TABLE plain (a INTEGER PRIMARY KEY); CREATE TABLE texts (path TEXT PRIMARY KEY)"))
	for _, c := range []struct {
		job  map[string]string
		want string
	}{
		{map[string]string{"folder": filepath.Join(dir, "nothere")}, "no such directory"},
		{map[string]string{"folder": "relative"}, "whole path"},
		{map[string]string{"folder": dir + "/red.jpg"}, "not a directory"},
		{map[string]string{"folder": outside}, "outside"},
		{map[string]string{"folder": filepath.Join(dir, "out")}, "outside"},
		{map[string]string{"folder": dir + "/../.."}, "outside"},
		{map[string]string{"folder": dir, "table": "new"}, "model is"},
		{map[string]string{"folder": dir, "table": "plain"}, "no primary key that is a text"},
		{map[string]string{"folder": dir, "table": "texts"}, "no vector column"},
		{map[string]string{"foldr": dir}, "foldr"},
	} {
		if status, text := asks(t, s, "import", c.job, nil); status != http.StatusBadRequest || !strings.Contains(text, c.want) {
			t.Errorf("%v: %d %s, want %q", c.job, status, text, c.want)
		}
	}
	var a struct {
		Path, Parent string
		Folders      []string
		Files        int
	}
	must(0, os.Mkdir(filepath.Join(dir, "below"), 0o700))
	must(0, os.Mkdir(filepath.Join(dir, ".hidden"), 0o700))
	resp, body := get(t, s.URL+"/api/v1/folders?path="+url.QueryEscape(dir), nil)
	if json.Unmarshal(body, &a) != nil || a.Path != dir || a.Parent != "" || !reflect.DeepEqual(a.Folders, []string{"below", "out"}) || a.Files != 3 {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := get(t, s.URL+"/api/v1/folders?path="+url.QueryEscape(outside), nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("outside of the directories: %s", body)
	}
	// Without Write nothing of it is answered.
	closed, _ := serve(t, store, nil)
	for _, path := range []string{"import", "import/stop"} {
		if status, text := asks(t, closed, path, map[string]string{"folder": dir}, nil); status != http.StatusForbidden || !strings.Contains(text, "--write") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if resp, body := get(t, closed.URL+"/api/v1/folders", nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%s %s", resp.Status, body)
	}
}
