package storage_test

import "sync/atomic"

// atomicInt counts down to an event.
type atomicInt struct{ n atomic.Int64 }

func (a *atomicInt) set(n int64) { a.n.Store(n) }

// dec reports whether this call brought the count from 1 to 0.
func (a *atomicInt) dec() bool { return a.n.Add(-1) == 0 }
