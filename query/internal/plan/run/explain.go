package run

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/exec"
	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage/value"
)

// lines are what EXPLAIN shows of a run.
func (r *Run) lines() ([]string, error) {
	lines := exec.Explain(r.body)
	subs, err := r.ExplainSubqueries(r.plan.subs)
	lines = append(lines, subs...)
	if r.plan.how.Measure && r.texts > 0 {
		lines = append(lines, fmt.Sprintf("Encode texts  [%d encoded, %.3g ms]", r.texts, r.encoding.Seconds()*1e3))
	}
	if r.plan.how.Spell {
		for i := len(r.In.Pos); i > 0; i-- { // $10 before $1
			for k := range lines {
				lines[k] = strings.ReplaceAll(lines[k], fmt.Sprintf("$%d", i), literalText(r.In.Pos[i-1]))
			}
		}
	}
	return lines, err
}

// literalText is a parameter's value as one would write it; long ones stay short.
func literalText(v value.Value) string {
	switch v.Kind() {
	case value.Text:
		return parse.QuoteString(v.Str())
	case value.Vector:
		return fmt.Sprintf("[%d numbers]", len(v.Vec()))
	}
	return v.String()
}
