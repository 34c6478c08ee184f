package eval_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/encoder"
	"github.com/lupadb/lupa/examples/ngram"
	"github.com/lupadb/lupa/internal/eval"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	check(t, err)
	return string(b)
}

// Marks go into the file, change their mind, and leave what else is there alone.
func TestMarks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prompts.csv")
	m := eval.NewMarks(file)
	if all, err := m.All("photos"); err != nil || len(all) > 0 {
		t.Fatalf("%v %v", all, err)
	}
	check(t, m.Clear("photos", "a wolf", "7"))
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was made of nothing")
	}
	check(t, m.Set("photos", eval.Mark{Query: "a wolf", Key: "7", Right: true}))
	check(t, m.Set("photos", eval.Mark{Query: "a \"wolf\",\n", Key: "x,y", Right: false}))
	check(t, m.Set("notes", eval.Mark{Query: "a wolf", Key: "7", Right: false}))
	check(t, m.Set("photos", eval.Mark{Query: "a wolf", Key: "7", Right: false}))
	want := "query,id,right,table\n\"a \"\"wolf\"\",\n\",\"x,y\",no,photos\na wolf,7,no,notes\na wolf,7,no,photos\n"
	if got := read(t, file); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	check(t, m.Clear("photos", "a wolf", "7"))
	all, err := m.All("photos")
	if check(t, err); !reflect.DeepEqual(all, []eval.Mark{{Query: "a \"wolf\",\n", Key: "x,y"}}) {
		t.Errorf("%+v", all)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".prompts*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}

	check(t, os.Chmod(file, 0o600))
	check(t, os.WriteFile(file, []byte("kind,prompt,predicate\nx,a dog,place=snow\n"), 0o600))
	check(t, m.Set("photos", eval.Mark{Query: "a cat", Key: "1", Right: true}))
	if got := read(t, file); got != "kind,prompt,predicate,id,right,table\nx,a dog,place=snow,,,\n,a cat,,1,yes,photos\n" {
		t.Errorf("the file is\n%s", got)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", st.Mode())
	}
	check(t, os.WriteFile(file, []byte("query,id,right\na,1,perhaps\n"), 0o600))
	if _, err := m.All("photos"); err == nil || !strings.Contains(err.Error(), `:2: right is yes or no, not "perhaps"`) {
		t.Errorf("%v", err)
	}
}

// What is right is what lines say is right, or, where none does, all but what is wrong.
func TestMarkedPrompts(t *testing.T) {
	ctx := context.Background()
	store, err := db.Open(":memory:", &db.Options{Encoders: []encoder.Encoder{ngram.New("ngram", 256)}})
	check(t, err)
	defer func() { check(t, store.Close()) }()
	_, err = store.Exec(ctx, `CREATE TABLE w (id INTEGER PRIMARY KEY, v VECTOR ENCODER 'ngram');
		INSERT INTO w VALUES (1, 'a red boat'), (2, 'a blue boat'), (3, 'grass'), (4, NULL)`)
	check(t, err)
	table, err := store.Table(ctx, "w")
	check(t, err)
	target, err := eval.FindTarget([]db.Table{table}, "", "")
	check(t, err)
	for _, c := range []struct {
		about, lines   string
		right          bool
		rank, relevant int
		best           string
	}{
		{"right", "a red boat,1,yes,\n", true, 1, 1, "1"},
		{"right by default", "a red boat,1,,\n", true, 1, 1, "1"},
		{"two are right", "a red boat,3,yes,\na red boat,2,yes,w\n", false, 2, 2, "2"},
		{"the first is wrong", "a red boat,1,no,\n", false, 2, 3, "2"},
		{"another is wrong", "a red boat,3,no,\n", true, 1, 3, "1"},
		{"what is right counts, not what isn't wrong", "a red boat,1,no,\na red boat,3,yes,\n", false, 3, 1, "3"},
		{"of another table", "a red boat,2,yes,\na red boat,1,yes,other\n", false, 2, 1, "2"},
		{"a row that is gone", "a red boat,9,yes,\n", false, 0, 0, ""},
	} {
		file := filepath.Join(t.TempDir(), "p.csv")
		check(t, os.WriteFile(file, []byte("query,id,right,table\n"+c.lines), 0o600))
		phrases, err := eval.ReadFile(file)
		check(t, err)
		all, err := eval.Read(phrases, target, false)
		check(t, err)
		check(t, eval.Judge(ctx, store, target, all, func(db.Progress) {}))
		p := all[0]
		if best := p.Best.String(); len(all) != 1 || p.FirstRight() != c.right || p.Rank != c.rank || p.Relevant != c.relevant || c.best != "" && best != c.best {
			t.Errorf("%s: %d prompts, first right %t, rank %d of %d, best %s", c.about, len(all), p.FirstRight(), p.Rank, p.Relevant, best)
		}
	}
	for text, want := range map[string]string{
		"query,id,right\na,1,maybe\n":           `:2: right is yes or no`,
		"query,predicate,right\na,id=1,no\n":    "told by their id",
		"query,id,right,table\na,1,yes,other\n": "no prompts",
		"query,id,right\na,one,yes\n":           "is not a number",
		"query,predicate,id\na,,1\nb,,\n":       "",
	} {
		file := filepath.Join(t.TempDir(), "p.csv")
		check(t, os.WriteFile(file, []byte(text), 0o600))
		phrases, err := eval.ReadFile(file)
		check(t, err)
		if _, err := eval.Read(phrases, target, false); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
