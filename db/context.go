package db

import (
	"context"
	"sync"
)

// statementContext is the context of a statement whose caller's never ends. It ends when the
// statement is cancelled, and costs nothing where nobody waits for that.
type statementContext struct {
	context.Context // the caller's

	mu   sync.Mutex
	done chan struct{} // made when somebody asks for it
	err  error
}

func (c *statementContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *statementContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *statementContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done != nil {
		close(c.done)
	}
}
