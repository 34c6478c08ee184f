package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
	_ "github.com/lupadb/lupa/db/parquet"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/encoder/table"
	"github.com/lupadb/lupa/storage/value"
)

// API is the door of package db.
type API struct{}

// Name is "api".
func (API) Name() string { return "api" }

// Open opens the store with db.Open.
func (API) Open(ctx context.Context, dir, models string) (Store, error) {
	d, err := db.Open(dir, options(models))
	if err != nil {
		return nil, err
	}
	s := &apiStore{db: d}
	return s, s.NewSession(ctx)
}

func options(models string) *db.Options {
	return &db.Options{
		NoSync: true,
		OpenEncoder: func(ctx context.Context, name string) (encoder.Encoder, error) {
			f, err := encoder.Models{models}.Find(name)
			if err != nil {
				return nil, err
			}
			return table.Open(name, f.Dir)
		},
	}
}

type apiStore struct {
	db   *db.DB
	conn *db.Conn
}

func (s *apiStore) NewSession(ctx context.Context) (err error) {
	if s.conn != nil {
		err = s.conn.Close()
	}
	conn, err2 := s.db.Conn(ctx)
	s.conn = conn
	return errors.Join(err, err2)
}

func (s *apiStore) InTransaction() bool { return s.conn.InTransaction() }

func (s *apiStore) Close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

func (s *apiStore) Exec(ctx context.Context, b *Block) (int64, error) {
	r, err := s.conn.Exec(ctx, b.SQL, goArgs(b)...)
	return r.RowsAffected, err
}

func (s *apiStore) Query(ctx context.Context, b *Block) ([]string, [][]string, error) {
	rows, err := s.conn.Query(ctx, b.SQL, goArgs(b)...)
	if err != nil {
		return nil, nil, err
	}
	var out [][]string
	types := rows.Types()
	for row, err := range rows.All() {
		if err != nil {
			return nil, nil, err
		}
		fields := make([]string, len(row))
		for i, v := range row {
			if !v.IsNull() && types[i].Kind != v.Kind() {
				return nil, nil, fmt.Errorf("column %d is said to be %s but holds %s", i+1, types[i], v.Type())
			}
			fields[i] = formatField(v.String(), v.IsNull())
		}
		out = append(out, fields)
	}
	return rows.Columns(), out, nil
}

func goArgs(b *Block) []any {
	args := append([]any(nil), b.Args...)
	for name, v := range maps.All(b.Named) {
		args = append(args, db.Named(name, v))
	}
	return args
}

// Driver is the door of database/sql.
type Driver struct{}

// Name is "driver".
func (Driver) Name() string { return "driver" }

// Open opens a pool over the store.
func (Driver) Open(ctx context.Context, dir, models string) (Store, error) {
	pool := sql.OpenDB(driver.NewConnector("file:"+filepath.ToSlash(dir), options(models)))
	s := &sqlStore{pool: pool}
	if err := s.NewSession(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

type sqlStore struct {
	pool *sql.DB
	conn *sql.Conn
}

func (s *sqlStore) NewSession(ctx context.Context) (err error) {
	if s.conn != nil {
		err = s.conn.Close()
	}
	conn, err2 := s.pool.Conn(ctx)
	s.conn = conn
	return errors.Join(err, err2)
}

func (s *sqlStore) InTransaction() (in bool) {
	s.conn.Raw(func(c any) error {
		in = c.(*driver.Conn).Session().InTransaction()
		return nil
	})
	return in
}

func (s *sqlStore) Close() error { return errors.Join(s.conn.Close(), s.pool.Close()) }

func (s *sqlStore) Exec(ctx context.Context, b *Block) (int64, error) {
	r, err := s.conn.ExecContext(ctx, b.SQL, goArgs(b)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *sqlStore) Query(ctx context.Context, b *Block) ([]string, [][]string, error) {
	st, err := s.conn.PrepareContext(ctx, b.SQL)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	rows, err := st.QueryContext(ctx, goArgs(b)...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	cells := make([]any, len(names))
	dest := make([]any, len(names))
	for i := range cells {
		dest[i] = &cells[i]
	}
	var out [][]string
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, err
		}
		fields := make([]string, len(cells))
		for i, c := range cells {
			v, err := db.ToValue(c)
			if err != nil {
				return nil, nil, err
			}
			if types[i].DatabaseTypeName() == "JSON" && !v.IsNull() {
				fields[i] = formatField(v.Str(), false) // arrives as []byte
				continue
			}
			if types[i].DatabaseTypeName() == "DATE" && !v.IsNull() {
				fields[i] = formatField(string(value.AppendDate(nil, value.FloorDays(v.Int()))), false) // arrives as a time.Time
				continue
			}
			fields[i] = formatField(v.String(), v.IsNull())
		}
		out = append(out, fields)
	}
	return names, out, rows.Err()
}
