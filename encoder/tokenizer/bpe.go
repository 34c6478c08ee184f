package tokenizer

import (
	"container/heap"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is a vocabulary of byte pair encoding: a word begins as its characters, and
// the pair of neighbours that comes first in the list of merges is joined until no
// pair is in the list.
type bpe struct {
	ids    map[string]int64
	merges map[[2]int64]merge

	unk    int64       // of a character that is not in the vocabulary; -1: it is dropped
	fuse   bool        // several of those in a row are one
	bytes  *[256]int64 // ids that spell such characters; nil = they become unk
	whole  bool        // a word of the vocabulary is taken as it is, whatever the merges
	prefix string      // of characters inside a word
	suffix string      // of the character that ends a word
}

// merge is what a pair becomes; pairs of lower rank come first.
type merge struct {
	rank int32
	id   int64
}

// newBPE makes a vocabulary from its tokens and merges, first ones first.
func newBPE(ids map[string]int64, merges [][2]string, prefix, suffix string) (*bpe, error) {
	b := &bpe{ids: ids, merges: make(map[[2]int64]merge, len(merges)), unk: -1, prefix: prefix, suffix: suffix}
	for i, m := range merges {
		left, ok1 := ids[m[0]]
		right, ok2 := ids[m[1]]
		joined, ok3 := ids[m[0]+strings.TrimPrefix(m[1], prefix)]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d joins %q and %q, which are not all in the vocabulary", i+1, m[0], m[1])
		}
		b.merges[[2]int64{left, right}] = merge{int32(i), joined} // of equal pairs the last counts
	}
	return b, nil
}

func (b *bpe) find(token string) (int64, bool) {
	id, ok := b.ids[token]
	return id, ok
}

// symbol is a token of a word that is being merged, in a list of neighbours.
type symbol struct {
	id         int64
	prev, next int32 // -1 at the ends
	gone       bool
}

// pair is a possible merge: of the symbol at and the one after it.
type pair struct {
	merge
	at          int32
	left, right int64 // what the symbols were then
}

// pairs is a heap: lowest rank first, of equal ones the leftmost.
type pairs []pair

func (p pairs) Len() int { return len(p) }
func (p pairs) Less(i, j int) bool {
	if p[i].rank != p[j].rank {
		return p[i].rank < p[j].rank
	}
	return p[i].at < p[j].at
}
func (p pairs) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *pairs) Push(x any)   { *p = append(*p, x.(pair)) }
func (p *pairs) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}

// append appends the ids of a word. It takes n log n steps: vocabularies such as
// Gemma's do not cut texts into words.
func (b *bpe) append(dst []int64, word string) []int64 {
	if b.whole {
		if id, ok := b.ids[word]; ok {
			return append(dst, id)
		}
	}
	list := b.characters(word)
	var queue pairs
	offer := func(at int32) {
		if at < 0 || list[at].next < 0 {
			return
		}
		left, right := list[at].id, list[list[at].next].id
		if m, ok := b.merges[[2]int64{left, right}]; ok {
			heap.Push(&queue, pair{m, at, left, right})
		}
	}
	for i := range list {
		offer(int32(i))
	}
	for len(queue) > 0 {
		p := heap.Pop(&queue).(pair)
		s := &list[p.at]
		if s.gone || s.next < 0 || s.id != p.left || list[s.next].id != p.right {
			continue // merged otherwise in the meantime
		}
		taken := &list[s.next]
		s.id, s.next, taken.gone = p.id, taken.next, true
		if s.next >= 0 {
			list[s.next].prev = p.at
		}
		offer(s.prev)
		offer(p.at)
	}
	for i := int32(0); i >= 0 && len(list) > 0; i = list[i].next {
		dst = append(dst, list[i].id)
	}
	return dst
}

// characters returns a word's characters as tokens.
func (b *bpe) characters(word string) []symbol {
	list := make([]symbol, 0, len(word))
	add := func(id int64) {
		n := int32(len(list))
		list = append(list, symbol{id: id, prev: n - 1, next: n + 1})
	}
	unknown := false // one is due
	flush := func() {
		if unknown {
			add(b.unk)
			unknown = false
		}
	}
	for at := 0; at < len(word); {
		_, n := utf8.DecodeRuneInString(word[at:])
		token := word[at : at+n]
		if at > 0 && b.prefix != "" {
			token = b.prefix + token
		}
		if at+n == len(word) && b.suffix != "" {
			token += b.suffix
		}
		id, ok := b.ids[token]
		switch {
		case ok:
			flush()
			add(id)
		case b.bytes != nil:
			for i := range len(token) {
				add(b.bytes[token[i]])
			}
		case b.unk >= 0:
			if !b.fuse {
				flush()
			}
			unknown = true
		}
		at += n
	}
	flush()
	if len(list) > 0 {
		list[len(list)-1].next = -1
	}
	return list
}

// spelling returns the ids of the tokens <0x00> to <0xFF>, by which characters are
// written that no token has.
func spelling(find func(string) (int64, bool)) (*[256]int64, error) {
	ids := new([256]int64)
	for b := range ids {
		name := fmt.Sprintf("<0x%02X>", b)
		id, ok := find(name)
		if !ok {
			return nil, fmt.Errorf("byte_fallback is on but the vocabulary has no %s", name)
		}
		ids[b] = id
	}
	return ids, nil
}

// errDropout refuses what makes ids random.
var errDropout = errors.New("the model drops merges at random (dropout), which is for training only")
