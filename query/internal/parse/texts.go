package parse

// Texts gives expressions their printed form. The parts of one that it has printed
// are parts of that text, so that all of them together cost what the whole does.
type Texts struct{ of map[Expr]string }

// Of returns what e.String() does.
func (t *Texts) Of(e Expr) string {
	if s, ok := t.of[e]; ok {
		return s
	}
	type span struct {
		e        Expr
		from, to int
	}
	var spans []span
	var p printer
	p.each = func(e Expr, from int) { spans = append(spans, span{e, from, p.Len()}) }
	p.print(e)
	all := p.String()
	if t.of == nil {
		t.of = make(map[Expr]string, len(spans))
	}
	for _, s := range spans {
		t.of[s.e] = all[s.from:s.to]
	}
	return t.of[e]
}
