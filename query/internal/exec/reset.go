package exec

// Resetter is an operator that can be run again once it was closed.
type Resetter interface {
	Operator
	Reset()
}

// Reset makes a plan that was closed ready for another run. It reports false where one of
// its operators can't be.
func Reset(op Operator) bool {
	r, ok := op.(Resetter)
	if !ok {
		return false
	}
	for _, in := range op.Inputs() {
		if !Reset(in) {
			return false
		}
	}
	r.Reset()
	return true
}

func (s *Scan) Reset()       { s.scanner, s.fetched, s.done = nil, nil, false }
func (f *Filter) Reset()     {}
func (f *Fetch) Reset()      { f.c = compactor{} }
func (p *Project) Reset()    { clear(p.consts) }
func (r *RowNumbers) Reset() {}
func (r *Rows) Reset()       { r.next = 0 }
func (l *Limit) Reset()      { l.seen = 0 }
func (v *Values) Reset()     { v.at = 0 }
func (m *Metadata) Reset()   { m.done = false }
func (n *Nearest) Reset()    { n.out, n.stats, n.query, n.bound, n.Shared = nil, nil, nil, nil, 0 }
func (t *TopN) Reset()       { t.held, t.out = 0, nil }
