//go:build !unix

package shell

import (
	"os"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
)

func cellSize(*os.File) render.Cell { return render.Cell{Width: 10, Height: 20} }

func askTerminal(_, _ *os.File) string { return "blocks" }
