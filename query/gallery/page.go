package gallery

import (
	"fmt"
	"html"
	"strings"
)

// The page is put together here and not by html/template: the linker keeps every
// exported method of a program that holds a template, which made every program
// that embeds the engine several megabytes larger.
//
// A value stands in one of two places, the text of an element or an attribute in
// double quotes, and goes through escape or escapeURL to get there; the policy in
// the head keeps scripts out even so.

const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: http: https:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
`

const pageStyle = `<style>
:root { --ground: #f6f6f4; --card: #ffffff; --ink: #1d1d1b; --soft: #6b6b66; --line: #dfdfda; --frame: #ecece8; --mark: #b4541a; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #161615; --card: #20201e; --ink: #ecece7; --soft: #9a9a92; --line: #34342f; --frame: #111110; --mark: #f0965a; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 15px/1.4 system-ui, sans-serif; }
h1 { margin: 0 0 1.2rem; font-size: 1.25rem; font-weight: 600; overflow-wrap: anywhere; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.1rem; align-items: start; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
.frame { display: flex; align-items: center; justify-content: center; height: 12rem; background: var(--frame); color: var(--soft); text-decoration: none; font-size: .85rem; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; color: var(--soft); }
figcaption { padding: .6rem .75rem .75rem; }
.head { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem; color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
.head b { color: var(--mark); font-weight: 600; }
.bar { height: 3px; margin: .3rem 0 .5rem; background: var(--line); border-radius: 2px; }
.bar i { display: block; height: 100%; background: var(--mark); border-radius: 2px; }
p { margin: .2rem 0 .4rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem .6rem; margin: 0; font-size: .82rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.name { color: var(--soft); font-size: .82rem; }
.credit { margin: .5rem 0 0; color: var(--soft); font-size: .8rem; }
footer { margin-top: 1.5rem; color: var(--soft); font-size: .8rem; }
@media print { figure { break-inside: avoid; } }
</style>
</head>
<body>
`

// escape escapes s for the text of an element and for an attribute in double quotes.
func escape(s string) string {
	return html.EscapeString(strings.ReplaceAll(s, "\x00", "\uFFFD"))
}

// escapeURL escapes a URL for an attribute: what may not stand in a URL is written
// as %XX, what may, escapes included, stays as it is.
func escapeURL(s string) string {
	const plain = "-._~:/?#[]@!$&'()*+,;=%"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return html.EscapeString(b.String())
}

func (g *Writer) writeHead() error {
	title := escape(g.o.Title)
	_, err := fmt.Fprintf(g.w, "%s<title>%s</title>\n%s<h1>%s</h1>\n<main>\n", pageHead, title, pageStyle, title)
	return err
}

func (g *Writer) writeCard(c *card) error {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("<figure>\n")
	end := "</div>"
	if c.Link != "" {
		p(`<a class="frame" href="%s" rel="noopener noreferrer">`, escapeURL(c.Link))
		end = "</a>"
	} else {
		p(`<div class="frame">`)
	}
	if c.Src != "" {
		p(`<img src="%s" alt="%s" loading="lazy"`, escapeURL(c.Src), escape(c.Alt))
		if c.Width > 0 {
			p(` width="%d" height="%d"`, c.Width, c.Height)
		}
		p(">")
	} else {
		p("%s", escape(c.Missing))
	}
	p("%s\n<figcaption>\n<div class=\"head\"><span>%d</span>", end, c.Rank)
	if c.Score != "" {
		p("<b>%s</b></div>\n<div class=\"bar\"><i style=\"width: %d%%\"></i>", c.Score, g.bar(c))
	}
	p("</div>")
	if c.Name != "" {
		p("\n<p class=\"name\" dir=\"auto\">%s</p>", escape(c.Name))
	}
	if c.Caption != "" {
		p("\n<p dir=\"auto\">%s</p>", escape(c.Caption))
	}
	if len(c.Fields) > 0 {
		p("\n<dl>")
		for _, f := range c.Fields {
			p(`<dt>%s</dt><dd dir="auto">%s</dd>`, escape(f.Name), escape(f.Text))
		}
		p("</dl>")
	}
	if c.Credit != "" {
		p("\n<p class=\"credit\" dir=\"auto\">%s</p>", escape(c.Credit))
	}
	p("\n</figcaption>\n</figure>\n")
	_, err := g.w.WriteString(b.String())
	return err
}

func (g *Writer) writeEnd() error {
	what := "pictures"
	if g.n == 1 {
		what = "picture"
	}
	_, err := fmt.Fprintf(g.w, "</main>\n<footer>%d %s</footer>\n</body>\n</html>\n", g.n, what)
	return err
}
