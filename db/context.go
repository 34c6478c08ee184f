package db

import (
	"context"
	"sync"
	"sync/atomic"
)

// statementContext is the context of a statement whose caller's never ends. It ends when the
// statement is cancelled, and costs nothing where nobody waits for that.
type statementContext struct {
	context.Context // the caller's

	over atomic.Bool // it is cancelled
	done atomic.Pointer[signal]
}

// signal is a channel that is closed once.
type signal struct {
	c    chan struct{} // made when somebody asks for it
	once sync.Once
}

func (s *signal) give() { s.once.Do(func() { close(s.c) }) }

func (c *statementContext) Done() <-chan struct{} {
	if c.done.Load() == nil {
		c.done.CompareAndSwap(nil, &signal{c: make(chan struct{})})
	}
	s := c.done.Load()
	if c.over.Load() {
		s.give()
	}
	return s.c
}

func (c *statementContext) Err() error {
	if c.over.Load() {
		return context.Canceled
	}
	return nil
}

func (c *statementContext) cancel() {
	c.over.Store(true)
	if s := c.done.Load(); s != nil {
		s.give()
	}
}
