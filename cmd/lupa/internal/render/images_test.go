package render

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

// flag is a picture of three bands, so that what is shown can be told.
func tricolour(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{255, 0, 0, 255}
			if 3*x >= w {
				c = color.RGBA{0, 255, 0, 255}
			}
			if 3*x >= 2*w {
				c = color.RGBA{0, 0, 255, 255}
			}
			img.Set(x, y, c)
		}
	}
	return img
}

func decodePNG(data []byte, _, _ int) (image.Image, error) { return png.Decode(bytes.NewReader(data)) }

func pictureFiles(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	var out []string
	for i := range n {
		var b bytes.Buffer
		if err := png.Encode(&b, tricolour(60, 40)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("p%d.png", i))
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out
}

func shownThumbs(t *testing.T, protocol string, columns int, rows ...[]value.Value) string {
	t.Helper()
	th := &Thumbnails{Protocol: protocol, Columns: columns, Cell: Cell{10, 20}, Deep: true, Decode: decodePNG, Names: []string{"id", "file", "score"}}
	for _, r := range rows {
		th.Row(r)
	}
	var b bytes.Buffer
	if err := th.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThumbnailsAsBlocks(t *testing.T) {
	files := pictureFiles(t, 3)
	var rows [][]value.Value
	for i, f := range files {
		rows = append(rows, []value.Value{value.Int(int64(i)), value.Str(f), value.Float(0.3)})
	}
	out := shownThumbs(t, "blocks", 80, rows...)
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(lines[0], "")
	// 60 by 40 pixels fit 22 columns: 22 by 14 pixels are 22 by 7 cells.
	if len(lines) != 8 || plain != strings.Repeat("▀", 22)+"  "+strings.Repeat("▀", 22)+"  "+strings.Repeat("▀", 22) {
		t.Errorf("%d lines, the first is %q", len(lines), plain)
	}
	for _, want := range []string{"38;2;255;0;0;48;2;255;0;0", "38;2;0;255;0", "38;2;0;0;255"} {
		if !strings.Contains(lines[3], want) {
			t.Errorf("no %s in %q", want, lines[3])
		}
	}
	if want := "1  0.3  p0.png          2  0.3  p1.png          3  0.3  p2.png"; lines[7] != want {
		t.Errorf("labels %q, want %q", lines[7], want)
	}
	// A narrow terminal puts them below each other.
	if n := strings.Count(shownThumbs(t, "blocks", 30, rows...), "\n"); n != 3*8 {
		t.Errorf("%d lines in 30 columns", n)
	}
}

func TestRowsWithoutPictures(t *testing.T) {
	files := pictureFiles(t, 1)
	link := filepath.Join(t.TempDir(), "dev.png")
	os.Symlink("/dev/zero", link)
	for _, v := range []value.Value{{}, value.Str("gone.png"), value.Str("/dev/zero"), value.Str(link), value.Int(3), value.Str(filepath.Dir(files[0])), value.Str(strings.Repeat("x", 9999) + ".png")} {
		if out := shownThumbs(t, "blocks", 80, []value.Value{v}); out != "" {
			t.Errorf("%v shows %q", v, out)
		}
	}
	var none *Thumbnails
	none.Row(nil)
	if err := none.Write(nil); err != nil {
		t.Error(err)
	}
	// A damaged picture leaves its place and spoils no other.
	bad := filepath.Join(t.TempDir(), "bad\x1b[31m.png")
	if err := os.WriteFile(bad, []byte("not a picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"blocks", "kitty"} {
		out := shownThumbs(t, p, 80, []value.Value{value.Str(bad)}, []value.Value{value.Str(files[0])})
		if !strings.Contains(out, "(unreadable)") || !strings.Contains(out, "2  p0.png") || strings.Contains(out, "bad\x1b") {
			t.Errorf("%s: %q", p, out)
		}
	}
}

// Pictures at addresses are fetched where that is allowed, through a template
// or from a column; elsewhere a line says how to allow it.
func TestRemoteThumbnails(t *testing.T) {
	var png1 bytes.Buffer
	if err := png.Encode(&png1, tricolour(60, 40)); err != nil {
		t.Fatal(err)
	}
	var asked []string
	var mu sync.Mutex
	th := func(template string) *Thumbnails {
		return &Thumbnails{Protocol: "blocks", Columns: 80, Deep: true, Decode: decodePNG, Names: []string{"id", "image"}, Template: template,
			Fetch: func(ctx context.Context, address string) ([]byte, error) {
				if _, ok := ctx.Deadline(); !ok {
					t.Error("a picture may take for ever")
				}
				mu.Lock()
				asked = append(asked, address)
				mu.Unlock()
				if strings.Contains(address, "gone") {
					return nil, errors.New("404")
				}
				return png1.Bytes(), nil
			}}
	}
	show := func(th *Thumbnails, rows ...[]value.Value) string {
		for _, r := range rows {
			th.Row(r)
		}
		var b bytes.Buffer
		if err := th.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	rows := [][]value.Value{{value.Str("a b"), value.Str("https://x/1")}, {value.Str("gone"), value.Str("https://x/gone")}}
	out := show(th(""), rows...)
	if !strings.Contains(out, "38;2;255;0;0") || !strings.Contains(out, "(can't be fetched)") || !strings.Contains(out, "1  1") {
		t.Errorf("%q", out)
	}
	out = show(th("https://y/{id}?w=320"), rows...)
	if !strings.Contains(out, "1  a b") || !slices.Contains(asked, "https://y/a%20b?w=320") || len(asked) != 4 {
		t.Errorf("%q, asked for %q", out, asked)
	}
	none := th("")
	none.Fetch = nil
	if out := show(none, rows...); strings.Contains(out, "\x1b") || !strings.Contains(out, "2 pictures are at addresses and not fetched; start lupa with --urls") || len(asked) != 4 {
		t.Errorf("%q", out)
	}
}

func TestKittyAndITermCarryThePicture(t *testing.T) {
	img := tricolour(600, 400) // more than a chunk
	var data string
	chunks := regexp.MustCompile("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\").FindAllStringSubmatch(drawKitty(img, 22, 8, Cell{}), -1)
	for i, c := range chunks {
		last := i == len(chunks)-1
		if strings.Contains(c[1], "m=0") != last || len(c[2]) > 4096 {
			t.Errorf("chunk %d of %d: %s, %d bytes", i, len(chunks), c[1], len(c[2]))
		}
		data += c[2]
	}
	if !strings.Contains(chunks[0][1], "c=22,r=8") {
		t.Error(chunks[0][1])
	}
	check := func(text string) {
		t.Helper()
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodePNG(raw, 0, 0)
		if err != nil || got.Bounds() != img.Bounds() {
			t.Fatalf("%v %v", got, err)
		}
		for y := range 400 {
			for x := range 600 {
				if color.RGBAModel.Convert(got.At(x, y)) != img.At(x, y) {
					t.Fatalf("pixel %d,%d is %v, want %v", x, y, got.At(x, y), img.At(x, y))
				}
			}
		}
	}
	check(data)
	m := regexp.MustCompile("^\x1b]1337;File=inline=1;size=\\d+;width=22;height=8;[^:]*:([^\a]*)\a$").FindStringSubmatch(drawITerm(img, 22, 8, Cell{}))
	if m == nil {
		t.Fatal("not an inline image")
	}
	check(m[1])
}

// What is written as sixels is read back as the picture.
func TestSixelRoundTrip(t *testing.T) {
	img := tricolour(31, 20)
	got, err := readSixel(drawSixel(img, 0, 0, Cell{}), 31, 20)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 20 {
		for x := range 31 {
			r, g, b, _ := img.At(x, y).RGBA()
			want := [3]int{int(r) * 100 / 0xffff, int(g) * 100 / 0xffff, int(b) * 100 / 0xffff}
			if got[y][x] != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got[y][x], want)
			}
		}
	}
}

// libsixel reads back every pixel as well, of a picture whose colours are the
// palette's own.
func TestSixelByLibsixel(t *testing.T) {
	reader, err := exec.LookPath("sixel2png")
	if err != nil {
		t.Skip("sixel2png (libsixel-bin) is not there")
	}
	img := tricolour(100, 50)
	cmd := exec.Command(reader)
	cmd.Stdin = strings.NewReader(drawSixel(img, 0, 0, Cell{}))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodePNG(out, 0, 0)
	if err != nil || got.Bounds() != img.Bounds() {
		t.Fatalf("%v %v", got.Bounds(), err)
	}
	for y := range 50 {
		for x := range 100 {
			if color.RGBAModel.Convert(got.At(x, y)) != img.At(x, y) {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got.At(x, y), img.At(x, y))
			}
		}
	}
}

// readSixel is a reader of sixel text as the VT340 manual describes it.
func readSixel(s string, w, h int) ([][][3]int, error) {
	body, ok := strings.CutPrefix(s, fmt.Sprintf("\x1bPq\"1;1;%d;%d", w, h))
	if !ok {
		return nil, errors.New("no introducer")
	}
	body, ok = strings.CutSuffix(body, "\x1b\\")
	if !ok {
		return nil, errors.New("no terminator")
	}
	out := make([][][3]int, h)
	for y := range out {
		out[y] = make([][3]int, w)
		for x := range out[y] {
			out[y][x] = [3]int{-1, -1, -1}
		}
	}
	colours := map[int][3]int{}
	var c [3]int
	x, top := 0, 0
	number := func() int {
		i := 0
		for i < len(body) && body[i] >= '0' && body[i] <= '9' {
			i++
		}
		n, _ := strconv.Atoi(body[:i])
		body = body[i:]
		return n
	}
	for body != "" {
		ch := body[0]
		body = body[1:]
		switch {
		case ch == '$':
			x = 0
		case ch == '-':
			x, top = 0, top+6
		case ch == '#':
			n := number()
			if strings.HasPrefix(body, ";2;") {
				body = body[3:]
				var v [3]int
				for i := range v {
					v[i] = number()
					if i < 2 {
						body = body[1:]
					}
				}
				colours[n] = v
			}
			c = colours[n]
		default:
			times := 1
			if ch == '!' {
				times = number()
				ch = body[0]
				body = body[1:]
			}
			if ch < '?' || ch > '~' {
				return nil, fmt.Errorf("sixel %q", ch)
			}
			for range times {
				for bit := range 6 {
					if (ch-'?')&(1<<bit) == 0 {
						continue
					}
					if top+bit >= h || x >= w {
						return nil, fmt.Errorf("pixel outside at %d,%d", x, top+bit)
					}
					out[top+bit][x] = c
				}
				x++
			}
		}
	}
	return out, nil
}
