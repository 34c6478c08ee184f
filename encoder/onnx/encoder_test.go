package onnx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
)

const (
	models = "../../testdata/models"
	toy    = "../../testdata/toy-clip"
)

// needRuntime finds libonnxruntime where the Makefile puts it. A test run that
// leaves ONNX Runtime out has to say so; without cgo there is none.
func needRuntime(t testing.TB) {
	t.Helper()
	if os.Getenv("LUPA_SKIP_ONNX") == "1" {
		t.Skip("LUPA_SKIP_ONNX=1")
	}
	if os.Getenv(LibraryEnv) == "" {
		if dir, err := filepath.Abs("../../.tools"); err == nil && len(inFolder(dir)) > 0 {
			if _, err := os.Stat(inFolder(dir)[0]); err == nil {
				t.Setenv(LibraryEnv, inFolder(dir)[0])
			}
		}
	}
	if _, _, err := RuntimeVersion(nil); errors.Is(err, errNoCgo) {
		t.Skip(err)
	} else if err != nil {
		t.Fatalf("%v\n`make runtime` fetches it into .tools for the tests; LUPA_SKIP_ONNX=1 leaves out the tests that need it", err)
	}
}

func open(t testing.TB, dir string, o *Options) *Encoder {
	t.Helper()
	e, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

type golden struct {
	Texts []struct {
		Text   string
		IDs    []int64
		Vector []float64 `json:"text_embeds"`
	}
	Images []struct {
		File   string
		Vector []float64 `json:"image_embeds"`
	}
	Sim [][]float64 `json:"clip_sim"`
}

func readGolden(t testing.TB, path string) (g golden) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil || len(g.Texts) == 0 || len(g.Images) == 0 {
		t.Fatalf("%s: %v", path, err)
	}
	return g
}

func (g *golden) texts() (out []string) {
	for _, t := range g.Texts {
		out = append(out, t.Text)
	}
	return out
}

func (g *golden) images(t testing.TB, dir string) (out []encoder.Image) {
	for _, i := range g.Images {
		b, err := os.ReadFile(filepath.Join(dir, i.File))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, encoder.Image{Data: b})
	}
	return out
}

func cosine(a []float32, b []float64) float64 {
	var x, y, z float64
	for i := range a {
		x, y, z = x+float64(a[i])*b[i], y+float64(a[i])*float64(a[i]), z+b[i]*b[i]
	}
	return x / math.Sqrt(y*z)
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// Vectors against torch, in all layouts.
func TestReferenceVectors(t *testing.T) {
	needRuntime(t)
	tiny := filepath.Join(models, "tiny-clip")
	for _, c := range []struct {
		name, dir, golden, images string
		opts                      Options
		exact                     float64 // least cosine of texts and of pictures coded without loss
		jpeg                      float64
		similar                   float64 // most difference of a similarity
	}{
		{"tiny-clip", tiny, filepath.Join(tiny, "goldens.json"), filepath.Join(tiny, "images"), Options{}, 0.999999, 0.9999, 0.005},
		{"tiny-immich", filepath.Join(models, "tiny-immich"), filepath.Join(tiny, "goldens.json"), filepath.Join(tiny, "images"), Options{}, 0.999999, 0.9999, 0.005},
		{"toy-clip", filepath.Join(toy, "model"), filepath.Join(toy, "goldens.json"), filepath.Join(toy, "scenes"), Options{}, 0.999999, 0.9999, 0.005},
		{"one thread", tiny, filepath.Join(tiny, "goldens.json"), filepath.Join(tiny, "images"), Options{Threads: 1}, 0.999999, 0.9999, 0.005},
		{"quantized", tiny, filepath.Join(tiny, "goldens.json"), filepath.Join(tiny, "images"), Options{Variant: "quantized"}, 0.98, 0.98, 0.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := readGolden(t, c.golden)
			e := open(t, c.dir, &c.opts)
			texts, err := e.EncodeTexts(t.Context(), g.texts())
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range texts {
				if math.Abs(dot(v, v)-1) > 1e-6 || len(v) != e.Model().Dim {
					t.Errorf("%q: squared norm %v", g.Texts[i].Text, dot(v, v))
				}
				if cos := cosine(v, g.Texts[i].Vector); cos < c.exact {
					t.Errorf("%q: cosine %.7f", g.Texts[i].Text, cos)
				}
			}
			images, err := e.EncodeImages(t.Context(), g.images(t, c.images))
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range images {
				file, least := g.Images[i].File, c.exact
				if filepath.Ext(file) == ".jpg" {
					least = c.jpeg
				}
				if r.Err != nil {
					t.Errorf("%s: %v", file, r.Err)
				} else if cos := cosine(r.Vector, g.Images[i].Vector); cos < least {
					t.Errorf("%s: cosine %.7f", file, cos)
				}
			}
			for i, row := range g.Sim {
				for j, want := range row {
					if got := dot(texts[i], images[j].Vector); math.Abs(got-want) > c.similar {
						t.Errorf("similarity of %q and %s: %.4f, want %.4f", g.Texts[i].Text, g.Images[j].File, got, want)
					}
				}
			}
		})
	}
}

// The graph's own output against torch, before normalising.
func TestRawOutput(t *testing.T) {
	needRuntime(t)
	e := open(t, filepath.Join(models, "tiny-clip"), nil)
	s, err := newSession(e.folder.Text, &e.opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, g := range readGolden(t, filepath.Join(models, "tiny-clip", "goldens.json")).Texts {
		out, err := s.run([]tensor{{shape: []int64{1, int64(len(g.IDs))}, int64s: g.IDs}}, []int64{1, int64(e.Model().Dim)})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range out {
			if math.Abs(float64(v)-g.Vector[i]) > 1e-5 {
				t.Errorf("%q: component %d is %v, torch has %v", g.Text, i, v, g.Vector[i])
			}
		}
	}
}

// A vector does not depend, not even in its last bit, on what was encoded with
// it, in which order, by how many goroutines, or by which layout's rules.
func TestBatchesDoNotMatter(t *testing.T) {
	needRuntime(t)
	g := readGolden(t, filepath.Join(models, "tiny-clip", "goldens.json"))
	texts := g.texts()
	for _, variant := range []string{"", "quantized"} {
		o := &Options{Variant: variant, TextCache: -1}
		e := open(t, filepath.Join(models, "tiny-clip"), o)
		together, err := e.EncodeTexts(t.Context(), texts)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			for i, text := range texts {
				wg.Go(func() {
					v, err := e.EncodeTexts(t.Context(), []string{text})
					if err != nil || !slices.Equal(v[0], together[i]) {
						t.Errorf("variant %q: %q alone differs (%v)", variant, text, err)
					}
				})
			}
		}
		wg.Wait()
		images := g.images(t, filepath.Join(models, "tiny-clip", "images"))
		all, err := e.EncodeImages(t.Context(), images)
		if err != nil {
			t.Fatal(err)
		}
		for i, im := range images {
			one, err := e.EncodeImages(t.Context(), []encoder.Image{im})
			if err != nil || !slices.Equal(one[0].Vector, all[i].Vector) {
				t.Errorf("variant %q: %s alone differs (%v)", variant, g.Images[i].File, err)
			}
		}
	}
}

func TestTextCache(t *testing.T) {
	needRuntime(t)
	e := open(t, filepath.Join(models, "tiny-clip"), &Options{TextCache: 2})
	get := func(text string) []float32 {
		v, err := e.EncodeTexts(t.Context(), []string{text, text})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(v[0], v[1]) {
			t.Error("twice the same text, two vectors")
		}
		return v[0]
	}
	first := get("a wolf")
	clear(first) // the caller's
	if v := get("a wolf"); dot(v, v) < 0.9 {
		t.Error("the cache gave away its own memory")
	}
	for i := range 10 {
		get(fmt.Sprint("text ", i))
	}
	if n := len(e.cache.entries); n != 2 || e.cache.recent.Len() != 2 || len(e.cache.pending) != 0 {
		t.Errorf("%d entries", n)
	}
	if _, ok := e.cache.entries["text 9"]; !ok {
		t.Error("the last text is not kept")
	}
}

// Many callers that want the same new text at once make one run of it.
func TestSingleFlight(t *testing.T) {
	calls, release := 0, make(chan struct{})
	c := newTextCache(10)
	encode := func(_ context.Context, texts []string) ([][]float32, error) {
		calls++ // one at a time, or the race detector tells
		<-release
		return [][]float32{{1}}, nil
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if v, err := c.get(t.Context(), []string{"x"}, encode); err != nil || v[0][0] != 1 {
				t.Error(v, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if calls != 1 {
		t.Errorf("%d runs", calls)
	}

	// One who gives up does not take the others with him.
	gaveUp := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		_, err := c.get(ctx, []string{"y"}, func(ctx context.Context, _ []string) ([][]float32, error) {
			close(gaveUp)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-gaveUp
	wg.Go(func() {
		v, err := c.get(t.Context(), []string{"y"}, func(context.Context, []string) ([][]float32, error) { return [][]float32{{2}}, nil })
		if err != nil || v[0][0] != 2 {
			t.Error(v, err)
		}
	})
	time.Sleep(time.Millisecond) // likelier to wait for the first
	cancel()
	wg.Wait()
}

func loaded(r *runner) bool {
	<-r.turn
	defer r.unlock()
	return r.session != nil
}

// Opening loads nothing; the first use loads one tower; idleness unloads it.
func TestLoading(t *testing.T) {
	needRuntime(t)
	e := open(t, filepath.Join(models, "tiny-clip"), &Options{IdleUnload: 50 * time.Millisecond, TextCache: -1})
	if loaded(e.text) || loaded(e.image) {
		t.Error("a tower is in memory before it was needed")
	}
	if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err != nil {
		t.Fatal(err)
	}
	if loaded(e.image) {
		t.Error("a text loaded the image tower")
	}
	for loaded(e.text) {
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); err != nil {
		t.Errorf("after unloading: %v", err)
	}
	e.Close()
	if _, err := e.EncodeTexts(t.Context(), []string{"a wolf"}); !errors.Is(err, errClosed) {
		t.Errorf("after closing: %v", err)
	}
}

// What can't be decoded has its own error and the rest of the batch goes on.
func TestBadImages(t *testing.T) {
	needRuntime(t)
	e := open(t, filepath.Join(models, "tiny-clip"), &Options{MaxPixels: 200_000})
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(models, "tiny-clip", "images", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := read("gray.png")
	images := []encoder.Image{
		{Data: good}, {Data: good[:len(good)/2]}, {}, {Data: []byte("hello")}, {Data: good},
		{Decoded: image.NewGray(image.Rect(0, 0, 10, 20))}, {Decoded: image.NewGray(image.Rectangle{})}, {Data: read("tall-progressive.jpg")[:300]},
	}
	for range 40 {
		images = append(images, encoder.Image{Data: good})
	}
	results, err := e.EncodeImages(t.Context(), images)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "ends too early", "empty file", "not a picture", "", "", "0 x 0", "ends too early"} {
		r := results[i]
		if (r.Err == nil) != (want == "") || r.Err != nil && !strings.Contains(r.Err.Error(), want) || (r.Vector == nil) != (r.Err != nil) {
			t.Errorf("picture %d: %v, want %q", i, r.Err, want)
		}
	}
	for i := 8; i < len(results); i++ {
		if !slices.Equal(results[i].Vector, results[0].Vector) {
			t.Errorf("picture %d differs", i)
		}
	}
}

func TestCancelled(t *testing.T) {
	needRuntime(t)
	e := open(t, filepath.Join(models, "tiny-clip"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.EncodeTexts(ctx, []string{"a wolf"}); !errors.Is(err, context.Canceled) {
		t.Errorf("texts: %v", err)
	}
	if _, err := e.EncodeImages(ctx, make([]encoder.Image, 100)); !errors.Is(err, context.Canceled) {
		t.Errorf("pictures: %v", err)
	}
	// While others hold the tower, waiting ends with the context.
	<-e.text.turn
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := e.EncodeTexts(ctx, []string{"a castle"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while busy: %v", err)
	}
	e.text.unlock()
	if _, err := e.EncodeTexts(t.Context(), []string{"a castle"}); err != nil || len(e.queue.jobs) != 0 {
		t.Errorf("afterwards: %v, %d left in the queue", err, len(e.queue.jobs))
	}
}

func TestOpener(t *testing.T) {
	t.Setenv(encoder.ModelsEnv, "")
	opener := Opener(&Options{Models: []string{models}})
	e, err := opener(t.Context(), "toy-clip")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if m := e.Model(); m.Name != "toy-clip" || m.Dim != 128 || len(m.Hash) != 64 {
		t.Errorf("%+v", m)
	}
	var missing *encoder.NotFoundError
	if _, err := opener(t.Context(), "toy-clp"); !errors.As(err, &missing) || !strings.Contains(err.Error(), `did you mean "toy-clip"?`) {
		t.Errorf("got %v", err)
	}
}

// Texts are counted in the tokens that the model reads, those around them included, and beyond
// what it reads.
func TestCountTokens(t *testing.T) {
	dir := filepath.Join(models, "tiny-clip")
	e := open(t, dir, nil)
	if e.MaxTokens() != 77 {
		t.Errorf("the model reads %d tokens", e.MaxTokens())
	}
	tok, err := clip.LoadTokenizer(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "a wolf", strings.Repeat("snow ", 300)} {
		n, err := e.CountTokens(s)
		if want := len(tok.Append(nil, s, 1<<20)); err != nil || n != want {
			t.Errorf("%.20q is %d tokens, want %d (%v)", s, n, want, err)
		}
	}
	if n, err := encoder.CountTokens(e, strings.Repeat("snow ", 300)); err != nil || n < 302 {
		t.Errorf("%d tokens, %v", n, err)
	}
}
