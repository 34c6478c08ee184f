package shell

import (
	"fmt"
	"io"
	"strings"

	"github.com/lupadb/lupa/cmd/lupa/internal/render"
)

// room keeps the rows below the prompt free that the line editor is going to
// draw on. It can't see where on the screen it is without asking the terminal,
// and keys that come in together with the answer would be lost; at the bottom of
// the screen, where the terminal stops its downward moves, it would then draw
// over what stands above.
type room struct {
	w      io.Writer
	size   func() (columns, rows int)
	prompt func() int // columns of the prompt
	rows   int        // rows that the statement took when room was made last
}

// helperRows is what a hint and a short list below the statement need.
const helperRows = 4

// begin is called before the prompt is printed.
func (r *room) begin() {
	r.rows = 1
	r.make(helperRows)
}

// make frees n rows below the cursor by scrolling, without moving it: IND goes
// down one row in the same column, and scrolls where there is none.
func (r *room) make(n int) {
	_, rows := r.size()
	if n = min(n, rows-2); n > 0 {
		fmt.Fprintf(r.w, "%s\x1b[%dA", strings.Repeat("\x1bD", n), n)
	}
}

// fit is called before a statement is drawn.
func (r *room) fit(text string) {
	if n := r.height(text); n > r.rows {
		r.make(n + helperRows)
		r.rows = n
	}
}

// height is how many rows a statement takes behind its prompt.
func (r *room) height(text string) int {
	columns, _ := r.size()
	n := 0
	for _, line := range strings.Split(text, "\n") {
		n += 1 + (r.prompt()+render.Width(line))/max(1, columns)
	}
	return n
}

// list makes room for a menu below a statement and returns how many rows it
// may have.
func (r *room) list(text string, rows int) int {
	_, screen := r.size()
	most := max(3, screen-r.height(text)-3)
	r.make(r.height(text) + min(rows, most))
	return most
}

// wraps reports whether a line of the text takes more than one row.
func (r *room) wraps(text string) bool {
	columns, _ := r.size()
	for line := range strings.SplitSeq(text, "\n") {
		if r.prompt()+render.Width(line) >= columns {
			return true
		}
	}
	return false
}
