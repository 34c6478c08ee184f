package exec

import (
	"context"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// Values gives rows that are there already.
type Values struct {
	Batches []*value.Batch
	What    string // what they are, for EXPLAIN; "" = their number
	at      int
}

// OneRow returns a single row without columns, what SELECT without FROM reads.
func OneRow() *Values { return &Values{Batches: []*value.Batch{{Len: 1}}, What: "OneRow"} }

func (v *Values) Next(ctx context.Context) (*value.Batch, error) {
	for v.at < len(v.Batches) {
		b := v.Batches[v.at]
		v.at++
		if b.Count() > 0 {
			return b, nil
		}
	}
	return nil, ctx.Err()
}

func (v *Values) Close() error       { return nil }
func (v *Values) Inputs() []Operator { return nil }

func (v *Values) String() string {
	if v.What != "" {
		return v.What
	}
	n := 0
	for _, b := range v.Batches {
		n += b.Count()
	}
	if n == 1 {
		return "Values (1 row)"
	}
	return fmt.Sprintf("Values (%d rows)", n)
}
