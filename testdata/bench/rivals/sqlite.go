package main

import (
	"database/sql"
	"fmt"
	"runtime"

	_ "github.com/mattn/go-sqlite3"
)

// sqliteKeeper writes through one connection, as SQLite has one writer, and reads
// through others.
type sqliteKeeper struct {
	w, r      *sql.DB
	put, look *sql.Stmt
}

func openSQLite(path string) (*sqliteKeeper, error) {
	dsn := "file:" + path + "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=60000&_cache_size=-1000000"
	k := &sqliteKeeper{}
	var err error
	if k.w, err = sql.Open("sqlite3", dsn); err != nil {
		return nil, err
	}
	k.w.SetMaxOpenConns(1)
	if k.r, err = sql.Open("sqlite3", dsn); err != nil {
		return nil, err
	}
	k.r.SetMaxIdleConns(runtime.GOMAXPROCS(0))
	if _, err := k.w.Exec("CREATE TABLE photos (" + photoColumns + ")"); err != nil {
		return nil, err
	}
	if k.put, err = k.w.Prepare("INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?)"); err != nil {
		return nil, err
	}
	k.look, err = k.r.Prepare("SELECT id, width, height, rating, place, caption FROM photos WHERE id = ?")
	return k, err
}

func (k *sqliteKeeper) insert(p photo, shared bool) error {
	_, err := k.put.Exec(p.id, p.width, p.height, p.rating, p.place, p.caption)
	return err
}

func (k *sqliteKeeper) load(first, n uint64) error {
	tx, err := k.w.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	put := tx.Stmt(k.put)
	for i := range n {
		p := photoNumber(first + i)
		if _, err := put.Exec(p.id, p.width, p.height, p.rating, p.place, p.caption); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (k *sqliteKeeper) get(id string) (p photo, err error) {
	err = k.look.QueryRow(id).Scan(&p.id, &p.width, &p.height, &p.rating, &p.place, &p.caption)
	return p, err
}

func (k *sqliteKeeper) scan(q int) (string, error) {
	rows, err := k.r.Query(questions[q].sql)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	answer := ""
	for rows.Next() {
		values := make([]any, len(names))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return "", err
		}
		for _, v := range values {
			answer += fmt.Sprint(*v.(*any), " ")
		}
	}
	return answer, rows.Err()
}

func (k *sqliteKeeper) close() error {
	if err := k.r.Close(); err != nil {
		return err
	}
	return k.w.Close()
}
