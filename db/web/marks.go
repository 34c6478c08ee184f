package web

import (
	"cmp"
	"errors"
	"io/fs"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/internal/eval"
)

// mark is what somebody says of a row that a phrase has found.
type mark struct {
	Query string `json:"q"`
	Key   string `json:"key"`
	Right *bool  `json:"right"` // null takes it back
}

type marksAnswer struct {
	Marks []mark `json:"marks"`
	File  string `json:"file"`
}

var errNoMarks = badf("this server takes no marks")

// allMarks answers with the marks on rows of a table.
func (h *Handler) allMarks(r *http.Request) (any, error) {
	if h.marks == nil {
		return nil, errNoMarks
	}
	t, err := h.table(r.Context(), r.FormValue("table"))
	if err != nil {
		return nil, err
	}
	all, err := h.marks.All(t.Name)
	if err != nil {
		return nil, err
	}
	a := marksAnswer{[]mark{}, h.marks.File()}
	for _, m := range all {
		a.Marks = append(a.Marks, mark{m.Query, m.Key, &m.Right})
	}
	return a, nil
}

// mark keeps one, or takes one back.
func (h *Handler) mark(r *http.Request) (any, error) {
	if h.marks == nil {
		return nil, errNoMarks
	}
	var asked struct {
		Table string `json:"table"`
		mark
	}
	if err := decode(r.Body, &asked); err != nil {
		return nil, err
	}
	t, err := h.table(r.Context(), asked.Table)
	if err != nil {
		return nil, err
	}
	c := column(&t, t.PrimaryKey)
	asked.Query = strings.TrimSpace(asked.Query)
	switch {
	case c == nil:
		return nil, badf("%s has no primary key, so no row can be named", t.Name)
	case asked.Query == "":
		return nil, badf("q is the phrase that has found the row, and not empty")
	}
	if _, err := literal(c, asked.Key); err != nil {
		return nil, err
	}
	if asked.Right == nil {
		err = h.marks.Clear(t.Name, asked.Query, asked.Key)
	} else {
		err = h.marks.Set(t.Name, eval.Mark{Query: asked.Query, Key: asked.Key, Right: *asked.Right})
	}
	return asked.mark, err
}

// evalAnswer is how often the first hits of prompts are right.
type evalAnswer struct {
	File    string       `json:"file"`
	Figures []evalFigure `json:"figures"` // means over all prompts
	Prompts []evalPrompt `json:"prompts"` // those whose first hit is wrong come first, the largest margin first
}

type evalFigure struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
}

// evalPrompt is what came out for a prompt.
type evalPrompt struct {
	Query string   `json:"q"`
	Right bool     `json:"right"`           // the first hit is
	First string   `json:"first,omitempty"` // its key
	Score *float64 `json:"score,omitempty"`
	Best  string   `json:"best,omitempty"` // key of the best row that is right
	// By how much the best right row is behind the first hit, and its rank; missing where no row is right.
	Margin *float64 `json:"margin,omitempty"`
	Rank   int      `json:"rank,omitempty"`
}

// eval asks all prompts of the file that are for a table.
func (h *Handler) eval(r *http.Request) (any, error) {
	if h.marks == nil {
		return nil, errNoMarks
	}
	t, err := h.table(r.Context(), r.FormValue("table"))
	if err != nil {
		return nil, err
	}
	name, err := vectorColumn(&t, r.FormValue("column"))
	if err != nil {
		return nil, err
	}
	if name == "" || column(&t, name).Encoder == "" {
		return nil, badf("%s has no column with an encoder: prompts need one to be encoded", t.Name)
	}
	if t.PrimaryKey == "" {
		return nil, badf("%s has no primary key, so no row can be named", t.Name)
	}
	target := eval.Target{Table: t, Column: *column(&t, name), Key: t.PrimaryKey}
	a := &evalAnswer{File: h.marks.File(), Figures: []evalFigure{}, Prompts: []evalPrompt{}}
	phrases, err := eval.ReadFile(h.marks.File())
	var all []eval.Prompt
	if err == nil {
		all, err = eval.Read(phrases, target, false)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, eval.ErrNoPrompts) {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	err = h.store.View(r.Context(), func(tx *db.Tx) error {
		return eval.Judge(r.Context(), tx, target, all, func(db.Progress) {})
	})
	if err != nil {
		return nil, err
	}
	_, means := eval.Means(all, "")
	for i, f := range eval.Figures() {
		a.Figures = append(a.Figures, evalFigure{f.Name, means[i]})
	}
	for i := range all {
		a.Prompts = append(a.Prompts, prompted(&all[i]))
	}
	slices.SortStableFunc(a.Prompts, func(x, y evalPrompt) int { return cmp.Compare(urgency(y), urgency(x)) })
	return a, nil
}

func prompted(p *eval.Prompt) evalPrompt {
	out := evalPrompt{Query: p.Text, Right: p.FirstRight(), Rank: p.Rank}
	if p.N > 0 {
		out.First, out.Score = p.First.String(), &p.Top
	}
	if p.Rank > 0 {
		margin := p.Top - p.BestScore
		out.Best, out.Margin = p.Best.String(), &margin
	}
	return out
}

// urgency puts prompts in order: no row is right, wrong by much, wrong by little, right.
func urgency(p evalPrompt) float64 {
	switch {
	case p.Right:
		return -1
	case p.Margin == nil:
		return math.Inf(1)
	}
	return *p.Margin
}
