package exec

import (
	"context"
	"fmt"
	"strings"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// Why tells what each word of a phrase contributes to the similarity of a row: the phrase is
// compared with the row as a whole, row 0 of the answer, and once without each of its words. Of
// each it gives the row's score, how much less that is without the word, the rank among all rows,
// and the row that comes next, with the difference of their scores.
type Why struct {
	Env             *Env
	Ctx             *fn.Ctx
	Table           *storage.Table
	Column          int
	Phrase, Key     fn.Expr
	Open            func(context.Context) (encoder.Encoder, error)
	Texts           *TextCache
	AtPhrase, AtKey func(error) error
	Text            string

	out   *emitter
	stats *storage.NearestStats
}

// maxWhyWords are the most words that a phrase may have: each is another phrase to encode.
const maxWhyWords = 256

func (w *Why) Next(ctx context.Context) (*value.Batch, error) {
	if w.out == nil {
		t, err := w.run(ctx)
		if err != nil {
			return nil, err
		}
		w.out = &emitter{t: t}
	}
	return w.out.next(), nil
}

func (w *Why) run(ctx context.Context) (*rowsTable, error) {
	phrase, key, err := w.args()
	if err != nil || phrase.IsNull() || key.IsNull() {
		return &rowsTable{}, err
	}
	words := strings.Fields(phrase.Str())
	switch {
	case len(words) == 0:
		return nil, w.AtPhrase(fmt.Errorf("the phrase has no words"))
	case len(words) > maxWhyWords:
		return nil, w.AtPhrase(fmt.Errorf("the phrase has %d words; why explains up to %d", len(words), maxWhyWords))
	}
	def := w.Table.Def()
	row, ok, err := w.Table.Lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, w.AtKey(fmt.Errorf("no row of %s has the key %v", def.Name, key))
	}
	b, err := w.Table.Fetch(ctx, []uint64{row}, []int{w.Column})
	if err != nil {
		return nil, err
	}
	own := b.Cols[0]
	if own.Null(0) {
		return nil, w.AtKey(fmt.Errorf("the row %v has no vector in %s.%s", key, def.Name, def.Columns[w.Column].Name))
	}
	if vector.Norm(own.Vec(0)) == 0 {
		return nil, w.AtKey(fmt.Errorf("the vector of the row %v is zero, which is similar to nothing", key))
	}
	queries, err := w.encode(ctx, phrase.Str(), words)
	if err != nil {
		return nil, w.AtPhrase(err)
	}
	return w.answer(ctx, phrase.Str(), words, row, own.Vec(0), queries)
}

// args computes the phrase and the key.
func (w *Why) args() (phrase, key value.Value, err error) {
	a, err := w.Phrase.Eval(w.Ctx, oneRow, nil)
	if err != nil {
		return phrase, key, w.AtPhrase(err)
	}
	if a.Type.Kind != value.Null {
		phrase = a.At(0)
	}
	if a, err = w.Key.Eval(w.Ctx, oneRow, nil); err != nil {
		return phrase, key, w.AtKey(err)
	}
	if a.Type.Kind != value.Null {
		key = a.At(0)
	}
	return phrase, key, nil
}

// encode gives the vectors of the phrase and, where it has several words, of the phrase without
// each of them, in one batch.
func (w *Why) encode(ctx context.Context, phrase string, words []string) ([]*vector.Query, error) {
	enc, err := w.Open(ctx)
	if err != nil {
		return nil, err
	}
	prefix := Prompt(enc, false)
	texts, at := []string{prefix + phrase}, map[string]int{prefix + phrase: 0}
	of := []int{0}
	for i := range words {
		if len(words) == 1 {
			break
		}
		t := prefix + strings.Join(append(append([]string(nil), words[:i]...), words[i+1:]...), " ")
		n, ok := at[t]
		if !ok { // of 'wolf wolf', one
			n = len(texts)
			at[t], texts = n, append(texts, t)
		}
		of = append(of, n)
	}
	vecs, err := EncodeTexts(ctx, enc, w.Texts, texts)
	if err != nil {
		return nil, err
	}
	out := make([]*vector.Query, len(of))
	for i, n := range of {
		if out[i], err = vector.NewQuery(vector.Cosine, vecs[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *Why) answer(ctx context.Context, phrase string, words []string, row uint64, own []float32, queries []*vector.Query) (*rowsTable, error) {
	var opts []storage.NearestOptions
	score := make([]float64, len(queries)) // of the row itself
	for i, q := range queries {
		s := q.Score(own)
		score[i] = s
		opts = append(opts,
			storage.NearestOptions{Column: w.Column, Query: q, K: -1, Min: &storage.ScoreBound{Score: s}, Above: []float64{s}, Workers: w.Env.Workers},
			// Of two rows that are no better one is not the row itself.
			storage.NearestOptions{Column: w.Column, Query: q, K: 2, Max: &storage.ScoreBound{Score: s}, Workers: w.Env.Workers})
	}
	found, stats, err := w.Table.NearestMany(ctx, opts)
	if err != nil {
		return nil, err
	}
	w.stats = stats[0]
	key := w.Table.Def().PrimaryKey
	next, nextAt := []uint64{}, make([]int, len(queries))
	gaps := make([]float64, len(queries))
	for i := range queries {
		nextAt[i] = -1
		for _, n := range found[2*i+1] {
			if n.Row != row {
				nextAt[i], gaps[i] = len(next), score[i]-n.Score
				next = append(next, n.Row)
				break
			}
		}
	}
	keys := newColumn(w.Table.Def().Columns[key].Type)
	if len(next) > 0 {
		b, err := w.Table.Fetch(ctx, next, []int{key})
		if err != nil {
			return nil, err
		}
		keys = b.Cols[0]
	}
	numbers, ranks := newColumn(value.Type{Kind: value.Integer}), newColumn(value.Type{Kind: value.Integer})
	texts, nexts := newColumn(value.Type{Kind: value.Text}), newColumn(keys.Type)
	scores, parts, diffs := newColumn(realType), newColumn(realType), newColumn(realType)
	for i, word := range append([]string{phrase}, words...) {
		numbers.Append(i, value.Int(int64(i)))
		texts.Append(i, value.Str(word))
		if i >= len(queries) { // the only word
			for _, c := range []*value.Column{scores, parts, ranks, nexts, diffs} {
				c.Append(i, value.Value{})
			}
			continue
		}
		scores.Append(i, value.Float(score[i]))
		part := value.Value{}
		if i > 0 {
			part = value.Float(score[0] - score[i])
		}
		parts.Append(i, part)
		ranks.Append(i, value.Int(int64(stats[2*i].Above[0])+1))
		if nextAt[i] < 0 {
			nexts.Append(i, value.Value{})
			diffs.Append(i, value.Value{})
			continue
		}
		nexts.Append(i, keys.Value(nextAt[i]))
		diffs.Append(i, value.Float(gaps[i]))
	}
	return &rowsTable{n: len(numbers.Ints), cols: []*value.Column{numbers, texts, scores, parts, ranks, nexts, diffs}}, nil
}

func (w *Why) Close() error { return nil }

// Reset implements Resetter.
func (w *Why) Reset() bool {
	w.out, w.stats = nil, nil
	return true
}

func (w *Why) Inputs() []Operator { return nil }

func (w *Why) String() string { return "Why " + w.Text }

// Details tell what it took.
func (w *Why) Details() []string {
	if w.stats == nil {
		return nil
	}
	return []string{fmt.Sprintf("exact: yes; of %d rows %d are scored from their floats for the first phrase", w.stats.Rows, w.stats.Scored)}
}
