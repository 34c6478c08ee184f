package db

import "context"

// Problem is something Check found wrong.
type Problem struct {
	Where  string // table, column, block
	What   string
	Repair string // what can be done, or ""
}

// Check reads the whole store and verifies checksums and what must agree with
// what. It returns the problems found; err is for what kept it from checking.
func (db *DB) Check(ctx context.Context) (problems []Problem, err error) { return nil, errNotYet }

// Backup writes a copy of the store, as it is now, into the new folder dir,
// while readers and writers go on. The copy is a store to be opened.
func (db *DB) Backup(ctx context.Context, dir string) error { return errNotYet }

// Vacuum rewrites blocks with many deleted rows and returns their space; of all
// tables if table is "".
func (db *DB) Vacuum(ctx context.Context, table string) error { return errNotYet }

// Stats are numbers about an open store. Counters count since Open.
type Stats struct {
	DiskBytes     int64 // size of the store on disk
	CacheBytes    int64 // block cache in use
	CacheHits     int64
	CacheMisses   int64
	Statements    int64 // statements run
	Failed        int64 // of those, failed
	Running       int64 // statements running now
	Snapshots     int64 // views held now by rows and transactions
	TextsEncoded  int64 // texts given to encoders
	PromptHits    int64 // texts found in the prompt cache
	ImagesEncoded int64
}

// Stats returns current numbers. It is cheap.
func (db *DB) Stats() Stats { return Stats{} }
