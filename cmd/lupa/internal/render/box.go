package render

import "bufio"

func newBox(w *bufio.Writer, o *Options) Renderer {
	return &grid{w: w, o: o, f: frame{
		left: "│ ", mid: " │ ", right: " │",
		top:   rule("┌", "─", "┬", "┐"),
		under: rule("├", "─", "┼", "┤"),
		end:   rule("└", "─", "┴", "┘"),
		note:  func(s string) string { return s },
	}}
}
