package postgres

import (
	"testing"

	"github.com/lupadb/lupa/query/foreign"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// TestCockroach shows what CockroachDB would be asked: it can't be run here. Its differences are
// those of its documentation (v25.2: "Vector Indexes", "VECTOR", "COPY FROM", "Temporary Tables").
func TestCockroach(t *testing.T) {
	table := &foreign.Table{Schema: "public", Name: "photos", Columns: []foreign.Column{
		{Name: "id", Type: value.Type{Kind: value.Text}, Foreign: "text"},
		{Name: "clip", Type: value.Type{Kind: value.Vector, Dim: 3}, Foreign: "vector(3)"},
	}, Key: []int{0}}
	id := &foreign.Expr{Op: foreign.OpColumn, Column: 0, Type: table.Columns[0].Type}
	score := func(m vector.Metric, fromOne bool) *foreign.Expr {
		return &foreign.Expr{Op: foreign.OpScore, Type: value.Type{Kind: value.Real}, Metric: m, FromOne: fromOne, Args: []*foreign.Expr{
			{Op: foreign.OpColumn, Column: 1, Type: table.Columns[1].Type}, {Op: foreign.OpParam, Type: table.Columns[1].Type}}}
	}
	search := func(e *foreign.Expr, desc bool, recall float64) *foreign.Query {
		return &foreign.Query{Tables: []*foreign.Table{table}, Out: []*foreign.Expr{id}, Limit: 3, Recall: recall, Search: true,
			Order: []foreign.Order{{Expr: e, Desc: desc}, {Expr: id}}}
	}
	for _, c := range []struct {
		q             *foreign.Query
		text, setting string
	}{
		{search(score(vector.Cosine, false), true, 0), `SELECT "id" FROM "public"."photos" ORDER BY nullif(1 - ("clip" <=> $1::vector), 'NaN'::float8) DESC NULLS LAST, "id" LIMIT 3`, ""},
		{search(score(vector.Cosine, true), false, 0.95), `SELECT "id" FROM "public"."photos" ORDER BY "clip" <=> $1::vector LIMIT 3`, "SET LOCAL vector_search_beam_size = 40"},
		{search(score(vector.L2, false), false, 0.99), `SELECT "id" FROM "public"."photos" ORDER BY "clip" <-> $1::vector LIMIT 3`, "SET LOCAL vector_search_beam_size = 192"},
	} {
		k := dialect{cockroach: true}
		if got := k.Text(c.q); got != c.text {
			t.Errorf("%s\nwant\n%s", got, c.text)
		}
		if c.setting != "" {
			if got := k.accuracy(c.q); len(got) != 1 || got[0] != c.setting {
				t.Errorf("%v, want %s", got, c.setting)
			}
		}
	}
	for k, want := range map[dialect]bool{{cockroach: true}: false, {}: true} {
		if got := k.Renders([]*foreign.Table{table}, score(vector.L1, false)); got != want {
			t.Errorf("%+v asks for <+>: %v", k, got)
		}
	}
	half := value.Type{Kind: value.Vector, Dim: 3, Half: true}
	if a, b := (dialect{cockroach: true}).nameOfType(half), (dialect{}).nameOfType(half); a != "vector(3)" || b != "halfvec(3)" {
		t.Error(a, b)
	}
	less := &foreign.Expr{Op: foreign.OpCall, Func: "<", Type: value.Type{Kind: value.Boolean}, Args: []*foreign.Expr{id, {Op: foreign.OpParam, Type: id.Type}}}
	for k, want := range map[dialect]string{{cockroach: true}: `("id" < $1::text)`, {}: `("id" COLLATE "C" < $1::text COLLATE "C")`} {
		if got, ok := k.expr([]*foreign.Table{table}, less); !ok || got != want {
			t.Error(got)
		}
	}
}
