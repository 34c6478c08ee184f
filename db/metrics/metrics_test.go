package metrics_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/metrics"
)

func TestCollector(t *testing.T) {
	d, err := db.Open(":memory:", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(metrics.NewCollector(d, prometheus.Labels{"store": "test"})); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`CREATE TABLE t (id INTEGER PRIMARY KEY)`, `INSERT INTO t VALUES (1)`, `SELECT id FROM t`, `SELEC`} {
		d.Exec(context.Background(), sql)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.Metric[0]
		got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		if h := m.GetHistogram(); h != nil {
			got[f.GetName()] = float64(h.GetSampleCount())
		}
		if l := m.Label; l[0].GetValue() != "test" || (len(l) == 2) != (l[len(l)-1].GetName() == "table") {
			t.Errorf("labels of %s are %v", f.GetName(), l)
		}
	}
	for name, want := range map[string]float64{"lupa_statements_total": 4, "lupa_statements_failed_total": 1, "lupa_rows_returned_total": 1, "lupa_statements_running": 0, "lupa_statement_seconds": 4, "lupa_table_rows": 1, "lupa_table_bytes": 0} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v (%s)", name, got[name], want, fmt.Sprint(got))
		}
	}
}
