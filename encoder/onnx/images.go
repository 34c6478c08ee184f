package onnx

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
	"golang.org/x/sync/semaphore"
)

// maxImageBatch is where larger batches stop being quicker.
const maxImageBatch = 8

// pixelsInFlight bounds what is decoded at a time, in all encoders together: a
// larger picture goes alone.
const pixelsInFlight = 48_000_000

var decoding = semaphore.NewWeighted(pixelsInFlight)

// preprocessor returns how the pictures of a tower are prepared.
func (t *Tower) preprocessor() (*clip.Preprocessor, error) {
	if t.Config == "" {
		return clip.NewPreprocessor(openAIPictures(t.width))
	}
	return clip.LoadPreprocessor(t.Config)
}

// prepared is a picture ready for the tower, or the reason why there is none.
type prepared struct {
	pixels []float32
	err    error
}

// EncodeImages encodes pictures. Files are decoded by all CPUs ahead of the
// model, which meanwhile runs on those decoded before.
func (e *Encoder) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	if e.image == nil {
		return nil, e.lacks("pictures", "onnx/vision_model.onnx")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	pre, err := e.preprocessor()
	if err != nil {
		return nil, err
	}
	// However this ends, no decoder is left running: Data belongs to the caller.
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	workers := min(runtime.GOMAXPROCS(0), len(images))
	slots := make([]chan prepared, len(images))
	for i := range slots {
		slots[i] = make(chan prepared, 1)
	}
	ahead := make(chan struct{}, 2*maxImageBatch+workers) // one for each picture decoded and not yet taken
	var next atomic.Int64
	for range workers {
		wg.Go(func() {
			for {
				select {
				case ahead <- struct{}{}:
				case <-ctx.Done():
					return
				}
				i := int(next.Add(1)) - 1
				if i >= len(images) {
					return
				}
				slots[i] <- e.prepare(ctx, pre, images[i])
			}
		})
	}

	results := make([]encoder.ImageResult, len(images))
	batch := imageBatch{e: e, results: results}
	for i := range images {
		// Waiting for a whole batch wastes nothing: the decoders have all CPUs
		// meanwhile, and small batches take longer a picture.
		var p prepared
		select {
		case p = <-slots[i]:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		<-ahead
		if p.err != nil {
			results[i].Err = p.err
			continue
		}
		if err := batch.add(ctx, i, p.pixels); err != nil {
			return nil, err
		}
	}
	if err := batch.flush(ctx); err != nil {
		return nil, err
	}
	// A picture may have been given up only because the whole was.
	return results, ctx.Err()
}

// prepare decodes and preprocesses one picture.
func (e *Encoder) prepare(ctx context.Context, pre *clip.Preprocessor, im encoder.Image) prepared {
	if im.Decoded != nil {
		p := clip.FromImage(im.Decoded)
		if p.Width < 1 || p.Height < 1 {
			return prepared{err: fmt.Errorf("picture of %d x %d pixels", p.Width, p.Height)}
		}
		return prepared{pixels: pre.Pixels(p)}
	}
	info, err := clip.Inspect(im.Data)
	if err != nil {
		return prepared{err: err}
	}
	weight := min(int64(info.Width)*int64(info.Height), pixelsInFlight)
	if err := decoding.Acquire(ctx, weight); err != nil {
		return prepared{err: err}
	}
	defer decoding.Release(weight)
	pixels := make([]float32, pre.Len())
	if err := pre.File(pixels, im.Data, cmp.Or(im.MaxPixels, e.opts.maxPixels()), im.Fast); err != nil {
		return prepared{err: err}
	}
	return prepared{pixels: pixels}
}

// imageBatch gathers pictures for the tower.
type imageBatch struct {
	e       *Encoder
	results []encoder.ImageResult
	at      []int // where in results they belong
	pixels  []float32
}

func (b *imageBatch) add(ctx context.Context, i int, pixels []float32) error {
	b.at = append(b.at, i)
	b.pixels = append(b.pixels, pixels...)
	if len(b.at) == b.e.folder.Image.imageBatch() {
		return b.flush(ctx)
	}
	return nil
}

// imageBatch is how many pictures go through the graph together; see textBatch.
func (t *Tower) imageBatch() int {
	if t.Graph.Dynamic {
		return 1
	}
	if n := t.batch(); n > 0 {
		return n
	}
	return maxImageBatch
}

// flush runs what was gathered.
func (b *imageBatch) flush(ctx context.Context) error {
	if len(b.at) == 0 {
		return nil
	}
	t, r := b.e.folder.Image, b.e.image
	rows := max(len(b.at), t.batch())
	size := len(b.pixels) / len(b.at)
	for n := len(b.at); n < rows; n++ { // a fixed batch is filled up
		b.pixels = append(b.pixels, b.pixels[:size]...)
	}
	if err := r.lock(ctx); err != nil {
		return err
	}
	shape := []int64{int64(rows), int64(t.Dim)}
	var pool func([]float32) []float32
	if t.tokens > 0 {
		shape = []int64{int64(rows), int64(t.tokens), int64(t.Dim)}
		pool = func(flat []float32) []float32 {
			out := make([]float32, rows*t.Dim)
			for i := range rows {
				copy(out[i*t.Dim:][:t.Dim], flat[i*t.tokens*t.Dim:])
			}
			return out
		}
	}
	vectors, err := r.run([]tensor{{shape: []int64{int64(rows), 3, int64(t.height), int64(t.width)}, floats: b.pixels}}, len(b.at), shape, pool)
	r.unlock()
	if err != nil {
		return err
	}
	for k, i := range b.at {
		b.results[i].Vector = vectors[k]
	}
	b.at, b.pixels = b.at[:0], b.pixels[:0]
	return nil
}
