package dbtest_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lupadb/lupa/db/dbtest"
	"github.com/lupadb/lupa/query"
)

// TestEveryRuleIsShown runs the scripts of EXPLAIN without each rule of the planner in turn: a
// plan in them has to change, or nothing shows what the rule does.
func TestEveryRuleIsShown(t *testing.T) {
	defer query.SwitchOff("")
	plans := func() map[string]string {
		out := map[string]string{}
		files, err := filepath.Glob("../../testdata/explain*.test")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			s := read(t, f)
			models := t.TempDir()
			if err := dbtest.WriteModels(models); err != nil {
				t.Fatal(err)
			}
			store, err := dbtest.API{}.Open(t.Context(), t.TempDir(), models)
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Blocks {
				b := &s.Blocks[i]
				switch b.Kind {
				case "exec":
					store.Exec(t.Context(), b)
				case "query":
					if strings.HasPrefix(b.SQL, "EXPLAIN ANALYZE") || !strings.HasPrefix(b.SQL, "EXPLAIN") {
						continue // without a rule it may take long
					}
					if _, rows, err := store.Query(t.Context(), b); err == nil {
						out[fmt.Sprintf("%s:%d", f, b.Line)] = fmt.Sprint(rows)
					}
				}
			}
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	want := plans()
	for _, rule := range query.Rules() {
		query.SwitchOff(rule)
		got, shown := plans(), false
		for at, p := range want {
			shown = shown || got[at] != p
		}
		if !shown && rule != "ask the attached database" { // shown in db/postgres
			t.Errorf("no script of EXPLAIN in testdata/ shows the rule %q", rule)
		}
	}
}
