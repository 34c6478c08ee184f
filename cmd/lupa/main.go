// Command lupa is the shell and batch runner of Lupa stores: see lupa --help.
package main

import (
	"os"

	"github.com/lupadb/lupa/cmd/lupa/internal/shell"
	"github.com/lupadb/lupa/db"
	_ "github.com/lupadb/lupa/db/parquet"   // so that Parquet files are read
	_ "github.com/lupadb/lupa/encoder/heif" // so that HEIC and AVIF are read
	_ "github.com/lupadb/lupa/encoder/jxl"  // and JPEG XL, where there is djxl
)

func main() {
	os.Exit(shell.Main(os.Args[1:], db.Version))
}
