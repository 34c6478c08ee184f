package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
)

// The graphs that are measured have random weights and, but for attention,
// the matrix products of CLIP ViT-B/32: 12 layers of width 512 for texts, and of
// width 768 over 49 patches for pictures. Unless of their own, all layers share
// their weights, which keeps the files small.
func heavy(width, layers int, own bool) (nodes, w [][]byte) {
	rng := rand.New(rand.NewPCG(1, 2))
	matrix := func(name string, in, out int) []byte {
		data := make([]float32, in*out)
		for i := range data {
			data[i] = float32(rng.NormFloat64() / math.Sqrt(float64(in)))
		}
		return weights(name, Float32, data, in, out)
	}
	shapes := []struct {
		name    string
		in, out int
	}{{"qkv", width, 3 * width}, {"proj", 3 * width, width}, {"up", width, 4 * width}, {"down", 4 * width, width}}
	x := "x0"
	for i := range layers {
		layer := 0
		if own {
			layer = i
		}
		for k, s := range shapes {
			name := fmt.Sprint(s.name, layer)
			if i == layer {
				w = append(w, matrix(name, s.in, s.out))
			}
			y := fmt.Sprintf("x%d_%d", i+1, k)
			nodes = append(nodes, node("MatMul", []string{x, name}, []string{y}))
			x = y
		}
	}
	nodes = append(nodes, node("Gather", []string{x, "first"}, []string{"out"}, "axis", 1))
	return nodes, append(w, integers("first", nil, 0))
}

// integers is a TensorProto of int64.
func integers(name string, dims []int, values ...int64) []byte {
	var b, raw []byte
	for _, d := range dims {
		b = append(b, varint(1, uint64(d))...)
	}
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(v))
	}
	b = append(b, varint(2, uint64(Int64))...)
	return append(append(b, text(8, name)...), field(9, raw)...)
}

// heavyFolder is a model directory of such graphs with tiny-clip's tokenizer. Where
// layers have weights of their own it has CLIP's vocabulary as well, so that the
// towers are as large as those of ViT-B/32.
func heavyFolder(b testing.TB, own bool) string {
	words := 2048
	if own {
		words = 49408
	}
	rng := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []float32 {
		data := make([]float32, n)
		for i := range data {
			data[i] = float32(rng.NormFloat64()) / 30
		}
		return data
	}
	textNodes, textWeights := heavy(512, 12, own)
	texts := graphParts{
		nodes:   append([][]byte{node("Gather", []string{"embedding", "input_ids"}, []string{"x0"}, "axis", 0)}, append(textNodes, node("Identity", []string{"out"}, []string{"text_embeds"}))...),
		weights: append(textWeights, weights("embedding", Float32, random(words*512), words, 512)),
		inputs:  [][]byte{value("input_ids", Int64, "batch", "sequence")},
		outputs: [][]byte{value("text_embeds", Float32, "batch", 512)},
	}
	imageNodes, imageWeights := heavy(768, 12, own)
	images := graphParts{
		nodes: append([][]byte{
			node("Reshape", []string{"pixel_values", "patches"}, []string{"p"}),
			node("MatMul", []string{"p", "patch"}, []string{"x0"}),
		}, append(imageNodes, node("MatMul", []string{"out", "head"}, []string{"image_embeds"}))...),
		weights: append(imageWeights, integers("patches", []int{3}, 0, 49, 3072), weights("patch", Float32, random(3072*768), 3072, 768), weights("head", Float32, random(768*512), 768, 512)),
		inputs:  [][]byte{value("pixel_values", Float32, "batch", 3, 224, 224)},
		outputs: [][]byte{value("image_embeds", Float32, "batch", 512)},
	}
	return put(b, map[string][]byte{
		"onnx/text_model.onnx": texts.model(), "onnx/vision_model.onnx": images.model(),
		"tokenizer.json": nil, "preprocessor_config.json": nil,
	})
}

// wordsOf returns a function that makes texts of n tokens, the two ends included,
// which differ from one another and from those of another start.
func wordsOf(t testing.TB, e *Encoder, n, start int) func() (text string, ids []int64) {
	tok, err := e.tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	i := start
	return func() (string, []int64) {
		i++
		digits := make([]string, n-2) // a token each
		for k, rest := 0, i; k < len(digits); k, rest = k+1, rest/10 {
			digits[k] = fmt.Sprint(rest % 10)
		}
		s := strings.Join(digits, " ")
		ids := tok.Append(nil, s, clip.DefaultMaxLength)
		if len(ids) != n {
			t.Fatalf("%q has %d tokens, not %d", s, len(ids), n)
		}
		return s, ids
	}
}

// medians runs two things in turn, so that both meet the same weather, and
// returns what each took in the middle.
func medians(n int, first, second func()) (a, b time.Duration) {
	var as, bs []time.Duration
	for range n {
		start := time.Now()
		first()
		as = append(as, time.Since(start))
		start = time.Now()
		second()
		bs = append(bs, time.Since(start))
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[n/2], bs[n/2]
}

// BenchmarkText reports milliseconds a text through the encoder and through the
// bare session, by length in tokens.
func BenchmarkText(b *testing.B) {
	needRuntime(b)
	e := open(b, heavyFolder(b, false), &Options{TextCache: -1})
	bare, err := newSession(e.folder.Text, &e.opts)
	if err != nil {
		b.Fatal(err)
	}
	defer bare.close()
	for _, n := range []int{4, 8, 16, 77} {
		b.Run(fmt.Sprint(n, " tokens"), func(b *testing.B) {
			next := wordsOf(b, e, n, 0)
			var ours, alone time.Duration
			for b.Loop() {
				ours, alone = medians(61, func() {
					s, _ := next()
					if _, err := e.EncodeTexts(b.Context(), []string{s}); err != nil {
						b.Fatal(err)
					}
				}, func() {
					_, ids := next()
					if _, err := bare.run([]tensor{{shape: []int64{1, int64(n)}, int64s: ids}}, []int64{1, 512}); err != nil {
						b.Fatal(err)
					}
				})
			}
			b.ReportMetric(ours.Seconds()*1e3, "ms/text")
			b.ReportMetric(alone.Seconds()*1e3, "ms/bare")
			b.ReportMetric(100*(ours.Seconds()/alone.Seconds()-1), "%overhead")
		})
	}
	b.Run("cached", func(b *testing.B) {
		e := open(b, heavyFolder(b, false), nil)
		for b.Loop() {
			if _, err := e.EncodeTexts(b.Context(), []string{"a wolf in the snow"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkConcurrentTexts reports texts a second of several callers with one
// text each at a time.
func BenchmarkConcurrentTexts(b *testing.B) {
	needRuntime(b)
	for _, threads := range []int{0, 1} {
		for _, callers := range []int{1, 2, 8, 32} {
			b.Run(fmt.Sprintf("%d threads, %d callers", threads, callers), func(b *testing.B) {
				e := open(b, heavyFolder(b, false), &Options{TextCache: -1, Threads: threads})
				if _, err := e.EncodeTexts(b.Context(), []string{""}); err != nil {
					b.Fatal(err)
				}
				const each = 16
				for b.Loop() {
					var wg sync.WaitGroup
					for caller := range callers {
						wg.Go(func() {
							next := wordsOf(b, e, 8, 1000*caller)
							for range each {
								s, _ := next()
								if _, err := e.EncodeTexts(b.Context(), []string{s}); err != nil {
									b.Error(err)
								}
							}
						})
					}
					wg.Wait()
				}
				b.ReportMetric(float64(callers*each*b.N)/b.Elapsed().Seconds(), "texts/s")
			})
		}
	}
}

// BenchmarkImages reports pictures a second from files, and of the bare session
// on tensors made before.
func BenchmarkImages(b *testing.B) {
	needRuntime(b)
	e := open(b, heavyFolder(b, false), nil)
	bare, err := newSession(e.folder.Image, &e.opts)
	if err != nil {
		b.Fatal(err)
	}
	defer bare.close()
	const n = 2 * maxImageBatch
	pixels := make([]float32, maxImageBatch*3*224*224)
	for _, name := range []string{"scene-420.jpg", "scene.webp", "gray.png"} {
		b.Run(name, func(b *testing.B) {
			images := slices.Repeat([]encoder.Image{{Data: tiny(b, filepath.Join("tiny-clip/images", name))}}, n)
			var ours, alone time.Duration
			for b.Loop() {
				ours, alone = medians(11, func() {
					if _, err := e.EncodeImages(b.Context(), images); err != nil {
						b.Fatal(err)
					}
				}, func() {
					for range n / maxImageBatch {
						if _, err := bare.run([]tensor{{shape: []int64{maxImageBatch, 3, 224, 224}, floats: pixels}}, []int64{maxImageBatch, 512}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			b.ReportMetric(n/ours.Seconds(), "images/s")
			b.ReportMetric(n/alone.Seconds(), "bare/s")
			b.ReportMetric(100*(ours.Seconds()/alone.Seconds()-1), "%overhead")
		})
	}
}

// BenchmarkOpen is what a program pays that opens an encoder and encodes
// nothing: headers and, for small files, hashes.
func BenchmarkOpen(b *testing.B) {
	dir := heavyFolder(b, false)
	for b.Loop() {
		e, err := Open(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		e.Close()
	}
}
