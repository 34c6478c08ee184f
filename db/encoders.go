package db

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lupadb/lupa/encoder"
)

// encoders hands out the encoders of a DB, each opened once.
type encoders struct {
	given  map[string]encoder.Encoder
	opener encoder.Opener

	mu     sync.Mutex
	opened map[string]*openEncoder
	closed bool
}

// openEncoder is an encoder being opened: ready is closed when enc or err is
// there.
type openEncoder struct {
	ready chan struct{}
	enc   encoder.Encoder
	err   error
}

func (e *encoders) init(o *Options) error {
	e.opener = o.OpenEncoder
	e.given = map[string]encoder.Encoder{}
	e.opened = map[string]*openEncoder{}
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
		e.given[name] = enc
	}
	return nil
}

// get returns the encoder of a name. Opening one that several statements ask
// for happens once; a failure is not remembered.
func (e *encoders) get(ctx context.Context, name string) (encoder.Encoder, error) {
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
			e.mu.Unlock()
			o.enc, o.err = e.opener(ctx, name)
			if o.err == nil && o.enc == nil {
				o.err = fmt.Errorf("Options.OpenEncoder returned no encoder for %q", name)
			}
			if o.err != nil {
				e.mu.Lock()
				delete(e.opened, name)
				e.mu.Unlock()
			}
			close(o.ready)
			return o.enc, o.err
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

// close closes what was opened. No call may be running.
func (e *encoders) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	var errs []error
	for _, o := range e.opened {
		if o.enc != nil {
			errs = append(errs, o.enc.Close())
		}
	}
	return errors.Join(errs...)
}
