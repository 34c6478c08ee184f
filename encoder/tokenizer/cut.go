package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A matcher finds the next match in s: where it begins and ends, or -1 when there is
// none. Matches are not empty.
type matcher func(s string) (from, to int)

// behaviours of a Split, named as in tokenizer.json.
const (
	removed      = "Removed"
	isolated     = "Isolated"
	withPrevious = "MergedWithPrevious"
	withNext     = "MergedWithNext"
	contiguous   = "Contiguous"
)

// splitter cuts at every match, and does with it what the behaviour says. With invert
// what lies between matches counts as a match, and the matches as what lies between.
func splitter(match matcher, behaviour string, invert bool) (cutter, error) {
	switch behaviour {
	case removed, isolated, withPrevious, withNext, contiguous:
	default:
		return nil, fmt.Errorf("the behavior %q is not supported (Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous are)", behaviour)
	}
	return func(part string, _ bool) []string {
		type span struct {
			text  string
			match bool
		}
		var spans []span
		for part != "" {
			from, to := match(part)
			if from < 0 {
				spans = append(spans, span{part, invert})
				break
			}
			if from > 0 {
				spans = append(spans, span{part[:from], invert})
			}
			spans = append(spans, span{part[from:to], !invert})
			part = part[to:]
		}
		var out []string
		pending := "" // matches that wait for what follows them
		last := false // what came before was a match
		for _, s := range spans {
			switch {
			case behaviour == removed && s.match:
			case behaviour == withPrevious && s.match && !last && len(out) > 0:
				out[len(out)-1] += s.text
			case behaviour == contiguous && s.match && last:
				out[len(out)-1] += s.text
			case behaviour == withNext && s.match:
				if pending != "" {
					out = append(out, pending)
				}
				pending = s.text
			default:
				out = append(out, pending+s.text)
				pending = ""
			}
			last = s.match
		}
		if pending != "" {
			out = append(out, pending)
		}
		return out
	}, nil
}

// literal matches a text.
func literal(text string) matcher {
	return func(s string) (int, int) {
		i := strings.Index(s, text)
		return i, i + len(text)
	}
}

// each matches one character of a class.
func each(class func(rune) bool) matcher {
	return func(s string) (int, int) {
		i := strings.IndexFunc(s, class)
		if i < 0 {
			return -1, -1
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		return i, i + n
	}
}

// notBeforeWord is the end of the patterns that GPT-2's tokenizer and its successors
// cut texts with: white space up to a word, but for its last character, which belongs
// to the word. Go's regular expressions can't look ahead, so it is matched by hand.
const notBeforeWord = `|\s+(?!\S)|\s+`

// pattern matches a regular expression of tokenizer.json.
func pattern(re string) (matcher, error) {
	if head, ok := strings.CutSuffix(re, notBeforeWord); ok {
		c, err := compile(head)
		if err != nil {
			return nil, err
		}
		return lookAhead(c), nil
	}
	c, err := compile(re)
	if err != nil {
		return nil, err
	}
	return func(s string) (int, int) {
		for at := 0; at <= len(s); {
			m := c.FindStringIndex(s[at:])
			if m == nil {
				return -1, -1
			}
			if m[1] > m[0] {
				return at + m[0], at + m[1]
			}
			_, n := utf8.DecodeRuneInString(s[at+m[0]:])
			at += m[0] + max(n, 1)
		}
		return -1, -1
	}, nil
}

// lookAhead matches head, or else white space as notBeforeWord says.
func lookAhead(head *regexp.Regexp) matcher {
	return func(s string) (int, int) {
		from, to := len(s), len(s)
		if m := head.FindStringIndex(s); m != nil && m[1] > m[0] {
			from, to = m[0], m[1]
		}
		// White space before it comes first.
		i := strings.IndexFunc(s, isSpace)
		if i < 0 || i >= from {
			if from == len(s) {
				return -1, -1
			}
			return from, to
		}
		end, size := i, 0 // end of the white space, size of its last character
		for _, r := range s[i:] {
			if !isSpace(r) {
				break
			}
			size = utf8.RuneLen(r)
			end += size
		}
		if end < len(s) && end-size > i {
			end -= size
		}
		return i, end
	}
}

// isSpace is \s: Unicode's white space.
func isSpace(r rune) bool { return unicode.IsSpace(r) }

// gpt2 is the pattern that byte-level tokenizers cut texts with.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+` + notBeforeWord

// byteLevel makes every byte of a part a visible character, as GPT-2 does.
func byteLevel(prefixSpace bool, cut cutter) cutter {
	var table [256]string
	next := rune(256)
	for b := range table {
		r := rune(b)
		if !('!' <= r && r <= '~' || '¡' <= r && r <= '¬' || '®' <= r && r <= 'ÿ') {
			r = next
			next++
		}
		table[b] = string(r)
	}
	return func(part string, first bool) []string {
		if prefixSpace && !strings.HasPrefix(part, " ") {
			part = " " + part
		}
		parts := []string{part}
		if cut != nil {
			parts = cut(part, first)
		}
		for i, p := range parts {
			var b strings.Builder
			for k := range len(p) {
				b.WriteString(table[p[k]])
			}
			parts[i] = b.String()
		}
		return parts
	}
}
