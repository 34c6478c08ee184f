//go:build unix

package onnx

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
)

// BenchmarkBatches reports how quickly many texts of all lengths are encoded, as a part of
// what the bare session does with the same batches of token ids.
func BenchmarkBatches(b *testing.B) {
	needRuntime(b)
	e := open(b, heavyFolder(b, false), &Options{TextCache: -1})
	bare, err := newSession(e.folder.Text, &e.opts)
	if err != nil {
		b.Fatal(err)
	}
	defer bare.close()
	tok, err := e.tokenizer()
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 5))
	texts := make([]string, 128)
	var ids [][]int64
	for i := range texts {
		digits := make([]string, int(min(75, max(1, 14*math.Exp(rng.NormFloat64()*0.7))))) // captions, and some long ones
		for k := range digits {
			digits[k] = fmt.Sprint(rng.IntN(10))
		}
		texts[i] = strings.Join(digits, " ")
		ids = append(ids, tok.Append(nil, texts[i], e.folder.Text.MaxTokens))
	}
	slices.SortStableFunc(ids, func(a, b []int64) int { return len(a) - len(b) })
	var batches []tensor
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && n < maxTextBatch && len(ids[n]) == len(ids[0]) {
			n++
		}
		batches = append(batches, tensor{shape: []int64{int64(n), int64(len(ids[0]))}, int64s: slices.Concat(ids[:n]...)})
		ids = ids[n:]
	}
	if _, err := e.EncodeTexts(b.Context(), texts[:1]); err != nil { // loads the model
		b.Fatal(err)
	}
	// In turns, by processor time, which others on the machine disturb less.
	var ours, alone, wall time.Duration
	used := func(f func()) time.Duration {
		before := processorTime(b)
		f()
		return processorTime(b) - before
	}
	for b.Loop() {
		start := time.Now()
		ours += used(func() {
			if _, err := e.EncodeTexts(b.Context(), texts); err != nil {
				b.Fatal(err)
			}
		})
		wall += time.Since(start)
		alone += used(func() {
			for _, t := range batches {
				if _, err := bare.run([]tensor{t}, []int64{t.shape[0], 512}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.ReportMetric(float64(len(texts)*b.N)/wall.Seconds(), "texts/s")
	b.ReportMetric(1e3*ours.Seconds()/float64(len(texts)*b.N), "cpu-ms/text")
	b.ReportMetric(alone.Seconds()/ours.Seconds(), "of-bare")
}

// BenchmarkImport reports which part of the time of an import of 12-megapixel JPEG files a
// model of the size of CLIP ViT-B/32 is at work, pictures a second, and processor time.
func BenchmarkImport(b *testing.B) {
	needRuntime(b)
	model, dir := heavyFolder(b, true), b.TempDir()
	const n, kinds = 48, 4
	for k := range kinds {
		data := photograph(b, uint64(k), 4000, 3000, 90)
		for i := k; i < n; i += kinds {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.jpg", i)), data, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	var e *Encoder
	s, err := db.Open(filepath.Join(b.TempDir(), "store"), &db.Options{OpenEncoder: func(context.Context, string) (encoder.Encoder, error) {
		o, err := Open(model, nil)
		e = o
		return o, err
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	exec := func(sql string, args ...any) {
		if _, err := s.Exec(context.Background(), sql, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE photos (path TEXT PRIMARY KEY, clip VECTOR ENCODER 'model')")
	exec("INSERT INTO photos SELECT path, image(path) FROM images($1)", filepath.Join(dir, "0[0-7].jpg")) // loads the model
	for _, c := range []struct{ name, options string }{{"exact", ""}, {"fast", ", fast => true"}} {
		b.Run(c.name, func(b *testing.B) {
			var busy, wall, cpu time.Duration
			for b.Loop() {
				exec("DELETE FROM photos")
				spent, start, used := e.image.spent, time.Now(), processorTime(b)
				exec("INSERT INTO photos SELECT path, image(path) FROM images($1"+c.options+")", dir)
				busy, wall, cpu = busy+e.image.spent-spent, wall+time.Since(start), cpu+processorTime(b)-used
			}
			b.ReportMetric(100*busy.Seconds()/wall.Seconds(), "%busy")
			b.ReportMetric(float64(n*b.N)/wall.Seconds(), "images/s")
			b.ReportMetric(cpu.Seconds()/float64(n*b.N)*1e3, "cpu-ms/image")
			b.ReportMetric(100*cpu.Seconds()/wall.Seconds(), "%cpu")
		})
	}
}

// processorTime is what this process has used of the processors.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
