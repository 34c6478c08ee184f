// Package parquet makes a program that embeds package db read and write Parquet files: read_parquet,
// COPY FROM and TO, and the files' names as tables. It is imported for that alone:
//
//	import _ "github.com/lupadb/lupa/db/parquet"
//
// The library for them, parquet-go, would be a seventh of such a program, so that only those
// which want it carry it. Without it, what asks for a Parquet file is an error that says this.
package parquet

import _ "github.com/lupadb/lupa/query/parquet" // registers itself
