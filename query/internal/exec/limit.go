package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// Limit passes on Count rows (all, if negative) after leaving out Offset rows.
type Limit struct {
	input
	Count, Offset int64

	seen int64
	out  value.Batch
}

// NewLimit returns a Limit over in.
func NewLimit(in Operator, count, offset int64) *Limit {
	return &Limit{input: input{in}, Count: count, Offset: offset}
}

func (l *Limit) Next(ctx context.Context) (*value.Batch, error) {
	for {
		if l.Count >= 0 && l.seen-l.Offset >= l.Count {
			return nil, nil
		}
		b, err := l.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Count())
		from, to := int64(0), n
		if l.seen < l.Offset {
			from = min(n, l.Offset-l.seen)
		}
		if l.Count >= 0 {
			if left := l.Count - max(0, l.seen-l.Offset); to-from > left {
				to = from + left
			}
		}
		l.seen += n
		if from == 0 && to == n {
			return b, nil
		}
		if from < to {
			l.out = *b
			l.out.Sel = b.Selected()[from:to]
			return &l.out, nil
		}
	}
}

func (l *Limit) String() string { return "Limit" + limitText(l.Count, l.Offset) }

func limitText(count, offset int64) string {
	s := ""
	if count >= 0 {
		s = fmt.Sprintf(" %d", count)
	} else {
		s = " all"
	}
	if offset > 0 {
		s += fmt.Sprintf(" offset %d", offset)
	}
	return s
}
