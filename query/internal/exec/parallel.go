package exec

import (
	"context"
	"fmt"
	"sync"

	"github.com/lupadb/lupa/storage/value"
)

// chunkBlocks is how many blocks of a table a worker takes at a time.
const chunkBlocks = 8

// Parallel runs copies of one pipeline over parts of a table, side by side, and
// gives their rows in row order. It is for pipelines that compute much and give
// little, such as scores of vectors. At most two parts a worker are held.
type Parallel struct {
	env   *Env
	pipes []Pipe

	blocks uint32
	next   uint32 // first block not yet taken
	order  []chan chunk
	free   chan int // pipelines at rest
	cancel context.CancelFunc
	wait   sync.WaitGroup
	cur    []*value.Batch
	begun  bool
}

// Pipe is one copy of the pipeline: Root reads, at its bottom, Scan.
type Pipe struct {
	Root Operator
	Scan *Scan
}

type chunk struct {
	batches []*value.Batch
	err     error
}

// NewParallel returns a Parallel of pipelines that are alike.
func NewParallel(env *Env, pipes []Pipe) *Parallel {
	return &Parallel{env: env, pipes: pipes, blocks: pipes[0].Scan.Table.Blocks()}
}

func (p *Parallel) Next(ctx context.Context) (*value.Batch, error) {
	if !p.begun {
		p.begun = true
		p.free = make(chan int, len(p.pipes))
		for i := range p.pipes {
			p.free <- i
		}
		ctx, p.cancel = context.WithCancel(ctx)
	}
	for len(p.cur) == 0 {
		for p.next < p.blocks && len(p.order) < 2*len(p.pipes) {
			p.start(ctx)
		}
		if len(p.order) == 0 {
			return nil, nil
		}
		select {
		case c := <-p.order[0]:
			p.order = p.order[1:]
			if c.err != nil {
				return nil, c.err
			}
			p.cur = c.batches
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b := p.cur[0]
	p.cur = p.cur[1:]
	return b, nil
}

// start has the next part worked on.
func (p *Parallel) start(ctx context.Context) {
	from, to := p.next, min(p.next+chunkBlocks, p.blocks)
	p.next = to
	out := make(chan chunk, 1)
	p.order = append(p.order, out)
	p.wait.Add(1)
	go func() {
		defer p.wait.Done()
		i := <-p.free
		defer func() { p.free <- i }()
		var c chunk
		if c.err = ctx.Err(); c.err == nil {
			c.err = p.pipes[i].Scan.restart(from, to)
		}
		if c.err == nil {
			c.err = Drain(ctx, p.pipes[i].Root, func(b *value.Batch) error {
				c.batches = append(c.batches, Copy(b))
				return nil
			})
		}
		out <- c
	}()
}

// restart makes the scan read another part of the table.
func (s *Scan) restart(from, to uint32) error {
	err := s.Close()
	s.from, s.to, s.done = from, to, false
	return err
}

// Close stops the workers and waits for them.
func (p *Parallel) Close() error {
	if p.cancel != nil {
		p.cancel()
	}
	p.wait.Wait()
	p.cur, p.order, p.next = nil, nil, p.blocks
	var first error
	for _, pipe := range p.pipes {
		if err := pipe.Root.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (p *Parallel) Inputs() []Operator { return []Operator{p.pipes[0].Root} }

func (p *Parallel) String() string {
	return fmt.Sprintf("Parallel (%d workers)", len(p.pipes))
}
