// Command ansi turns what a program prints on a terminal into an HTML page, so
// that a browser can make a picture of it. It knows the colours (SGR) that
// lupa uses; go run ./testdata/pictures/ansi < text > page.html
package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
)

// basic are the eight colours of a dark terminal, by their number.
var basic = []string{"#1d1f21", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d7d7d0"}

// style is how characters look.
type style struct {
	bold, dim bool
	fg, bg    string
}

// set applies the parameters of one SGR sequence.
func (s *style) set(params string) {
	p := strings.Split(params, ";")
	num := func(i int) int {
		if i >= len(p) {
			return 0
		}
		n, _ := strconv.Atoi(p[i])
		return n
	}
	for i := 0; i < len(p); i++ {
		switch n := num(i); {
		case n == 0:
			*s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.dim = true
		case n >= 30 && n <= 37:
			s.fg = basic[n-30]
		case n == 49:
			s.bg = ""
		case (n == 38 || n == 48) && num(i+1) == 2:
			c := fmt.Sprintf("rgb(%d,%d,%d)", num(i+2), num(i+3), num(i+4))
			if n == 38 {
				s.fg = c
			} else {
				s.bg = c
			}
			i += 4
		}
	}
}

func (s style) css() string {
	var b strings.Builder
	if s.bold {
		b.WriteString("font-weight:bold;")
	}
	if s.dim {
		b.WriteString("opacity:.55;")
	}
	if s.fg != "" {
		b.WriteString("color:" + s.fg + ";")
	}
	if s.bg != "" {
		b.WriteString("background:" + s.bg + ";")
	}
	return b.String()
}

// block draws an upper half block as two boxes: fonts leave gaps.
func (s style) block() string {
	under := s.bg
	if under == "" {
		under = "transparent"
	}
	return fmt.Sprintf(`<i style="background:linear-gradient(%s 50%%,%s 50%%)"></i>`, s.fg, under)
}

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	w.WriteString(`<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 16px 20px; background: #1d1f21; color: #d7d7d0; }
pre { margin: 0; font: 15px/18px "DejaVu Sans Mono", Menlo, Consolas, monospace; }
i { display: inline-block; width: 1ch; height: 18px; vertical-align: top; }
</style><pre>`)
	var s style
	plain := ""
	flush := func() {
		if plain == "" {
			return
		}
		if css := s.css(); css != "" {
			fmt.Fprintf(w, `<span style="%s">%s</span>`, css, html.EscapeString(plain))
		} else {
			w.WriteString(html.EscapeString(plain))
		}
		plain = ""
	}
	rest := string(text)
	for rest != "" {
		if after, ok := strings.CutPrefix(rest, "\x1b["); ok {
			if params, tail, ok := strings.Cut(after, "m"); ok {
				flush()
				s.set(params)
				rest = tail
				continue
			}
		}
		if after, ok := strings.CutPrefix(rest, "▀"); ok {
			flush()
			w.WriteString(s.block())
			rest = after
			continue
		}
		r := []rune(rest[:min(4, len(rest))])[0]
		plain += string(r)
		rest = rest[len(string(r)):]
	}
	flush()
	w.WriteString("</pre>\n")
}
