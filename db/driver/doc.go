// Package driver makes Lupa a database/sql driver.
//
//	pool := sql.OpenDB(driver.NewConnector("photos.lupa", &db.Options{OpenEncoder: onnx.Opener(nil)}))
//	defer pool.Close()
//	rows, err := pool.QueryContext(ctx, `SELECT id, clip FROM photos ORDER BY clip_sim($1) LIMIT 5`, "a wolf")
//
// For programs that only know names (sql.Open("lupa", "photos.lupa"), sqlx.Connect),
// call [Register] once, before: importing this package has no side effect. An
// already open *db.DB is shared by [ForDB]. The tests in testdata/compat
// run sqlx over it. Programs that come with their drivers compiled in, such as
// usql, have to be built with this one.
//
// # Data source names
//
//	photos.lupa                     the directory, made if it is not there
//	file:photos.lupa?mode=ro        with options; the "file:" is optional
//	:memory:                        a store in memory, one for the whole pool
//
// Options are mode (rwc, the default; rw: must exist; ro: read only; memory),
// cache_size and memory_budget (bytes, or 64MB, 1GiB), nosync, nofiles,
// allow_urls (true or false), workers and writer_timeout (5s). A name without "?" is taken as it is.
//
// A directory can be open once: two pools over it in one process need [ForDB].
//
// # Types
//
// A VECTOR arrives as []float32 and scans into []float32, db.Floats or any; one
// that may be NULL into db.Floats, sql.Null[[]float32] or any. JSON and BLOB
// arrive as []byte, TEXT as string, INTEGER as int64, REAL as float64, BOOLEAN as
// bool, TIMESTAMP and DATE as time.Time (UTC), INTERVAL as string. ColumnType.ScanType is a type that takes NULL
// too. Arguments are those of package db: vectors,
// pictures and sql.Named among them.
//
// # Transactions
//
// A transaction that is not read-only is the store's one writer from Begin to
// Commit; others that want to write wait as long as their context allows. With
// sql.TxOptions.ReadOnly it is a view of the store as it is at Begin, which never
// waits; a store opened with mode=ro has no others. Every isolation level up to
// sql.LevelSerializable is granted. When a statement fails, only Rollback is left:
// everything else, Commit included, gives db.ErrTxFailed.
//
// A query is one statement and has one set of rows; Exec takes several, separated
// by semicolons. LastInsertId is the primary key of the last row inserted, where that
// is an INTEGER; RETURNING gives any. There are no output parameters.
//
// Errors are those of package db, for errors.Is and errors.As.
package driver
