package render

import (
	"bufio"
	"html"

	"github.com/lupadb/lupa/storage/value"
)

// htmlTable writes a table element. NULL is an empty cell of class "null",
// numbers have class "number".
type htmlTable struct {
	w *bufio.Writer
	o *Options
}

func newHTML(w *bufio.Writer, o *Options) Renderer { return &htmlTable{w, o} }

func (h *htmlTable) Begin(cols []Column) error {
	h.w.WriteString("<table>\n")
	if !h.o.NoHead {
		h.w.WriteString("<thead><tr>")
		for _, c := range cols {
			h.w.WriteString("<th>" + html.EscapeString(c.Name) + "</th>")
		}
		h.w.WriteString("</tr></thead>\n")
	}
	_, err := h.w.WriteString("<tbody>\n")
	return err
}

func (h *htmlTable) Row(vals []value.Value) error {
	h.w.WriteString("<tr>")
	for _, v := range vals {
		switch {
		case v.IsNull():
			h.w.WriteString(`<td class="null"></td>`)
		case rightAligned(v.Kind()):
			h.w.WriteString(`<td class="number">` + Text(v) + "</td>")
		default:
			h.w.WriteString("<td>" + html.EscapeString(Text(v)) + "</td>")
		}
	}
	_, err := h.w.WriteString("</tr>\n")
	return err
}

func (h *htmlTable) End() error {
	_, err := h.w.WriteString("</tbody>\n</table>\n")
	return err
}
