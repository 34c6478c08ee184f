package query

import (
	"context"
	"sync"

	"github.com/lupadb/lupa/query/internal/plan/watch"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// watches keeps the compiled conditions of watches, by the definition of their table.
type watches struct {
	mu   sync.Mutex
	sets map[*storage.TableDef]*watch.Set
}

// mostWatched is how many definitions are kept: a transaction that changes tables makes some
// that nobody needs afterwards.
const mostWatched = 64

// Watcher is what computes the conditions of watches for the store: see storage.SetWatcher.
func (e *Env) Watcher(ctx context.Context, v *storage.View, def *storage.TableDef, which []int, cols []*value.Column, pos []int32) ([][]int32, error) {
	w := &e.watches
	w.mu.Lock() // there is one writer
	defer w.mu.Unlock()
	s := w.sets[def]
	if s != nil {
		if serves, err := s.Serves(v); err != nil {
			return nil, err
		} else if !serves {
			s = nil
		}
	}
	if s == nil {
		t, err := v.Table(def.Name)
		if err != nil {
			return nil, err
		}
		in := NewSession(e).input(Args{}, Hooks{})
		in.View = v
		if s, err = watch.New(ctx, in, t); err != nil {
			return nil, err
		}
		if len(w.sets) >= mostWatched || w.sets == nil {
			w.sets = map[*storage.TableDef]*watch.Set{}
		}
		w.sets[def] = s
	}
	return s.Matches(ctx, v, which, cols, pos)
}
