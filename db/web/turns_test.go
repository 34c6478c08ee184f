package web

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// Turns go to who came last, or in order; who no longer waits gets none, and costs nobody one.
func TestTurns(t *testing.T) {
	for _, inOrder := range []bool{false, true} {
		turn := &turns{free: 1, inOrder: inOrder}
		if err := turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := make(chan int)
		gone, leave := context.WithCancel(t.Context())
		for i := range 4 {
			ctx := t.Context()
			if i == 2 {
				ctx = gone
			}
			go func() {
				if err := turn.take(ctx); err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					got <- -1
					return
				}
				got <- i
			}()
			for waiting := 0; waiting <= i; time.Sleep(time.Millisecond) { // it has to stand in the queue before the next one
				turn.mu.Lock()
				waiting = len(turn.waiting)
				turn.mu.Unlock()
			}
		}
		leave()
		order := []int{<-got}
		for range 3 {
			turn.done()
			order = append(order, <-got)
		}
		turn.done()
		want := []int{-1, 3, 1, 0}
		if inOrder {
			want = []int{-1, 0, 1, 3}
		}
		if !slices.Equal(order, want) || turn.free != 1 {
			t.Errorf("in order %t: %v, want %v; %d free", inOrder, order, want, turn.free)
		}
	}
}
