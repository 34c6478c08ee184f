package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query/foreign"
)

// Options change how databases are attached.
type Options struct {
	// MaxConns is the largest number of connections to one database; 0 means 4, or what
	// pool_max_conns in the address says.
	MaxConns int32
	// ConnectTimeout bounds how long ATTACH waits for a connection; 0 means 10 s.
	ConnectTimeout time.Duration
}

// Opener returns what opens addresses that begin with postgres:// or postgresql://. opts may
// be nil. What an address lacks is taken, as by psql, from the environment (PGUSER, PGSERVICE,
// PGPASSFILE, ...) and from ~/.pgpass: a password stands better there than in a statement.
func Opener(opts *Options) foreign.Opener {
	o := opener{}
	if opts != nil {
		o.Options = *opts
	}
	return o
}

type opener struct{ Options }

func (opener) Schemes() []string { return []string{"postgres", "postgresql"} }

// Open connects.
func (o opener) Open(ctx context.Context, address string) (foreign.Database, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the address can't be read; it is written postgres://user@host:port/database")
	}
	if o.MaxConns > 0 {
		config.MaxConns = o.MaxConns
	} else if !strings.Contains(address, "pool_max_conns") {
		config.MaxConns = 4
	}
	c := config.ConnConfig
	hosts := []string{c.Host}
	for _, f := range c.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	if slices.ContainsFunc(hosts, func(h string) bool { return strings.Contains(h, "@") }) {
		// What stands before it would be shown as a part of the host's name.
		return nil, errors.New("the address has more than one @; one within a password is written %40")
	}
	if c.ConnectTimeout == 0 {
		if c.ConnectTimeout = o.ConnectTimeout; c.ConnectTimeout == 0 {
			c.ConnectTimeout = 10 * time.Second
		}
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "lupa"
	}
	// A TIMESTAMP is in UTC here, and so are those that are made a timestamptz there.
	c.RuntimeParams["timezone"] = "UTC"
	// Ctrl-C, or a deadline, ends the statement there as well; the connection stays.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 2 * time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, connectError(err)
	}
	d := &database{pool: pool, name: nameOf(c)}
	d.unnamed.Store(c.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement)
	var version string
	if err := pool.QueryRow(ctx, "SELECT version()", pgx.QueryExecModeSimpleProtocol).Scan(&version); err != nil {
		pool.Close()
		return nil, connectError(err)
	}
	d.cockroach = strings.Contains(version, "CockroachDB")
	var major int
	fmt.Sscanf(version, "PostgreSQL %d", &major)
	d.pages = major >= 14 && !strings.Contains(version, "-YB-")
	// PGlite, which is PostgreSQL in WebAssembly, has one session for all connections, and
	// loses track of the protocol in a COPY.
	if strings.Contains(version, "emscripten") || strings.Contains(version, "wasm") {
		pool.Close()
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		if d.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
			return nil, connectError(err)
		}
		d.noCopy = true
		d.unnamed.Store(true)
	}
	return d, nil
}

// nameOf is an address without what is secret.
func nameOf(c *pgx.ConnConfig) string {
	host := c.Host
	if strings.HasPrefix(host, "/") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("postgres://%s@%s:%d/%s", c.User, host, c.Port, c.Database)
}

// connectError leaves an error of pgx as it is, which has no password in it, and says what to do.
func connectError(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "28P01" {
		return fmt.Errorf("%w; a password is taken from ~/.pgpass, PGPASSWORD or PGSERVICE", err)
	}
	return err
}

// database is an attached database.
type database struct {
	dialect
	pool    *pgxpool.Pool
	name    string
	unnamed atomic.Bool // no statement is prepared: connections share sessions, as behind a pooler
	pages   bool        // ranges of a table's pages are found without reading the others
	noCopy  bool        // rows go in by INSERT alone
}

func (d *database) String() string { return d.name }

func (d *database) Close() error {
	d.pool.Close()
	return nil
}

// Error is an error of the engine. It wraps the *pgconn.PgError.
type Error struct {
	State   string // SQLSTATE
	Message string
	Detail  string
	Hint    string
	cause   error

	table, column, constraint string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.State)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap gives the engine's error as pgx has it, beside it Lupa's own where there is one that
// means the same, and foreign.ErrChanged where a table is not as it was described.
func (e *Error) Unwrap() []error {
	switch e.State {
	case "42P01", "42703", "0A000", "42804", "42883", "42846": // no table, no column, another type
		return []error{e.cause, foreign.ErrChanged}
	case "23505":
		return []error{e.cause, &db.UniqueError{Table: e.table, Index: e.constraint, Key: e.Detail, Row: -1}}
	case "23502":
		return []error{e.cause, &db.NotNullError{Table: e.table, Column: e.column, Row: -1}}
	case "57014":
		return []error{e.cause, context.Canceled}
	}
	return []error{e.cause}
}

// SQLState is the engine's code of the error.
func (e *Error) SQLState() string { return e.State }

// mapped gives an error of pgx the form it has here.
func mapped(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return &Error{State: pg.Code, Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint, cause: err, table: pg.TableName, column: pg.ColumnName, constraint: pg.ConstraintName}
	}
	if network := net.Error(nil); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) && !pgconn.Timeout(err) {
		if connecting := (*pgconn.ConnectError)(nil); !errors.As(err, &connecting) {
			return fmt.Errorf("the connection to the database was lost: %w", err)
		}
	}
	return err
}
