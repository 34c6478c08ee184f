package parse

import "testing"

// The text of a part is the same within a whole.
func TestTextsOfParts(t *testing.T) {
	for _, sql := range []string{
		"SELECT a + b * (c - -d) || 'x' IN (1, 2) OR NOT (f IS NULL AND g LIKE 'x%' ESCAPE '!')",
		"SELECT CASE WHEN a = ANY (ARRAY[1, 2]) THEN sum(x ORDER BY y DESC) FILTER (WHERE z > 0) ELSE (SELECT max(q) FROM t WHERE q + 1 BETWEEN 1 AND 2 * 3) END::TEXT",
		"SELECT a <-> [1, 2] < -(5), EXISTS (SELECT 1 FROM u WHERE u.a = -(-1)), (a, b) IN ((1, 2))",
	} {
		st, err := Parse(sql)
		if err != nil {
			t.Fatal(sql, err)
		}
		var texts Texts
		n := 0
		for _, it := range st.(*Select).Body.(*Core).Items {
			texts.Of(it.Expr)
		}
		for e, text := range texts.of {
			if n++; text != e.String() {
				t.Errorf("%s has the text %s", e, text)
			}
		}
		if n < 8 {
			t.Errorf("%s: %d parts", sql, n)
		}
	}
}
