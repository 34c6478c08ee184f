package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"github.com/lupadb/lupa/storage/internal/postings"
	"github.com/lupadb/lupa/storage/text"
)

// TextQuery is a query of a full-text index, with what the index knew of its words when it was
// made: scores are those of that moment. Its methods are safe for concurrent use.
//
// A score is that of BM25: for every word of the query that is not an excluded one, and every
// column, the column's weight times
//
//	ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * l / L))
//
// with N texts in the column, which are L terms long on average, n of them with the word, and a
// text of l terms in which it is f times. A phrase, and a prefix, is counted like a word.
type TextQuery struct {
	x      *fullText
	t      *Table
	fields []int // places in the index, ascending
	root   textNode
	leaves []*textLeaf // those with a score, in the order of their sum
	terms  map[string]int
	starts []startOf // prefixes, beside terms
	norms  []norm    // by place in the index
	total  uint64    // texts

	mu     sync.Mutex
	length map[uint64]*postings.Lengths // those that were needed, by chunkID
	failed error                        // of reading one
	ready  bool                         // the leaves' lists are known
}

type startOf struct {
	prefix string
	id     int
}

// norm is k1 * (1 - b + b * l / L) of the texts of a field.
type norm struct{ base, per, texts float64 }

// textNode is a part of a query.
type textNode interface {
	// chunk sets the slots that match.
	chunk(q *TextQuery, chunk uint32, dst *postings.Slots) error
	// text reports whether a text with these occurrences matches.
	text(o *occurrences) bool
}

type (
	textAnd []textNode
	textOr  []textNode
	textNot struct{ with, without textNode }
)

// textLeaf is a word, a prefix or a phrase in a field, or several that are near each other.
type textLeaf struct {
	field  int
	terms  []text.QueryTerm
	parts  []int   // where in terms each of several begins, nil for one
	within uint32  // how far from each other several are at most
	ids    []int   // of terms
	weight float64 // of the field, and how often it is asked for
	scored bool
	idf    float64 // times weight
	lists  []textList
	n      uint64
}

// textList is a leaf in a chunk.
type textList struct {
	chunk uint32
	*postings.List
}

// TextQuery prepares a query of a full-text index; of its columns, at positions columns, all
// if nil. A nil query matches nothing, nor does a part of it that is for other columns.
func (t *Table) TextQuery(ctx context.Context, def *IndexDef, columns []int, query text.Query) (*TextQuery, error) {
	x, ok := openFullText(t.def, def).(*fullText)
	if !ok || def.Kind != FullText {
		return nil, fmt.Errorf("index %s is not a full-text index", def.Name)
	}
	q := &TextQuery{x: x, t: t, terms: map[string]int{}, norms: make([]norm, len(x.at)), length: map[uint64]*postings.Lengths{}}
	for i, at := range x.at {
		if columns == nil || slices.Contains(columns, at) {
			q.fields = append(q.fields, i)
		}
	}
	if len(q.fields) == 0 {
		return nil, fmt.Errorf("index %s has none of these columns", def.Name)
	}
	words := text.Borrow(x.options.language)
	defer words.Return()
	known := map[string]*textLeaf{}
	q.root = q.node(words, query, q.fields, true, known)
	for _, f := range q.fields {
		if err := q.readLengths(ctx, f); err != nil {
			return nil, err
		}
	}
	var scored []*textLeaf
	for _, f := range q.fields {
		for _, l := range q.leaves {
			if l.field == f && l.scored {
				scored = append(scored, l)
			}
		}
	}
	for _, l := range q.leaves {
		if err := q.read(ctx, l); err != nil {
			return nil, err
		}
		n, df := q.norms[l.field].texts, float64(l.n)
		l.idf = float64(l.weight * math.Log(1+(n-df+0.5)/(df+0.5)))
	}
	q.leaves, q.ready = scored, true
	if err := q.done(); err != nil {
		return nil, err
	}
	return q, nil
}

// node makes a part of a query, for some of its fields; nil for one without words.
func (q *TextQuery) node(words *text.Analyzer, query text.Query, fields []int, scored bool, known map[string]*textLeaf) textNode {
	all := func(of []text.Query, scored bool) (nodes []textNode) {
		for _, p := range of {
			if n := q.node(words, p, fields, scored, known); n != nil {
				nodes = append(nodes, n)
			}
		}
		return nodes
	}
	switch p := query.(type) {
	case text.Word:
		return q.leaf(words.QueryTerms(p.Text, p.Prefix), fields, scored, known)
	case text.Phrase:
		return q.leaf(words.QueryTerms(p.Text, p.Prefix), fields, scored, known)
	case text.Near:
		var terms []text.QueryTerm
		var parts []int
		for _, part := range p.Of {
			if t := words.QueryTerms(part.Text, part.Prefix); len(t) > 0 {
				parts, terms = append(parts, len(terms)), append(terms, t...)
			}
		}
		if len(parts) < 2 {
			parts = nil
		}
		return q.near(terms, parts, uint32(p.Within), fields, scored, known)
	case text.Term:
		return q.leaf([]text.QueryTerm{{Term: string(p)}}, fields, scored, known)
	case text.And:
		if n := all(p, scored); len(n) > 0 {
			return textAnd(n)
		}
	case text.Or:
		if n := all(p, scored); len(n) > 0 {
			return textOr(n)
		}
	case text.Not:
		with, without := q.node(words, p.With, fields, scored, known), q.node(words, p.Without, fields, false, known)
		if with == nil || without == nil {
			return with
		}
		return textNot{with, without}
	case text.In:
		var in []int
		for _, f := range fields {
			if slices.Contains(p.Columns, q.t.def.Columns[q.x.at[f]].Name) {
				in = append(in, f)
			}
		}
		return q.node(words, p.Of, in, scored, known)
	}
	return nil
}

// leaf makes a word, a prefix or a phrase in any of the fields; in none of them it matches nothing.
func (q *TextQuery) leaf(terms []text.QueryTerm, fields []int, scored bool, known map[string]*textLeaf) textNode {
	return q.near(terms, nil, 0, fields, scored, known)
}

func (q *TextQuery) near(terms []text.QueryTerm, parts []int, within uint32, fields []int, scored bool, known map[string]*textLeaf) textNode {
	if len(terms) == 0 {
		return nil
	}
	name := fmt.Sprint(terms, parts, within)
	var any textOr
	for _, f := range fields {
		id := fmt.Sprint(f, " ", name)
		l := known[id]
		if l == nil {
			l = &textLeaf{field: f, terms: terms, parts: parts, within: within}
			for _, t := range terms {
				l.ids = append(l.ids, q.termID(t))
			}
			known[id] = l
			q.leaves = append(q.leaves, l)
		}
		if scored {
			l.weight += q.x.options.weights[f]
			l.scored = true
		}
		any = append(any, l)
	}
	if len(any) == 1 {
		return any[0]
	}
	return any
}

// termID numbers the terms that texts are searched for.
func (q *TextQuery) termID(t text.QueryTerm) int {
	name := t.Term
	if t.Prefix {
		for _, s := range q.starts {
			if s.prefix == t.Term {
				return s.id
			}
		}
		id := len(q.terms) + len(q.starts)
		q.starts = append(q.starts, startOf{t.Term, id})
		return id
	}
	id, ok := q.terms[name]
	if !ok {
		id = len(q.terms) + len(q.starts)
		q.terms[name] = id
	}
	return id
}

func chunkID(field int, chunk uint32) uint64 { return uint64(field)<<32 | uint64(chunk) }

// readLengths reads the lengths of a field's texts.
func (q *TextQuery) readLengths(ctx context.Context, field int) error {
	prefix := append(q.x.family(nil, textLengths), byte(field))
	it, err := q.t.view.prefixIter(prefix)
	if err != nil {
		return q.bad(err)
	}
	defer it.Close()
	texts, tokens := 0, uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return q.bad(err)
		}
		if n, all, ok := postings.Totals(v); ok { // most queries ask for the lengths of few rows
			texts, tokens = texts+n, tokens+all
			continue
		}
		l := new(postings.Lengths)
		if err := l.Parse(bytes.Clone(v)); err != nil {
			return q.bad(err)
		}
		q.t.view.Reads.KeyBytes.Add(int64(len(v)))
		q.length[chunkID(field, binary.BigEndian.Uint32(it.Key()[len(it.Key())-4:]))] = l
		texts, tokens = texts+l.Texts, tokens+l.Tokens
	}
	n := norm{base: float64(q.x.options.k1 * (1 - q.x.options.b)), texts: float64(texts)}
	if tokens > 0 {
		n.per = float64(q.x.options.k1*q.x.options.b) / (float64(tokens) / float64(texts))
	}
	q.norms[field] = n
	q.total = max(q.total, uint64(texts))
	return q.bad(it.Error())
}

func (q *TextQuery) bad(err error) error { return corrupt(q.x.d.Name, "", q.x.where(), err) }

var noLengths postings.Lengths

// lengths returns the lengths of a chunk's texts. Where they can't be read they are none, and
// done says why.
func (q *TextQuery) lengths(field int, chunk uint32) *postings.Lengths {
	q.mu.Lock()
	defer q.mu.Unlock()
	id := chunkID(field, chunk)
	if l := q.length[id]; l != nil {
		return l
	}
	l := &noLengths
	_, err := q.t.view.get(q.x.lengthsKey(nil, field, chunk), func(b []byte) error {
		q.t.view.Reads.KeyBytes.Add(int64(len(b)))
		l = new(postings.Lengths)
		slots, few := q.slots(field, chunk)
		if !few {
			return l.Parse(bytes.Clone(b))
		}
		if err := l.Parse(b); err != nil {
			return err
		}
		l = l.Only(slots)
		return nil
	})
	if err != nil {
		q.failed = firstError(q.failed, err)
		return &noLengths
	}
	q.length[id] = l
	return l
}

// fewSlots is the number of rows of a chunk up to which only their lengths are kept.
const fewSlots = 512

// slots returns the slots that the query's words have in a chunk, once they are known, if they
// are few.
func (q *TextQuery) slots(field int, chunk uint32) (slots []uint16, few bool) {
	if !q.ready {
		return nil, false
	}
	n := 0
	for _, l := range q.leaves {
		if list := l.list(chunk); list != nil && l.field == field {
			n += list.N
		}
	}
	if n > fewSlots {
		return nil, false
	}
	slots = make([]uint16, 0, n)
	for _, l := range q.leaves {
		list := l.list(chunk)
		if list == nil || l.field != field {
			continue
		}
		err := list.All(func(p postings.Posting) error {
			slots = append(slots, p.Slot)
			return nil
		})
		if err != nil { // which is met again where they are scored
			return nil, false
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots), true
}

// lengthIn is lengths for what may need none.
func (q *TextQuery) lengthIn(field int, chunk uint32) func(slot uint16) uint32 {
	var l *postings.Lengths
	return func(slot uint16) uint32 {
		if l == nil {
			l = q.lengths(field, chunk)
		}
		return l.Length(slot)
	}
}

// Postings is the number of the postings of the query's words.
func (q *TextQuery) Postings() (n uint64) {
	for _, l := range q.leaves {
		n += l.n
	}
	return n
}

// Most is a number that no score is above.
func (q *TextQuery) Most() float64 {
	sum := 0.0
	for _, l := range q.leaves {
		sum += float64(math.Abs(l.idf) * (q.x.options.k1 + 1))
	}
	return float64(sum * slack)
}

// done returns what went wrong on the way.
func (q *TextQuery) done() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bad(q.failed)
}

// score is the part of a leaf in the score of a text.
func (q *TextQuery) score(l *textLeaf, freq, length uint32) float64 {
	n := &q.norms[l.field]
	f := float64(freq)
	return float64(l.idf * (float64(f*(q.x.options.k1+1)) / (f + (n.base + float64(n.per*float64(length))))))
}

func (l *textLeaf) text(o *occurrences) bool { return o.freq(l) > 0 }

func (n textAnd) text(o *occurrences) bool {
	return !slices.ContainsFunc(n, func(x textNode) bool { return !x.text(o) })
}

func (n textOr) text(o *occurrences) bool {
	return slices.ContainsFunc(n, func(x textNode) bool { return x.text(o) })
}

func (n textNot) text(o *occurrences) bool { return n.with.text(o) && !n.without.text(o) }

// Columns are the positions of the columns whose texts Score and Matches take, in their order.
func (q *TextQuery) Columns() []int {
	var at []int
	for _, f := range q.fields {
		at = append(at, q.x.at[f])
	}
	return at
}

// find finds the query's terms in texts.
func (q *TextQuery) find(words *text.Analyzer, texts []*string) *occurrences {
	o := &occurrences{q: q, at: map[int][][]uint32{}, length: make([]uint32, len(q.x.at))}
	for i, f := range q.fields {
		if i >= len(texts) || texts[i] == nil {
			continue
		}
		at := make([][]uint32, len(q.terms)+len(q.starts))
		o.length[f] = uint32(words.Each(*texts[i], func(k text.Token) {
			if id, ok := q.terms[k.Term]; ok {
				at[id] = append(at[id], uint32(k.Pos))
			}
			for _, s := range q.starts {
				if strings.HasPrefix(k.Term, s.prefix) {
					at[s.id] = append(at[s.id], uint32(k.Pos))
				}
			}
		}))
		o.at[f] = at
	}
	return o
}

// Score returns the score of a row by its texts, nil for NULL: what Top gives it.
func (q *TextQuery) Score(texts []*string) float64 {
	words := text.Borrow(q.x.options.language)
	defer words.Return()
	o := q.find(words, texts)
	sum := 0.0
	for _, l := range q.leaves {
		if n := o.freq(l); n > 0 {
			sum += q.score(l, n, o.length[l.field])
		}
	}
	return sum
}

// Matches reports whether a row matches by its texts, nil for NULL.
func (q *TextQuery) Matches(texts []*string) bool {
	if q.root == nil {
		return false
	}
	words := text.Borrow(q.x.options.language)
	defer words.Return()
	return q.root.text(q.find(words, texts))
}

func (l *textLeaf) list(chunk uint32) *postings.List {
	i, ok := slices.BinarySearchFunc(l.lists, chunk, func(a textList, c uint32) int { return int(int64(a.chunk) - int64(c)) })
	if !ok {
		return nil
	}
	return l.lists[i].List
}

func (l *textLeaf) chunk(q *TextQuery, chunk uint32, dst *postings.Slots) error {
	list := l.list(chunk)
	if list == nil {
		return nil
	}
	return list.AddSlots(dst)
}

func (n textOr) chunk(q *TextQuery, chunk uint32, dst *postings.Slots) error {
	for _, x := range n {
		if err := x.chunk(q, chunk, dst); err != nil {
			return err
		}
	}
	return nil
}

func (n textAnd) chunk(q *TextQuery, chunk uint32, dst *postings.Slots) error {
	var both postings.Slots
	for i, x := range n {
		var in postings.Slots
		if err := x.chunk(q, chunk, &in); err != nil {
			return err
		}
		for w := range both {
			if i == 0 {
				both[w] = in[w]
			} else {
				both[w] &= in[w]
			}
		}
	}
	for w := range both {
		dst[w] |= both[w]
	}
	return nil
}

func (n textNot) chunk(q *TextQuery, chunk uint32, dst *postings.Slots) error {
	var with, without postings.Slots
	if err := n.with.chunk(q, chunk, &with); err != nil {
		return err
	}
	if err := n.without.chunk(q, chunk, &without); err != nil {
		return err
	}
	for w := range with {
		dst[w] |= with[w] &^ without[w]
	}
	return nil
}

// chunks returns how many chunks the table has.
func (q *TextQuery) chunks() uint32 {
	return uint32((q.t.counters.next + postings.ChunkRows - 1) / postings.ChunkRows)
}

// Count returns how many rows match.
func (q *TextQuery) Count(ctx context.Context) (n uint64, err error) {
	if l, ok := q.root.(*textLeaf); ok {
		return l.n, nil
	}
	err = q.each(ctx, func(_ uint32, in *postings.Slots) {
		for _, w := range in {
			n += uint64(bits.OnesCount64(w))
		}
	})
	return n, err
}

// each calls f with the slots that match in each chunk that has some of the words.
func (q *TextQuery) each(ctx context.Context, f func(chunk uint32, in *postings.Slots)) error {
	if q.root == nil {
		return nil
	}
	var in postings.Slots
	for chunk := range q.chunks() {
		if err := ctx.Err(); err != nil {
			return err
		}
		clear(in[:])
		if err := q.root.chunk(q, chunk, &in); err != nil {
			return q.bad(err)
		}
		f(chunk, &in)
	}
	return nil
}

// Match returns the rows that match.
func (q *TextQuery) Match(ctx context.Context) (*RowSet, error) {
	out := new(RowSet)
	const words = len(BlockSet{})
	err := q.each(ctx, func(chunk uint32, in *postings.Slots) {
		for b := 0; b < len(in); b += words {
			set := BlockSet(in[b : b+words])
			if n := set.Count(); n > 0 {
				*out.grow(chunk*(postings.ChunkRows/BlockRows) + uint32(b/words)) = set
				out.n += n
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
