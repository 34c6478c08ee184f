package parse

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Window is what OVER says: the name of a window of the WINDOW clause, or a definition.
type Window struct {
	Pos
	Name      Ident // OVER w, or what a definition in parentheses begins with; zero: none
	Paren     bool  // a definition; else Name alone
	Partition []Expr
	OrderBy   []OrderItem
	Frame     *Frame // nil: none
}

// NamedWindow is name AS (definition) of the WINDOW clause.
type NamedWindow struct {
	Pos
	Name   Ident
	Window *Window
}

// Frame is the frame of a window: ROWS BETWEEN ... AND ... EXCLUDE ...
type Frame struct {
	Pos
	Unit       FrameUnit
	Start, End FrameBound
	Exclude    FrameExclude
}

// FrameUnit is what a frame counts.
type FrameUnit uint8

// The units.
const (
	FrameRange FrameUnit = iota
	FrameRows
	FrameGroups
)

// FrameBound is where a frame begins or ends.
type FrameBound struct {
	Pos
	Kind   BoundKind
	Offset Expr // of Preceding and Following
}

// BoundKind is the kind of a FrameBound, in the order of what they mean.
type BoundKind uint8

// The kinds.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// FrameExclude is what a frame leaves out.
type FrameExclude uint8

// What may be left out.
const (
	ExcludeNothing FrameExclude = iota
	ExcludeCurrent
	ExcludeGroup
	ExcludeTies
)

// gBare is the rule of an alias without AS: a word that begins a clause is none.
type gBare struct{ gName }

// Parse implements participle.Parseable.
func (n *gBare) Parse(lex *lexer.PeekingLexer) error {
	if t := lex.Peek(); t.Type == lexWord && clauseWord(t.Value) {
		return participle.NextMatch
	}
	return n.gName.Parse(lex)
}

// aliasOf is the one of two names that was given.
func aliasOf(as *gName, bare *gBare) Ident {
	if bare != nil {
		return bare.id
	}
	return ident(as)
}

// gWindow is the rule of a definition of the WINDOW clause.
type gWindow struct {
	Pos    lexer.Position
	Name   *gName       `parser:"@@ 'AS'"`
	Window *gDefinition `parser:"@@"`
}

// gDefinition is the rule of a window's definition in parentheses.
type gDefinition struct{ window *Window }

// Parse implements participle.Parseable.
func (d *gDefinition) Parse(lex *lexer.PeekingLexer) error {
	if !is(lex.Peek(), "(") {
		return participle.NextMatch
	}
	p := exprParser{lex: lex}
	w, _, err := p.window()
	d.window = w
	return err
}

// beginsOver reports whether the next words are OVER and a window.
func beginsOver(lex stream) bool {
	return is(lex.Peek(), "OVER") && (is(peek(lex, 1), "(") || isName(peek(lex, 1)))
}

// over parses what follows OVER, which is consumed.
func (p *exprParser) over() (*Window, []sized, error) {
	if !is(p.lex.Peek(), "(") {
		id, _ := acceptName(p.lex)
		return &Window{Pos: id.Pos, Name: id}, nil, nil
	}
	return p.window()
}

// window parses a definition in parentheses.
func (p *exprParser) window() (*Window, []sized, error) {
	w := &Window{Pos: posOf(p.lex.Next().Pos), Paren: true}
	var below []sized
	word := func(i int, words ...string) bool { return isAny(peek(p.lex, i), words...) != "" }
	frame := func() bool { return word(0, "ROWS", "RANGE", "GROUPS") && !is(peek(p.lex, 1), ")") }
	if isName(p.lex.Peek()) && !(word(0, "PARTITION") && word(1, "BY")) && (!frame() || word(1, "PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS")) {
		w.Name, _ = acceptName(p.lex)
	}
	if word(0, "PARTITION") && word(1, "BY") {
		p.lex.Next()
		p.lex.Next()
		for {
			e, err := p.parse(precOr)
			if err != nil {
				return nil, nil, err
			}
			w.Partition, below = append(w.Partition, e.Expr), append(below, e)
			if !p.accept(",") {
				break
			}
		}
	}
	if p.accept("ORDER") {
		if err := p.expect("BY"); err != nil {
			return nil, nil, err
		}
		items, under, err := p.orderBy()
		if err != nil {
			return nil, nil, err
		}
		w.OrderBy, below = items, append(below, under...)
	}
	if word(0, "ROWS", "RANGE", "GROUPS") {
		under, err := p.frame(w)
		if err != nil {
			return nil, nil, err
		}
		below = append(below, under...)
	}
	if !p.accept(")") {
		return nil, nil, p.unexpected(")", "PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS")
	}
	return w, below, nil
}

// frame parses a frame.
func (p *exprParser) frame(w *Window) (below []sized, err error) {
	t := p.lex.Next()
	f := &Frame{Pos: posOf(t.Pos), Unit: FrameRows, End: FrameBound{Pos: posOf(t.Pos), Kind: CurrentRow}}
	switch {
	case is(t, "RANGE"):
		f.Unit = FrameRange
	case is(t, "GROUPS"):
		f.Unit = FrameGroups
	}
	bound := func(b *FrameBound) error {
		b.Pos = posOf(p.lex.Peek().Pos)
		switch {
		case is(p.lex.Peek(), "UNBOUNDED") && isAny(peek(p.lex, 1), "PRECEDING", "FOLLOWING") != "":
			p.lex.Next()
			b.Kind = UnboundedFollowing
			if is(p.lex.Next(), "PRECEDING") {
				b.Kind = UnboundedPreceding
			}
			return nil
		case is(p.lex.Peek(), "CURRENT") && is(peek(p.lex, 1), "ROW"):
			p.lex.Next()
			p.lex.Next()
			b.Kind = CurrentRow
			return nil
		}
		e, err := p.parse(precOther)
		if err != nil {
			return err
		}
		b.Offset, below = e.Expr, append(below, e)
		switch {
		case p.accept("PRECEDING"):
			b.Kind = Preceding
		case p.accept("FOLLOWING"):
			b.Kind = Following
		default:
			return p.unexpected("PRECEDING", "FOLLOWING")
		}
		return nil
	}
	between := p.accept("BETWEEN")
	if err := bound(&f.Start); err != nil {
		return nil, err
	}
	if between {
		if err := p.expect("AND"); err != nil {
			return nil, err
		}
		if err := bound(&f.End); err != nil {
			return nil, err
		}
	}
	switch {
	case f.Start.Kind == UnboundedFollowing:
		return nil, Errorf(f.Start.Pos, "a frame can't begin at UNBOUNDED FOLLOWING")
	case f.End.Kind == UnboundedPreceding:
		return nil, Errorf(f.End.Pos, "a frame can't end at UNBOUNDED PRECEDING")
	case f.Start.Kind > f.End.Kind:
		return nil, Errorf(f.Start.Pos, "the frame would end before it begins").WithHint("ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING")
	}
	if p.accept("EXCLUDE") {
		switch {
		case p.accept("CURRENT"):
			f.Exclude, err = ExcludeCurrent, p.expect("ROW")
		case p.accept("GROUP"):
			f.Exclude = ExcludeGroup
		case p.accept("TIES"):
			f.Exclude = ExcludeTies
		case p.accept("NO"):
			err = p.expect("OTHERS")
		default:
			err = p.unexpected("CURRENT", "GROUP", "TIES", "NO")
		}
	}
	w.Frame = f
	return below, err
}

func (c *converter) windows(gs []*gWindow) []NamedWindow {
	var out []NamedWindow
	for _, g := range gs {
		out = append(out, NamedWindow{posOf(g.Pos), ident(g.Name), g.Window.window})
	}
	return out
}

func (w *Window) String() string {
	var p printer
	p.window(w)
	return p.Builder.String()
}

func (w *NamedWindow) String() string { return w.Name.String() + " AS " + w.Window.String() }

func (p *printer) window(w *Window) {
	if !w.Paren {
		p.print(w.Name)
		return
	}
	p.print("(")
	sep := ""
	part := func(args ...any) {
		p.print(sep)
		p.print(args...)
		sep = " "
	}
	if w.Name.Name != "" {
		part(w.Name)
	}
	if len(w.Partition) > 0 {
		part("PARTITION BY ", w.Partition)
	}
	for i, it := range w.OrderBy {
		if i == 0 {
			part("ORDER BY ")
		} else {
			p.print(", ")
		}
		p.orderItem(it)
	}
	if f := w.Frame; f != nil {
		part([...]string{"RANGE", "ROWS", "GROUPS"}[f.Unit], " BETWEEN ")
		p.bound(f.Start)
		p.print(" AND ")
		p.bound(f.End)
		p.print([...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[f.Exclude])
	}
	p.print(")")
}

func (p *printer) bound(b FrameBound) {
	if b.Offset != nil {
		p.expr(b.Offset, precOther)
		p.print(" ")
	}
	p.print([...]string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}[b.Kind])
}

// Alone returns the definition without the name of the window it completes.
func (w *Window) Alone() *Window {
	c := *w
	c.Name = Ident{}
	return &c
}
