package parse

import (
	"fmt"
	"strings"
	"testing"
)

// TestPrecedence checks how operators group, against PostgreSQL's table of
// precedence (manual, 4.1.6) and its grammar.
func TestPrecedence(t *testing.T) {
	for src, want := range map[string]string{
		"a OR b AND c":              "(a OR (b AND c))",
		"a AND b OR c AND d":        "((a AND b) OR (c AND d))",
		"NOT a AND b":               "((NOT a) AND b)",
		"NOT a = b":                 "(NOT (a = b))",
		"NOT a IS NULL":             "(NOT (a IS NULL))",
		"NOT a IN (1)":              "(NOT (a IN (1)))",
		"a = b IS NULL":             "((a = b) IS NULL)",
		"a IS NULL = b":             "((a IS NULL) = b)",
		"a < b = c":                 "error",
		"a = b = c":                 "error",
		"a = b LIKE c":              "(a = (b LIKE c))",
		"a LIKE b = c":              "((a LIKE b) = c)",
		"a LIKE b || c":             "(a LIKE (b || c))",
		"a BETWEEN b AND c AND d":   "((a BETWEEN b AND c) AND d)",
		"a BETWEEN b + 1 AND c - 1": "(a BETWEEN (b + 1) AND (c - 1))",
		"a NOT BETWEEN b AND c":     "(a NOT BETWEEN b AND c)",
		"a = b IN (c)":              "(a = (b IN (c)))",
		"a + b IN (c)":              "((a + b) IN (c))",
		"a || b = c || d":           "((a || b) = (c || d))",
		"a || b + c":                "(a || (b + c))",
		"a || b || c":               "((a || b) || c)",
		"a <-> b < c":               "((a <-> b) < c)",
		"a <-> b + c":               "(a <-> (b + c))",
		"a + b <=> c * d":           "((a + b) <=> (c * d))",
		"a -> b ->> c":              "((a -> b) ->> c)",
		"a -> b = c":                "((a -> b) = c)",
		"a ->> b || c":              "((a ->> b) || c)",
		"a - b - c":                 "((a - b) - c)",
		"a - b + c":                 "((a - b) + c)",
		"a / b * c % d":             "(((a / b) * c) % d)",
		"a + b * c":                 "(a + (b * c))",
		"-a * b":                    "((- a) * b)",
		"a * -b":                    "(a * (- b))",
		"-a::b":                     "error", // no type b
		"-a::INTEGER":               "(- (a::INTEGER))",
		"-5::INTEGER":               "(- (5::INTEGER))",
		"-5 + a":                    "(-5 + a)",
		"a::TEXT::INTEGER":          "((a::TEXT)::INTEGER)",
		"a + b::TEXT":               "(a + (b::TEXT))",
		"a = NOT b":                 "(a = (NOT b))",
		"a = NOT b = c":             "(a = (NOT (b = c)))",
		"a IS DISTINCT FROM b = c":  "(a IS DISTINCT FROM (b = c))",
		"a IS TRUE AND b":           "((a IS TRUE) AND b)",
		"a OR b IS NOT FALSE":       "(a OR (b IS NOT FALSE))",
		"a > b IS NULL AND c":       "(((a > b) IS NULL) AND c)",
	} {
		got := "error"
		if stmt, err := Parse("SELECT " + src); err == nil {
			got = grouped(stmt.(*Select).Body.(*Core).Items[0].Expr)
		}
		if got != want {
			t.Errorf("%s groups as %s, want %s", src, got, want)
		}
	}
}

// grouped prints an expression with parentheses around every operator.
func grouped(e Expr) string {
	not := func(n bool) string { return opt(n, "NOT ") }
	switch e := e.(type) {
	case *Unary:
		return fmt.Sprintf("(%s %s)", e.Op, grouped(e.X))
	case *Binary:
		return fmt.Sprintf("(%s %s %s)", grouped(e.X), e.Op, grouped(e.Y))
	case *IsNull:
		return fmt.Sprintf("(%s IS %sNULL)", grouped(e.X), not(e.Not))
	case *IsBool:
		return fmt.Sprintf("(%s IS %s%s)", grouped(e.X), not(e.Not), strings.ToUpper(fmt.Sprint(e.Value)))
	case *Like:
		return fmt.Sprintf("(%s %sLIKE %s)", grouped(e.X), not(e.Not), grouped(e.Pattern))
	case *InList:
		return fmt.Sprintf("(%s %sIN (%s))", grouped(e.X), not(e.Not), grouped(e.List[0]))
	case *Between:
		return fmt.Sprintf("(%s %sBETWEEN %s AND %s)", grouped(e.X), not(e.Not), grouped(e.Low), grouped(e.High))
	case *Cast:
		return fmt.Sprintf("(%s::%s)", grouped(e.X), e.Type)
	}
	return e.String()
}
