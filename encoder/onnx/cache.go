package onnx

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
)

// textCache keeps the vectors of the texts used last, and lets callers who ask
// for a text that is on its way wait for it.
type textCache struct {
	size int

	mu      sync.Mutex
	entries map[string]*list.Element // of *cached
	recent  *list.List               // used last in front
	pending map[string]*pending
}

type cached struct {
	text   string
	vector []float32
}

type pending struct {
	done   chan struct{}
	vector []float32 // nil when it failed
	err    error
}

// maxCachedText keeps long texts out, so that size bounds the memory as well.
const maxCachedText = 1 << 10

func newTextCache(size int) *textCache {
	return &textCache{size: size, entries: map[string]*list.Element{}, recent: list.New(), pending: map[string]*pending{}}
}

// get returns a vector for each text, which belongs to the caller. encode is
// called for those that are neither known nor on their way, each once.
func (c *textCache) get(ctx context.Context, texts []string, encode func(context.Context, []string) ([][]float32, error)) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for {
		var mine []string
		var waits []*pending
		c.mu.Lock()
		for i, t := range texts {
			if out[i] != nil {
				continue
			}
			if e, ok := c.entries[t]; ok {
				c.recent.MoveToFront(e)
				out[i] = slices.Clone(e.Value.(*cached).vector)
			} else if p, ok := c.pending[t]; ok {
				waits = append(waits, p)
			} else {
				p := &pending{done: make(chan struct{})}
				c.pending[t] = p
				waits = append(waits, p)
				mine = append(mine, t)
			}
		}
		c.mu.Unlock()
		if len(mine) > 0 {
			vectors, err := encode(ctx, mine)
			c.settle(mine, vectors, err)
			if err != nil {
				return nil, err
			}
		}
		for _, p := range waits {
			select {
			case <-p.done:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		// What was waited for may have left the cache again already.
		again, k := false, 0
		for i := range texts {
			if out[i] != nil {
				continue
			}
			p := waits[k]
			k++
			switch {
			case p.err == nil:
				out[i] = slices.Clone(p.vector)
			case errors.Is(p.err, context.Canceled), errors.Is(p.err, context.DeadlineExceeded):
				again = true // whoever encoded it gave up; this caller did not
			default:
				return nil, p.err
			}
		}
		if !again {
			return out, nil
		}
	}
}

// settle hands the outcome to those who wait and keeps the vectors.
func (c *textCache) settle(texts []string, vectors [][]float32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, t := range texts {
		p := c.pending[t]
		delete(c.pending, t)
		if p.err = err; err == nil {
			p.vector = vectors[i]
			c.put(t, slices.Clone(vectors[i])) // not the whole batch that it is a part of
		}
		close(p.done)
	}
}

// put adds an entry and drops the one not used for longest; c.mu is held.
func (c *textCache) put(text string, vector []float32) {
	if c.size <= 0 || len(text) > maxCachedText {
		return
	}
	c.entries[text] = c.recent.PushFront(&cached{text, vector})
	if c.recent.Len() > c.size {
		last := c.recent.Back()
		c.recent.Remove(last)
		delete(c.entries, last.Value.(*cached).text)
	}
}
