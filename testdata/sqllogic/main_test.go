package main

import (
	"database/sql"
	"testing"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/driver"
)

// The runner finds a right file right, and an answer that is not the file's wrong.
func TestRunner(t *testing.T) {
	rs, err := read("sample.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(rs) != 8 {
		t.Errorf("%d records", len(rs))
	}
	for _, spoil := range []bool{false, true} {
		store, err := db.Open(":memory:", nil)
		if err != nil {
			t.Fatal(err)
		}
		if spoil {
			rs[len(rs)-1].want = []string{"2"}
		}
		ours := sql.OpenDB(driver.ForDB(store))
		got, err := run(ours, "sample.test", rs, []string{"postgresql"}, 0)
		if err != nil || got.queries != 3 || got.refused != 0 || (got.wrong == 1) != spoil {
			t.Errorf("%+v, %v", got, err)
		}
		ours.Close()
		store.Close()
	}
	if !agrees([]string{"1", "2"}, []string{"2 values hashing to 6ddb4095eb719e2a9f0a3f95677d24e0"}) {
		t.Error("the hash of 1 and 2")
	}
}
