package fn

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/lupadb/lupa/storage/value"
)

// LIKE '%text%' finds what a search in each text finds, where the texts of all rows or the different ones
// are joined, across whose borders nothing counts, and where they are not.
func TestContains(t *testing.T) {
	rng := rand.New(rand.NewSource(11))
	word := func(most int) string {
		b := make([]byte, rng.Intn(most+1))
		for i := range b {
			b[i] = "ab"[rng.Intn(2)]
		}
		return string(b)
	}
	typ := value.Type{Kind: value.Text}
	call, err := Resolve("like", []ArgType{{Type: typ}, {Type: typ}})
	if err != nil {
		t.Fatal(err)
	}
	joined, byValue := 0, 0
	for range 2000 {
		n := 1 + rng.Intn(60)
		few := make([]string, 1+rng.Intn(n))
		for i := range few {
			few[i] = word(5)
		}
		col := &value.Column{Type: typ}
		for i := range n {
			col.Append(i, value.Str(few[rng.Intn(len(few))]))
		}
		switch rng.Intn(3) {
		case 0:
			col.Joined = strings.Join(col.Strs, "")
			joined++
		case 1:
			code(col, n)
			if (Arg{Column: col}).coded(n, nil) {
				byValue++
			}
		}
		text := word(3) + "a"
		var out value.Column
		args := []Arg{{Column: col}, ConstArg(value.Str("%"+text+"%"), typ)}
		if err := call.Eval(testCtx, args, n, nil, &out); err != nil {
			t.Fatal(err)
		}
		for i, s := range col.Strs {
			if want := strings.Contains(s, text); out.Bools[i] != want {
				t.Fatalf("row %d of %q, %d of them different: %q in it: %v, want %v", i, col.Strs, len(col.Values), text, out.Bools[i], want)
			}
		}
	}
	if joined < 100 || byValue < 100 {
		t.Errorf("%d columns were joined, %d went by their different texts", joined, byValue)
	}
}
