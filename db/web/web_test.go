package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/lupadb/lupa/encoder"
)

var ctx = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// colours encodes texts that name colours, and pictures by their mean colour.
type colours struct{}

var named = map[string][]float32{"red": {1, 0, 0}, "green": {0, 1, 0}, "blue": {0, 0, 1}}

func (colours) Model() encoder.Model { return encoder.Model{Name: "colours", Dim: 3, Hash: "1"} }
func (colours) Close() error         { return nil }
func (colours) EncodeTexts(_ context.Context, texts []string) (out [][]float32, err error) {
	for _, t := range texts {
		v := []float32{0.1, 0.1, 0.1}
		for _, w := range strings.Fields(t) {
			for i, x := range named[w] {
				v[i] += x
			}
		}
		out = append(out, v)
	}
	return out, nil
}
func (colours) EncodeImages(_ context.Context, images []encoder.Image) (out []encoder.ImageResult, err error) {
	for _, im := range images {
		m, _, err := image.Decode(bytes.NewReader(im.Data))
		if err != nil {
			out = append(out, encoder.ImageResult{Err: err})
			continue
		}
		r, g, b, _ := m.At(0, 0).RGBA()
		out = append(out, encoder.ImageResult{Vector: []float32{float32(r) + 1, float32(g) + 1, float32(b) + 1}})
	}
	return out, nil
}

func picture(t *testing.T, path string, w, h int, c color.Color) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.Set(i%w, i/w, c)
	}
	var b bytes.Buffer
	if filepath.Ext(path) == ".png" {
		must(0, png.Encode(&b, m))
	} else {
		must(0, jpeg.Encode(&b, m, nil))
	}
	must(0, os.WriteFile(path, b.Bytes(), 0o600))
	return b.Bytes()
}

const hostile = `<img src=x onerror=alert(1)>"'</script>`

// photos is a store of pictures in a directory, one of them with a hostile caption.
func photos(t *testing.T) (store *db.DB, dir string) {
	dir = t.TempDir()
	store = must(db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{colours{}}}))
	t.Cleanup(func() { must(0, store.Close()) })
	must(store.Exec(ctx, `CREATE TABLE photos (path TEXT PRIMARY KEY, caption TEXT, "Width" INTEGER, place TEXT, taken TIMESTAMP, rating REAL, clip VECTOR ENCODER 'colours');
		CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'it''s'), (9007199254740993, 'large')`))
	for i, c := range []struct {
		name, caption, place string
		vector               string
		colour               color.Color
	}{
		{"red.jpg", "a red one", "snow", "red", color.RGBA{255, 0, 0, 255}},
		{"green.png", "a green one", "snow", "green", color.RGBA{0, 255, 0, 255}},
		{"blue.jpg", hostile, "sea", "blue", color.RGBA{0, 0, 255, 255}},
	} {
		path := filepath.Join(dir, c.name)
		picture(t, path, 800, 600, c.colour)
		must(store.Exec(ctx, `INSERT INTO photos VALUES ($1, $2, $3, $4, $5, $6, $7)`, path, c.caption, 100*(i+1), c.place,
			fmt.Sprintf("202%d-01-02 03:04:05", i), float64(i)/2, c.vector))
	}
	return store, dir
}

func serve(t *testing.T, store *db.DB, o *web.Options) (*httptest.Server, *web.Handler) {
	h := must(web.New(store, o))
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, h
}

func get(t *testing.T, address string, head map[string]string) (*http.Response, []byte) {
	t.Helper()
	r := must(http.NewRequest(http.MethodGet, address, nil))
	for k, v := range head {
		if k == "Host" {
			r.Host = v
		}
		r.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a := must(client.Do(r))
	defer a.Body.Close()
	return a, must(io.ReadAll(a.Body))
}

func ask(t *testing.T, s *httptest.Server, path string) (a web.Answer) {
	t.Helper()
	resp, body := get(t, s.URL+"/api/v1/"+path, nil)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", path, resp.Status, body)
	}
	must(0, json.Unmarshal(body, &a))
	return a
}

func names(a web.Answer) string {
	var all []string
	for _, r := range a.Rows {
		all = append(all, strings.TrimSuffix(filepath.Base(r.Key), filepath.Ext(r.Key)))
	}
	return strings.Join(all, " ")
}

// What is asked for by parameters is a statement, and its rows are what the statement gives.
func TestSearch(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, &web.Options{Statements: true})
	q := url.QueryEscape
	for _, c := range []struct{ params, want, statement string }{
		{"q=red", "red blue green", "clip_sim('red') AS score"},
		{"q=red&k=1", "red", "ORDER BY score LIMIT 1"},
		{"q=red+blue&k=1&offset=2", "green", "LIMIT 1 OFFSET 2"},
		{"q=blue&minus=green", "blue red green", "clip_sim('blue' - 'green')"},
		{"plus=red&plus=green&minus=blue", "green red blue", "clip_sim('red' + 'green' - 'blue')"},
		{"minus=red&k=3", "blue green red", "clip_sim(-1 * 'red')"},
		{"q=green&eq.place=snow", "green red", "WHERE place = 'snow'"},
		{"q=green&eq.place=snow&eq.place=sea", "green blue red", "WHERE place IN ('snow', 'sea')"},
		{"q=green&min.Width=200&max.rating=1", "green blue", "Width >= 200"},
		{"q=green&min.taken=2021-06-01", "blue", "taken >= '2021-06-01 00:00:00'"},
		{"q=green&null.caption=1", "", "WHERE caption IS NULL"},
		{"q=it%27s+red&k=1", "red", "clip_sim('it''s red')"},
		{"sort=-Width", "blue green red", "ORDER BY Width DESC NULLS LAST"},
		{"q=red&sort=taken", "red green blue", "AS best ORDER BY taken"},
		{"", "blue green red", "ORDER BY path"},
		{"like=" + q(dir+"/red.jpg"), "blue green", "WHERE path <> "},
		{"like=" + q(dir+"/red.jpg") + "&unlike=" + q(dir+"/green.png"), "blue", "NOT IN"},
		{"q=blue&like=" + q(dir+"/red.jpg"), "blue green", "clip_sim('blue' + l2_normalize((SELECT clip FROM photos WHERE path ="},
	} {
		a := ask(t, s, "search?table=photos&"+c.params)
		if got := names(a); got != c.want && !(strings.Contains(c.params, "sort") == false && sameSet(got, c.want) && tied(a)) {
			t.Errorf("%s: got %q, want %q (%s)", c.params, got, c.want, a.Statement)
		}
		if !strings.Contains(a.Statement, c.statement) {
			t.Errorf("%s: statement %s, want %s in it", c.params, a.Statement, c.statement)
		}
		again := post(t, s, map[string]any{"sql": a.Statement + ";", "table": "photos"})
		if names(again) != names(a) {
			t.Errorf("%s: the statement %s gives %q by itself, want %q", c.params, a.Statement, names(again), names(a))
		}
		for _, r := range append(a.Rows, again.Rows...) {
			if r.Picture == nil || r.Picture.Path != r.Key {
				t.Errorf("%s: row %s has picture %+v", c.params, r.Key, r.Picture)
			}
		}
	}
}

func sameSet(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// tied reports whether two rows have the same score, so that their order is by their place.
func tied(a web.Answer) bool {
	for i := 1; i < len(a.Rows); i++ {
		if a.Rows[i].Score != nil && a.Rows[i-1].Score != nil && *a.Rows[i].Score == *a.Rows[i-1].Score {
			return true
		}
	}
	return false
}

func post(t *testing.T, s *httptest.Server, body any) (a web.Answer) {
	t.Helper()
	resp := must(http.Post(s.URL+"/api/v1/query", "application/json", bytes.NewReader(must(json.Marshal(body)))))
	defer resp.Body.Close()
	b := must(io.ReadAll(resp.Body))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%v: %s: %s", body, resp.Status, b)
	}
	must(0, json.Unmarshal(b, &a))
	return a
}

// A picture that is sent is searched for.
func TestSearchByPicture(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, nil)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	must(must(form.CreateFormFile("picture", "x.png")).Write(picture(t, filepath.Join(dir, "x.png"), 8, 8, color.RGBA{0, 255, 0, 255})))
	must(0, form.WriteField("k", "1"))
	must(0, form.Close())
	resp := must(http.Post(s.URL+"/api/v1/search", form.FormDataContentType(), &body))
	defer resp.Body.Close()
	var a web.Answer
	must(0, json.NewDecoder(resp.Body).Decode(&a))
	if names(a) != "green" {
		t.Errorf("found %q by a green picture", names(a))
	}
}

func TestMistakesAreTold(t *testing.T) {
	store, _ := photos(t)
	s, _ := serve(t, store, &web.Options{Statements: true})
	for path, want := range map[string]string{
		"search?table=nothere&q=x":     "nothere",
		"search?q=x&column=caption":    "no vector column",
		"search?q=x&k=100000":          "k is a number from 0 to 1000",
		"search?q=x&k=-1":              "k is a number",
		"search?q=x&offset=1000000":    "offset is a number",
		"search?q=x&eq.nothere=1":      `no column \"nothere\"`,
		"search?q=x&min.Width=wide":    "Width",
		"search?q=x&between.Width=1":   "want eq.Width",
		"search?q=x&sort=nothere":      "no column",
		"search?q=x&eq.clip=1":         "clip",
		"search?table=notes&q=x":       "no column of vectors",
		"row?table=photos&key=nothere": "no row",
		"facet?column=clip":            "can't be grouped",
	} {
		resp, body := get(t, s.URL+"/api/v1/"+path, nil)
		if resp.StatusCode < 400 || resp.StatusCode >= 500 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %s, want %q", path, resp.Status, body, want)
		}
	}
	resp := must(http.Post(s.URL+"/api/v1/query", "application/json", strings.NewReader(`{"sql": "SELECT idd FROM photos"}`)))
	body := must(io.ReadAll(resp.Body))
	resp.Body.Close()
	var p struct {
		Error, Hint  string
		Line, Column int
	}
	must(0, json.Unmarshal(body, &p))
	if p.Line != 1 || p.Column != 8 || p.Error == "" {
		t.Errorf("a mistake in a statement is told as %s", body)
	}
}

// A search within a time tells what of it is proven.
func TestWithin(t *testing.T) {
	store, _ := photos(t)
	must(store.Exec(ctx, `CREATE TABLE many (id INTEGER PRIMARY KEY, v VECTOR(2));
		INSERT INTO many SELECT g.n, ('[' || g.n || ', 1]')::vector FROM generate_series(1, 5000) AS g(n)`))
	s, _ := serve(t, store, &web.Options{Statements: true})
	const sql = "SELECT id, v <-> [0, 0] AS score FROM many ORDER BY score LIMIT 3 WITHIN "
	if a := post(t, s, map[string]any{"sql": sql + "3600 s"}); a.Partial != nil || len(a.Rows) != 3 {
		t.Errorf("%d rows, %+v", len(a.Rows), a.Partial)
	}
	if a := post(t, s, map[string]any{"sql": sql + "0 ms"}); a.Partial == nil || a.Partial.Proven != 0 || a.Partial.Unseen == nil || *a.Partial.Unseen > 0 {
		t.Errorf("%+v", a.Partial)
	}
	if a := post(t, s, map[string]any{"sql": strings.Replace(sql, "<->", "<#>", 1) + "0 ms"}); a.Partial == nil || a.Partial.Unseen != nil {
		t.Errorf("%+v", a.Partial)
	}
}

// Nothing that is asked for changes the store, whatever it was opened for.
func TestNothingIsWritten(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, &web.Options{Statements: true})
	for _, sql := range []string{
		"DELETE FROM photos", "UPDATE photos SET caption = ''", "DROP TABLE photos", "CREATE TABLE x (a INTEGER)",
		"INSERT INTO notes VALUES (2, 'x')", "VACUUM photos", "COMMIT", "ROLLBACK", "BEGIN",
		"SELECT 1; DELETE FROM photos", "WITH x AS (SELECT 1) DELETE FROM photos",
		"BACKUP TO '" + dir + "/backup'",
	} {
		resp := must(http.Post(s.URL+"/api/v1/query", "application/json", bytes.NewReader(must(json.Marshal(map[string]string{"sql": sql})))))
		body := must(io.ReadAll(resp.Body))
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Errorf("%s was answered: %s", sql, body)
		}
	}
	if n := must(db.Get[int64](ctx, store, "SELECT count(*) FROM photos")); n != 3 {
		t.Errorf("%d rows are left of 3", n)
	}
	closed, _ := serve(t, store, nil)
	resp := must(http.Post(closed.URL+"/api/v1/query", "application/json", strings.NewReader(`{"sql": "SELECT 1"}`)))
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a server without statements answered one: %s", resp.Status)
	}
	if problems := must(store.Check(ctx)); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestWhoMayAsk(t *testing.T) {
	store, _ := photos(t)
	s, h := serve(t, store, &web.Options{Token: web.NewToken()})
	bearer := "Bearer " + h.Token()
	for _, c := range []struct {
		about, path string
		head        map[string]string
		want        int
	}{
		{"without the token", "/", nil, 401},
		{"without the token", "/api/v1/tables", nil, 401},
		{"with a wrong one", "/api/v1/tables", map[string]string{"Authorization": "Bearer x"}, 401},
		{"with a wrong one", "/?token=x", nil, 401},
		{"token on another path", "/api/v1/tables?token=" + h.Token(), nil, 401},
		{"the address with the token", "/?token=" + h.Token(), nil, 303},
		{"with it", "/api/v1/tables", map[string]string{"Authorization": bearer}, 200},
		{"with the cookie", "/api/v1/tables", map[string]string{"Cookie": "lupa=" + h.Token()}, 200},
		{"another host's name", "/api/v1/tables", map[string]string{"Authorization": bearer, "Host": "evil.example"}, 403},
		{"localhost", "/api/v1/tables", map[string]string{"Authorization": bearer, "Host": "localhost:1234"}, 200},
		{"[::1]", "/api/v1/tables", map[string]string{"Authorization": bearer, "Host": "[::1]:1234"}, 200},
		{"of another origin", "/api/v1/tables", map[string]string{"Authorization": bearer, "Origin": "https://evil.example"}, 403},
		{"of no origin", "/api/v1/tables", map[string]string{"Authorization": bearer, "Origin": "null"}, 403},
		{"for another site", "/api/v1/tables", map[string]string{"Authorization": bearer, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		{"a link to a picture", "/api/v1/thumb?p=x", map[string]string{"Authorization": bearer, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		{"a link to the page", "/", map[string]string{"Authorization": bearer, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		{"the page itself", "/api/v1/tables", map[string]string{"Authorization": bearer, "Sec-Fetch-Site": "same-origin", "Origin": s.URL}, 200},
	} {
		resp, body := get(t, s.URL+c.path, c.head)
		if resp.StatusCode != c.want {
			t.Errorf("%s, %s: %s, want %d (%s)", c.path, c.about, resp.Status, c.want, body)
		}
		if !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s, %s: headers %v", c.path, c.about, resp.Header)
		}
		if c.want == 303 {
			cookie := resp.Header.Get("Set-Cookie")
			if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") || resp.Header.Get("Location") != "/" {
				t.Errorf("the token becomes the cookie %q, and leads to %q", cookie, resp.Header.Get("Location"))
			}
		}
	}
}

// Files are served as pictures of rows, and no others.
func TestPictures(t *testing.T) {
	store, dir := photos(t)
	outside := t.TempDir()
	picture(t, filepath.Join(outside, "secret.jpg"), 9, 9, color.Black)
	must(0, os.WriteFile(filepath.Join(dir, "page.jpg"), []byte("<script>alert(1)</script>"), 0o600))
	must(0, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("secret"), 0o600))
	for _, name := range []string{"page.jpg", "notes.txt"} {
		must(store.Exec(ctx, "INSERT INTO photos (path) VALUES ($1)", filepath.Join(dir, name)))
	}
	must(0, os.Symlink(filepath.Join(outside, "secret.jpg"), filepath.Join(dir, "link.jpg")))
	must(store.Exec(ctx, "INSERT INTO photos (path) VALUES ($1)", filepath.Join(dir, "link.jpg")))
	cache := filepath.Join(t.TempDir(), "thumbs")
	s, h := serve(t, store, &web.Options{Roots: []string{dir}, Cache: cache})
	all := map[string]*web.Picture{}
	for _, r := range ask(t, s, "search").Rows {
		if r.Picture != nil {
			all[r.Picture.Name] = r.Picture
		}
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []string{"blue.jpg", "green.png", "link.jpg", "page.jpg", "red.jpg"}) {
		t.Fatalf("pictures are %v", got)
	}
	for round := range 2 { // the second time from the directory
		resp, body := get(t, s.URL+"/"+all["red.jpg"].Thumb+"&size=200", nil)
		m, err := jpeg.Decode(bytes.NewReader(body))
		if err != nil || m.Bounds().Dx() != 200 || m.Bounds().Dy() != 150 || resp.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("round %d: thumbnail %v: %v", round, m, err)
		}
		if resp, _ := get(t, s.URL+"/"+all["red.jpg"].Thumb+"&size=200", map[string]string{"If-None-Match": resp.Header.Get("ETag")}); resp.StatusCode != http.StatusNotModified {
			t.Errorf("what the client has is sent again: %s", resp.Status)
		}
		if kept := must(os.ReadDir(cache)); len(kept) != 1 {
			t.Errorf("%d thumbnails are kept, want 1", len(kept))
		}
	}
	resp, body := get(t, s.URL+"/"+all["green.png"].Full, nil)
	if m, err := png.Decode(bytes.NewReader(body)); err != nil || m.Bounds().Dx() != 800 || resp.Header.Get("Content-Type") != "image/png" {
		t.Errorf("the file came as %s: %v", resp.Header.Get("Content-Type"), err)
	}
	if _, err := h.Thumbnail(ctx, all["blue.jpg"], 32); err != nil {
		t.Error(err)
	}
	for about, path := range map[string]string{
		"contents that are no picture":             all["page.jpg"].Full,
		"a thumbnail of what is not a picture":     all["page.jpg"].Thumb,
		"a link that leads out of the directories": all["link.jpg"].Full,
		"a thumbnail of a link that leads out":     all["link.jpg"].Thumb,
		"a name that was not sealed":               "api/v1/picture?p=" + url.QueryEscape(filepath.Join(dir, "red.jpg")),
		"a seal of another name":                   all["red.jpg"].Full[:len(all["red.jpg"].Full)-8] + "AAAAAAAA",
		"nothing":                                  "api/v1/picture",
		"a directory of the server's":              "assets/",
		"a file of the program's":                  "web.go",
	} {
		resp, body := get(t, s.URL+"/"+path, nil)
		if resp.StatusCode != http.StatusNotFound || bytes.Contains(body, []byte("script")) {
			t.Errorf("%s: %s", about, resp.Status)
		}
	}
}

func TestThumbnailFolderIsBounded(t *testing.T) {
	store, dir := photos(t)
	cache := t.TempDir()
	s, _ := serve(t, store, &web.Options{Cache: cache, CacheSize: 20 << 10})
	thumb := ask(t, s, "search?k=1").Rows[0].Picture.Thumb
	for size := 100; size < 400; size += 5 {
		get(t, fmt.Sprintf("%s/%s&size=%d", s.URL, thumb, size), nil)
	}
	total := int64(0)
	for _, e := range must(os.ReadDir(cache)) {
		total += must(e.Info()).Size()
	}
	if total == 0 || total > 20<<10 {
		t.Errorf("%d bytes are kept, at most %d may be", total, 20<<10)
	}
	_ = dir
}

func TestFacets(t *testing.T) {
	store, _ := photos(t)
	s, _ := serve(t, store, nil)
	type facet struct {
		Kind     string
		Min, Max any
		Values   []struct {
			Value any
			Rows  int64
		}
	}
	of := func(params string) (f facet) {
		_, body := get(t, s.URL+"/api/v1/facet?table=photos&"+params, nil)
		if err := json.Unmarshal(body, &f); err != nil || f.Kind == "" {
			t.Fatalf("%s: %s", params, body)
		}
		return f
	}
	if f := of("column=place"); f.Kind != "values" || len(f.Values) != 2 || f.Values[0].Value != "snow" || f.Values[0].Rows != 2 {
		t.Errorf("place: %+v", f)
	}
	if f := of("column=place&min.Width=300"); len(f.Values) != 1 || f.Values[0].Value != "sea" {
		t.Errorf("place where the width is 300: %+v", f)
	}
	for _, col := range []string{"Width", "rating", "taken"} {
		f := of("column=" + col)
		rows := int64(0)
		for _, v := range f.Values {
			rows += v.Rows
		}
		if f.Kind != "range" || f.Min == nil || f.Max == nil || rows != 3 {
			t.Errorf("%s: %+v", col, f)
		}
	}
	must(store.Exec(ctx, `INSERT INTO photos (path, "Width", rating) VALUES ('x', -9223372036854775808, -1e308), ('y', 9223372036854775807, 1e308)`))
	for _, col := range []string{"Width", "rating"} {
		if f := of("column=" + col); len(f.Values) == 0 {
			t.Errorf("%s over the whole range: %+v", col, f)
		}
	}
}

// A value comes as it is: numbers that JavaScript would round come as text, and a hostile caption
// is data.
func TestValues(t *testing.T) {
	store, dir := photos(t)
	s, _ := serve(t, store, nil)
	a := ask(t, s, "search?table=notes")
	if len(a.Rows) != 2 || a.Rows[1].Key != "9007199254740993" || a.Rows[1].Values[0] != "9007199254740993" {
		t.Errorf("got %+v", a.Rows)
	}
	a = ask(t, s, "row?key="+url.QueryEscape(filepath.Join(dir, "blue.jpg")))
	if len(a.Rows) != 1 || a.Rows[0].Values[1] != hostile {
		t.Errorf("got %+v", a.Rows)
	}
}

func TestStaticFiles(t *testing.T) {
	store, _ := photos(t)
	s, _ := serve(t, store, nil)
	for path, kind := range map[string]string{"/": "text/html", "/app.js": "text/javascript", "/style.css": "text/css", "/icon.svg": "image/svg+xml", "/api/v1/openapi.json": "application/json"} {
		resp, body := get(t, s.URL+path, nil)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) || len(body) == 0 {
			t.Errorf("%s: %s, %s", path, resp.Status, resp.Header.Get("Content-Type"))
		}
	}
	_, body := get(t, s.URL+"/api/v1/openapi.json", nil)
	var api struct {
		Paths map[string]map[string]any
	}
	must(0, json.Unmarshal(body, &api))
	for path, methods := range api.Paths {
		for method := range methods {
			r := must(http.NewRequest(strings.ToUpper(method), s.URL+"/api/v1"+path, strings.NewReader("")))
			resp := must(http.DefaultClient.Do(r))
			resp.Body.Close()
			if resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode == http.StatusNotFound && !slices.Contains([]string{"/thumb", "/picture", "/row"}, path) {
				t.Errorf("%s %s is described, and not there: %s", method, path, resp.Status)
			}
		}
	}
}

// Words are searched for where there is a full-text index, alone or beside vectors, whatever is typed.
func TestSearchByWords(t *testing.T) {
	store, _ := photos(t)
	must(store.Exec(t.Context(), `UPDATE photos SET caption = 'a red wolf in the snow' WHERE path LIKE '%red%'; UPDATE photos SET caption = 'a blue dog' WHERE path LIKE '%blue%';
		CREATE INDEX words ON photos USING fulltext (caption) WITH (language = 'english'); CREATE INDEX ON notes USING fulltext (body)`))
	s, _ := serve(t, store, &web.Options{Statements: true})
	q := url.QueryEscape
	for _, c := range []struct{ params, want, statement string }{
		{"by=words&q=Wolf+snows", "red", "WHERE match(words, websearch('Wolf snows')) ORDER BY score"},
		{"by=words&q=" + q(`"snow (`), "red", "websearch"},
		{"by=words&q=" + q(`OR -`), "", "websearch"},
		{"by=both&k=2&q=blue", "blue", "rrf(clip_sim('blue'), bm25(words, websearch('blue'))) AS score"},
		{"by=both&k=1&q=" + q(`it's -`), "", "rrf("},
		{"by=meaning&q=red&k=1", "red", "clip_sim('red') AS score"},
	} {
		a := ask(t, s, "search?table=photos&"+c.params)
		if got := names(a); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q (%s)", c.params, got, c.want, a.Statement)
		}
		if !strings.Contains(a.Statement, c.statement) {
			t.Errorf("%s: statement %s, want %s in it", c.params, a.Statement, c.statement)
		}
	}
	if a := ask(t, s, "search?table=notes&q=large"); len(a.Rows) != 1 || a.Rows[0].Key != "9007199254740993" {
		t.Errorf("%+v", a)
	}
	resp, body := get(t, s.URL+"/api/v1/search?q=x&by=colour", nil)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "meaning, words or both") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}
