package gallery

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

var (
	text = value.Type{Kind: value.Text}
	real = value.Type{Kind: value.Real}
)

func page(t *testing.T, cols []string, types []value.Type, o Options, rows ...[]value.Value) string {
	t.Helper()
	var b bytes.Buffer
	g := New(&b, cols, types, o)
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := g.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pngFile(t *testing.T, name string, w, h int) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 200
	}
	img.Set(0, 0, color.White)
	file := filepath.Join(t.TempDir(), name)
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLocalPicturesAreEmbedded(t *testing.T) {
	file := pngFile(t, "big.png", 900, 300)
	out := page(t, []string{"id", "path", "score", "caption"}, []value.Type{text, text, real, text}, Options{Title: "a wolf"},
		[]value.Value{value.Str("x1"), value.Str(file), value.Float(0.3), value.Str("a wolf howls")},
		[]value.Value{value.Str("x2"), value.Str("gone.png"), value.Float(0.2), {}})
	for _, want := range []string{`<title>a wolf</title>`, `src="data:image/jpeg;base64,`, `width="360" height="120"`, `alt="a wolf howls"`, `<b>0.3000</b>`,
		`<dt>id</dt><dd dir="auto">x1</dd>`, `2 pictures`, `no picture`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%.3000s", want, out)
		}
	}
	for _, want := range []string{`<a class="frame" href="file://` + file + `"`, `<p class="name" dir="auto">big.png</p>`, `style="width: 100%"`, `style="width: 67%"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out[strings.Index(out, "<main>"):])
		}
	}
}

func TestTemplates(t *testing.T) {
	cols, types := []string{"id", "by"}, []value.Type{text, text}
	o := Options{
		Image:  "https://unsplash.com/photos/{id}/download?w=320&q={by}",
		Link:   "https://unsplash.com/photos/{ID}",
		Credit: "Photo by {by} on Unsplash",
	}
	out := page(t, cols, types, o, []value.Value{value.Str("a/b?c"), value.Str("Ann & Bo")})
	for _, want := range []string{
		`src="https://unsplash.com/photos/a%2Fb%3Fc/download?w=320&amp;q=Ann+%26+Bo"`,
		`href="https://unsplash.com/photos/a%2Fb%3Fc"`, `Photo by Ann &amp; Bo on Unsplash`,
	} {
		if !strings.Contains(strings.ReplaceAll(out, "&#43;", "+"), want) {
			t.Errorf("no %s in\n%s", want, out[strings.Index(out, "<main>"):])
		}
	}
	for _, bad := range []string{"https://x/{nosuch}", "https://x/{id"} {
		if err := New(&bytes.Buffer{}, cols, types, Options{Link: bad}).Check(); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestPicturesByColumn(t *testing.T) {
	cols, types := []string{"link", "image_url"}, []value.Type{text, text}
	out := page(t, cols, types, Options{}, []value.Value{value.Str("https://example.org/page"), value.Str("https://example.org/p?id=1")})
	if !strings.Contains(out, `<img src="https://example.org/p?id=1"`) {
		t.Error(out[strings.Index(out, "<main>"):])
	}
}

// Whatever a row holds, it is text on the page: no element, no attribute and
// no URL of another scheme comes of it.
func TestHostileRows(t *testing.T) {
	hostile := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `' onmouseover='alert(1)`,
		`</style><script>`, `</title><script>`, "\x00\x1b[31m", `{{.Rank}}`, `data:text/html,<script>`, `https://x/"><script>alert(1)</script>.png`,
		`../../../../etc/passwd`, `file:///etc/passwd.png`, "\u202egnp.exe", `]]>`, `&lt;script&gt;`,
	}
	cols := []string{"id", "caption", `<b>"column"`}
	types := []value.Type{text, text, text}
	elements := regexp.MustCompile(`<[a-z][^>]*>`)
	allowed := regexp.MustCompile(`^<(html|head|meta|title|style|body|h1|main|figure|figcaption|div|span|b|i|p|dl|dt|dd|footer|a class="frame" href="(https?|file)://[^"<> ]*" rel="noopener noreferrer"|img src="https?://[^"<> ]*" alt="[^"<>]*" loading="lazy")( (lang|charset|name|content|http-equiv|class|style|dir)="[^"]*")*>$`)
	for _, o := range []Options{{}, {Image: "https://e.org/{id}.png", Link: "{caption}", Credit: "{caption}"}, {Image: "pics/{id}.png", Link: "https://e.org/?q={id}"}, {Image: "{id}", Link: "{id}"}} {
		for _, h := range hostile {
			o.Title = h
			out := page(t, cols, types, o, []value.Value{value.Str(h), value.Str(h), value.Str(h)})
			for _, e := range elements.FindAllString(out, -1) {
				if !allowed.MatchString(e) {
					t.Errorf("%q with %+v makes %s", h, o, e)
				}
			}
			if strings.Contains(out, `href="javascript`) || strings.Contains(out, `href="data`) || strings.Contains(out, `src="javascript`) {
				t.Errorf("%q with %+v makes a link", h, o)
			}
		}
	}
}

func TestEmptyPage(t *testing.T) {
	out := page(t, []string{"id"}, []value.Type{text}, Options{})
	if !strings.HasPrefix(out, "<!doctype html>") || !strings.Contains(out, "0 pictures") || !strings.HasSuffix(out, "</html>\n") {
		t.Error(out)
	}
}

// A card says which picture it is, whether or not there is a caption, and a link may
// lead to a file wherever the page lies.
func TestNames(t *testing.T) {
	file := pngFile(t, "Käfer & co.png", 30, 20)
	cols, types := []string{"width", "path", "s_sim"}, []value.Type{{Kind: value.Integer}, text, real}
	row := []value.Value{value.Int(30), value.Str(file), value.Float(-0.2)}
	t.Chdir(filepath.Dir(file))
	for _, o := range []Options{{}, {Link: "{path}"}, {Image: "{path}"}} {
		out := page(t, cols, types, o, row)
		for _, want := range []string{`alt="Käfer &amp; co.png"`, `>Käfer &amp; co.png</p>`, `/K%C3%A4fer%20&amp;%20co.png"`, `style="width: 0%"`, `<dt>width</dt>`} {
			if !strings.Contains(out, want) {
				t.Errorf("%+v: no %s in\n%s", o, want, out[strings.Index(out, "<main>"):])
			}
		}
	}
	relative := []value.Value{value.Int(30), value.Str("gone.png"), value.Float(0.1)}
	out := page(t, cols, types, Options{Image: "{path}", Link: "{path}"}, relative)
	if !strings.Contains(out, "gone.png is not there") || strings.Contains(out, "href") {
		t.Error(out[strings.Index(out, "<main>"):])
	}
}
