package shell

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
)

// TestSecrets looks for passwords in what is shown and kept of statements.
func TestSecrets(t *testing.T) {
	for _, s := range []string{
		"ATTACH 'postgres://me:s3cret@h/x' AS y",
		"ATTACH 'postgres://me:s3c%40ret@h/x?sslmode=off' AS y PERSIST",
		"ATTACH 'postgres://me:s3c/r@et@h/x' AS y",
		"ATTACH 'postgres://:s3c ret@h/x' AS y",
		"ATTACH 'POSTGRESQL://me@h/x?a=b&password=s3cret' AS y",
		"ATTACH 'postgres://me@h/x?passw%6Frd=s3cret' AS y",
		"ATTACH 'postgres://me@h/x?%70assword=s3cret&a=b' AS y",
		"ATTACH 'postgres://me@h/x?sslpassword=s3cret' AS y",
		"ATTACH 'host=h password = s3cret' AS y",
	} {
		if !hasSecret(s) {
			t.Errorf("%s is kept in the history", s)
		}
		text := describe(place{}, s, &db.ParseError{Line: 1, Column: 8, Msg: "no"})
		if strings.Contains(text, "s3c") || strings.Contains(text, "ret@") || len(redacted(s)) != len(s) {
			t.Error(text)
		}
		h := &history{file: t.TempDir() + "/history"}
		h.Write(s)
		h.Write("SELECT 1")
		if err := h.rewrite(); err != nil {
			t.Error(err)
		}
		if n := len(linesOf(t, h.file)); n != 1 {
			t.Errorf("%d lines for %s", n, s)
		}
	}
	for _, s := range []string{"SELECT 1", "ATTACH 'postgres://me@h:5432/x?sslmode=off&passfile=/x' AS y", "ATTACH 'postgres://h/x' AS y", "SELECT 'a@b:c@d', 10 % 3 = 1"} {
		if hasSecret(s) || redacted(s) != s {
			t.Errorf("%s has no secret", s)
		}
	}
	if got := describe(place{}, "x", errors.New("e")); got != "error: e" {
		t.Error(got)
	}
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}
