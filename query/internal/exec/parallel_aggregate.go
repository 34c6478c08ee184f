package exec

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lupadb/lupa/storage/value"
)

// ParallelAggregate is a HashAggregate over parts of a table, side by side, or of its joins with what is
// read once and shared. The
// parts, and the order in which their outcomes are put together, depend on the
// table only: sums of reals are the same to the last bit, and groups in the same
// order, for any number of workers.
type ParallelAggregate struct {
	env      *Env
	pipes    []AggregatePipe
	text, by string

	blocks uint32
	next   uint32 // first block not yet taken
	total  *aggregation
	held   int64
	at     int
	cancel context.CancelFunc
	wait   sync.WaitGroup
	alone  *HashAggregate // over all parts, where the groups have no room in memory
}

// AggregatePipe is one worker's copy: Root reads, at its bottom, Scan.
type AggregatePipe struct {
	Pipe
	What *Aggregation
}

// The first part is small: it tells how many groups there are.
const (
	firstBlocks = 16
	partBlocks  = 128
)

// ParallelFrom is the number of blocks from which a ParallelAggregate is worth it.
const ParallelFrom = firstBlocks + partBlocks

// NewParallelAggregate returns a ParallelAggregate of pipelines that are alike.
func NewParallelAggregate(env *Env, pipes []AggregatePipe, text, by string) *ParallelAggregate {
	return &ParallelAggregate{env: env, pipes: pipes, text: text, by: by, blocks: pipes[0].Scan.Table.Blocks()}
}

func (p *ParallelAggregate) Next(ctx context.Context) (*value.Batch, error) {
	if p.alone != nil {
		return p.alone.Next(ctx)
	}
	if p.total == nil {
		fits, err := p.prepare(ctx)
		if err != nil {
			return nil, err
		}
		if !fits {
			return p.begin(ctx)
		}
		err = p.run(ctx)
		var memory *MemoryError
		if errors.As(err, &memory) && len(p.total.Keys) > 0 && !p.pipes[0].What.Once && p.env.spills() != nil && p.env.spills().HasTemp() {
			return p.begin(ctx)
		}
		if err != nil {
			return nil, err
		}
		for _, pipe := range p.pipes[1:] {
			addFigures(p.pipes[0].Root, pipe.Root)
		}
	}
	if p.at >= p.total.len() {
		return nil, nil
	}
	from := p.at
	p.at = min(p.at+value.BatchSize, p.total.len())
	return p.total.result(from, p.at)
}

// prepare has the joins of the first pipeline read their right sides, which all others share. It reports
// false where one has no room in memory.
func (p *ParallelAggregate) prepare(ctx context.Context) (bool, error) {
	first := preparedJoins(p.pipes[0].Root)
	for _, j := range first {
		if fits, err := j.Prepare(ctx); err != nil || !fits {
			return false, err
		}
	}
	for _, pipe := range p.pipes[1:] {
		for i, j := range preparedJoins(pipe.Root) {
			j.ShareFrom(first[i])
		}
	}
	return true, nil
}

// begin begins anew, with one worker, which writes to files what has no room in memory.
func (p *ParallelAggregate) begin(ctx context.Context) (*value.Batch, error) {
	if p.cancel != nil {
		p.cancel()
	}
	p.wait.Wait()
	p.env.Memory.Release(p.held)
	p.held, p.total = 0, &aggregation{}
	pipe := &p.pipes[0]
	pipe.Scan.Transient = false
	if err := pipe.Scan.restart(0, p.blocks); err != nil {
		return nil, err
	}
	for _, j := range preparedJoins(pipe.Root) {
		j.batch = nil // of rows that are read again
	}
	p.alone = NewHashAggregate(pipe.Root, p.env, pipe.What, p.text, p.by)
	return p.alone.Next(ctx)
}

// Transient reports whether the batches of a scan are done with before the next
// is read, when an aggregation is above op: it copies the texts it keeps.
func Transient(op Operator) bool {
	for {
		if m, ok := op.(*Analyzed); ok {
			op = m.Operator
		}
		switch t := op.(type) {
		case *Filter:
			op = t.in
		case *Scan:
			return true
		default:
			return false
		}
	}
}

// part aggregates the next blocks by one worker's copy.
func (p *ParallelAggregate) part(ctx context.Context, pipe *AggregatePipe, into *aggregation, from, to uint32) error {
	err := pipe.Scan.restart(from, to)
	if err != nil {
		return err
	}
	return Drain(ctx, pipe.Root, into.add)
}

func (p *ParallelAggregate) run(ctx context.Context) error {
	var err error
	if p.total, err = p.pipes[0].What.start(); err != nil {
		return err
	}
	ctx, p.cancel = context.WithCancel(ctx)
	if err := p.part(ctx, &p.pipes[0], p.total, 0, firstBlocks); err != nil {
		return err
	}
	p.next = firstBlocks
	if 4*p.total.len() > p.total.rows && len(p.total.Keys) > 0 {
		// Nearly every row is a group of its own: putting parts together would
		// be as much work as making them.
		for p.next < p.blocks {
			from, to := p.next, min(p.next+partBlocks, p.blocks)
			p.next = to
			if err := p.part(ctx, &p.pipes[0], p.total, from, to); err != nil {
				return err
			}
			if err := p.account(); err != nil {
				return err
			}
		}
		return nil
	}
	type outcome struct {
		state *aggregation
		err   error
	}
	free := make(chan int, len(p.pipes))
	for i := range p.pipes {
		free <- i
	}
	var order []chan outcome
	for p.next < p.blocks || len(order) > 0 {
		for p.next < p.blocks && len(order) < 2*len(p.pipes) {
			from, to := p.next, min(p.next+partBlocks, p.blocks)
			p.next = to
			out := make(chan outcome, 1)
			order = append(order, out)
			p.wait.Add(1)
			go func() {
				defer p.wait.Done()
				i := <-free
				defer func() { free <- i }()
				var o outcome
				if o.err = ctx.Err(); o.err == nil {
					o.state, o.err = p.pipes[i].What.start()
				}
				if o.err == nil {
					o.err = p.part(ctx, &p.pipes[i], o.state, from, to)
				}
				out <- o
			}()
		}
		var o outcome
		select {
		case o = <-order[0]:
		case <-ctx.Done():
			return ctx.Err()
		}
		order = order[1:]
		if o.err != nil {
			return o.err
		}
		// What a part holds is held beside the total until it is merged.
		size := o.state.bytes()
		if err := p.env.Memory.Reserve(size, "GROUP BY"); err != nil {
			return err
		}
		err := p.total.merge(o.state)
		p.env.Memory.Release(size)
		if err != nil {
			return err
		}
		if err := p.account(); err != nil {
			return err
		}
	}
	return nil
}

// account reserves what the groups have grown by.
func (p *ParallelAggregate) account() error {
	size := p.total.bytes()
	grown := size - p.held
	p.held = size
	return p.env.Memory.Reserve(grown, "GROUP BY")
}

// Close stops the workers and waits for them.
func (p *ParallelAggregate) Close() error {
	if p.cancel != nil {
		p.cancel()
	}
	p.wait.Wait()
	p.env.Memory.Release(p.held)
	p.held = 0
	var first error
	if p.alone != nil {
		first = p.alone.Close()
	}
	for _, pipe := range p.pipes {
		if err := pipe.Root.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (p *ParallelAggregate) Inputs() []Operator { return []Operator{p.pipes[0].Root} }

func (p *ParallelAggregate) String() string {
	return aggregateText("HashAggregate", p.text, p.by) + fmt.Sprintf(" (%d workers)", len(p.pipes))
}
