package exec

import (
	"container/list"
	"sync"

	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/storage"
)

// TextCache keeps the vectors of texts that were encoded lately, so that a
// phrase asked again is not encoded again. The zero TextCache is ready and holds
// up to 32 MiB. It is safe for concurrent use.
type TextCache struct {
	// Max is the number of bytes kept; 0 means 32 MiB, negative nothing.
	Max int64

	// Store, if set, keeps the vectors of phrases beyond the life of the program.
	Store *storage.Store

	mu     sync.Mutex
	items  map[textKey]*list.Element
	recent *list.List // of *textItem, the most recent first
	size   int64
	hits   int64
	misses int64
	flying map[textKey]*flight
}

// flight is the encoding of a text that is under way: who asks for the same text waits for
// it.
type flight struct {
	done chan struct{} // closed at the end
	vec  []float32     // nil: it failed, and who waited encodes the text itself
}

// lift says who encodes the texts: those at the positions mine are the caller's, who lands
// each of their flights; the others are under way already.
func (c *TextCache) lift(m encoder.Model, texts []string) (mine []int, flights []*flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flying == nil {
		c.flying = map[textKey]*flight{}
	}
	flights = make([]*flight, len(texts))
	for i, t := range texts {
		k := keyOf(m, t)
		f := c.flying[k]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			c.flying[k] = f
			mine = append(mine, i)
		}
		flights[i] = f
	}
	return mine, flights
}

// land ends the flight of a text; vec is nil if it could not be encoded.
func (c *TextCache) land(m encoder.Model, text string, f *flight, vec []float32) {
	c.mu.Lock()
	delete(c.flying, keyOf(m, text))
	c.mu.Unlock()
	f.vec = vec
	close(f.done)
}

type textKey struct {
	model string // hash, dimension and name
	text  string
}

type textItem struct {
	key textKey
	vec []float32
}

func keyOf(m encoder.Model, text string) textKey {
	return textKey{m.Name + "\x00" + m.Hash, text}
}

func (i *textItem) bytes() int64 {
	return int64(len(i.key.text)+len(i.key.model)+4*len(i.vec)) + 160
}

// Get returns the vector of a text, which nobody changes, or nil.
func (c *TextCache) Get(m encoder.Model, text string) []float32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[keyOf(m, text)]
	if e == nil {
		c.misses++
		return nil
	}
	c.hits++
	c.recent.MoveToFront(e)
	return e.Value.(*textItem).vec
}

// Put keeps the vector of a text.
func (c *TextCache) Put(m encoder.Model, text string, vec []float32) {
	limit := c.Max
	if limit == 0 {
		limit = 32 << 20
	}
	item := &textItem{keyOf(m, text), vec}
	c.mu.Lock()
	defer c.mu.Unlock()
	if item.bytes() > limit/4 || c.items[item.key] != nil {
		return
	}
	if c.items == nil {
		c.items, c.recent = map[textKey]*list.Element{}, list.New()
	}
	c.items[item.key] = c.recent.PushFront(item)
	for c.size += item.bytes(); c.size > limit; {
		last := c.recent.Remove(c.recent.Back()).(*textItem)
		delete(c.items, last.key)
		c.size -= last.bytes()
	}
}

// Counts returns how many texts were found and how many had to be encoded.
func (c *TextCache) Counts() (hits, misses int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hits, c.misses
}

// maxKept is how many texts a statement may have for them to be kept in the
// store: phrases to search for come by ones and twos, captions to be stored in a
// column by the thousand.
const maxKept = 16

// kept returns what the store has of some texts; nil for the others.
func (c *TextCache) kept(m encoder.Model, texts []string) [][]float32 {
	if c.Store == nil || c.Max < 0 || m.Hash == "" || len(texts) > maxKept {
		return make([][]float32, len(texts))
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		out[i] = c.Store.Prompt(m.Hash, t, m.Dim)
	}
	return out
}

// keep puts freshly encoded texts into the store.
func (c *TextCache) keep(m encoder.Model, texts []string, vecs [][]float32) {
	if c.Store != nil && c.Max >= 0 && m.Hash != "" && len(texts) <= maxKept {
		c.Store.KeepPrompts(m.Hash, texts, vecs)
	}
}
