package postgres

import (
	"io"
	"sync"
)

// pipe takes what one goroutine makes to one that sends it, some pieces ahead.
type pipe struct {
	full, empty chan []byte
	at, rest    []byte // the piece that is being read, and what is left of it

	once   sync.Once
	failed chan struct{}
	err    error
}

// ahead is how many pieces wait to be sent at most.
const ahead = 4

func newPipe() *pipe {
	return &pipe{full: make(chan []byte, ahead), empty: make(chan []byte, ahead+2), failed: make(chan struct{})}
}

// give hands over a piece, and returns memory for the next one.
func (p *pipe) give(b []byte) ([]byte, error) {
	select {
	case p.full <- b:
	case <-p.failed:
		return b[:0], p.err
	}
	select {
	case next := <-p.empty:
		return next[:0], nil
	default:
		return make([]byte, 0, cap(b)), nil
	}
}

// end says that nothing more comes.
func (p *pipe) end() { close(p.full) }

// fail ends both sides with an error; nil: what was given has been read.
func (p *pipe) fail(err error) {
	p.once.Do(func() {
		if p.err = err; err == nil {
			p.err = io.ErrClosedPipe
		}
		close(p.failed)
	})
}

// Read gives what was handed over.
func (p *pipe) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		if p.at != nil {
			select {
			case p.empty <- p.at:
			default:
			}
			p.at = nil
		}
		select {
		case <-p.failed:
			return 0, p.err
		default:
		}
		select {
		case next, more := <-p.full:
			if !more {
				return 0, io.EOF
			}
			p.at, p.rest = next, next
		case <-p.failed:
			return 0, p.err
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
