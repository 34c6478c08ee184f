package exec

import (
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// HashAggregate groups its input by the first expressions and computes
// aggregates for each group, in the order in which groups appear. Its columns
// are the keys, then the aggregates. Without keys there is one group, be the
// input empty.
type HashAggregate struct {
	input
	env  *Env
	what *Aggregation
	text string
	by   string

	state *aggregation
	held  int64
	at    int
}

// NewHashAggregate returns a HashAggregate.
func NewHashAggregate(in Operator, env *Env, what *Aggregation, text, by string) *HashAggregate {
	return &HashAggregate{input: input{in}, env: env, what: what, text: text, by: by}
}

func (h *HashAggregate) Next(ctx context.Context) (*value.Batch, error) {
	if h.state == nil {
		var err error
		if h.state, err = h.what.start(); err != nil {
			return nil, err
		}
		err = Drain(ctx, h.in, func(b *value.Batch) error {
			if err := h.state.add(b); err != nil {
				return err
			}
			return h.account()
		})
		if err != nil {
			return nil, err
		}
	}
	if h.at >= h.state.len() {
		return nil, nil
	}
	from := h.at
	h.at = min(h.at+value.BatchSize, h.state.len())
	return h.state.result(from, h.at)
}

// account reserves what the groups have grown by.
func (h *HashAggregate) account() error {
	size := h.state.bytes()
	grown := size - h.held
	h.held = size
	return h.env.Memory.Reserve(grown, "GROUP BY")
}

func (h *HashAggregate) Close() error {
	h.env.Memory.Release(h.held)
	h.held = 0
	return h.input.Close()
}

func (h *HashAggregate) String() string { return aggregateText("HashAggregate", h.text, h.by) }

func aggregateText(name, text, by string) string {
	if text != "" {
		name += " " + text
	}
	if by != "" {
		name += " by " + by
	}
	return name
}
