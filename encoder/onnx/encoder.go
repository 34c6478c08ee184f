package onnx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
)

// Encoder runs the towers of one model directory. It is safe for concurrent use.
type Encoder struct {
	model  encoder.Model
	folder *Folder
	opts   Options
	text   *runner // nil when the directory has no such tower
	image  *runner
	cache  *textCache
	queue  textQueue

	tokenizer    func() (textTokenizer, error) // loaded when first needed
	preprocessor func() (*clip.Preprocessor, error)
	head         func() (head, bool)
}

var (
	_ encoder.Encoder  = (*Encoder)(nil)
	_ encoder.Capable  = (*Encoder)(nil)
	_ encoder.Prompter = (*Encoder)(nil)
	_ encoder.Counter  = (*Encoder)(nil)
	_ encoder.Sigmoid  = (*Encoder)(nil)
)

// Open opens the model directory dir. It reads the headers of the graphs and the
// hash of their files (see Model), not the weights; ONNX Runtime is loaded when
// the first text or picture is encoded. opts may be nil.
func Open(dir string, opts *Options) (*Encoder, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	f, err := Inspect(dir, o.Variant)
	if err != nil {
		return nil, err
	}
	if f.Text == nil && f.Image == nil {
		return nil, fmt.Errorf("%s can't be used as an encoder: %s", dir, strings.Join(f.Problems, "; "))
	}
	hash, err := f.hash()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = filepath.Base(abs)
	}
	e := &Encoder{model: encoder.Model{Name: o.Name, Dim: f.Dim, Hash: hash, Location: abs}, folder: f, opts: o}
	if f.integers() {
		e.model.Processor = processor()
	}
	if f.Text != nil {
		e.text = newRunner(f.Text, &e.opts)
		e.cache = newTextCache(o.textCache())
	}
	if f.Image != nil {
		e.image = newRunner(f.Image, &e.opts)
	}
	e.tokenizer = sync.OnceValues(func() (textTokenizer, error) { return loadTokenizer(f.Text) })
	e.head = sync.OnceValues(e.findHead)
	e.preprocessor = sync.OnceValues(func() (*clip.Preprocessor, error) { return f.Image.preprocessor() })
	return e, nil
}

func (o *Options) textCache() int {
	switch {
	case o.TextCache == 0:
		return 4096
	case o.TextCache < 0:
		return 0
	}
	return o.TextCache
}

func (o *Options) threads() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (o *Options) maxPixels() int {
	if o.MaxPixels > 0 {
		return o.MaxPixels
	}
	return clip.DefaultMaxPixels
}

// Model returns the encoder's identity. Its hash covers the graphs in use, the
// tokenizer and the preprocessor, and not where they lie.
func (e *Encoder) Model() encoder.Model { return e.model }

// Prompts are those of the model's config_sentence_transformers.json. The caller puts them
// before texts.
func (e *Encoder) Prompts() (query, document string) { return e.folder.Query, e.folder.Document }

// Directory returns what the model directory was found to be.
func (e *Encoder) Folder() *Folder { return e.folder }

// Close frees the sessions, after waiting for those in use.
func (e *Encoder) Close() error {
	var errs []error
	for _, r := range []*runner{e.text, e.image} {
		if r != nil {
			errs = append(errs, r.shut())
		}
	}
	return errors.Join(errs...)
}

// Can tells whether there is what each kind of input needs: a tower, and its
// tokenizer or preprocessor.
func (e *Encoder) Can() (texts, pictures error) {
	if e.text == nil {
		texts = e.lacks("texts", "onnx/text_model.onnx")
	} else if _, err := e.tokenizer(); err != nil {
		texts = fmt.Errorf("encoder %s can't encode texts: %w", e.model.Name, err)
	}
	if e.image == nil {
		pictures = e.lacks("pictures", "onnx/vision_model.onnx")
	} else if _, err := e.preprocessor(); err != nil {
		pictures = fmt.Errorf("encoder %s can't encode pictures: %w", e.model.Name, err)
	}
	return texts, pictures
}

// lacks words that a tower is missing. It wraps encoder.ErrUnsupported.
func (e *Encoder) lacks(what, looked string) error {
	reason := looked + " is not in " + e.folder.Dir
	if len(e.folder.Problems) > 0 {
		reason = strings.Join(e.folder.Problems, "; ")
	}
	return fmt.Errorf("encoder %s can't encode %s, %w: %s", e.model.Name, what, encoder.ErrUnsupported, reason)
}

// errClosed is what a closed encoder answers.
var errClosed = errors.New("encoder is closed")

// tensor is an input; exactly one of the slices is set.
type tensor struct {
	shape  []int64
	int64s []int64
	int32s []int32
	floats []float32
}

// runner owns the session of one tower: loads it when first needed, by one
// goroutine however many ask, lets one request run at a time with all threads,
// and unloads it after it was idle for long enough.
type runner struct {
	tower *Tower
	opts  *Options
	turn  chan struct{} // holds one token; its owner may use what follows

	session *session
	spent   time.Duration // in the session, of all runs
	closed  bool
	idle    *time.Timer
}

func newRunner(t *Tower, o *Options) *runner {
	r := &runner{tower: t, opts: o, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// lock waits for this goroutine's turn.
func (r *runner) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-r.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *runner) unlock() { r.turn <- struct{}{} }

// run feeds one batch, whose output has the given shape; the caller has the turn. It
// returns rows unit vectors, those that pool makes of the output if that is not nil.
func (r *runner) run(in []tensor, rows int, shape []int64, pool func([]float32) []float32) ([][]float32, error) {
	if r.closed {
		return nil, errClosed
	}
	if r.idle != nil {
		r.idle.Stop()
	}
	if r.session == nil {
		s, err := newSession(r.tower, r.opts)
		if err != nil {
			return nil, err
		}
		r.session = s
	}
	start := time.Now()
	flat, err := r.session.run(in, shape)
	r.spent += time.Since(start)
	if r.opts.IdleUnload > 0 {
		r.idle = time.AfterFunc(r.opts.IdleUnload, r.unloadIdle)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.tower.Path, err)
	}
	if pool != nil {
		flat = pool(flat)
	}
	out := make([][]float32, rows)
	for i := range out {
		out[i] = flat[i*r.tower.Dim : (i+1)*r.tower.Dim : (i+1)*r.tower.Dim]
		if err := normalize(out[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", r.tower.Path, err)
		}
	}
	return out, nil
}

// unloadIdle frees the session if nobody uses it at the moment.
func (r *runner) unloadIdle() {
	select {
	case <-r.turn:
		r.unload()
		r.unlock()
	default: // in use: the next request sets the timer again
	}
}

func (r *runner) unload() error {
	if r.session == nil {
		return nil
	}
	err := r.session.close()
	r.session = nil
	return err
}

// shut unloads for good.
func (r *runner) shut() error {
	<-r.turn
	defer r.unlock()
	if r.idle != nil {
		r.idle.Stop()
	}
	r.closed = true
	return r.unload()
}

var errNaN = errors.New("the model gave NaN or infinity; a damaged file, or float16 that overflows (another variant may work)")

// normalize scales v to unit length in place, and finds outputs that are no
// direction.
func normalize(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(float64(x) * float64(x))
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return errNaN
	}
	if sum == 0 {
		return errors.New("the model gave a zero vector; the file may be damaged")
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return nil
}
