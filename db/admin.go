package db

import (
	"context"

	"github.com/lupadb/lupa/storage"
)

// Problem is something Check found wrong: in which Table, Column and place (Where),
// and what (Msg). Its String method says it in a line.
type Problem = storage.Problem

// Check reads the whole store and verifies checksums and what must agree with
// what. It returns the problems found; err is for what kept it from checking.
func (db *DB) Check(ctx context.Context) (problems []Problem, err error) {
	ctx, done, err := db.call(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	err = db.store.Check(ctx, func(p Problem) { problems = append(problems, p) })
	return problems, db.reason(err)
}

// Backup writes a copy of the store, as it is now, into the folder dir, which must
// be new or empty, while readers and writers go on. The copy is a store to be opened.
func (db *DB) Backup(ctx context.Context, dir string) error {
	ctx, done, err := db.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	return db.reason(db.store.Backup(ctx, dir))
}

// Vacuum rewrites blocks with many deleted rows and returns their space; of all
// tables if table is "". It is a writer like any other.
func (db *DB) Vacuum(ctx context.Context, table string) error {
	sql := "VACUUM"
	if table != "" {
		sql += " " + Quote(table)
	}
	_, err := db.Exec(ctx, sql)
	return err
}

// Stats are numbers about an open store. Counters count since Open.
type Stats struct {
	DiskBytes    int64 // size of the store on disk
	CacheBytes   int64 // block cache in use
	CacheHits    int64
	CacheMisses  int64
	Statements   int64 // statements begun
	Failed       int64 // of those, failed
	Running      int64 // of those, not yet ended: their rows are being read
	RowsReturned int64
	Open         int64 // rows, transactions, sessions and appenders not closed yet
	TextsEncoded int64 // texts given to encoders
	PromptHits   int64 // texts found in the prompt cache instead
}

// Stats returns current numbers; after Close, only the counters. It is cheap.
func (db *DB) Stats() Stats {
	c := &db.counts
	s := Stats{Statements: c.statements.Load(), Failed: c.failed.Load(), Running: c.running.Load(), RowsReturned: c.rows.Load()}
	s.PromptHits, s.TextsEncoded = db.env.PromptCounts()
	if db.enter() != nil {
		return s
	}
	defer db.leave()
	db.mu.Lock()
	s.Open = int64(len(db.open))
	db.mu.Unlock()
	st := db.store.Stats()
	s.DiskBytes, s.CacheBytes = int64(st.DiskBytes), st.CacheBytes
	s.CacheHits, s.CacheMisses = st.CacheHits, st.CacheMiss
	return s
}
