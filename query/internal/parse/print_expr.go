package parse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Levels of precedence, PostgreSQL's, weakest first.
const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare // not associative
	precLike    // LIKE, IN, BETWEEN: not associative
	precOther   // distances, ||, ->, ->>, bits
	precAdd
	precMul
	precPower // ^
	precUnary
	precZone    // AT TIME ZONE
	precPostfix // ::
	precPrimary
)

// precOf returns the level of a binary operator.
func precOf(op Op) int {
	switch op {
	case OpOr:
		return precOr
	case OpAnd:
		return precAnd
	case OpDistinct, OpNotDistinct:
		return precIs
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe:
		return precCompare
	case OpAdd, OpSub:
		return precAdd
	case OpMul, OpDiv, OpMod:
		return precMul
	case "^":
		return precPower
	}
	return precOther
}

// level returns the level at which an expression prints.
func level(e Expr) int {
	switch e := e.(type) {
	case *Binary:
		return precOf(e.Op)
	case *Unary:
		if e.Op == OpNot {
			return precNot
		}
		return precUnary
	case *IsNull, *IsBool:
		return precIs
	case *Quantified:
		return precCompare
	case *Like, *InList, *InQuery, *Between:
		return precLike
	case *Cast, *Subscript:
		return precPostfix
	case *Literal:
		if negative(e) {
			return precUnary
		}
	}
	return precPrimary
}

// negative reports whether a literal prints with a minus in front.
func negative(l *Literal) bool {
	switch l.Value.Kind() {
	case value.Integer:
		return l.Value.Int() < 0
	case value.Real:
		return strings.HasPrefix(l.Digits, "-") || l.Digits == "" && strings.HasPrefix(realText(l.Value.Float()), "-")
	case value.Numeric:
		return strings.HasPrefix(l.Value.String(), "-")
	}
	return false
}

func realText(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".eE") {
		s += ".0"
	}
	return s
}

// expr prints e, in parentheses if it binds weaker than min.
func (p *printer) expr(e Expr, min int) {
	if level(e) < min {
		p.print("(", e, ")")
		return
	}
	if p.each != nil {
		defer p.each(e, p.Len())
	}
	not := func(n bool) string { return opt(n, "NOT ") }
	switch e := e.(type) {
	case *Literal:
		if e.Digits != "" {
			p.print(e.Digits)
		} else {
			p.literal(e.Value)
		}
	case *ColumnRef:
		if e.Table.Name != "" {
			p.print(e.Table, ".")
		}
		p.print(e.Name)
	case *Param:
		if e.Name != "" {
			p.print(":", e.Name)
		} else {
			p.print("$", strconv.Itoa(e.Index))
		}
	case *Unary:
		if e.Op == OpNot {
			p.print("NOT ")
			p.expr(e.X, precNot)
			return
		}
		p.print(string(e.Op))
		switch x := e.X.(type) {
		case *Unary: // not "--", which begins a comment
			p.print(" ")
		case *Literal: // -(5) is not the literal -5
			k := x.Value.Kind()
			if e.Op == OpNeg && (k == value.Integer || k == value.Real || k == value.Numeric) {
				p.print("(", x, ")")
				return
			}
			p.print(" ")
		}
		p.expr(e.X, precUnary)
	case *Binary:
		prec := precOf(e.Op)
		left, right := prec, prec+1
		if prec == precCompare || prec == precIs {
			left = prec + 1
		}
		p.expr(e.X, left)
		p.print(" ", string(e.Op), " ")
		p.expr(e.Y, right)
	case *Like:
		p.expr(e.X, precLike)
		p.print(" ", not(e.Not), opt(e.Fold, "I"), "LIKE ")
		p.expr(e.Pattern, precOther)
		if e.Escape != nil {
			p.print(" ESCAPE ")
			p.expr(e.Escape, precOther)
		}
	case *InList:
		p.expr(e.X, precLike)
		p.print(" ", not(e.Not), "IN (", e.List, ")")
	case *InQuery:
		p.expr(e.X, precLike)
		p.print(" ", not(e.Not), "IN (", e.Query, ")")
	case *Between:
		p.expr(e.X, precLike)
		p.print(" ", not(e.Not), "BETWEEN ")
		p.expr(e.Low, precOther)
		p.print(" AND ")
		p.expr(e.High, precOther)
	case *IsNull:
		p.expr(e.X, precLike)
		p.print(" IS ", not(e.Not), "NULL")
	case *IsBool:
		p.expr(e.X, precLike)
		p.print(" IS ", not(e.Not), opt(e.Value, "TRUE"), opt(!e.Value, "FALSE"))
	case *Case:
		p.print("CASE")
		p.clause(" ", e.Operand)
		for _, w := range e.Whens {
			p.when(&w)
		}
		p.clause(" ELSE ", e.Else)
		p.print(" END")
	case *Cast:
		p.expr(e.X, precPostfix)
		p.print("::", e.Type.String())
	case *Grouping:
		p.grouping(e)
	case *Call:
		if e.Of.Name != "" {
			p.print(e.Of, ".")
		}
		p.print(e.Func, "(", opt(e.Distinct, "DISTINCT "), opt(e.Star, "*"), e.Args)
		p.print(opt(e.Within, ") WITHIN GROUP ("))
		for i, it := range e.OrderBy {
			p.print(opt(i == 0 && !e.Within, " "), opt(i == 0, "ORDER BY "), opt(i > 0, ", "))
			p.orderItem(it)
		}
		p.print(")")
		if e.Filter != nil {
			p.print(" FILTER (WHERE ", e.Filter, ")")
		}
		if e.Over != nil {
			p.print(" OVER ")
			p.window(e.Over)
		}
	case *Subscript:
		p.subscript(e)
	case *Array:
		p.print("ARRAY[", e.List, "]")
	case *Row:
		all := func(x Expr) bool { _, ok := x.(*AllOf); return ok }
		p.print(opt(len(e.List) < 2 || slices.ContainsFunc(e.List, all), "ROW"), "(", e.List, ")")
	case *AllOf:
		p.print(e.Table, ".*")
	case *Quantified:
		p.expr(e.X, precLike)
		p.print(" ", not(e.Not), string(e.Op), opt(e.All, " ALL ("), opt(!e.All, " ANY ("), e.Y, ")")
	case *Exists:
		p.print("EXISTS (", e.Query, ")")
	case *Subquery:
		p.print("(", e.Query, ")")
	case *Default:
		p.print("DEFAULT")
	}
}

func (p *printer) when(w *When) { p.print(" WHEN ", w.Cond, " THEN ", w.Then) }

func (p *printer) literal(v value.Value) {
	switch v.Kind() {
	case value.Null:
		p.print("NULL")
	case value.Boolean:
		p.print(opt(v.Bool(), "TRUE"), opt(!v.Bool(), "FALSE"))
	case value.Integer:
		p.print(strconv.FormatInt(v.Int(), 10))
	case value.Real:
		p.print(realText(v.Float()))
	case value.Numeric:
		p.print(v.String())
	case value.Blob:
		fmt.Fprintf(p, "X'%x'", v.Str())
	case value.Vector:
		p.print("[")
		list(p, v.Vec(), func(x float32) { p.print(strconv.FormatFloat(float64(x), 'g', -1, 32)) })
		p.print("]")
	default:
		p.print(QuoteString(v.Str()))
	}
}

func (p *printer) subscript(e *Subscript) {
	switch e.X.(type) { // what the scanner takes for an operand
	case *ColumnRef, *Subscript, *Array, *Param:
		p.print(e.X)
	default:
		p.print("(", e.X, ")")
	}
	p.print("[")
	if e.At != nil {
		p.print(e.At)
	}
	if e.Slice {
		p.print(":")
		if e.To != nil {
			p.print(e.To)
		}
	}
	p.print("]")
}
