package query

import "github.com/lupadb/lupa/storage"

// Look calls fn with what the session's next statement would see: the open
// transaction, or else a snapshot of this moment. The view is fn's only while
// it runs.
func (s *Session) Look(fn func(v *storage.View) error) error {
	switch {
	case s.tx != nil:
		return fn(s.tx.View)
	case s.view != nil:
		return fn(s.view)
	}
	v, err := s.env.Store.Snapshot()
	if err != nil {
		return err
	}
	defer v.Close()
	return fn(v)
}
