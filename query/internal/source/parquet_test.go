package source_test

// The tests of the formats know Parquet, too.
import _ "github.com/lupadb/lupa/query/parquet"
