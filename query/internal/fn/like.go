package fn

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// pattern is a LIKE pattern taken apart at its percent signs: the parts have to
// occur one after the other, the first at the start and the last at the end.
type pattern struct {
	parts []part
	plain plainLike
	text  string // of a plain pattern
}

// plainLike is a pattern that package strings has a function for.
type plainLike uint8

const (
	notPlain plainLike = iota
	equals
	prefix
	suffix
	contains
)

// part is what stands between two percent signs: pieces of plain text, with one
// arbitrary character between each and the next.
type part []string

// newPattern parses a LIKE pattern. escape is the character before %, _ and
// itself that takes away its meaning; 0 for none.
func newPattern(s string, escape rune) (*pattern, error) {
	p := &pattern{}
	var cur part
	var text strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		raw := s[:size]
		s = s[size:]
		switch {
		case escape != 0 && r == escape:
			if s == "" {
				return nil, fmt.Errorf("LIKE: the pattern ends with the escape character %q; double it to mean itself", escape)
			}
			_, size := utf8.DecodeRuneInString(s)
			text.WriteString(s[:size])
			s = s[size:]
		case r == '%':
			p.parts = append(p.parts, append(cur, text.String()))
			cur = nil
			text.Reset()
		case r == '_':
			cur = append(cur, text.String())
			text.Reset()
		default:
			text.WriteString(raw)
		}
	}
	p.parts = append(p.parts, append(cur, text.String()))
	p.simplify()
	return p, nil
}

// simplify finds out whether the pattern is plain.
func (p *pattern) simplify() {
	for _, part := range p.parts {
		if len(part) > 1 {
			return
		}
	}
	switch first, last := p.parts[0][0], p.parts[len(p.parts)-1][0]; {
	case len(p.parts) == 1:
		p.plain, p.text = equals, first
	case len(p.parts) == 2 && last == "":
		p.plain, p.text = prefix, first
	case len(p.parts) == 2 && first == "":
		p.plain, p.text = suffix, last
	case len(p.parts) == 3 && first == "" && last == "":
		p.plain, p.text = contains, p.parts[1][0]
	}
}

// matchAt reports whether the part matches at the start of s, and how long.
func (p part) matchAt(s string) (n int, ok bool) {
	for i, text := range p {
		if i > 0 {
			if n == len(s) {
				return 0, false
			}
			_, size := utf8.DecodeRuneInString(s[n:])
			n += size
		}
		if !strings.HasPrefix(s[n:], text) {
			return 0, false
		}
		n += len(text)
	}
	return n, true
}

func (p *pattern) match(s string) bool {
	switch p.plain {
	case equals:
		return s == p.text
	case prefix:
		return strings.HasPrefix(s, p.text)
	case suffix:
		return strings.HasSuffix(s, p.text)
	case contains:
		return strings.Contains(s, p.text)
	}
	n, ok := p.parts[0].matchAt(s)
	if !ok {
		return false
	}
	last := len(p.parts) - 1
	if last == 0 {
		return n == len(s)
	}
	s = s[n:]
	for _, part := range p.parts[1:last] {
		if s, ok = part.after(s); !ok {
			return false
		}
	}
	return p.parts[last].atEnd(s)
}

// after returns what follows the first place of s where the part matches.
func (p part) after(s string) (rest string, ok bool) {
	if len(p) == 1 {
		at := strings.Index(s, p[0])
		if at < 0 {
			return "", false
		}
		return s[at+len(p[0]):], true
	}
	for {
		if p[0] != "" {
			at := strings.Index(s, p[0])
			if at < 0 {
				return "", false
			}
			s = s[at:]
		}
		if n, ok := p.matchAt(s); ok {
			return s[n:], true
		}
		if s == "" {
			return "", false
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
}

// atEnd reports whether the part matches the end of s.
func (p part) atEnd(s string) bool {
	end := len(s)
	for i := len(p) - 1; i >= 0; i-- {
		if !strings.HasSuffix(s[:end], p[i]) {
			return false
		}
		end -= len(p[i])
		if i > 0 {
			if end == 0 {
				return false
			}
			_, size := utf8.DecodeLastRuneInString(s[:end])
			end -= size
		}
	}
	return true
}

// likeKernel is LIKE and, with fold, ILIKE; the optional third argument is the
// escape character (backslash without one).
func likeKernel(fold bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var compiled *pattern
		var from, fromEscape string
		texts, step := args[0].Strs, args[0].step()
		fixed := args[1].Const && (len(args) == 2 || args[2].Const)
		if fixed && !fold && sel == nil && args[0].Joined != "" && args[0].Codes == nil && !args[0].Const {
			escape := `\`
			if len(args) == 3 {
				escape = args[2].Strs[0]
			}
			if text := containedText(args[1].Strs[0], escape); text != "" {
				matchJoined(args[0].Joined, texts[:n], text, out.Bools[:n])
				return nil
			}
		}
		for _, i := range fullSel(n, sel) {
			i := int(i)
			if fixed && compiled != nil && !fold {
				out.Bools[i] = compiled.match(texts[i*step])
				continue
			}
			pat, escape := args[1].Strs[i*args[1].step()], `\`
			if len(args) == 3 {
				escape = args[2].Strs[i*args[2].step()]
			}
			if compiled == nil || pat != from || escape != fromEscape {
				var r rune
				if escape != "" {
					var size int
					if r, size = utf8.DecodeRuneInString(escape); size != len(escape) {
						return fmt.Errorf("ESCAPE takes one character, not %q", escape)
					}
				}
				text := pat
				if fold {
					text = strings.ToLower(pat)
				}
				var err error
				if compiled, err = newPattern(text, r); err != nil {
					return err
				}
				from, fromEscape = pat, escape
			}
			s := args[0].Strs[i*args[0].step()]
			if fold {
				s = strings.ToLower(s)
			}
			out.Bools[i] = compiled.match(s)
		}
		return nil
	}
}

// containedText returns the text that a pattern like %text% looks for, else "".
func containedText(pat, escape string) string {
	if len(pat) < 3 || strings.Contains(pat, escape) || pat[0] != '%' || pat[len(pat)-1] != '%' || strings.ContainsAny(pat[1:len(pat)-1], "%_") {
		return ""
	}
	return pat[1 : len(pat)-1]
}

// matchJoined tells which of the texts, which are joined one after the other,
// contain s: it is looked for in all at once.
func matchJoined(joined string, texts []string, s string, out []bool) {
	clear(out)
	end, row := 0, -1 // texts up to row end there
	for at := 0; ; {
		next := strings.Index(joined[at:], s)
		if next < 0 {
			return
		}
		at += next
		for end <= at {
			row++
			end += len(texts[row])
		}
		if at+len(s) <= end {
			out[row] = true
			at = end
		} else { // over the border of two
			at++
		}
	}
}

// LikeTexts returns what every text has to contain that matches a LIKE pattern, with fold an
// ILIKE pattern: in this, or another, case. escape is a character, or "".
func LikeTexts(pat, escape string, fold bool) []string {
	r, size := utf8.DecodeRuneInString(escape)
	if escape == "" {
		r = 0
	} else if size != len(escape) {
		return nil
	}
	if fold {
		pat = strings.ToLower(pat)
	}
	p, err := newPattern(pat, r)
	if err != nil {
		return nil
	}
	var out []string
	for _, part := range p.parts {
		for _, s := range part {
			if s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}
