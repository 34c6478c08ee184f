package onnx

import (
	"context"
	"fmt"
	"html"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/lupadb/lupa/encoder/clip"
	"github.com/lupadb/lupa/encoder/tokenizer"
)

// maxTextBatch bounds the memory of one run: 32 texts of 77 tokens take some 60
// MB in ViT-B/32's text tower.
const maxTextBatch = 32

// EncodeTexts encodes texts. Vectors of recent texts come from memory, and a text
// that several callers ask for at once is encoded once.
func (e *Encoder) EncodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	if e.text == nil {
		return nil, e.lacks("texts", "onnx/text_model.onnx")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.cache.get(ctx, texts, e.encodeTexts)
}

// CountTokens returns how many tokens a text is, those around it included, however many the
// model reads.
func (e *Encoder) CountTokens(text string) (int, error) {
	if e.text == nil {
		return 0, e.lacks("texts", "onnx/text_model.onnx")
	}
	tok, err := e.tokenizer()
	if err != nil {
		return 0, err
	}
	return len(tok.Append(nil, text, 1<<30)), nil
}

// MaxTokens is the most tokens of a text that the model reads.
func (e *Encoder) MaxTokens() int {
	if e.text == nil {
		return 0
	}
	return e.folder.Text.MaxTokens
}

// textTokenizer turns texts into token ids.
type textTokenizer interface {
	// Append appends the ids of a text, at most n.
	Append(dst []int64, text string, n int) []int64
	Pad() int64
}

// loadTokenizer reads the tokenizer of a text tower, with what its model does to texts
// before.
func loadTokenizer(t *Tower) (textTokenizer, error) {
	if !tokenizer.Is(t.Config) {
		tok, err := clip.LoadTokenizer(t.Config)
		if err != nil {
			return nil, err
		}
		return cleaning{tok, t.Clean}, nil
	}
	tok, err := tokenizer.Load(t.Config)
	if err != nil {
		return nil, err
	}
	if t.siglip2 {
		// Gemma's tokenizer keeps capitals and begins a text with a token of its own; SigLIP 2
		// was trained on small letters and a single token at the end.
		tok.Lower()
		if !tok.EndOnly("<eos>") {
			return nil, fmt.Errorf("%s: the vocabulary has no <eos>, with which SigLIP 2 ends a text", t.Config)
		}
	}
	if t.noSep {
		tok.EndOnly("")
	}
	return cleaning{tok, t.Clean}, nil
}

// How texts are cleaned, named as in OpenCLIP's text_cfg.tokenizer_kwargs.
const (
	cleanWhitespace   = "whitespace"
	cleanLower        = "lower"
	cleanCanonicalize = "canonicalize"
)

// cleaning is a tokenizer of texts that are cleaned first.
type cleaning struct {
	textTokenizer
	how string // "": not at all
}

func (c cleaning) Append(dst []int64, text string, n int) []int64 {
	return c.textTokenizer.Append(dst, clean(text, c.how), n)
}

var lowerCase = cases.Lower(language.Und)

// clean prepares a text as OpenCLIP does: characters written as in HTML become what they
// stand for and spaces are folded; then capitals may become small, and ASCII's punctuation
// may go, the underscore as a space. (What OpenCLIP has ftfy do before, mending text that
// was decoded wrongly, is not done.)
func clean(text, how string) string {
	if how == "" {
		return text
	}
	text = html.UnescapeString(html.UnescapeString(text))
	switch how {
	case cleanCanonicalize:
		text = strings.Map(func(r rune) rune {
			switch {
			case r == '_':
				return ' '
			case r < 128 && (unicode.IsPunct(r) || unicode.IsSymbol(r)):
				return -1
			}
			return r
		}, text)
		text = lowerCase.String(text)
	case cleanLower:
		text = lowerCase.String(text)
	}
	return strings.Join(strings.FieldsFunc(text, isSpace), " ")
}

// isSpace is white space as Python's split has it.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// textJob is a text on its way through the tower.
type textJob struct {
	ids    []int64
	length int // without what fills it up
	vector []float32
	err    error
	done   chan struct{}
}

// textQueue gathers the texts of all callers, so that while one batch runs the
// next one fills up.
type textQueue struct {
	mu   sync.Mutex
	jobs []*textJob
}

// take removes up to n jobs that can share a batch with the first.
func (q *textQueue) take(n int) []*textJob {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) == 0 {
		return nil
	}
	length := len(q.jobs[0].ids)
	var batch []*textJob
	rest := q.jobs[:0]
	for _, j := range q.jobs {
		if len(batch) < n && len(j.ids) == length {
			batch = append(batch, j)
		} else {
			rest = append(rest, j)
		}
	}
	clear(q.jobs[len(rest):])
	q.jobs = rest
	return batch
}

func (q *textQueue) add(jobs []*textJob) {
	q.mu.Lock()
	q.jobs = append(q.jobs, jobs...)
	q.mu.Unlock()
}

func (q *textQueue) remove(jobs []*textJob) {
	q.mu.Lock()
	q.jobs = slices.DeleteFunc(q.jobs, func(j *textJob) bool { return slices.Contains(jobs, j) })
	q.mu.Unlock()
}

// encodeTexts runs texts through the tower, bypassing the cache. Whoever has
// the turn runs a batch of texts, which may be other callers', until its own
// are done.
func (e *Encoder) encodeTexts(ctx context.Context, texts []string) ([][]float32, error) {
	tok, err := e.tokenizer()
	if err != nil {
		return nil, err
	}
	t := e.folder.Text
	jobs := make([]*textJob, len(texts))
	for i, text := range texts {
		ids := tok.Append(nil, text, t.MaxTokens)
		length := len(ids)
		for t.Pad && len(ids) < t.MaxTokens {
			ids = append(ids, tok.Pad())
		}
		jobs[i] = &textJob{ids: ids, length: length, done: make(chan struct{})}
	}
	e.queue.add(jobs)
	for _, j := range jobs {
		for !j.finished() {
			select {
			case <-j.done:
			case <-ctx.Done():
				e.queue.remove(jobs)
				return nil, ctx.Err()
			case <-e.text.turn:
				if batch := e.queue.take(t.textBatch()); len(batch) > 0 {
					e.runTexts(batch)
				}
				e.text.unlock()
			}
		}
	}
	out := make([][]float32, len(jobs))
	for i, j := range jobs {
		if j.err != nil {
			return nil, j.err
		}
		out[i] = j.vector
	}
	return out, nil
}

func (j *textJob) finished() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// textBatch is how many texts go through the graph together. A graph that
// quantises at run time takes one at a time, for there the others would change
// a text's vector.
func (t *Tower) textBatch() int {
	if t.Graph.Dynamic {
		return 1
	}
	if n := t.batch(); n > 0 {
		return n
	}
	return maxTextBatch
}

// runTexts runs jobs of equal length; the caller has the turn.
func (e *Encoder) runTexts(jobs []*textJob) {
	t := e.folder.Text
	rows := max(len(jobs), t.batch()) // a fixed batch is filled up with the last text
	length := len(jobs[0].ids)
	ids, mask := make([]int64, 0, rows*length), make([]int64, 0, rows*length)
	for i := range rows {
		j := jobs[min(i, len(jobs)-1)]
		ids = append(ids, j.ids...)
		for k := range j.ids {
			real := int64(1)
			if k >= j.length && !t.unmasked {
				real = 0
			}
			mask = append(mask, real)
		}
	}
	in := make([]tensor, len(t.Graph.Inputs))
	for i, v := range t.Graph.Inputs {
		values := ids
		switch {
		case i == 0:
		case v.Name == "attention_mask":
			values = mask
		case v.Name == "position_ids":
			values = make([]int64, len(ids))
			for k := range values {
				values[k] = int64(k % length)
			}
		default: // token_type_ids
			values = make([]int64, len(ids))
		}
		in[i] = tensor{shape: []int64{int64(rows), int64(length)}}
		if v.Type == Int32 {
			in[i].int32s = make([]int32, len(values))
			for k, id := range values {
				in[i].int32s[k] = int32(id)
			}
		} else {
			in[i].int64s = values
		}
	}
	shape := []int64{int64(rows), int64(t.Dim)}
	var pool func(flat []float32) []float32
	if t.Pool != "" {
		shape = []int64{int64(rows), int64(length), int64(t.Dim)}
		pool = func(flat []float32) []float32 { return t.pooled(flat, jobs, length) }
	}
	vectors, err := e.text.run(in, len(jobs), shape, pool)
	for i, j := range jobs {
		if j.err = err; err == nil {
			j.vector = vectors[i]
		}
		close(j.done)
	}
}

// How the vectors of a text's tokens become one, named as sentence-transformers does.
const (
	poolMean = "mean"
	poolCLS  = "cls"
	poolLast = "lasttoken"
)

// pooled makes one vector of those of each text's tokens; what fills a text up does not
// count.
func (t *Tower) pooled(flat []float32, jobs []*textJob, length int) []float32 {
	out := make([]float32, len(jobs)*t.Dim)
	for i, j := range jobs {
		tokens := flat[i*length*t.Dim:][:length*t.Dim]
		to := out[i*t.Dim:][:t.Dim]
		switch n := max(j.length, 1); t.Pool {
		case poolCLS:
			copy(to, tokens)
		case poolLast:
			copy(to, tokens[(n-1)*t.Dim:])
		default: // the mean; its length does not matter, for vectors are made unit vectors
			sums := make([]float64, t.Dim)
			for k := range n {
				for d, x := range tokens[k*t.Dim:][:t.Dim] {
					sums[d] += float64(x)
				}
			}
			for d, x := range sums {
				to[d] = float32(x / float64(n))
			}
		}
	}
	return out
}
