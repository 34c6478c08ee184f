package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
)

// Chunk is a part of a text: the bytes from From up to To.
type Chunk struct{ From, To int }

// Chunks cuts a text into parts of size words, each of which begins with the last overlap
// words of the one before. A word is one of Unicode (UAX 29) with a letter or a digit in it;
// what stands between words goes with the one before, up to a space, or else with the one
// behind. The size is at least 1, the overlap less than it.
func Chunks(s string, size, overlap int) []Chunk {
	spans := wordSpans(s)
	var out []Chunk
	for at := 0; at < len(spans); at += size - overlap {
		end := min(at+size, len(spans))
		out = append(out, Chunk{spans[at].From, spans[end-1].To})
		if end == len(spans) {
			break
		}
	}
	return out
}

// ChunksOf is Chunks where count says how large a text is, in tokens of a model say: parts end
// between words, unless a word is larger than size. The overlap is of about that size.
func ChunksOf(s string, size, overlap int, count func(string) (int, error)) ([]Chunk, error) {
	spans := wordSpans(s)
	empty, err := count("")
	if err != nil {
		return nil, err
	}
	// What words take one by one is about what they take together.
	upTo := make([]int, len(spans)+1)
	for i, w := range spans {
		n, err := count(s[w.From:w.To])
		if err != nil {
			return nil, err
		}
		upTo[i+1] = upTo[i] + max(1, n-empty)
	}
	fits := func(from, to int) (bool, error) {
		n, err := count(s[from:to])
		return n <= size, err
	}
	var out []Chunk
	for at, last := 0, 0; at < len(spans); {
		end := at + 1
		for end < len(spans) && upTo[end+1]-upTo[at]+empty <= size {
			end++
		}
		ok, err := fits(spans[at].From, spans[end-1].To)
		for err == nil && !ok && end > at+1 {
			end--
			ok, err = fits(spans[at].From, spans[end-1].To)
		}
		if err != nil {
			return nil, err
		}
		if !ok { // one word
			parts, err := cutWord(s, spans[at], fits)
			if err != nil {
				return nil, err
			}
			out = append(out, parts...)
			at++
			last = at
			continue
		}
		for end < len(spans) {
			more, err := fits(spans[at].From, spans[end].To)
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			end++
		}
		if end <= last { // the next word does not fit behind what overlaps
			at = last
			continue
		}
		out = append(out, Chunk{spans[at].From, spans[end-1].To})
		if last = end; end == len(spans) {
			break
		}
		next := end
		for next-1 > at && upTo[end]-upTo[next-1] <= overlap {
			next--
		}
		at = next
	}
	return out, nil
}

// cutWord cuts a word that does not fit between characters.
func cutWord(s string, w Chunk, fits func(from, to int) (bool, error)) ([]Chunk, error) {
	var out []Chunk
	for from := w.From; from < w.To; {
		_, n := utf8.DecodeRuneInString(s[from:])
		low, high := from+n, w.To // low is taken whether it fits or not
		for low < high {
			mid := low + (high-low+1)/2
			for mid < high && !utf8.RuneStart(s[mid]) {
				mid++
			}
			ok, err := fits(from, mid)
			if err != nil {
				return nil, err
			}
			if ok {
				low = mid
				continue
			}
			mid = low + (high-low+1)/2 - 1
			for mid > low && !utf8.RuneStart(s[mid]) {
				mid--
			}
			high = mid
		}
		out = append(out, Chunk{from, low})
		from = low
	}
	return out, nil
}

// wordSpans are the words of a text, with what goes with each of them.
func wordSpans(s string) []Chunk {
	var out []Chunk
	it := words.FromString(s)
	open := 0      // where what belongs to the next word begins
	signs := false // there are some already
	for it.Next() {
		from, to := it.Start(), it.End()
		seg := s[from:to]
		if !isWord(seg) {
			bare := strings.TrimLeftFunc(seg, unicode.IsSpace)
			if !signs {
				open = to - len(bare)
			}
			switch {
			case bare == "":
			case len(bare) == len(seg) && len(out) > 0 && out[len(out)-1].To == from:
				out[len(out)-1].To, open = to, to
			default:
				signs = true
			}
			continue
		}
		out = append(out, Chunk{open, to})
		open, signs = to, false
	}
	// Signs behind the last word go with it; without any word they are one.
	if end := len(strings.TrimRightFunc(s, unicode.IsSpace)); len(out) > 0 {
		out[len(out)-1].To = max(out[len(out)-1].To, end)
	} else if first := len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace)); first < end {
		out = append(out, Chunk{first, end})
	}
	return out
}

func isWord(seg string) bool {
	for _, r := range seg {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return true
		}
	}
	return false
}
