package run

import (
	"encoding/json"
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
	if r.plan.how.Analyze && r.texts > 0 {
		lines = append(lines, fmt.Sprintf("Encode texts  [%d encoded, %.3g ms]", r.texts, r.encoding.Seconds()*1e3))
	}
	if r.plan.how.Spell {
		for i := len(r.In.Pos); i > 0; i-- { // $10 before $1
			for k := range lines {
				lines[k] = strings.ReplaceAll(lines[k], fmt.Sprintf("$%d", i), literalText(r.In.Pos[i-1]))
			}
		}
	}
	if r.plan.JSON && err == nil {
		lines, err = linesJSON(lines)
	}
	return lines, err
}

// planNode is an operator as EXPLAIN (FORMAT JSON) shows it.
type planNode struct {
	Node  string      `json:"Node Type"`
	Plans []*planNode `json:"Plans,omitempty"`
}

// linesJSON gives lines, of which those of inputs are indented, as JSON in the manner of
// PostgreSQL: the first operator is the plan, subqueries are further inputs of it.
func linesJSON(lines []string) ([]string, error) {
	var root *planNode
	var stack []*planNode
	for _, l := range lines {
		text := strings.TrimLeft(l, " ")
		depth := (len(l) - len(text)) / 2
		n := &planNode{Node: text}
		switch {
		case root == nil:
			root, stack = n, []*planNode{n}
			continue
		case depth == 0: // a subquery
			depth = 1
		}
		depth = min(depth, len(stack))
		up := stack[depth-1]
		up.Plans = append(up.Plans, n)
		stack = append(stack[:depth], n)
	}
	b, err := json.Marshal([]map[string]*planNode{{"Plan": root}})
	return []string{string(b)}, err
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
