package query_test

import (
	"strings"
	"testing"
)

// CountTokens takes two tokens for each word, and three around a text.
func (w *longerEncoder) CountTokens(text string) (int, error) {
	return 3 + 2*len(strings.Fields(text)), nil
}

func (w *longerEncoder) MaxTokens() int { return 64 }

// Chunks counted in a model's tokens are as large as is said, those around a text included, and
// none is larger than what the model reads.
func TestChunksOfTokens(t *testing.T) {
	f := open(t)
	withLonger(f)
	f.run("CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT)")
	f.run("INSERT INTO docs VALUES (1, 'a b c d e f g h'), (2, 'x')")
	f.expect("SELECT d.id, c.n, c.text, c.start FROM docs d, LATERAL chunks(d.body, 10, 2, encoder => 'wide') c ORDER BY d.id, c.n",
		"1|1|a b c|1", "1|2|c d e|5", "1|3|e f g|9", "1|4|g h|13", "2|1|x|1")
	f.fails("SELECT * FROM chunks('a b', 65, encoder => 'wide')", "encoder wide reads 64 tokens, so that the end of chunks of 65 would be lost")
	f.fails("SELECT * FROM chunks('a b', 3, encoder => 'wide')", "leaves no room")
	f.fails("SELECT * FROM chunks('a b', 30, encoder => 'hash')", "encoder hash knows no tokens")
	f.run("CREATE TABLE passages (doc INTEGER, n INTEGER, text TEXT, v VECTOR ENCODER 'wide', PRIMARY KEY (doc, n))")
	f.run("INSERT INTO passages SELECT d.id, c.n, c.text, c.text FROM docs d, LATERAL chunks(d.body, 10, 2, encoder => 'wide') c")
	f.expect("SELECT doc, text FROM passages QUALIFY row_number() OVER (PARTITION BY doc ORDER BY v_sim('c d e')) = 1 ORDER BY v_sim('c d e')", "1|c d e", "2|x")
}
