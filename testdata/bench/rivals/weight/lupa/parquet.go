//go:build parquet

package main

import _ "github.com/lupadb/lupa/db/parquet"
