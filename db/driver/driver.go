package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/lupadb/lupa/db"
)

// Name is the name under which Register registers the driver.
const Name = "lupa"

var registerOnce sync.Once

// Register makes sql.Open("lupa", dsn) work in this process. Further calls do
// nothing.
func Register() {
	registerOnce.Do(func() {
		if !slices.Contains(sql.Drivers(), Name) {
			sql.Register(Name, &Driver{})
		}
	})
}

// Driver opens connectors from data source names.
type Driver struct {
	// Options are the defaults under the options of the name. May be nil.
	Options *db.Options
}

// OpenConnector parses the name; the store is opened by the first connection.
func (d *Driver) OpenConnector(dsn string) (driver.Connector, error) {
	c := NewConnector(dsn, d.Options)
	c.driver = d
	if _, _, err := ParseDSN(dsn); err != nil {
		return nil, err
	}
	return c, nil
}

// Open is refused: a pool shares one store, and that needs the connector.
// database/sql doesn't call it.
func (d *Driver) Open(dsn string) (driver.Conn, error) {
	return nil, errors.New("lupa: use OpenConnector, as sql.Open does")
}

// Connector makes the connections of one pool, all on one store, which the
// first one opens and sql.DB.Close closes.
type Connector struct {
	driver *Driver
	dsn    string
	opts   *db.Options
	keep   bool // the store is not ours to close

	mu     sync.Mutex
	store  *db.DB
	closed bool
}

// NewConnector returns a connector for sql.OpenDB. The options of the name
// override those of opts, which may be nil. Errors in the name show at the first
// connection.
func NewConnector(dsn string, opts *db.Options) *Connector {
	return &Connector{driver: &Driver{Options: opts}, dsn: dsn, opts: opts}
}

// ForDB returns a connector to a store that is open already and that the caller
// closes, after the pool.
func ForDB(store *db.DB) *Connector {
	return &Connector{driver: &Driver{}, store: store, keep: true}
}

// Driver returns the connector's driver.
func (c *Connector) Driver() driver.Driver { return c.driver }

// Connect returns a new connection: a session of the store.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	store, err := c.DB()
	if err != nil {
		return nil, err
	}
	s, err := store.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{store: store, session: s}, nil
}

// DB returns the store, and opens it if no connection has done so.
func (c *Connector) DB() (*db.DB, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, db.ErrClosed
	}
	if c.store != nil {
		return c.store, nil
	}
	dir, opts, err := ParseDSN(c.dsn)
	if err != nil {
		return nil, err
	}
	if c.store, err = db.Open(dir, merge(c.opts, opts)); err != nil {
		return nil, err
	}
	return c.store, nil
}

// Close closes the store if the connector has opened it. sql.DB.Close calls it.
func (c *Connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.store == nil || c.keep {
		return nil
	}
	return c.store.Close()
}

// merge lays the options of a name over those of the program.
func merge(base, over *db.Options) *db.Options {
	if base == nil {
		return over
	}
	o := *base
	o.ReadOnly = o.ReadOnly || over.ReadOnly
	o.MustExist = o.MustExist || over.MustExist
	o.InMemory = o.InMemory || over.InMemory
	o.NoSync = o.NoSync || over.NoSync
	o.NoFiles = o.NoFiles || over.NoFiles
	o.AllowURLs = o.AllowURLs || over.AllowURLs
	if over.CacheSize != 0 {
		o.CacheSize = over.CacheSize
	}
	if over.MemoryBudget != 0 {
		o.MemoryBudget = over.MemoryBudget
	}
	if over.WriterTimeout != 0 {
		o.WriterTimeout = over.WriterTimeout
	}
	if over.Workers != 0 {
		o.Workers = over.Workers
	}
	return &o
}

var (
	_ driver.DriverContext = (*Driver)(nil)
	_ driver.Connector     = (*Connector)(nil)
)

func errorf(format string, args ...any) error { return fmt.Errorf("lupa: "+format, args...) }
