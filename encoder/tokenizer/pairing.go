package tokenizer

import "container/heap"

// pairing is SentencePiece's byte pair encoding: the two neighbours are joined that make
// the piece with the highest score, until no two make a piece.
type pairing struct {
	*vocabulary
	longest int // bytes of the longest piece
}

func (p *pairing) find(token string) (int64, bool) {
	id, ok := p.ids[token]
	return id, ok
}

// piece returns a piece that texts are made of. Others, such as <s>, are no result of
// joining.
func (p *pairing) piece(s string) (id int64, ok bool) {
	if len(s) > p.longest {
		return 0, false
	}
	if id, ok = p.ids[s]; ok {
		k := p.kinds[id]
		ok = k == pieceNormal || k == pieceUser || k == pieceUnused
	}
	return id, ok
}

// span is a part of a word, in a list of neighbours.
type span struct {
	from, to   int32
	prev, next int32 // -1 at the ends
	whole      bool  // never joined
}

// join is a possible one: of the spans left and right.
type join struct {
	score       float64
	left, right int32
	size        int32 // bytes of both, by which one is known that has changed since
}

// joins is a heap: highest score first, of equal ones the leftmost.
type joins []join

func (j joins) Len() int { return len(j) }
func (j joins) Less(a, b int) bool {
	if j[a].score != j[b].score {
		return j[a].score > j[b].score
	}
	return j[a].left < j[b].left
}
func (j joins) Swap(a, b int) { j[a], j[b] = j[b], j[a] }
func (j *joins) Push(x any)   { *j = append(*j, x.(join)) }
func (j *joins) Pop() any {
	last := (*j)[len(*j)-1]
	*j = (*j)[:len(*j)-1]
	return last
}

func (p *pairing) append(dst []int64, word string) []int64 {
	if word == "" {
		return dst
	}
	var list []span
	for at := 0; at < len(word); {
		n, user := p.symbol(word[at:])
		k := int32(len(list))
		list = append(list, span{int32(at), int32(at + n), k - 1, k + 1, user})
		at += n
	}
	list[len(list)-1].next = -1
	var queue joins
	var parts map[string]int // how pieces that are not in use were joined: where they are cut
	offer := func(left, right int32) {
		if left < 0 || right < 0 || list[left].whole || list[right].whole {
			return
		}
		a, b := &list[left], &list[right]
		text := word[a.from:b.to]
		id, ok := p.piece(text)
		if !ok {
			return
		}
		heap.Push(&queue, join{p.scores[id], left, right, b.to - a.from})
		if p.kinds[id] == pieceUnused {
			if parts == nil {
				parts = map[string]int{}
			}
			parts[text] = int(a.to - a.from)
		}
	}
	for i := range list[:len(list)-1] {
		offer(int32(i), int32(i)+1)
	}
	for len(queue) > 0 {
		j := heap.Pop(&queue).(join)
		a, b := &list[j.left], &list[j.right]
		if a.to == a.from || b.to == b.from || a.to-a.from+b.to-b.from != j.size {
			continue // joined otherwise in the meantime
		}
		a.to, a.next = b.to, b.next
		b.to = b.from
		if a.next >= 0 {
			list[a.next].prev = j.left
		}
		offer(a.prev, j.left)
		offer(j.left, a.next)
	}
	unknown := false // the last one was
	var add func(s string)
	add = func(s string) {
		id, ok := p.ids[s]
		if !ok {
			id = p.unk
		}
		if p.kinds[id] == pieceUnused {
			if n, ok := parts[s]; ok {
				add(s[:n])
				add(s[n:])
				return
			}
		}
		switch {
		case id == p.unk && p.bytes != nil:
			for i := range len(s) {
				dst = append(dst, p.bytes[s[i]])
			}
		case id == p.unk && unknown:
		default:
			dst = append(dst, id)
		}
		unknown = id == p.unk
	}
	for i := int32(0); i >= 0; i = list[i].next {
		add(word[list[i].from:list[i].to])
	}
	return dst
}
