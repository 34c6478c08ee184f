package exec

import (
	"cmp"
	"context"

	"github.com/lupadb/lupa/storage/value"
)

// keptRows are rows that are read again, any number of times and in the order they came in: from
// memory, or where that is short, from a file.
type keptRows struct {
	env  *Env
	what string // for errors
	pile *pile
	held int64
	n    int // rows in all

	spill *spill
	run   spillRun
	full  bool // there is no room for files
}

func newKeptRows(env *Env, what string) *keptRows {
	return &keptRows{env: env, what: what, pile: &pile{}}
}

// add appends the selected rows of a batch.
func (k *keptRows) add(b *value.Batch) error {
	k.n += b.Count()
	if k.spill != nil {
		return k.spill.add(&k.run, b)
	}
	size := batchBytes(b)
	k.held += size
	err := k.env.Memory.Reserve(size, k.what)
	if k.full || err == nil && !k.env.Memory.tight(k.held) {
		if err == nil {
			k.pile.add(b, size)
		}
		return err
	}
	s, newErr := newSpill(k.env)
	if s == nil {
		k.full = true
		if newErr == nil && err == nil {
			k.pile.add(b, size)
		}
		return cmp.Or(newErr, err)
	}
	k.spill = s
	rows := k.pile.rows(nil)
	for x := rows.next(); x != nil; x = rows.next() {
		if err := s.add(&k.run, x); err != nil {
			return err
		}
	}
	k.release()
	return s.add(&k.run, b)
}

// gather appends all rows of an operator.
func (k *keptRows) gather(ctx context.Context, in Operator) error {
	if err := Drain(ctx, in, k.add); err != nil {
		return err
	}
	return k.done()
}

// done ends adding; the rows can be read then.
func (k *keptRows) done() error {
	if k.spill == nil {
		return nil
	}
	return k.spill.flush(&k.run)
}

func (k *keptRows) release() {
	k.env.Memory.Release(k.held)
	k.held, k.pile = 0, &pile{}
}

func (k *keptRows) close() error {
	k.release()
	s := k.spill
	k.spill, k.run, k.n = nil, spillRun{}, 0
	return s.close()
}

// reader gives the rows, of them the columns at positions want, all of them with nil.
func (k *keptRows) reader(want []int) *keptReader {
	if k.spill == nil {
		return &keptReader{memory: k.pile.rows(want)}
	}
	return &keptReader{file: k.spill.reader(&k.run), want: want}
}

type keptReader struct {
	memory *pileRows
	file   *spillReader
	want   []int
	out    value.Batch
}

func (r *keptReader) next(ctx context.Context) (*value.Batch, error) {
	if r.memory != nil {
		return r.memory.next(), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := r.file.read()
	if b == nil || err != nil || r.want == nil {
		return b, err
	}
	r.out = value.Batch{Len: b.Len, Rows: b.Rows}
	for _, c := range r.want {
		r.out.Cols = append(r.out.Cols, b.Cols[c])
	}
	return &r.out, nil
}
