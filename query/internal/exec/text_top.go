package exec

import (
	"context"
	"fmt"
	"time"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// TextTop finds the rows with the highest scores of words, by a full-text index. Its batches
// have one column, the score, and the row numbers. Rows without any of the words follow, with
// the score 0, where Count asks for more.
type TextTop struct {
	Env    *Env
	Ctx    *fn.Ctx
	Query  *WordsQuery
	Count  int64
	Filter Operator // gives the rows to search among; nil = all
	Text   string

	stats  *storage.TextStats
	filter time.Duration
	out    *emitter
}

func (n *TextTop) Next(ctx context.Context) (*value.Batch, error) {
	if n.out == nil {
		if err := n.run(ctx); err != nil {
			return nil, err
		}
	}
	return n.out.next(), nil
}

func (n *TextTop) run(ctx context.Context) error {
	var among *storage.RowSet
	table := n.Query.Table
	if n.Filter != nil {
		start := time.Now()
		among = new(storage.RowSet)
		err := Drain(ctx, n.Filter, func(b *value.Batch) error {
			among.AddBatch(b)
			return nil
		})
		if err != nil {
			return err
		}
		n.filter = time.Since(start)
	}
	q, err := n.Query.Prepare(ctx, n.Ctx)
	if err != nil {
		return err
	}
	k := int(min(n.Count, int64(table.Rows())))
	var hits []storage.TextHit
	if q != nil {
		if hits, n.stats, err = q.Top(ctx, k, among); err != nil {
			return err
		}
	}
	if err := n.Env.Memory.Reserve(int64(k)*16, "the rows of a search"); err != nil {
		return err
	}
	t := &rowsTable{cols: []*value.Column{newColumn(realType)}}
	for i, h := range hits {
		t.rows = append(t.rows, h.Row)
		t.cols[0].Append(i, value.Float(h.Score))
	}
	if len(hits) < k {
		rest := value.Float(0)
		if q == nil {
			rest = value.Value{} // compared with NULL
		}
		if err := n.others(ctx, t, among, k, rest); err != nil {
			return err
		}
	}
	t.n = len(t.rows)
	n.out = &emitter{t: t}
	return nil
}

// others adds rows that were not found, in row order, up to k in all.
func (n *TextTop) others(ctx context.Context, t *rowsTable, among *storage.RowSet, k int, score value.Value) error {
	have := storage.RowsOf(t.rows)
	sc := n.Query.Table.Scan(storage.ScanOptions{Filter: among})
	defer sc.Close()
	for len(t.rows) < k {
		b, err := sc.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		for _, i := range b.Selected() {
			if r := b.Rows[i]; len(t.rows) < k && !have.Has(r) {
				t.cols[0].Append(len(t.rows), score)
				t.rows = append(t.rows, r)
			}
		}
	}
	return nil
}

func (n *TextTop) Close() error {
	n.out = &emitter{t: &rowsTable{}}
	if n.Filter != nil {
		return n.Filter.Close()
	}
	return nil
}

func (n *TextTop) Inputs() []Operator {
	if n.Filter != nil {
		return []Operator{n.Filter}
	}
	return nil
}

func (n *TextTop) String() string {
	s := fmt.Sprintf("TextTop %s %d by %s", n.Query.Index.Name, n.Count, n.Text)
	if n.Filter != nil {
		s += ", among the rows of"
	}
	return s
}

// Details tell what the search did.
func (n *TextTop) Details() []string {
	s := n.stats
	if s == nil {
		return nil
	}
	return []string{fmt.Sprintf("exact: yes; %d postings in %d chunks, of which bounds left out %d; %d blocks read, %d rows scored",
		s.Postings, s.Chunks, s.Skipped, s.Decoded, s.Scored)}
}
