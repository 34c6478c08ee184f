package tokenizer

import "unicode/utf8"

// wordPiece is BERT's vocabulary: a word is cut from left to right into the longest
// tokens there are.
type wordPiece struct {
	ids    map[string]int64
	unk    int64
	prefix string // of tokens inside a word
	max    int    // characters; a longer word is unknown
	long   int    // bytes of the longest token
}

// The reference's defaults.
const (
	wordPiecePrefix = "##"
	wordPieceMax    = 100
)

func newWordPiece(ids map[string]int64, unk int64, prefix string, limit int) *wordPiece {
	w := &wordPiece{ids: ids, unk: unk, prefix: prefix, max: limit}
	for t := range ids {
		w.long = max(w.long, len(t))
	}
	return w
}

func (w *wordPiece) find(token string) (int64, bool) {
	id, ok := w.ids[token]
	return id, ok
}

// append appends the ids of a word, or the one for an unknown word where a part of
// it is not in the vocabulary.
func (w *wordPiece) append(dst []int64, word string) []int64 {
	if utf8.RuneCountInString(word) > w.max {
		return append(dst, w.unk)
	}
	from := len(dst)
	buf := make([]byte, 0, w.long+len(w.prefix)+utf8.UTFMax)
	for at := 0; at < len(word); {
		buf = buf[:0]
		if at > 0 {
			buf = append(buf, w.prefix...)
		}
		head := len(buf)
		buf = append(buf, word[at:min(len(word), at+w.long)]...)
		found := false
		for end := len(buf); end > head; end-- {
			if at+end-head < len(word) && !utf8.RuneStart(word[at+end-head]) {
				continue
			}
			if id, ok := w.ids[string(buf[:end])]; ok {
				dst = append(dst, id)
				at += end - head
				found = true
				break
			}
		}
		if !found {
			return append(dst[:from], w.unk)
		}
	}
	return dst
}
