// Command lupa is the shell and batch runner of Lupa stores: see lupa --help.
package main

import (
	"os"

	"github.com/lupadb/lupa/cmd/lupa/internal/shell"
)

var version = "dev" // set by the linker: -X main.version=...

func main() {
	os.Exit(shell.Main(os.Args[1:], version))
}
