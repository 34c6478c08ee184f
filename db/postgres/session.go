package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// session is a connection that is in use: one of the pool's, or one beside it.
type session struct {
	*pgx.Conn
	pooled *pgxpool.Conn // nil: beside the pool
}

// patience is how long a statement waits for one of the pool's connections. Statements that
// hold one may need a second, and would wait for each other for ever; after that time they get
// one beside the pool.
const patience = 2 * time.Second

// acquire gets a connection.
func (d *database) acquire(ctx context.Context) (*session, error) {
	for {
		short, cancel := context.WithTimeout(ctx, patience)
		c, err := d.pool.Acquire(short)
		cancel()
		if err == nil {
			return &session{c.Conn(), c}, nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) || short.Err() == nil {
			return nil, mapped(ctx, err)
		}
		if s := d.pool.Stat(); s.AcquiredConns() < s.MaxConns() {
			continue // it is being connected
		}
		extra, err := pgx.ConnectConfig(ctx, d.pool.Config().ConnConfig)
		if err != nil {
			return nil, mapped(ctx, err)
		}
		return &session{Conn: extra}, nil
	}
}

// release gives the connection back.
func (s *session) release() {
	if s.pooled != nil {
		s.pooled.Release()
		return
	}
	s.Close(context.Background())
}

// drop ends the connection, of which more is to come that nobody reads.
func (s *session) drop() {
	conn := s.Conn
	if s.pooled != nil {
		conn = s.pooled.Hijack()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	conn.PgConn().CancelRequest(ctx)
	cancel()
	conn.Close(ctx) // at once: ctx has ended
}

// Bounds of the prepared statements of a connection.
const mostPrepared = 256

// prepare makes a statement known to the server under a name that follows from its text.
func (s *session) prepare(ctx context.Context, text string) (name string, asked int, err error) {
	type known map[string]bool
	data := s.PgConn().CustomData()
	names, _ := data["lupa"].(known)
	name = statementName(text)
	if names[name] {
		return name, 0, nil
	}
	if names == nil || len(names) >= mostPrepared {
		if names != nil {
			if err := s.DeallocateAll(ctx); err != nil {
				return "", 1, err
			}
		}
		names = known{}
		data["lupa"] = names
	}
	if _, err := s.Prepare(ctx, name, text); err != nil {
		return "", 1, err
	}
	names[name] = true
	return name, 1, nil
}

// forgetPrepared drops what prepare has made known: one of the statements is not as it was.
func (s *session) forgetPrepared(ctx context.Context) {
	delete(s.PgConn().CustomData(), "lupa")
	s.DeallocateAll(ctx)
}

// state is the SQLSTATE of an error, "" if it is none of the server's.
func state(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// again reports whether a statement that has given nothing yet can be sent once more: the
// connection had ended while nobody used it, or no longer knows the statement.
func (d *database) again(ctx context.Context, s *session, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch state(err) {
	case "26000", "42P05", "08P01": // no such prepared statement, or one twice: a pooler is in between
		if d.unnamed.Swap(true) {
			return false
		}
		return true
	case "0A000": // cached plan must not change result type
		s.forgetPrepared(ctx)
		return true
	}
	if !s.IsClosed() {
		return false
	}
	d.pool.Reset() // the others have ended as well
	return true
}
