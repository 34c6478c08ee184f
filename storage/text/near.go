package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// defaultWithin is the distance of NEAR without a number, that of FTS5; mostWithin the largest.
const (
	defaultWithin = 10
	mostWithin    = 1 << 20
)

const nearHint = `NEAR(grey "snow leopard" cast*, 5) finds words and phrases at most 5 words apart`

// isNear reports whether NEAR( stands here, and steps over it.
func (p *queryParser) isNear() bool {
	start := p.at
	if !strings.HasPrefix(p.src[start:], "NEAR") {
		return false
	}
	p.at += len("NEAR")
	if p.space(); p.at < len(p.src) && p.src[p.at] == '(' {
		p.at++
		return true
	}
	p.at = start
	return false
}

// near reads what NEAR has in its parentheses.
func (p *queryParser) near(start int) (Query, error) {
	q := Near{Within: defaultWithin}
	for {
		p.space()
		at := p.at
		if at == len(p.src) {
			return nil, p.failAt(start, "a parenthesis of NEAR that is not closed", nearHint)
		}
		switch c := p.src[at]; {
		case c == ')':
			p.at++
			if len(q.Of) < 2 {
				return nil, p.failAt(start, "NEAR of less than two words or phrases", nearHint)
			}
			return q, nil
		case c == ',':
			p.at++
			p.space()
			digits := p.at
			for p.at < len(p.src) && '0' <= p.src[p.at] && p.src[p.at] <= '9' {
				p.at++
			}
			n, err := strconv.Atoi(p.src[digits:p.at])
			if err != nil || n > mostWithin {
				return nil, p.failAt(digits, fmt.Sprintf("the distance of NEAR is no number from 0 to %d", mostWithin), nearHint)
			}
			if p.space(); p.at < len(p.src) && p.src[p.at] != ')' {
				return nil, p.failAt(p.at, "the distance of NEAR comes last", nearHint)
			}
			q.Within = n
			continue
		case c == '(' || c == '-' || c == '+':
			return nil, p.failAt(at, fmt.Sprintf("NEAR takes words and phrases, not %c", c), nearHint)
		}
		if or := p.isOr(); or {
			return nil, p.failAt(at, "NEAR takes words and phrases, not OR", `"OR" in quotes, or in lower case, is the word`)
		}
		if names, err := p.filter(); names != nil || err != nil {
			return nil, p.failAt(at, "NEAR takes words and phrases, not columns", "column: NEAR(...) looks in a column; put what has a colon in quotes")
		}
		part, err := p.nearPart()
		if err != nil {
			return nil, err
		}
		q.Of = append(q.Of, part)
	}
}

// nearPart reads a word, which ends at a comma, too, or a phrase.
func (p *queryParser) nearPart() (Phrase, error) {
	if p.src[p.at] == '"' {
		q, err := p.one(0)
		if err != nil {
			return Phrase{}, err
		}
		return q.(Phrase), nil
	}
	start := p.at
	for p.at < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.at:])
		if unicode.IsSpace(r) || strings.ContainsRune(`"(),`, r) {
			break
		}
		p.at += n
	}
	w := p.src[start:p.at]
	word := strings.TrimRight(w, "*")
	if word == "" {
		return Phrase{}, p.failAt(start, "* without the beginning of a word", "")
	}
	return Phrase{word, len(word) < len(w)}, nil
}

func formatNear(q Near) string {
	var b strings.Builder
	b.WriteString("NEAR(")
	for i, p := range q.Of {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Format(p))
	}
	fmt.Fprintf(&b, ", %d)", q.Within)
	return b.String()
}
