package render

import (
	"bufio"
	"strings"
)

// newMarkdown writes a table of GitHub's Markdown. It is for people, but other
// programs format it: so nothing in a value can end the cell or become markup.
func newMarkdown(w *bufio.Writer, o *Options) Renderer {
	return &grid{w: w, o: o, f: frame{
		left: "| ", mid: " | ", right: " |",
		top: noRule, under: markdownRule, end: noRule,
		escape: markdownEscape.Replace,
	}}
}

var markdownEscape = strings.NewReplacer(`|`, `\|`, `<`, `&lt;`, `&`, `&amp;`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`)

func markdownRule(g *grid, widths []int) string {
	var b strings.Builder
	b.WriteByte('|')
	for i, w := range widths {
		line := strings.Repeat("-", w+2)
		if c := g.shown[i]; c >= 0 && g.right(c) {
			line = line[1:] + ":"
		}
		b.WriteString(line + "|")
	}
	return b.String()
}
