package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lupadb/lupa/encoder"
)

// encoders hands out the encoders of a DB, each opened once.
type encoders struct {
	given  map[string]encoder.Encoder
	opener encoder.Opener

	mu         sync.Mutex
	opened     map[string]*openEncoder
	configured map[string]encoder.Encoder // of those, by what a column says
	closed     bool
}

// openEncoder is an encoder being opened: ready is closed when enc or err is
// there.
type openEncoder struct {
	ready chan struct{}
	enc   encoder.Encoder
	calls *atomic.Int64 // of enc, running
	err   error
}

func (e *encoders) init(o *Options) error {
	e.opener = o.OpenEncoder
	e.given = map[string]encoder.Encoder{}
	e.opened = map[string]*openEncoder{}
	e.configured = map[string]encoder.Encoder{}
	for i, enc := range o.Encoders {
		if enc == nil {
			return fmt.Errorf("open store: Options.Encoders[%d] is nil", i)
		}
		name := enc.Model().Name
		if name == "" {
			return fmt.Errorf("open store: Options.Encoders[%d] has no Model().Name, by which tables refer to it", i)
		}
		if _, twice := e.given[name]; twice {
			return fmt.Errorf("open store: two of Options.Encoders are named %q", name)
		}
		e.given[name] = guard(enc, nil)
	}
	return nil
}

// get returns the encoder that a column names, as encoder.Spec has it.
func (e *encoders) get(ctx context.Context, name string) (encoder.Encoder, error) {
	if enc, ok := e.given[name]; ok {
		return enc, nil
	}
	spec := encoder.ParseSpec(name)
	enc, err := e.named(ctx, spec.Base())
	if err != nil || spec.Base() == name {
		return enc, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.configured[name]; c != nil {
		return c, nil
	}
	c, err := encoder.Configure(enc, spec)
	if err == nil {
		e.configured[name] = c
	}
	return c, err
}

// named returns the encoder of a name. Opening one that several statements ask
// for happens once; a failure is not remembered.
func (e *encoders) named(ctx context.Context, name string) (encoder.Encoder, error) {
	if enc, ok := e.given[name]; ok {
		return enc, nil
	}
	if e.opener == nil {
		err := &encoder.NotFoundError{Name: name, Tried: []string{"Options.Encoders (Options.OpenEncoder is not set)"}}
		for n := range e.given {
			err.Known = append(err.Known, n)
		}
		return nil, err
	}
	for {
		e.mu.Lock()
		if e.closed {
			e.mu.Unlock()
			return nil, ErrClosed
		}
		o := e.opened[name]
		if o == nil {
			o = &openEncoder{ready: make(chan struct{})}
			e.opened[name] = o
			go e.open(ctx, name, o)
		}
		e.mu.Unlock()
		select {
		case <-o.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// Whoever opened it may only have been cancelled: then it's our turn.
		if errors.Is(o.err, context.Canceled) || errors.Is(o.err, context.DeadlineExceeded) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			continue
		}
		return o.enc, o.err
	}
}

// open opens an encoder. Nobody waits for it longer than a context allows: an opener may
// read a file that never answers.
func (e *encoders) open(ctx context.Context, name string, o *openEncoder) {
	defer close(o.ready)
	enc, err := e.opener(ctx, name)
	if err == nil && enc == nil {
		err = fmt.Errorf("Options.OpenEncoder returned no encoder for %q", name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err != nil:
		o.err = err
		delete(e.opened, name)
	case e.closed: // while it was opened
		o.err = errors.Join(ErrClosed, enc.Close())
	default:
		o.calls = new(atomic.Int64)
		o.enc = guard(enc, o.calls)
	}
}

// close closes what was opened. An encoder that is still at work on a call that was
// given up is left alone: its memory can't be taken from under it.
func (e *encoders) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	var errs []error
	for name, o := range e.opened {
		switch {
		case o.enc == nil: // being opened; open closes it
		case o.calls.Load() > 0:
			errs = append(errs, fmt.Errorf("encoder %s did not heed its context and is not closed", name))
		default:
			errs = append(errs, o.enc.Close())
		}
	}
	return errors.Join(errs...)
}

// guarded is an encoder whose calls end when their context does, even if the encoder
// goes on: a statement that waits for it could not be cancelled, nor the DB closed.
type guarded struct {
	encoder.Encoder
	calls *atomic.Int64 // running; may be nil
}

// guard keeps encoder.Sampler where enc has it.
func guard(enc encoder.Encoder, calls *atomic.Int64) encoder.Encoder {
	if calls == nil {
		calls = new(atomic.Int64)
	}
	g := guarded{enc, calls}
	if s, ok := enc.(encoder.Sampler); ok {
		return struct {
			guarded
			encoder.Sampler
		}{g, s}
	}
	return g
}

// Quick is what the encoder says.
func (g guarded) Quick() bool {
	q, ok := g.Encoder.(encoder.Quick)
	return ok && q.Quick()
}

// Sigmoid is what the encoder says.
func (g guarded) Sigmoid() (scale, bias float64, ok bool) {
	if s, is := g.Encoder.(encoder.Sigmoid); is {
		return s.Sigmoid()
	}
	return 0, 0, false
}

// Can is what the encoder says.
func (g guarded) Can() (texts, pictures error) {
	if c, ok := g.Encoder.(encoder.Capable); ok {
		return c.Can()
	}
	return nil, nil
}

// CountTokens is what the encoder says.
func (g guarded) CountTokens(text string) (int, error) { return encoder.CountTokens(g.Encoder, text) }

// MaxTokens is what the encoder says.
func (g guarded) MaxTokens() int { return encoder.MaxTokens(g.Encoder) }

// Prompts are the encoder's.
func (g guarded) Prompts() (query, document string) { return encoder.Prompts(g.Encoder) }

func (g guarded) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	return within(ctx, g.calls, func() ([][]float32, error) { return g.Encoder.EncodeTexts(ctx, texts) })
}

func (g guarded) EncodeImages(ctx context.Context, images []encoder.Image) ([]encoder.ImageResult, error) {
	return within(ctx, g.calls, func() ([]encoder.ImageResult, error) { return g.Encoder.EncodeImages(ctx, images) })
}

// graceOfEncoders is how long an encoder may take to heed a context that has ended: long
// enough that those which do so are not left behind.
const graceOfEncoders = time.Second

// within calls f and returns soon after ctx has ended, whatever f does. A panic of f is
// the caller's.
func within[T any](ctx context.Context, calls *atomic.Int64, f func() (T, error)) (T, error) {
	type outcome struct {
		v     T
		err   error
		panic any
	}
	done := make(chan outcome, 1)
	calls.Add(1)
	go func() {
		var o outcome
		defer func() {
			o.panic = recover()
			calls.Add(-1)
			done <- o
		}()
		o.v, o.err = f()
	}()
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		grace := time.NewTimer(graceOfEncoders)
		defer grace.Stop()
		select {
		case o = <-done:
		case <-grace.C:
			var none T
			return none, ctx.Err()
		}
	}
	if o.panic != nil {
		panic(o.panic)
	}
	return o.v, o.err
}
