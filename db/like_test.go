package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// LIKE and ILIKE find the same rows with an index of trigrams as without.
func TestLikeByTrigrams(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open("", &db.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Exec(ctx, sql, args...); err != nil {
			t.Fatal(sql, err)
		}
	}
	exec("CREATE TABLE a (id INTEGER PRIMARY KEY, c TEXT); CREATE TABLE b (id INTEGER PRIMARY KEY, c TEXT); CREATE INDEX parts ON b USING fulltext (c) WITH (language = 'trigram')")
	r := rand.New(rand.NewPCG(4, 4))
	pieces := []string{"a", "b", "c", "A", "B", "é", "E\u0301", "e", "ß", "ss", "SS", "İ", "i", "I", "ı", "K", "k", "Σ", "ς", "σ", "東", "京", " ", "%", "_", `\`, "\u0345", "ﬁ", "fi", "👍", "\u0300"}
	random := func(most int, wild bool) string {
		var b strings.Builder
		for range r.IntN(most) {
			if wild && r.IntN(4) == 0 {
				b.WriteString([]string{"%", "_", `\%`, `\_`, `\\`, "%"}[r.IntN(6)])
				continue
			}
			p := pieces[r.IntN(len(pieces))]
			if wild && p == `\` {
				continue
			}
			b.WriteString(p)
		}
		return b.String()
	}
	var texts []string
	for i := range 1500 {
		s := any(random(24, false))
		if i%50 == 0 {
			s = nil
		} else {
			texts = append(texts, s.(string))
		}
		exec("INSERT INTO a VALUES ($1, $2)", i, s)
	}
	exec("INSERT INTO b SELECT * FROM a WHERE id % 2 = 0; INSERT INTO b SELECT * FROM a WHERE id % 2 = 1")
	ids := func(table, cond string, args ...any) string {
		t.Helper()
		rows, err := d.Query(ctx, "SELECT id FROM "+table+" WHERE "+cond+" ORDER BY id", args...)
		if err != nil {
			return err.Error()
		}
		var b strings.Builder
		for row, err := range rows.All() {
			if err != nil {
				return err.Error()
			}
			fmt.Fprint(&b, row[0].Int(), " ")
		}
		return b.String()
	}
	found := 0
	for range 800 {
		pat := random(8, true)
		if r.IntN(2) == 0 { // a part of a text
			s := []rune(texts[r.IntN(len(texts))])
			if len(s) > 5 {
				at := r.IntN(len(s) - 4)
				pat = "%" + strings.NewReplacer("%", `\%`, "_", `\_`, `\`, `\\`).Replace(string(s[at:at+4])) + "%"
			}
		}
		if r.IntN(2) == 0 {
			pat = "%" + pat + "%"
		}
		op := []string{"LIKE", "ILIKE"}[r.IntN(2)]
		if op == "ILIKE" && r.IntN(2) == 0 {
			pat = strings.ToUpper(pat)
		}
		cond := fmt.Sprintf("c %s '%s'", op, strings.ReplaceAll(pat, "'", "''"))
		want := ids("a", cond)
		if got := ids("b", cond); got != want {
			t.Fatalf("%s: %s, want %s", cond, got, want)
		}
		if got := ids("b", "c "+op+" $1", pat); got != want {
			t.Fatalf("%s as a parameter: %s, want %s", cond, got, want)
		}
		if want != "" {
			found++
		}
	}
	if found < 80 {
		t.Errorf("%d patterns match a text", found)
	}
	if plan := explain(t, d, "SELECT id FROM b WHERE c LIKE '%abc%'"); !strings.Contains(plan, "TextLookup parts") {
		t.Error(plan)
	}
}
