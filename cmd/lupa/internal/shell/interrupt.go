package shell

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
)

// interrupts turns SIGINT into the end of the running statement. Between
// statements of a batch it is remembered, so that no further one starts.
type interrupts struct {
	ch   chan os.Signal
	seen atomic.Bool // taken from ch on behalf of a statement
}

func catchInterrupts() *interrupts {
	i := &interrupts{ch: make(chan os.Signal, 1)}
	signal.Notify(i.ch, os.Interrupt)
	return i
}

func (i *interrupts) release() { signal.Stop(i.ch) }

// pending reports, and forgets, a signal that came while nothing ran, or too
// late for the statement that ran.
func (i *interrupts) pending() bool {
	seen := i.seen.Swap(false)
	select {
	case <-i.ch:
		return true
	default:
		return seen
	}
}

// cancellable returns a context that the next SIGINT cancels with the cause
// errInterrupted. The third one ends the process: something does not heed its
// context, and what is committed is safe. While a pager has the terminal, Ctrl-C
// is meant for it.
func (s *Shell) cancellable(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	if s.stop == nil {
		return ctx, func() { cancel(nil) }
	}
	finished, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; {
			select {
			case <-s.stop.ch:
				if s.paging.Load() {
					continue
				}
				s.stop.seen.Store(true)
				if n++; n == 3 {
					os.Exit(exitInterrupted)
				}
				cancel(errInterrupted)
			case <-finished:
				return
			}
		}
	}()
	return ctx, sync.OnceFunc(func() {
		close(finished)
		cancel(nil)
		<-ended // a signal that it has taken is seen by pending, not lost to the next statement
	})
}
