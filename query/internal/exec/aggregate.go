package exec

import (
	"context"
	"errors"

	"github.com/lupadb/lupa/query/internal/fn"
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

	level int
	parts *partitions // of rows whose groups have no room
	full  bool        // nothing can be written to files
	known *fn.Probe
	ids   []int32
	turn  inTurn // of parts
}

// NewHashAggregate returns a HashAggregate.
func NewHashAggregate(in Operator, env *Env, what *Aggregation, text, by string) *HashAggregate {
	return &HashAggregate{input: input{in}, env: env, what: what, text: text, by: by, full: what.Once || len(what.Keys) == 0}
}

func (h *HashAggregate) Next(ctx context.Context) (*value.Batch, error) {
	if h.state == nil && h.parts == nil {
		var err error
		if h.state, err = h.what.start(); err != nil {
			return nil, err
		}
		if err := Drain(ctx, h.in, h.add); err != nil {
			return nil, err
		}
		if h.parts != nil {
			if err := h.parts.done(); err != nil {
				return nil, err
			}
		}
	}
	if h.state != nil && h.at < h.state.len() {
		from := h.at
		h.at = min(h.at+value.BatchSize, h.state.len())
		return h.state.result(from, h.at)
	}
	if h.parts == nil {
		return nil, nil
	}
	// The groups that had no room, a partition at a time.
	h.state, h.known = nil, nil
	h.env.Memory.Release(h.held)
	h.held = 0
	return h.turn.next(ctx, len(h.parts.runs), func(part int) (Operator, error) {
		run := &h.parts.runs[part]
		if run.rows == 0 {
			return nil, nil
		}
		sub := NewHashAggregate(&spilled{h.parts.spill.reader(run)}, h.env, h.what, h.text, h.by)
		sub.level = h.level + 1
		sub.full = sub.level >= mostLevels
		return sub, nil
	})
}

// add takes in the rows of a batch, those of new groups too while they have room.
func (h *HashAggregate) add(b *value.Batch) error {
	if h.parts == nil {
		if err := h.state.add(b); err != nil {
			return err
		}
		return h.account()
	}
	keys := make([]fn.Arg, len(h.what.Keys))
	for i := range keys {
		var err error
		if keys[i], err = h.what.Exprs[i].Eval(h.what.Ctx, b, b.Sel); err != nil {
			return err
		}
	}
	if len(h.ids) < b.Len {
		h.ids = make([]int32, b.Len)
	}
	if err := h.known.Find(keys, b.Len, b.Sel, fn.GroupNull, h.ids); err != nil {
		return err
	}
	var here, there []int32
	for _, i := range b.Selected() {
		if h.ids[i] >= 0 {
			here = append(here, i)
		} else {
			there = append(there, i)
		}
	}
	if len(there) > 0 {
		if err := h.parts.add(keys, b, there); err != nil {
			return err
		}
	}
	if len(here) > 0 {
		own := *b
		own.Sel = here
		if err := h.state.add(&own); err != nil {
			return err
		}
	}
	return h.account()
}

// account reserves what the groups have grown by. Where that is too much, rows of further groups
// go to a file.
func (h *HashAggregate) account() error {
	if h.parts != nil {
		size := h.state.settled()
		grown := size - h.held
		h.held = size
		return h.env.Memory.Reserve(grown, "GROUP BY")
	}
	size := h.state.bytes()
	grown := size - h.held
	h.held = size
	err := h.env.Memory.Reserve(grown, "GROUP BY")
	if h.full || err == nil && !h.env.Memory.tight(h.held) {
		return err
	}
	if h.parts, err = newPartitions(h.env, err); h.parts == nil {
		h.full = true
		return err
	}
	h.known = h.state.groups.NewProbe()
	return h.account()
}

func (h *HashAggregate) Close() error {
	h.env.Memory.Release(h.held)
	h.held = 0
	return errors.Join(h.turn.close(), h.parts.close(), h.input.Close())
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
