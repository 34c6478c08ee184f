package exec

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/storage/value"
)

// imageBatch is the most pictures that are given to an encoder at once.
const imageBatch = 32

// partTime is how long a piece of EncodeImages is meant to take: what has been
// encoded shows, and can be committed, that soon.
const partTime = 300 * time.Millisecond

// ImageJob says which column of paths (TEXT) or bytes (BLOB) becomes vectors.
type ImageJob struct {
	Column int
	Open   func(context.Context) (encoder.Encoder, error)
	Dim    int
	Fast   bool              // large pictures may be decoded at reduced size
	Pixels int               // the most that a picture may have; 0: what the encoder takes
	Pos    func(error) error // gives an error its place
}

// EncodeImages replaces columns of pictures by their vectors. A picture that
// can't be read is reported through Env.Warn and its row left out. While the
// encoder works on some pictures, the next are read and decoded: as many as
// keep all CPUs busy, in pieces that each take a fraction of a second however
// slow the encoder is.
type EncodeImages struct {
	input
	env   *Env
	jobs  []ImageJob
	read  func(ctx context.Context, path string) ([]byte, error)
	count *Counter

	c       compactor
	src     *value.Batch // dense
	at      int
	ahead   []chan part
	end     bool
	done    int64
	waiting int64 // rows in ahead
	skipped int64

	pace  float64         // seconds a row, of late; 0 at first
	last  time.Time       // when the last piece was done
	kinds map[string]bool // formats that no encoder reads, met so far
}

// part is an encoded piece of the input.
type part struct {
	batch   *value.Batch
	rows    int
	encoded int64
	failed  []failure
	err     error
}

// failure is a picture that could not be encoded.
type failure struct {
	name string
	err  error
}

// NewEncodeImages returns an EncodeImages over in.
func NewEncodeImages(in Operator, env *Env, jobs []ImageJob, read func(context.Context, string) ([]byte, error), count *Counter) *EncodeImages {
	if env.Tally != nil {
		env.Tally.Encodes = true
	}
	return &EncodeImages{input: input{in}, env: env, jobs: jobs, read: read, count: count}
}

func (e *EncodeImages) Next(ctx context.Context) (*value.Batch, error) {
	for {
		for !e.end && (len(e.ahead) < 2 || e.waiting < int64(runtime.GOMAXPROCS(0))) {
			rows, err := e.take(ctx)
			if err != nil {
				return nil, err
			}
			if rows == nil {
				e.end = true
				break
			}
			ch := make(chan part, 1)
			e.ahead = append(e.ahead, ch)
			e.waiting += int64(rows.Len)
			go func() { ch <- e.encode(ctx, rows) }()
		}
		if len(e.ahead) == 0 {
			return nil, nil
		}
		p := <-e.ahead[0]
		e.ahead = e.ahead[1:]
		if p.err != nil {
			return nil, p.err
		}
		e.adapt(p.rows)
		e.report(&p)
		e.skipped += int64(len(p.failed))
		e.done += int64(p.rows)
		e.waiting -= int64(p.rows)
		e.env.progress(e.progress())
		if p.batch.Len > 0 {
			return p.batch, nil
		}
	}
}

// adapt takes note of how long rows take.
func (e *EncodeImages) adapt(rows int) {
	now := time.Now()
	if !e.last.IsZero() { // the first piece may have waited for the model to be loaded
		spent := now.Sub(e.last).Seconds() / float64(rows)
		if e.pace > 0 {
			spent = (e.pace + spent) / 2
		}
		e.pace = max(spent, 1e-6)
	}
	e.last = now
}

// size is how many rows the next piece has: few at first.
func (e *EncodeImages) size() int {
	most := 4
	if e.pace > 0 {
		most = min(imageBatch, int(partTime.Seconds()/e.pace))
	}
	return max(1, min(most, int(e.done+e.waiting)))
}

// report tells of pictures that could not be encoded. Of a kind that no encoder
// reads there may be thousands in a directory: the first one is named, and all are
// counted.
func (e *EncodeImages) report(p *part) {
	t := e.env.Tally
	if t != nil {
		t.Encoded += p.encoded
	}
	for _, f := range p.failed {
		var format *clip.UnsupportedFormatError
		if t == nil || !errors.As(f.err, &format) || format.Format == "" {
			e.env.warn(fmt.Sprintf("%s: %v; left out", f.name, f.err))
			if t != nil {
				t.Failed++
			}
			continue
		}
		t.Skip(format.Format, 1)
		if !e.kinds[format.Format] {
			if e.kinds == nil {
				e.kinds = map[string]bool{}
			}
			e.kinds[format.Format] = true
			e.env.warn(fmt.Sprintf("%s: %v; left out, and so are all of this kind", f.name, f.err))
		}
	}
}

// progress counts the pictures of images() that are done with: encoded, or left
// out before (rows that are in the table already). Other inputs have no total.
func (e *EncodeImages) progress() Progress {
	p := Progress{Stage: "encoding pictures", Done: e.done, Unit: "pictures"}
	if e.env.Pictures != nil {
		p.Done, p.Total = e.env.Pictures()
		p.Done -= e.waiting + int64(e.src.Len-e.at)
	}
	return p
}

// take copies the next rows of the input, nil at its end.
func (e *EncodeImages) take(ctx context.Context) (*value.Batch, error) {
	if e.src == nil || e.at >= e.src.Len {
		b, err := e.in.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		e.src, e.at = e.c.compact(b, nil), 0
	}
	n := min(e.size(), e.src.Len-e.at)
	sel := make([]int32, n)
	for i := range sel {
		sel[i] = int32(e.at + i)
	}
	e.at += n
	out := &value.Batch{Len: n}
	for _, c := range e.src.Cols {
		x := newColumn(c.Type)
		appendColumn(x, 0, c, sel, 0)
		out.Cols = append(out.Cols, x)
	}
	return out, nil
}

// encode does one piece; it runs beside another one.
func (e *EncodeImages) encode(ctx context.Context, b *value.Batch) part {
	n := b.Len
	failed := map[int]failure{}
	var p part
	vecs := make([]*value.Column, len(e.jobs))
	for j, job := range e.jobs {
		src := b.Cols[job.Column]
		out := newColumn(value.Type{Kind: value.Vector, Dim: job.Dim})
		out.Vecs = make([]float32, n*job.Dim)
		vecs[j] = out
		var images []encoder.Image
		var rows []int
		for i := range n {
			if src.Null(i) {
				setNull(out, i, n)
				continue
			}
			v := src.Value(i)
			data := []byte(v.Str())
			if v.Kind() == value.Text {
				var err error
				if data, err = e.read(ctx, v.Str()); err != nil {
					if ctx.Err() != nil {
						return part{err: ctx.Err()}
					}
					failed[i] = failure{v.Str(), err}
					continue
				}
			}
			images, rows = append(images, encoder.Image{Data: data, Fast: job.Fast, MaxPixels: job.Pixels}), append(rows, i)
		}
		if len(images) == 0 {
			continue
		}
		enc, err := job.Open(ctx)
		if err != nil {
			return part{err: job.Pos(err)}
		}
		results, err := enc.EncodeImages(ctx, images)
		if err != nil {
			return part{err: job.Pos(err)}
		}
		e.count.Add(int64(len(images)))
		for k, i := range rows {
			if err := results[k].Err; err != nil {
				name := "a picture"
				if src.Type.Kind == value.Text {
					name = src.Strs[i]
				}
				failed[i] = failure{name, err}
				continue
			}
			p.encoded++
			copy(out.Vec(i), results[k].Vector)
		}
	}
	p.rows = n
	for j, job := range e.jobs {
		b.Cols[job.Column] = vecs[j]
	}
	if len(failed) > 0 {
		var keep []int32
		for i := range n {
			if f, bad := failed[i]; bad {
				p.failed = append(p.failed, f)
			} else {
				keep = append(keep, int32(i))
			}
		}
		kept := &value.Batch{Len: len(keep)}
		for _, c := range b.Cols {
			x := newColumn(c.Type)
			appendColumn(x, 0, c, keep, len(keep))
			if len(keep) == 0 {
				x = newColumn(c.Type)
			}
			kept.Cols = append(kept.Cols, x)
		}
		b = kept
	}
	p.batch = b
	return p
}

// Close waits for what is being encoded.
func (e *EncodeImages) Close() error {
	for _, ch := range e.ahead {
		<-ch
	}
	e.ahead, e.end = nil, true
	return e.input.Close()
}

func (e *EncodeImages) String() string { return "EncodeImages" }

// Details tell how many pictures there were.
func (e *EncodeImages) Details() []string {
	return []string{fmt.Sprintf("%d pictures, %d left out", e.done, e.skipped)}
}
