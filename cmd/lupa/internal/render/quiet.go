package render

import (
	"bufio"

	"github.com/lupadb/lupa/storage/value"
)

type quiet struct{}

func newQuiet(*bufio.Writer, *Options) Renderer { return quiet{} }

func (quiet) Begin([]Column) error    { return nil }
func (quiet) Row([]value.Value) error { return nil }
func (quiet) End() error              { return nil }
