package exec

// Resetter is an operator that can be run again once it was closed. Reset makes it, and
// what it reads from, ready for that; it reports false where one of them can't be.
type Resetter interface {
	Operator
	Reset() bool
}

// Reset makes a plan that was closed ready for another run, if it can be.
func Reset(op Operator) bool {
	r, ok := op.(Resetter)
	return ok && r.Reset()
}

func (i *input) reset() bool { return Reset(i.in) }

func (s *Scan) Reset() bool {
	s.scanner, s.fetched, s.done = nil, nil, false
	return true
}

func (f *Filter) Reset() bool     { return f.reset() }
func (r *RowNumbers) Reset() bool { return r.reset() }

func (f *Fetch) Reset() bool {
	f.found = false
	return f.reset()
}

func (p *Project) Reset() bool {
	clear(p.consts)
	return p.reset()
}

func (r *Rows) Reset() bool {
	r.next = 0
	return true
}

func (l *Limit) Reset() bool {
	l.seen = 0
	return l.reset()
}

func (v *Values) Reset() bool {
	v.at = 0
	return true
}

func (m *Metadata) Reset() bool {
	m.done = false
	return true
}

func (n *Nearest) Reset() bool {
	n.out, n.stats, n.query, n.bound, n.Shared, n.told = nil, nil, nil, nil, 0, ""
	return n.Filter == nil || Reset(n.Filter)
}

func (t *TopN) Reset() bool {
	t.held, t.out = 0, nil
	return t.reset()
}

func (n *Insert) Reset() bool {
	n.Affected, n.written, n.out = 0, n.written[:0], nil
	return n.Update == nil && n.reset()
}

func (u *Update) Reset() bool {
	u.Affected, u.out = 0, nil
	return u.reset()
}

func (d *Delete) Reset() bool {
	d.Affected, d.out = 0, nil
	return d.reset()
}

func (r *Remote) Reset() bool {
	r.done, r.bytes, r.exact = false, 0, ""
	return true
}
