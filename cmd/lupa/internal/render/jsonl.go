package render

import (
	"bufio"

	"github.com/lupadb/lupa/storage/value"
)

// jsonLines writes one object a line and nothing else, so results may be
// concatenated and cut.
type jsonLines struct {
	w    *bufio.Writer
	keys []string
	buf  []byte
}

func newJSONLines(w *bufio.Writer, _ *Options) Renderer { return &jsonLines{w: w} }

func (j *jsonLines) Begin(cols []Column) error {
	j.keys = jsonKeys(cols)
	return nil
}

func (j *jsonLines) Row(vals []value.Value) error {
	j.buf = append(appendObject(j.buf[:0], j.keys, vals), '\n')
	_, err := j.w.Write(j.buf)
	return err
}

func (j *jsonLines) End() error { return nil }
