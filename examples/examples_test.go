// Package examples_test builds every example and runs it as a reader would.
package examples_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	_ "image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/onnx"
)

var root, bin string // the repository, and the directory of the programs built

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if root, err = filepath.Abs(".."); err != nil {
			panic(err)
		}
		if bin, err = os.MkdirTemp("", "lupa-examples"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(bin)
		cmd := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./examples/...")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			os.Stderr.Write(out)
			return 1
		}
		return m.Run()
	}())
}

// run runs a program in the directory dir and returns what it prints.
func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, program), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), encoder.ModelsEnv+"="+filepath.Join(root, "testdata", "models"))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, complaints.String())
	}
	return string(out)
}

// needRuntime skips the test on a machine without ONNX Runtime.
func needRuntime(t *testing.T) {
	t.Helper()
	enc, err := onnx.Open(filepath.Join(root, "testdata", "models", "toy-clip"), nil)
	if err == nil {
		_, err = enc.EncodeTexts(t.Context(), []string{"a dog"})
		enc.Close()
	}
	if errors.Is(err, onnx.ErrNoRuntime) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, expr string) {
	t.Helper()
	if !regexp.MustCompile(expr).MatchString(got) {
		t.Errorf("printed\n%s\nwant %s", got, expr)
	}
}

// scenes returns the pictures whose column has a value, by file name.
func scenes(t *testing.T, column, value string) map[string]bool {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "testdata", "toy-clip", "scenes", "scenes.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range records[0] {
		at[name] = i
	}
	out := map[string]bool{}
	for _, r := range records[1:] {
		if r[at[column]] == value {
			out[r[at["file"]]] = true
		}
	}
	return out
}

func TestQuickstart(t *testing.T) {
	needRuntime(t)
	dir := t.TempDir()
	pictures := filepath.Join(root, "testdata", "toy-clip", "scenes")
	first := run(t, dir, "quickstart", pictures, "a dog playing in the snow")
	want(t, first, `(?m)\A(.*scene\d+\.\w+ 0\.\d+\n){3}\z`)
	dogs := scenes(t, "subject", "dog")
	for _, l := range strings.Split(strings.TrimSpace(first), "\n") {
		if path := strings.Fields(l)[0]; !dogs[filepath.Base(path)] {
			t.Errorf("%s is not a dog", path)
		}
	}
	if again := run(t, dir, "quickstart", pictures, "a dog playing in the snow"); again != first {
		t.Errorf("the second run printed\n%s\nthe first\n%s", again, first)
	}
}

// TestReadmeProgram: what README shows of a Go program compiles, and prints what
// quickstart prints.
func TestReadmeProgram(t *testing.T) {
	needRuntime(t)
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(strings.ReplaceAll(string(page), "\r\n", "\n"), "\n```go\n")
	shown, _, found := strings.Cut(shown, "```\n")
	if !found {
		t.Fatal("README.md shows no Go program")
	}
	dir := t.TempDir()
	program := `package main

import (
	"context"
	"fmt"
	"os"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder/onnx"
)

func main() {
	ctx := context.Background()
	` + strings.ReplaceAll(shown, "'clip-vit-base-patch32'", "'toy-clip'") + `
	_ = err
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "readme"), filepath.Join(dir, "main.go"))
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("README's program does not compile: %v\n%s", err, out)
	}
	pictures := filepath.Join(root, "testdata", "toy-clip", "scenes")
	got := run(t, t.TempDir(), "readme", pictures, "a wolf")
	if want := run(t, t.TempDir(), "quickstart", pictures, "a wolf"); got != want || got == "" {
		t.Errorf("README's program printed\n%s\nquickstart\n%s", got, want)
	}
}

func TestImagesearch(t *testing.T) {
	needRuntime(t)
	index := filepath.Join(t.TempDir(), "index")
	pictures := filepath.Join("testdata", "toy-clip", "scenes")
	args := []string{"-index", index, "-encoder", "toy-clip"}
	out := run(t, root, "imagesearch", append(args, pictures, "a", "castle")...)
	want(t, out, `\A300 new pictures\n(\d  0\.\d{4}  testdata/toy-clip/scenes/scene\d+\.\w+  \(160 x 120\)\n){5}\z`)
	castles := scenes(t, "subject", "castle")
	best := regexp.MustCompile(`scene\d+\.\w+`).FindString(out)
	if !castles[best] {
		t.Errorf("%s is no castle", best)
	}
	out = run(t, root, "imagesearch", append(args, "-like", filepath.Join(pictures, "scene001.jpg"), pictures)...)
	want(t, out, `\A0 new pictures\n1  (1\.0000|0\.999\d)  testdata/toy-clip/scenes/scene001\.jpg`)
}

// picture reads one of the scenes that Go itself can read.
func picture(t *testing.T, name string) *image.RGBA {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "testdata", "toy-clip", "scenes", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Rect, m, m.Bounds().Min, draw.Src)
	return out
}

// halved is a picture at half its size, each pixel the mean of four.
func halved(m *image.RGBA) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, m.Rect.Dx()/2, m.Rect.Dy()/2))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			for c := range 4 {
				sum := 2
				for _, from := range []int{m.PixOffset(2*x, 2*y), m.PixOffset(2*x, 2*y+1)} {
					sum += int(m.Pix[from+c]) + int(m.Pix[from+4+c])
				}
				out.Pix[out.PixOffset(x, y)+c] = uint8(sum / 4)
			}
		}
	}
	return out
}

// writeJPEG writes a picture, with the time that a camera's clock showed unless that is "".
func writeJPEG(t *testing.T, path string, m image.Image, quality int, taken string) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()
	if taken != "" {
		exif := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08")
		// Two directories of one entry each: where the other is, and DateTimeOriginal.
		for _, entry := range [][4]uint32{{0x8769, 4, 1, 26}, {0x9003, 2, 20, 44}} {
			exif = binary.BigEndian.AppendUint16(exif, 1)
			exif = binary.BigEndian.AppendUint16(exif, uint16(entry[0]))
			exif = binary.BigEndian.AppendUint16(exif, uint16(entry[1]))
			exif = binary.BigEndian.AppendUint32(exif, entry[2])
			exif = binary.BigEndian.AppendUint32(exif, entry[3])
			exif = binary.BigEndian.AppendUint32(exif, 0)
		}
		exif = append(exif, taken+"\x00"...)
		segment := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
		data = slices.Concat(data[:2], segment, exif, data[2:])
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPhotosCleanup(t *testing.T) {
	needRuntime(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	// Pictures that are no copies of each other, and stay.
	for subject, file := range map[string]string{"castle": "", "dog": "", "horse": ""} {
		for name := range scenes(t, "subject", subject) {
			if file == "" || name < file {
				file = name
			}
		}
		data, err := os.ReadFile(filepath.Join(root, "testdata", "toy-clip", "scenes", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The larger one stays, whatever its name and the size of its file.
	fish := picture(t, "scene001.jpg")
	writeJPEG(t, at("fish-large.jpg"), fish, 60, "")
	writeJPEG(t, at("a-fish-small.jpg"), halved(fish), 100, "")
	// Of one size, that which tells when it was taken; then the larger file.
	wolves := picture(t, "scene004.png")
	writeJPEG(t, at("wolves-camera.jpg"), wolves, 85, "2024:05:06 07:08:09")
	writeJPEG(t, at("wolves-edited.jpg"), wolves, 97, "")
	flower := picture(t, "scene005.jpg")
	writeJPEG(t, at("flower-95.jpg"), flower, 95, "")
	writeJPEG(t, at("flower-50.jpg"), flower, 50, "")
	// Then the first path; a link to what stays is no copy.
	ball := picture(t, "scene007.jpg")
	writeJPEG(t, at("ball-1.jpg"), ball, 90, "")
	writeJPEG(t, at("ball-2.jpg"), ball, 90, "")
	if err := os.Symlink("ball-1.jpg", at("ball-3.jpg")); err != nil {
		t.Fatal(err)
	}
	// Three pictures in five seconds, and one later.
	var burst []string
	for name := range scenes(t, "subject", "umbrella") {
		if filepath.Ext(name) != ".webp" {
			burst = append(burst, name)
		}
	}
	slices.Sort(burst)
	for i, second := range []string{"01", "03", "05", "09"} {
		m := picture(t, burst[i])
		if i != 1 {
			m = halved(m)
		}
		writeJPEG(t, at("burst-"+second+".jpg"), m, 90, "2024:05:06 10:00:"+second)
	}

	// Pictures of one subject and place are more alike here than photos are.
	args := []string{"-encoder", "toy-clip", "-least", "0.995"}
	list := filepath.Join(t.TempDir(), "remove.txt")
	out := run(t, root, "photos-cleanup", append(args, "-list", list, dir)...)
	want(t, out, `\A16 new pictures, 0 gone or changed\n`)
	want(t, out, `(?m)^burst of 3, 2024-05-06 10:00:01\n  best     \S+/burst-03\.jpg  \(160 x 120, \d+ bytes\)\n  other    \S+/burst-01\.jpg  .*\n  other    \S+/burst-05\.jpg  .*\n4 files to remove, \d+ bytes\n\z`)
	for _, name := range []string{"fish-large", "wolves-camera", "flower-95", "ball-1"} {
		want(t, out, `(?m)^copies \d\n  keep     1\.0000  \S+/`+name+`\.jpg  `)
	}
	want(t, out, `(?m)^  same     1\.0000  \S+/ball-3\.jpg  `)
	listed := func(name string) []string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for l := range strings.Lines(string(data)) {
			if filepath.Dir(l) != dir {
				t.Errorf("listed: %q, want a file of %s", l, dir)
			}
			names = append(names, strings.TrimSuffix(filepath.Base(l), ".jpg\n"))
		}
		slices.Sort(names)
		return names
	}
	if got, want := listed(list), []string{"a-fish-small", "ball-2", "flower-50", "wolves-edited"}; !slices.Equal(got, want) {
		t.Errorf("listed: %q, want %q", got, want)
	}
	if files, err := filepath.Glob(at("*.*")); err != nil || len(files) != 16+1 { // and the index
		t.Errorf("%d files are left, %v", len(files), err)
	}

	// A list is not written over anything, be it a picture.
	complaint, err := exec.Command(filepath.Join(bin, "photos-cleanup"), append(args, "-list", list, dir)...).CombinedOutput()
	if err == nil || !strings.Contains(string(complaint), "exists already") {
		t.Errorf("a list that exists: %v\n%s", err, complaint)
	}
	second := list + ".2"
	want(t, run(t, root, "photos-cleanup", append(args, "-bursts", "-list", second, dir)...), `\A0 new pictures, 0 gone or changed\n(.*\n)*6 files to remove`)
	if got, want := listed(second), []string{"a-fish-small", "ball-2", "burst-01", "burst-05", "flower-50", "wolves-edited"}; !slices.Equal(got, want) {
		t.Errorf("listed with bursts: %q, want %q", got, want)
	}

	// What is gone is kept for nobody: its copy stays.
	for _, name := range []string{"fish-large.jpg", "wolves-edited.jpg"} {
		if err := os.Remove(at(name)); err != nil {
			t.Fatal(err)
		}
	}
	writeJPEG(t, at("flower-95.jpg"), picture(t, "scene003.jpg"), 95, "")
	out = run(t, root, "photos-cleanup", append(args, dir)...)
	want(t, out, `\A1 new pictures, 3 gone or changed\n`)
	want(t, out, `\n1 files to remove, `)
	want(t, out, `(?m)^  remove   1\.0000  \S+/ball-2\.jpg  `)
}

func TestCustomEncoder(t *testing.T) {
	want(t, run(t, root, "customencoder", "wolves in winter"), `\A0\.\d+  The winter was long; wolves`)
	want(t, run(t, root, "customencoder", "apple recipe"), `\A0\.\d+  (Apple cake|Recipe: red cabbage)`)
}

func TestProducts(t *testing.T) {
	out := run(t, root, "products", "-max", "150", "-category", "jackets", "something waterproof for cycling")
	want(t, out, `\A0\.\d+  C-203  Rain Cape`)
	want(t, out, `(?m)^best of camping: Two-Person Tent$`)
	if strings.Contains(out, "Storm Shell ") || strings.Contains(out, "B-102") {
		t.Errorf("the filter let through what it should not:\n%s", out)
	}
}

func TestRepository(t *testing.T) {
	bookmarks := filepath.Join(t.TempDir(), "bookmarks.lupa")
	for _, b := range [][]string{
		{"https://example.org/slog", "Structured logging in Go", "go", "logging"},
		{"https://example.org/zap", "Logging without allocations", "go", "logging"},
		{"https://example.org/cake", "Apple cake with cloves", "kitchen"},
	} {
		if out := run(t, root, "repository", append([]string{bookmarks, "add"}, b...)...); out != "" {
			t.Errorf("adding printed %s", out)
		}
	}
	want(t, run(t, root, "repository", bookmarks, "search", "cakes with apples"), `\A0\.\d+  Apple cake with cloves`)
	want(t, run(t, root, "repository", bookmarks, "search", "cakes with apples", "go"), `\A(.*(slog|zap)\n){2}\z`)
	want(t, run(t, root, "repository", bookmarks, "like", "https://example.org/slog"), `\A0\.\d+  Logging without allocations`)
	want(t, run(t, root, "repository", bookmarks, "show", "https://example.org/slog"), `(?m)^Structured logging in Go\nadded 20\d\d-\d\d-\d\d, tags: go, logging\n\z`)
	for _, c := range []struct{ what, want string }{{"add", "bookmarked already"}, {"remove", ""}, {"remove", "no such bookmark"}, {"like", "no such bookmark"}} {
		out, err := exec.Command(filepath.Join(bin, "repository"), bookmarks, c.what, "https://example.org/zap", "again").CombinedOutput()
		if (err != nil) != (c.want != "") || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %s%v, want %q", c.what, out, err, c.want)
		}
	}
	want(t, run(t, root, "repository", bookmarks, "search", "logging", "go"), `\A.*slog\n\z`)
}

func TestRecommend(t *testing.T) {
	out := run(t, root, "recommend", "PVUDufpRuGS", "cwOXY9NcBJN")
	want(t, out, `(?m)\Aliked\n(  1\.0000  (PVUDufpRuGS|cwOXY9NcBJN)  .+\n){2}you may like\n(  0\.\d{4}  \S+  .+\n){5}\z`)
	_, recommended, _ := strings.Cut(out, "you may like")
	if strings.Contains(recommended, "PVUDufpRuGS") {
		t.Errorf("what was liked is recommended:\n%s", out)
	}
}

// store makes a store like that of make demo, without pictures.
func store(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo.lupa")
	s, err := db.Open(dir, &db.Options{OpenEncoder: onnx.Opener(&onnx.Options{Models: []string{filepath.Join(root, "testdata", "models")}})})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	corpus := filepath.Join(root, "testdata", "toy-clip", "corpus")
	if _, err := s.Exec(t.Context(), `CREATE TABLE photos (id TEXT PRIMARY KEY, clip VECTOR(128) ENCODER 'toy-clip', caption TEXT)`); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`COPY photos (clip, id) FROM $1, $2`, []any{filepath.Join(corpus, "features.npy"), filepath.Join(corpus, "photo_ids.csv")}},
		{`UPDATE photos SET caption = m.caption FROM read_csv($1) AS m WHERE m.photo_id = photos.id`, []any{filepath.Join(corpus, "metadata.csv")}},
	} {
		if _, err := s.Exec(t.Context(), step.sql, step.args...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDemo(t *testing.T) {
	needRuntime(t)
	dir := store(t)
	out := run(t, root, "demo", dir)
	want(t, out, `\Aa dog playing in the snow\n(  0\.\d{4}  \S+  .*\n){3}like \S+ \(128 dimensions\)\n(  0\.\d{4}  \S+  .*\n){3}search no. 1 written down\n\z`)
	want(t, run(t, root, "demo", dir), `search no. 2 written down`)
}

func TestHTTPServer(t *testing.T) {
	needRuntime(t)
	want(t, run(t, root, "httpserver", "-store", store(t), "-load", "500"), `\A500 requests, \d+ a second; half within \S+, 99% within \S+\n\z`)
}

// TestHTTPServerStops sends SIGTERM while requests are on their way: all of them
// are answered, nobody else is, and the program ends without complaint.
func TestHTTPServerStops(t *testing.T) {
	needRuntime(t)
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM there")
	}
	cmd := exec.Command(filepath.Join(bin, "httpserver"), "-store", store(t), "-addr", "localhost:0")
	cmd.Dir = root
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	said := bufio.NewReader(stderr)
	line, err := said.ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v", line, err)
	}
	// The server asks for the body of a form only when the handler wants to read it:
	// then the request is on its way for certain, and stays so until the body comes.
	const body = "--end--\r\n"
	conns := make([]net.Conn, 20)
	answers := make([]*bufio.Reader, len(conns))
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i], answers[i] = c, bufio.NewReader(c)
		fmt.Fprintf(c, "GET /search?q=a+dog&k=7 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"+
			"Content-Type: multipart/form-data; boundary=end\r\nContent-Length: %d\r\n\r\n", len(body))
	}
	for _, r := range answers {
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusContinue {
			t.Fatalf("the handler does not ask for the form: %v, %v", resp, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until nobody is let in any more
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
	}
	for _, c := range conns {
		if _, err := io.WriteString(c, body); err != nil {
			t.Error(err)
		}
	}
	for _, r := range answers {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("no answer: %v", err)
			continue
		}
		var photos []struct{ ID string }
		if err := json.NewDecoder(resp.Body).Decode(&photos); err != nil || len(photos) != 7 {
			t.Errorf("%s, %d photos, %v", resp.Status, len(photos), err)
		}
	}
	rest, _ := io.ReadAll(said)
	if err := cmd.Wait(); err != nil || len(rest) > 0 {
		t.Errorf("the server ended with %v, saying %q", err, rest)
	}
}

// TestWithoutCgo builds what is said to need no C compiler.
func TestWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", t.TempDir(), "./examples/customencoder", "./examples/products", "./examples/recommend", "./examples/repository")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
