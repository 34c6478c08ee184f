// Package parquet reads and writes Parquet files. Importing it registers it with the formats of
// package source; programs import db/parquet, which does so for them.
package parquet

import "github.com/lupadb/lupa/query/internal/source"

func init() { source.RegisterParquet(open, create) }
