package exec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// SourceKey names what a row is encoded from, a text, or the path or the bytes of a picture:
// equal sources are encoded once. That of a path tells as well how the file was then, so that
// one which has changed is another source.
type SourceKey [16]byte

// KeyOfSource returns the key of a source, which is not NULL. stamp, which may be nil, tells
// how the file at a path is.
func KeyOfSource(v value.Value, stamp func(path string) string) SourceKey {
	b := append([]byte{byte(v.Kind())}, v.Str()...)
	if stamp != nil && v.Kind() == value.Text {
		b = append(append(b, 0), stamp(v.Str())...)
	}
	h := sha256.Sum256(b)
	return SourceKey(h[:16])
}

// String is the key as tables hold it.
func (k SourceKey) String() string { return hex.EncodeToString(k[:]) }

// Unencoded passes on the sources of its input that a table has no vector of, each once, with
// their keys. The input's first column is the source; NULLs are left out.
type Unencoded struct {
	input
	Vectors *storage.Table         // its primary key is that of sources
	Tried   map[SourceKey]struct{} // those passed on
	Read    int64                  // rows of the input so far
	Stamp   func(path string) string
}

// NewUnencoded returns an Unencoded over in.
func NewUnencoded(in Operator, vectors *storage.Table) *Unencoded {
	return &Unencoded{input: input{in}, Vectors: vectors, Tried: map[SourceKey]struct{}{}}
}

func (u *Unencoded) Next(ctx context.Context) (*value.Batch, error) {
	for {
		b, err := u.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		src := b.Cols[0]
		keys := newColumn(value.Type{Kind: value.Text})
		out := newColumn(src.Type)
		n := 0
		for _, i := range b.Selected() {
			u.Read++
			if src.Null(int(i)) {
				continue
			}
			v := src.Value(int(i))
			k := KeyOfSource(v, u.Stamp)
			if _, tried := u.Tried[k]; tried {
				continue
			}
			_, there, err := u.Vectors.Lookup(ctx, value.Str(k.String()))
			if err != nil {
				return nil, err
			}
			if there {
				continue
			}
			u.Tried[k] = struct{}{}
			keys.Append(n, value.Str(k.String()))
			out.Append(n, v)
			n++
		}
		if n > 0 {
			return &value.Batch{Len: n, Cols: []*value.Column{keys, out}}, nil
		}
	}
}

func (u *Unencoded) String() string { return "Unencoded" }

// EncodeTextColumn replaces a column of texts, without NULLs, by their vectors. The rows of a
// batch come out in the order of the texts' lengths, some at a time: texts of about one length are
// encoded together, which takes least.
type EncodeTextColumn struct {
	input
	Env    *Env
	Column int
	Open   func(context.Context) (encoder.Encoder, error)
	Dim    int

	batch *value.Batch
	order []int32
	done  int64
}

// NewEncodeTextColumn returns an EncodeTextColumn over in.
func NewEncodeTextColumn(in Operator, env *Env, column, dim int, open func(context.Context) (encoder.Encoder, error)) *EncodeTextColumn {
	return &EncodeTextColumn{input: input{in}, Env: env, Column: column, Open: open, Dim: dim}
}

// textBatch is the most texts that are given to an encoder at once.
const textBatch = 64

func (e *EncodeTextColumn) Next(ctx context.Context) (*value.Batch, error) {
	if len(e.order) == 0 {
		b, err := e.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		e.batch = Copy(b)
		e.order = append(e.order[:0], e.batch.Selected()...)
		texts := e.batch.Cols[e.Column].Strs
		slices.SortStableFunc(e.order, func(x, y int32) int { return len(texts[x]) - len(texts[y]) })
	}
	n := min(textBatch, len(e.order))
	sel := e.order[:n]
	e.order = e.order[n:]
	enc, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	prompt := Prompt(enc, true)
	texts := make([]string, n)
	for i, s := range sel {
		texts[i] = prompt + e.batch.Cols[e.Column].Strs[s]
	}
	vecs, err := enc.EncodeTexts(ctx, texts)
	if err != nil {
		return nil, err
	}
	out := &value.Batch{Len: n}
	for c, col := range e.batch.Cols {
		x := newColumn(col.Type)
		if c == e.Column {
			x = newColumn(value.Type{Kind: value.Vector, Dim: e.Dim})
			for i, v := range vecs {
				x.Append(i, value.Vec(v))
			}
		} else {
			appendColumn(x, 0, col, sel, 0)
		}
		out.Cols = append(out.Cols, x)
	}
	e.done += int64(n)
	p := Progress{Stage: "encoding texts", Done: e.done, Unit: "texts"}
	if e.Env.Pictures != nil {
		p.Done, p.Total = e.Env.Pictures()
		p.Done -= int64(len(e.order))
	}
	e.Env.progress(p)
	return out, nil
}

func (e *EncodeTextColumn) String() string { return "EncodeTexts" }
