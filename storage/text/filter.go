package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// filter reads a filter, and steps over it; its names are nil where none stands. Other than in
// FTS5 a - before it excludes what follows, as it does everywhere in a query.
func (p *queryParser) filter() (names []string, err error) {
	start := p.at
	if p.src[p.at] != '{' {
		name, ok := p.name()
		if ok && p.colon() {
			if name, err = p.column(name, start); err != nil {
				return nil, err
			}
			return []string{name}, nil
		}
		p.at = start
		return nil, nil
	}
	p.at++
	for {
		p.space()
		at := p.at
		if at < len(p.src) && p.src[at] == '}' {
			p.at++
			break
		}
		name, ok := p.name()
		if !ok {
			return nil, p.failAt(at, "the name of a column, or }, is missing", `columns stand as {a "b c"}: before what is looked for in them; put it in quotes to look for the text`)
		}
		if name, err = p.column(name, at); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, p.failAt(start, "no columns between { and }", "put it in quotes to look for the text")
	}
	if !p.colon() {
		return nil, p.failAt(p.at, "a colon is missing after }", `columns stand as {a "b c"}: before what is looked for in them`)
	}
	return names, nil
}

// name reads the name of a column: letters, digits and _, or anything in quotes.
func (p *queryParser) name() (string, bool) {
	rest := p.src[p.at:]
	if !strings.HasPrefix(rest, `"`) {
		n := strings.IndexFunc(rest, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
		})
		if n < 0 {
			n = len(rest)
		}
		if r, _ := utf8.DecodeRuneInString(rest); n == 0 || unicode.IsDigit(r) || unicode.IsMark(r) { // as in 10:30
			return "", false
		}
		p.at += n
		return rest[:n], true
	}
	for i := 1; i < len(rest); i++ {
		if rest[i] != '"' {
			continue
		}
		if i+1 < len(rest) && rest[i+1] == '"' {
			i++
			continue
		}
		p.at += i + 1
		return strings.ReplaceAll(rest[1:i], `""`, `"`), true
	}
	return "", false
}

func (p *queryParser) colon() bool {
	p.space()
	if p.at == len(p.src) || p.src[p.at] != ':' {
		return false
	}
	p.at++
	return true
}

// column finds the column that a name at a place means.
func (p *queryParser) column(name string, at int) (string, error) {
	if slices.Contains(p.columns, name) {
		return name, nil
	}
	for _, c := range p.columns {
		if strings.EqualFold(c, name) {
			return c, nil
		}
	}
	hint := "put it in quotes with its colon to look for the text"
	const most = 10
	if len(p.columns) > 0 {
		searched := make([]string, 0, most)
		for _, c := range p.columns[:min(len(p.columns), most)] {
			searched = append(searched, formatName(c))
		}
		if n := len(p.columns) - most; n > 0 {
			searched = append(searched, fmt.Sprintf("%d more", n))
		}
		hint = fmt.Sprintf("searched: %s; or %s", strings.Join(searched, ", "), hint)
	}
	return "", p.failAt(at, "unknown column "+formatName(name), hint)
}

// in reads what a filter is for.
func (p *queryParser) in(names []string, depth int) (Query, error) {
	if p.space(); p.at < len(p.src) && p.src[p.at] == '-' {
		return nil, p.failAt(p.at, "an excluded word after the name of a column", "the - stands before the name: -column: word")
	}
	at := p.at
	if depth == maxDepth {
		return nil, p.failAt(at, fmt.Sprintf("more than %d filters and parentheses within each other", maxDepth), "")
	}
	or := p.isOr()
	p.at = at
	all := p.columns
	p.columns = names
	defer func() { p.columns = all }()
	var q Query
	if !or {
		var err error
		if q, err = p.one(depth + 1); err != nil {
			return nil, err
		}
	}
	if q == nil {
		return nil, p.failAt(at, "nothing to look for after the name of a column", "")
	}
	return In{names, q}, nil
}

func formatFilter(names []string) string {
	if len(names) == 1 {
		return formatName(names[0]) + ":"
	}
	s := make([]string, len(names))
	for i, n := range names {
		s[i] = formatName(n)
	}
	return "{" + strings.Join(s, " ") + "}:"
}

func formatName(s string) string {
	p := &queryParser{src: s}
	if _, ok := p.name(); ok && p.at == len(s) && !strings.HasPrefix(s, `"`) && s != "OR" {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
