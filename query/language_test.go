package query_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lupadb/lupa/query"
)

var updateDocs = flag.Bool("language.update", false, "rewrite the generated parts of query/LANGUAGE.md")

// TestLanguageReference checks query/LANGUAGE.md against the code: its lists of
// words and functions are the code's, and every statement in it parses.
func TestLanguageReference(t *testing.T) {
	const name = "LANGUAGE.md"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)

	var reserved []string
	for _, w := range query.Keywords() {
		if query.Reserved(w) {
			reserved = append(reserved, w)
		}
	}
	var functions strings.Builder
	functions.WriteString("| function | | example |\n|---|---|---|\n")
	for _, f := range query.Functions() {
		example := ""
		if f.Example != "" {
			example = fmt.Sprintf("`%s` = `%s`", f.Example, f.Gives)
		}
		escape := strings.NewReplacer("|", `\|`)
		fmt.Fprintf(&functions, "| `%s` | %s | %s |\n", escape.Replace(f.Syntax), escape.Replace(f.Doc), escape.Replace(example))
	}
	want := text
	for part, generated := range map[string]string{"reserved": wrap(reserved, 80) + "\n", "functions": functions.String()} {
		re := regexp.MustCompile(`(?s)(<!-- ` + part + ` -->\n).*?(<!-- end -->)`)
		want = re.ReplaceAllStringFunc(want, func(s string) string {
			return re.ReplaceAllString(s, "${1}") + generated + "<!-- end -->"
		})
	}
	if want != text {
		if *updateDocs {
			if err := os.WriteFile(name, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		} else {
			t.Error("query/LANGUAGE.md does not list the words and functions there are: go test ./query -language.update")
		}
	}

	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) < 5 {
		t.Fatalf("only %d blocks of statements", len(blocks))
	}
	for _, b := range blocks {
		for _, p := range query.Split(b[1]) {
			if _, err := query.Prepare(&query.Env{}, p.Text); err != nil {
				t.Errorf("%s\n%v", p.Text, err)
			}
			if !p.Complete {
				t.Errorf("%s: a ; is missing", p.Text)
			}
		}
	}
}

// wrap joins words with spaces into lines of at most width characters.
func wrap(words []string, width int) string {
	words = slices.Clone(words)
	var lines []string
	line := ""
	for _, w := range words {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+w, " ")
	}
	return strings.Join(append(lines, line), "\n")
}
