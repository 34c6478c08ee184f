package query

import (
	"context"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/query/internal/plan"
	"github.com/lupadb/lupa/storage"
)

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

// elsewhere tells which table of an attached database a name means, if any.
func (s *Session) elsewhere(name string) (id parse.Ident, ok bool) {
	s.Look(func(v *storage.View) error {
		id, ok = plan.Elsewhere(v, &s.env.Attached, name)
		return nil
	})
	return id, ok
}

// TableElsewhere describes a table of an attached database, database.table; nil if the name
// means none.
func (s *Session) TableElsewhere(ctx context.Context, name string) (def *storage.TableDef, rows int64, err error) {
	id, ok := s.elsewhere(name)
	if !ok {
		return nil, 0, nil
	}
	err = s.Look(func(v *storage.View) error {
		in := s.input(Args{}, Hooks{})
		in.View = v
		def, rows, err = plan.RemoteDef(ctx, in, id)
		return err
	})
	return def, rows, err
}
