package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lupadb/lupa/db"
)

// Bookmark is a page somebody wants to find again.
type Bookmark struct {
	URL   string
	Title string
	Added time.Time
	Tags  []string
}

// Match is a bookmark found by its meaning.
type Match struct {
	Bookmark
	Score float64 // 1 is the best there can be
}

var (
	ErrNotFound = errors.New("no such bookmark")
	ErrExists   = errors.New("bookmarked already")
)

// Bookmarks keeps bookmarks in a *sql.DB. Nothing in it but the column of vectors
// tells that the database is Lupa. It is safe for concurrent use.
type Bookmarks struct{ pool *sql.DB }

const schema = `
	CREATE TABLE IF NOT EXISTS bookmarks (url TEXT PRIMARY KEY, title TEXT NOT NULL, added TIMESTAMP NOT NULL, about VECTOR ENCODER 'text');
	CREATE TABLE IF NOT EXISTS tags (url TEXT NOT NULL, tag TEXT NOT NULL);
	CREATE INDEX IF NOT EXISTS by_tag ON tags (tag)`

// NewBookmarks makes the tables if they are not there.
func NewBookmarks(ctx context.Context, pool *sql.DB) (*Bookmarks, error) {
	if _, err := pool.ExecContext(ctx, schema); err != nil {
		return nil, err
	}
	return &Bookmarks{pool}, nil
}

// Add keeps a bookmark and its tags, or nothing of it; ErrExists if the URL is
// there already.
func (b *Bookmarks) Add(ctx context.Context, m Bookmark) error {
	tx, err := b.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit, nothing
	// The title goes in twice: as text, and, encoded, as the vector of what it says.
	_, err = tx.ExecContext(ctx, `INSERT INTO bookmarks VALUES ($1, $2, $3, $2)`, m.URL, m.Title, m.Added)
	var unique *db.UniqueError
	if errors.As(err, &unique) {
		return fmt.Errorf("%s: %w", m.URL, ErrExists)
	}
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO tags VALUES (?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, tag := range m.Tags {
		if _, err := insert.ExecContext(ctx, m.URL, tag); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Get returns one bookmark, or ErrNotFound.
func (b *Bookmarks) Get(ctx context.Context, url string) (Bookmark, error) {
	m := Bookmark{URL: url}
	// Both queries see the same state, whatever is written meanwhile.
	tx, err := b.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return m, err
	}
	defer tx.Rollback()
	err = tx.QueryRowContext(ctx, `SELECT title, added FROM bookmarks WHERE url = ?`, url).Scan(&m.Title, &m.Added)
	if errors.Is(err, sql.ErrNoRows) {
		return m, fmt.Errorf("%s: %w", url, ErrNotFound)
	}
	if err != nil {
		return m, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT tag FROM tags WHERE url = ? ORDER BY tag`, url)
	if err != nil {
		return m, err
	}
	defer rows.Close()
	for rows.Next() {
		var tag string
		if err := rows.Scan(&tag); err != nil {
			return m, err
		}
		m.Tags = append(m.Tags, tag)
	}
	return m, rows.Err()
}

// Remove forgets a bookmark and its tags; ErrNotFound if there is none.
func (b *Bookmarks) Remove(ctx context.Context, url string) error {
	tx, err := b.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	r, err := tx.ExecContext(ctx, `DELETE FROM bookmarks WHERE url = ?`, url)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return fmt.Errorf("%s: %w", url, ErrNotFound)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM tags WHERE url = ?`, url); err != nil {
		return err
	}
	return tx.Commit()
}

// Search returns the k bookmarks whose titles fit a phrase best, of those with the
// tag unless it is "".
func (b *Bookmarks) Search(ctx context.Context, phrase, tag string, k int) ([]Match, error) {
	return b.matches(ctx, `SELECT url, title, added, about_sim(:what) AS score FROM bookmarks
		WHERE :tag = '' OR url IN (SELECT url FROM tags WHERE tag = :tag) ORDER BY score LIMIT :k`,
		sql.Named("what", phrase), sql.Named("tag", tag), sql.Named("k", k))
}

// Like returns the k bookmarks most like the one at url.
func (b *Bookmarks) Like(ctx context.Context, url string, k int) ([]Match, error) {
	var about []float32
	err := b.pool.QueryRowContext(ctx, `SELECT about FROM bookmarks WHERE url = ?`, url).Scan(&about)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("%s: %w", url, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return b.matches(ctx, `SELECT url, title, added, about_sim($1) AS score FROM bookmarks WHERE url <> $2 ORDER BY score LIMIT $3`, about, url, k)
}

func (b *Bookmarks) matches(ctx context.Context, query string, args ...any) ([]Match, error) {
	rows, err := b.pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Match
	for rows.Next() {
		var m Match
		if err := rows.Scan(&m.URL, &m.Title, &m.Added, &m.Score); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
