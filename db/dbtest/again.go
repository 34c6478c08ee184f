package dbtest

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// again runs a query that reads once more, by the plan that was kept, and then with
// parameters in the place of its literals: the rows are the same. A literal may decide
// where a parameter can't; what fails with parameters is left out.
func (r *runner) again(ctx context.Context, b *Block, rows [][]string) {
	r.t.Helper()
	if !reads.MatchString(b.SQL) || differs.MatchString(b.SQL) || changes.MatchString(b.SQL) {
		return
	}
	_, second, err := r.store.Query(ctx, b)
	if err != nil || !reflect.DeepEqual(rows, second) {
		r.t.Errorf("line %d: %s\nrun again it gives %v, %v; the first time it gave %v", b.Line, indent(b.SQL), second, err, rows)
		return
	}
	if _, api := r.c.Door.(API); !api || b.HasArgs() || r.store.InTransaction() || strings.HasPrefix(strings.ToUpper(strings.TrimSpace(b.SQL)), "EXPLAIN") {
		return
	}
	bound := *b
	if bound.SQL, bound.Args = parameters(b.SQL); bound.Args == nil {
		return
	}
	if _, third, err := r.store.Query(ctx, &bound); err == nil && !reflect.DeepEqual(rows, third) {
		r.t.Errorf("line %d: %s\nwith the parameters %v it gives %v; without %v", b.Line, indent(bound.SQL), bound.Args, third, rows)
	}
}

// changes matches queries that change rows.
var changes = regexp.MustCompile(`(?is)^\s*WITH\b.*\b(INSERT INTO|UPDATE|DELETE FROM)\b`)

// differs matches what may have another answer every time.
var differs = regexp.MustCompile(`(?i)\b(random|now|current_timestamp|ANALYZE)\b`)

// literals matches numbers and texts behind an operator.
var literals = regexp.MustCompile(`(=|<|>|\(|,|\+|\*|LIKE|AND|OR)(\s*)(\d+\.\d+|\d+|'[^']*')(\s*(?:\)|,|=|<|>|AND\b|OR\b|ORDER\b|GROUP\b|\n|$))`)

// parameters replaces literals of the conditions of a query by parameters.
func parameters(sql string) (string, []any) {
	at := regexp.MustCompile(`(?i)\bWHERE\b`).FindStringIndex(sql)
	if at == nil {
		return sql, nil
	}
	end := len(sql)
	if e := regexp.MustCompile(`(?i)\b(GROUP BY|ORDER BY|LIMIT|OFFSET|UNION)\b`).FindStringIndex(sql[at[1]:]); e != nil {
		end = at[1] + e[0]
	}
	var args []any
	where := literals.ReplaceAllStringFunc(sql[at[1]:end], func(s string) string {
		m := literals.FindStringSubmatch(s)
		var v any = strings.Trim(m[3], "'")
		if m[3][0] != '\'' {
			if n, err := strconv.ParseInt(m[3], 10, 64); err == nil {
				v = n
			} else if v, err = strconv.ParseFloat(m[3], 64); err != nil {
				return s
			}
		}
		args = append(args, v)
		return m[1] + m[2] + fmt.Sprintf("$%d", len(args)) + m[4]
	})
	return sql[:at[1]] + where + sql[end:], args
}
