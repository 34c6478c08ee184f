//go:build noparquet

package source

import "errors"

// A program that never meets a Parquet file saves a fifth of its size with the
// build tag noparquet.

var errNoParquet = errors.New("this program was built without Parquet, by the build tag noparquet")

func openParquet(string, Options) (Reader, error) { return nil, errNoParquet }

func createParquet(string, []Column, Options) (Writer, error) { return nil, errNoParquet }
