package render

import "bufio"

func newTable(w *bufio.Writer, o *Options) Renderer {
	line := rule("+", "-", "+", "+")
	return &grid{w: w, o: o, f: frame{
		left: "| ", mid: " | ", right: " |",
		top: line, under: line, end: line,
		note: func(s string) string { return s },
	}}
}
