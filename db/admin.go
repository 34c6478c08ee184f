package db

import (
	"context"
	"errors"

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

// BackupOptions change what BackupWith does: see its fields.
type BackupOptions struct {
	// HardLinks shares table files with the store where both are on one disk, instead
	// of copying their bytes: quick and small, and damage of a shared file damages both.
	HardLinks bool
}

// Backup writes a copy of the store, as it is now, into the directory dir while readers
// and writers go on. The copy shares no byte with the store, was compared with the
// checksums of what was written, and is a store to be opened, or to be restored with
// Restore. A damaged store gives ErrCorrupt and no copy.
//
// dir must not exist, or be empty, or hold an older backup of this store, of which then
// only what is new is copied; the older one stays until the new one is complete.
func (db *DB) Backup(ctx context.Context, dir string) error { return db.BackupWith(ctx, dir, nil) }

// BackupWith is Backup with options, which may be nil.
func (db *DB) BackupWith(ctx context.Context, dir string, opts *BackupOptions) error {
	ctx, done, err := db.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	o := storage.BackupOptions{}
	if opts != nil {
		o.HardLinks = opts.HardLinks
	}
	return db.reason(db.store.Backup(ctx, dir, &o))
}

// Restore makes a store in the directory dir, which must not exist or be empty, of the
// backup in another directory. The backup is verified, and stays as it is.
func Restore(ctx context.Context, backup, dir string) error {
	s, err := storage.OpenContext(ctx, backup, &storage.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(ctx, dir, &storage.BackupOptions{New: true}), s.Close())
}

// Repair puts back files of the store in dir that can be inferred from the others,
// such as empty ones that a copying tool has left out. It returns what it did, a line
// each, and an error that says what the store lacks when that is not enough. No program
// may have the store open.
func Repair(dir string) (did []string, err error) { return storage.Repair(dir, nil) }

// SalvageReport says what Salvage has saved of each table, and what is lost where.
type SalvageReport = storage.SalvageReport

// SalvageOptions change what Salvage does; nil means the defaults.
type SalvageOptions = storage.SalvageOptions

// Salvage reads what can be read of a damaged store, whatever is missing or can't be
// read there, and writes it into a new store in dir, which must not exist or be empty.
// Nothing in damaged is changed.
func Salvage(ctx context.Context, damaged, dir string, opts *SalvageOptions) (*SalvageReport, error) {
	return storage.Salvage(ctx, damaged, dir, opts)
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
	MergedBlocks int64 // blocks filled by merging, since the DB was opened: see Options.NoMerging
	FreedBlocks  int64 // blocks that ran empty thereby
	Retrained    int64 // how often codes were trained anew: see Options.NoRetraining
	Reclustered  int64 // how often an ivf index was built or measured anew: see Options.NoRetraining
	Statements   int64 // statements begun
	Failed       int64 // of those, failed
	Running      int64 // of those, not yet ended: their rows are being read
	RowsReturned int64
	Open         int64 // rows, transactions, sessions and appenders not closed yet
	TextsEncoded int64 // texts given to encoders
	PromptHits   int64 // texts found in the prompt cache instead
	Latency      Latency
}

// Stats returns current numbers; after Close, only the counters. It is cheap.
func (db *DB) Stats() Stats {
	c := &db.counts
	s := Stats{Statements: c.statements.Load(), Failed: c.failed.Load(), Running: c.running.Load(), RowsReturned: c.rows.Load(), Latency: c.latencies.read()}
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
	s.MergedBlocks, s.FreedBlocks, s.Retrained, s.Reclustered = st.MergedBlocks, st.FreedBlocks, st.Retrained, st.Reclustered
	return s
}
