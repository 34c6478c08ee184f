// Package db opens Lupa stores and queries them: an embedded vector database
// with a SQL-like language.
//
//	store, err := db.Open("photos.lupa", &db.Options{OpenEncoder: onnx.Opener(nil)})
//	...
//	defer store.Close()
//	rows, err := store.Query(ctx, `SELECT id, clip_sim($1) AS score FROM photos ORDER BY score LIMIT 5`, "a wolf")
//
// The nouns:
//
//   - [DB] is an open store. One process opens a directory for writing at a time;
//     any number of goroutines use a DB at once.
//   - [Rows] are the answer to a query, read once, row by row.
//   - [Stmt] is a prepared statement; [Stmt.QueryMany] answers many arguments in
//     one pass over the data.
//   - [Tx] is a transaction: a consistent view of the store and, unless it is
//     read-only, the store's one writer.
//   - [Conn] is a session: what a shell or a database/sql connection needs so
//     that BEGIN and COMMIT can be statements.
//   - [Appender] takes rows from Go values in bulk.
//
// [Select], [Get], [Each] and [Collect] put rows into structs, [DB.Update] and
// [DB.View] wrap a function in a transaction, and [DB.Nearest] searches without a
// statement. Structs of options may be nil, and their zero fields mean the
// default; what is not made by [Open] or a method, such as a zero DB or Tx, is of
// no use.
//
// # Arguments
//
// Parameters are written ?, $1 or :name. A Go argument becomes a value so:
//
//	nil, and nil pointers                   NULL
//	bool                                    BOOLEAN
//	all integers                            INTEGER (a uint64 beyond int64 is an error)
//	float32, float64                        REAL
//	string                                  TEXT; encoded where a vector is asked for
//	[]byte                                  BLOB; the text of a JSON, or the float32s
//	                                        (lowest byte first) of a VECTOR, where those are asked for
//	[]float32, []float64, Floats            VECTOR
//	time.Time                               TIMESTAMP, to the microsecond; a DATE where one is stored
//	time.Duration                           INTEGER, nanoseconds; as an INTERVAL, INTERVAL '1 second' * ($1 / 1e9)
//	json.RawMessage                         JSON
//	image.Image, Image                      a picture, encoded where a vector is asked for
//	Value                                   itself
//	driver.Valuer                           what its Value method returns
//	sql.NamedArg, Named(name, v)            the argument of :name
//	maps, structs, other slices             JSON, by encoding/json
//	other types                             by their kind: type ID string is TEXT
//
// # Ownership
//
// Values are immutable. [Rows.Scan] copies: what it stored belongs to the
// caller. Vectors in the values returned by [Rows.Values] belong to the caller
// too, and must not be changed if the Value is passed on.
//
// # Concurrency
//
// DB, and a Stmt prepared by a DB, are safe for concurrent use. Tx, Conn, Rows,
// Appender, and statements prepared by a Tx or a Conn, are for one goroutine at
// a time. Readers never wait for the writer, nor the writer for readers;
// writers wait for each other, as long as their context allows.
//
// # Errors
//
// Errors are compared with [errors.Is] and [errors.As], through every layer and
// through database/sql: see [ErrLocked], [ErrReadOnly], [ErrClosed],
// [ErrCorrupt], [ErrEncoderMismatch], [ParseError], [UniqueError],
// [DimensionError] and their neighbours.
//
// # Compatibility
//
// A store written by a release is read and written by every later one, and a
// statement that worked keeps its meaning. Before 1.0.0 names of the Go API may
// change with the minor version, and CHANGELOG.md, at the root, says what to
// write instead. Write literals of option structs with the names of fields, and
// compare errors, not their texts. The version is [Version]; storage/FORMAT.md has the history
// of the format.
//
// # Weight
//
// Without encoder/onnx a program needs no C compiler; where there is one, Pebble
// uses it for its compression and for memory outside of Go's heap. Parquet
// files are read by programs that import db/parquet, pictures of telephones by those that
// import encoder/heif.
package db
