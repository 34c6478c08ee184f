package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Query says which texts match. It is one of Word, Phrase, Near, Term, And, Or, Not and In.
type Query interface{ query() }

type (
	// Word is a word, of which only the beginning is given if it is a prefix.
	Word struct {
		Text   string
		Prefix bool
	}
	// Phrase is words that follow each other.
	Phrase struct {
		Text   string
		Prefix bool // of the last word only the beginning is given
	}
	// Near is words and phrases of which one of each is in one place: from the end of any of them to
	// the beginning of the last there are at most Within other words.
	Near struct {
		Of     []Phrase
		Within int
	}
	And []Query // all of them
	Or  []Query // one of them
	// Term is a term as an index has it.
	Term string
	// Not is what With matches and Without does not.
	Not struct{ With, Without Query }
	// In looks for a query in some columns only, of those that are searched.
	In struct {
		Columns []string
		Of      Query
	}
)

func (Word) query()   {}
func (Phrase) query() {}
func (Term) query()   {}
func (And) query()    {}
func (Or) query()     {}
func (Not) query()    {}
func (In) query()     {}
func (Near) query()   {}

// QueryError says what is wrong with a query, and where.
type QueryError struct {
	Query string
	At    int // byte of the query
	Msg   string
	Hint  string
}

func (e *QueryError) Error() string {
	at := utf8.RuneCountInString(e.Query[:min(e.At, len(e.Query))]) + 1
	s := fmt.Sprintf("%s at character %d of the query %q", e.Msg, at, e.Query)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// maxDepth bounds nested parentheses.
const maxDepth = 100

// ParseQuery reads a query: words, of which all must be there; "phrases"; prefix*; -excluded;
// OR between alternatives; parentheses. OR binds less than words that stand beside each other.
// NEAR(words and "phrases", 5) is for what stands close together, 10 words apart at most if no number is given.
// A filter, column: or {column column}:, holds for the word, phrase or parenthesis after it; its
// names are among columns, those that are searched, exactly or but for case.
// The error is a *QueryError. A query without any word is nil, which matches nothing.
func ParseQuery(s string, columns []string) (Query, error) {
	p := &queryParser{src: s, columns: columns}
	q, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(s) {
		return nil, p.failAt(p.at, "a closing parenthesis without an opening one", "put it in quotes to look for the text")
	}
	return q, nil
}

// Forgive reads what somebody typed into a search box: what ParseQuery refuses is read as
// well as it goes, and no text is an error. A colon is part of a text there, not of a filter.
func Forgive(s string) Query {
	p := &queryParser{src: s, forgiving: true}
	var all And
	for p.at < len(s) {
		q, _ := p.or(0)
		if q != nil {
			all = append(all, q)
		}
		if p.space(); p.at < len(s) {
			p.at++ // a parenthesis without another
		}
	}
	return both(all)
}

func both(all And) Query {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

type queryParser struct {
	src       string
	at        int
	forgiving bool
	columns   []string
}

func (p *queryParser) failAt(at int, msg, hint string) error {
	return &QueryError{p.src, at, msg, hint}
}

func (p *queryParser) space() {
	for p.at < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.at:])
		if !unicode.IsSpace(r) {
			return
		}
		p.at += n
	}
}

// isOr reports whether the word OR stands here, and steps over it.
func (p *queryParser) isOr() bool {
	rest := p.src[p.at:]
	if !strings.HasPrefix(rest, "OR") {
		return false
	}
	if r, _ := utf8.DecodeRuneInString(rest[2:]); len(rest) > 2 && !unicode.IsSpace(r) && r != '(' && r != '"' && r != ')' {
		return false
	}
	p.at += 2
	return true
}

func (p *queryParser) or(depth int) (Query, error) {
	var any Or
	for {
		q, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		at := p.at
		more := p.isOr()
		if q == nil && !p.forgiving && (more || len(any) > 0) {
			return nil, p.failAt(at, "OR without words on both sides", `"OR" in quotes, or in lower case, is the word`)
		}
		if q != nil {
			any = append(any, q)
		}
		if more {
			continue
		}
		switch len(any) {
		case 0:
			return nil, nil
		case 1:
			return any[0], nil
		}
		return any, nil
	}
}

// and reads up to OR, a closing parenthesis or the end.
func (p *queryParser) and(depth int) (Query, error) {
	var with And
	var without Or
	start := p.at
	for {
		p.space()
		if p.at == len(p.src) || p.src[p.at] == ')' {
			break
		}
		if at := p.at; p.isOr() {
			p.at = at
			break
		}
		excluded := false
		at := p.at
		for p.at < len(p.src) && (p.src[p.at] == '-' || p.src[p.at] == '+') {
			excluded = p.src[p.at] == '-'
			p.at++
		}
		q, err := p.one(depth)
		if err != nil {
			return nil, err
		}
		switch {
		case q == nil:
			if excluded && !p.forgiving && p.at == at+1 {
				return nil, p.failAt(at, "nothing to exclude after -", "put it in quotes to look for the text")
			}
		case excluded:
			without = append(without, q)
		default:
			with = append(with, q)
		}
	}
	q := both(with)
	if len(without) == 0 {
		return q, nil
	}
	if q == nil {
		if p.forgiving {
			return nil, nil
		}
		return nil, p.failAt(start, "only excluded words", "say what to look for as well, or write NOT match(...)")
	}
	if len(without) == 1 {
		return Not{q, without[0]}, nil
	}
	return Not{q, without}, nil
}

// one reads a word, a phrase or what is in parentheses; nil for what has no word in it.
func (p *queryParser) one(depth int) (Query, error) {
	if p.at == len(p.src) {
		return nil, nil
	}
	if !p.forgiving {
		if names, err := p.filter(); err != nil {
			return nil, err
		} else if names != nil {
			return p.in(names, depth)
		}
		if at := p.at; p.isNear() {
			return p.near(at)
		}
	}
	switch p.src[p.at] {
	case '(':
		at := p.at
		p.at++
		if depth == maxDepth {
			if !p.forgiving {
				return nil, p.failAt(at, fmt.Sprintf("more than %d parentheses within each other", maxDepth), "")
			}
			return nil, nil
		}
		q, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if p.at < len(p.src) && p.src[p.at] == ')' {
			p.at++
		} else if !p.forgiving {
			return nil, p.failAt(at, "a parenthesis that is not closed", "put it in quotes to look for the text")
		}
		if q == nil && !p.forgiving {
			return nil, p.failAt(at, "nothing between parentheses", "")
		}
		return q, nil
	case '"':
		at := p.at
		p.at++
		end := strings.IndexByte(p.src[p.at:], '"')
		if end < 0 {
			if !p.forgiving {
				return nil, p.failAt(at, "a quote that is not closed", "a phrase stands between two \"")
			}
			end = len(p.src) - p.at
		}
		text := p.src[p.at : p.at+end]
		p.at = min(p.at+end+1, len(p.src))
		q := Phrase{Text: text}
		if p.at < len(p.src) && p.src[p.at] == '*' {
			q.Prefix = true
			p.at++
		}
		if strings.TrimSpace(text) == "" {
			if p.forgiving {
				return nil, nil
			}
			return nil, p.failAt(at, "a phrase without words", "")
		}
		return q, nil
	}
	start := p.at
	for p.at < len(p.src) {
		r, n := utf8.DecodeRuneInString(p.src[p.at:])
		if unicode.IsSpace(r) || r == '"' || r == '(' || r == ')' {
			break
		}
		p.at += n
	}
	w := p.src[start:p.at]
	if w == "" {
		return nil, nil
	}
	word := strings.TrimRight(w, "*")
	if word == "" {
		if p.forgiving {
			return nil, nil
		}
		return nil, p.failAt(start, "* without the beginning of a word", "")
	}
	return Word{word, len(word) < len(w)}, nil
}

// Format writes a query as ParseQuery reads it, "" for none.
func Format(q Query) string {
	switch q := q.(type) {
	case Word:
		if strings.ContainsAny(q.Text, `"():`) || strings.HasPrefix(q.Text, "{") || strings.HasPrefix(q.Text, "-") || strings.HasPrefix(q.Text, "+") || strings.HasSuffix(q.Text, "*") || q.Text == "OR" || q.Text == "NEAR" || strings.ContainsFunc(q.Text, unicode.IsSpace) {
			return Format(Phrase(q))
		}
		if q.Prefix {
			return q.Text + "*"
		}
		return q.Text
	case Term:
		return Format(Word{Text: string(q)})
	case Phrase:
		s := `"` + strings.ReplaceAll(q.Text, `"`, " ") + `"`
		if q.Prefix {
			s += "*"
		}
		return s
	case And:
		parts := make([]string, len(q))
		for i, p := range q {
			parts[i] = nested(p)
		}
		return strings.Join(parts, " ")
	case Or:
		parts := make([]string, len(q))
		for i, p := range q {
			parts[i] = nested(p)
		}
		return strings.Join(parts, " OR ")
	case Not:
		return nested(q.With) + " -" + nested(q.Without)
	case Near:
		return formatNear(q)
	case In:
		return formatFilter(q.Columns) + " " + nested(q.Of)
	}
	return ""
}

func nested(q Query) string {
	switch q.(type) {
	case Word, Phrase, Near, Term, In:
		return Format(q)
	}
	return "(" + Format(q) + ")"
}
