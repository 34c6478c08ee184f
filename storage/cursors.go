package storage

import (
	"bytes"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// A cursor is an iterator over all of a picture that is kept from one look-up to the
// next: opening one takes longer than finding a key with it. It reads the table files that
// there were when it was opened: those that a flush or a merge has replaced are kept from being
// deleted, and what has been loaded lately is looked for in front of all others, which takes
// longer. So it is closed after a moment, asked for or not.
type cursor struct {
	it       *pebble.Iterator
	key, end []byte // scratch
}

// Bounds of the cursors that a picture keeps: their number, and for how long.
const (
	maxCursors = 4
	cursorLife = 300 * time.Millisecond
)

// cursor takes a cursor, which putCursor gives back.
func (p *picture) cursor() (*cursor, error) {
	p.mu.Lock()
	if n := len(p.cursors); n > 0 {
		c := p.cursors[n-1]
		p.cursors = p.cursors[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	it, err := p.snap.NewIter(nil)
	if err != nil {
		return nil, err
	}
	return &cursor{it: it}, nil
}

// putCursor gives a cursor back. One that has met an error is closed.
func (p *picture) putCursor(c *cursor) {
	p.mu.Lock()
	if c.it.Error() != nil || p.closed || len(p.cursors) == maxCursors {
		p.mu.Unlock()
		c.it.Close()
		return
	}
	p.cursors = append(p.cursors, c)
	p.asked = true
	if p.timer == nil {
		p.timer = time.AfterFunc(cursorLife, p.dropCursors)
	}
	p.mu.Unlock()
}

// dropCursors closes the cursors that nobody uses just now. It comes back where one was asked
// for since the last time.
func (p *picture) dropCursors() {
	p.mu.Lock()
	if p.timer == nil {
		p.mu.Unlock()
		return // the picture is closed
	}
	idle := p.cursors
	p.cursors = nil
	if p.asked {
		p.asked = false
		p.timer.Reset(cursorLife)
	} else {
		p.timer = nil
	}
	p.dropping.Add(1)
	p.mu.Unlock()
	for _, c := range idle {
		c.it.Close()
	}
	p.dropping.Done()
}

// close releases the picture, of which no view is left. Afterwards the database may be closed,
// beside which an iterator must not be: it would panic where nobody can recover it.
func (p *picture) close() error {
	p.mu.Lock()
	idle := p.cursors
	p.cursors, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.it.Close()
	}
	p.dropping.Wait()
	return p.snap.Close()
}

// find moves to the cursor's key, and reports whether it is there.
func (c *cursor) find() bool { return c.it.SeekPrefixGE(c.key) && bytes.Equal(c.it.Key(), c.key) }

// seek moves to the first key that starts with prefix, and reports whether there is one. It
// does not look beyond. end is what key.End gives for the prefix.
func (c *cursor) seek(prefix, end []byte) bool {
	return c.it.SeekGEWithLimit(prefix, end) == pebble.IterValid && bytes.HasPrefix(c.it.Key(), prefix)
}

// next moves to the next key that starts with prefix.
func (c *cursor) next(prefix, end []byte) bool {
	return c.it.NextWithLimit(end) == pebble.IterValid && bytes.HasPrefix(c.it.Key(), prefix)
}
