package parse

import (
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/ebnf"
)

// participle says what it expected as a rule in EBNF. From the rule, and the
// grammar's own EBNF for the productions it names, follow the words that can
// stand first: those are what a message speaks of.

// descriptions says what productions stand for, for those that are told by
// their sense rather than by the words they begin with. Empty: nothing, the
// production matches nothing or is optional.
var descriptions = map[string]string{
	"Expr":             wantExpr,
	"GItem":            wantExpr,
	"gValue":           wantExpr,
	"gGroup":           wantExpr,
	"GOrder":           wantExpr,
	"GTable":           "a table",
	"GTerm":            wantQuery,
	"gRows":            wantRow,
	"GElement":         wantName,
	"gName":            wantName,
	"gLabel":           wantName,
	"gTableName":       wantName,
	"gOwnName":         wantName,
	"gBare":            wantName,
	"gDefinition":      "(",
	"gText":            "a text in quotes",
	"gFile":            "a file's name in quotes",
	"gType":            wantType,
	"gOptionValue":     "",
	"gQueryAhead":      "",
	"gListAhead":       "",
	"gStarAhead":       "",
	"gOptionAhead":     "",
	"gConstraintAhead": "",
	"gExplains":        "",
	"gSavepoint":       "",
	"gLateral":         "",
	"gDefer":           "",
	"gTemp":            "",
	"gKept":            "",
	"GChange":          "",
	"gOnCommit":        "",
	"gSettings":        "",
	"gIfExists":        "",
	"gIfNotExists":     "",
}

var productions = sync.OnceValue(func() map[string]*ebnf.Expression {
	m := map[string]*ebnf.Expression{}
	g, err := ebnf.ParseString(grammar().statement.String())
	if err != nil {
		return m
	}
	for _, p := range g.Productions {
		m[p.Production] = p.Expression
	}
	return m
})

// wanted returns what participle would have accepted in place of a token.
func wanted(u *participle.UnexpectedTokenError) []string {
	_, rule, ok := strings.Cut(u.Message(), " (expected ")
	if !ok {
		return nil
	}
	g, err := ebnf.ParseString("Wanted = " + strings.TrimSuffix(rule, ")") + " .")
	if err != nil || len(g.Productions) != 1 {
		return nil
	}
	var f firsts
	f.expression(g.Productions[0].Expression, 0)
	return f.words
}

// firsts collects what can stand first.
type firsts struct{ words []string }

// expression adds the firsts of e and reports whether e can match nothing.
func (f *firsts) expression(e *ebnf.Expression, depth int) (empty bool) {
	for _, seq := range e.Alternatives {
		if f.sequence(seq, depth) {
			empty = true
		}
	}
	return empty
}

func (f *firsts) sequence(s *ebnf.Sequence, depth int) (empty bool) {
	for _, t := range s.Terms {
		if !f.term(t, depth) {
			return false
		}
	}
	return true
}

func (f *firsts) term(t *ebnf.Term, depth int) (empty bool) {
	switch {
	case t.Literal != "":
		f.words = append(f.words, strings.Trim(t.Literal, `"`))
	case t.Token != "":
		f.words = append(f.words, wantName)
	case t.Group != nil:
		empty = f.expression(t.Group.Expr, depth)
	default:
		if d, ok := descriptions[t.Name]; ok {
			if d != "" {
				f.words = append(f.words, d)
			}
			empty = d == ""
		} else if e := productions()[t.Name]; e != nil && depth < 20 {
			empty = f.expression(e, depth+1)
		}
	}
	return empty || t.Repetition == "?" || t.Repetition == "*"
}
