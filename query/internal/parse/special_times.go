package parse

import (
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// castOf is x::typ. The words that PostgreSQL reads as times, DATE 'today' among them, are the functions
// that they stand for: a plan is kept, and its constants with it.
func castOf(at Pos, x sized, typ Type) (sized, error) {
	l, ok := x.Expr.(*Literal)
	if !ok || l.Value.Kind() != value.Text || typ.Kind != value.Date && typ.Kind != value.Timestamp {
		return over(&Cast{at, x.Expr, typ}, x), nil
	}
	call := func(name string) Expr { return &Call{Pos: at, Func: Ident{Pos: at, Name: name}} }
	days := 0
	switch word := strings.ToLower(strings.TrimSpace(l.Value.Str())); word {
	case "now":
		return sized{&Cast{at, call("now"), typ}, 2}, nil
	case "epoch":
		return sized{&Cast{at, &Literal{Pos: l.Pos, Value: value.Str("1970-01-01")}, typ}, 2}, nil
	case "infinity", "+infinity", "-infinity":
		return sized{}, Errorf(l.Pos, "there are no infinite times").WithHint("NULL can stand for none, or '9999-12-31' for the last day and '0001-01-01' for the first")
	case "tomorrow":
		days = 1
	case "yesterday":
		days = -1
	case "today":
	default:
		return over(&Cast{at, x.Expr, typ}, x), nil
	}
	day := call("current_date")
	if days != 0 {
		day = &Binary{at, OpAdd, day, &Literal{Pos: at, Value: value.Int(int64(days))}}
	}
	return sized{&Cast{at, day, typ}, 3}, nil
}
