package query_test

import (
	"context"
	"sync"
	"testing"

	"github.com/lupadb/lupa/query"
)

// A phrase that many ask for at once is encoded once; who gives up does not take the others
// along.
func TestOneTextIsEncodedOnce(t *testing.T) {
	f := open(t)
	f.run("CREATE TABLE p (id TEXT PRIMARY KEY, clip VECTOR ENCODER 'hash')")
	f.run("INSERT INTO p (id) VALUES ('a')")
	f.enc.wait = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	ask := func(ctx context.Context) {
		wait.Go(func() {
			g := &fixture{t: t, env: f.env, s: query.NewSession(f.env)}
			if _, _, err := g.try(ctx, "SELECT id FROM p ORDER BY clip_sim('a wolf') LIMIT 1"); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	ask(ctx)
	for range 20 {
		ask(context.Background())
	}
	cancel()
	close(f.enc.wait)
	wait.Wait()
	if n := f.enc.texts.Load(); n > 2 {
		t.Errorf("%d texts were encoded", n)
	}
}
