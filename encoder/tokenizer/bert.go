package tokenizer

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizer is what BERT does to a text before it is cut: control characters go,
// white space becomes spaces, Chinese characters stand alone, accents go, capitals
// become small.
func bertNormalizer(clean, chinese, accents, lowerCase bool) step {
	return func(s string) string {
		if clean {
			s = strings.Map(func(r rune) rune {
				switch {
				case r == '\t' || r == '\n' || r == '\r':
					return ' '
				case r == 0 || r == unicode.ReplacementChar || isOther(r):
					return -1
				case unicode.IsSpace(r):
					return ' '
				}
				return r
			}, s)
		}
		if chinese {
			s = spaceChinese(s)
		}
		if accents {
			s = strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return r
			}, norm.NFD.String(s))
		}
		if lowerCase {
			s = lower(s)
		}
		return s
	}
}

// isOther reports whether r is a control, format or private character.
func isOther(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs) }

// chineseBlocks are the ranges that BERT takes for Chinese characters.
var chineseBlocks = [][2]rune{
	{0x4e00, 0x9fff}, {0x3400, 0x4dbf}, {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
	{0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff}, {0x2f800, 0x2fa1f},
}

func spaceChinese(s string) string {
	is := func(r rune) bool {
		if r < 0x3400 {
			return false
		}
		for _, b := range chineseBlocks {
			if r >= b[0] && r <= b[1] {
				return true
			}
		}
		return false
	}
	if strings.IndexFunc(s, is) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if is(r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isPunctuation reports what BERT cuts words at: Unicode's punctuation, and ASCII's
// signs.
func isPunctuation(r rune) bool {
	if r < 128 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.IsPunct(r)
}

// bertCut cuts at white space, which is dropped, and around punctuation.
func bertCut(part string, _ bool) []string {
	var out []string
	for _, w := range strings.FieldsFunc(part, unicode.IsSpace) {
		start := 0
		for i, r := range w {
			if !isPunctuation(r) {
				continue
			}
			if i > start {
				out = append(out, w[start:i])
			}
			start = i + len(string(r))
			out = append(out, w[i:start])
		}
		if start < len(w) {
			out = append(out, w[start:])
		}
	}
	return out
}
