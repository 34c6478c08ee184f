package fn

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// Declared returns what brings values to a type that says more than its kind, such as
// VARCHAR(20), NUMERIC(10,2), TIMESTAMP(3) or UUID. A text that is too long is an error where it is
// stored, and cut where it is cast.
func Declared(name string, cut bool) (*Call, error) {
	word, digits, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
	digits, places, _ := strings.Cut(digits, ",")
	n, scale := 0, 0
	if digits != "" {
		var err error
		if n, err = strconv.Atoi(digits); err == nil && places != "" {
			scale, err = strconv.Atoi(places)
		}
		if err != nil {
			return nil, fmt.Errorf("there is no type %s", name)
		}
	}
	f := &Func{Name: strings.ToLower(name), Category: Operator, partial: true}
	if cut {
		f.Name = "cast to " + f.Name
	}
	switch word {
	case "CHAR": // blanks at its end are no part of it
		return f.texts(func(s string) (string, error) { return fitted(strings.TrimRight(s, " "), n, cut, name) }), nil
	case "VARCHAR":
		return f.texts(func(s string) (string, error) { return fitted(s, n, cut, name) }), nil
	case "NUMERIC":
		t := value.Type{Kind: value.Numeric}
		return &Call{Func: f, Params: []value.Type{t}, Result: t, eval: func(_ *Ctx, args []Arg, rows int, sel []int32, out *value.Column) error {
			return try1(args[0].Strs, args[0].step(), out.Strs, rows, sel, fitNumeric(n, scale, name))
		}}, nil
	case "UUID":
		return f.texts(uuid), nil
	case "TIMESTAMP":
		t := value.Type{Kind: value.Timestamp}
		unit := time.Microsecond
		for range 6 - n {
			unit *= 10
		}
		return &Call{Func: f, Params: []value.Type{t}, Result: t, eval: func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
			map1(args[0].Ints, args[0].step(), out.Ints, n, sel, func(us int64) int64 {
				return time.UnixMicro(us).Round(unit).UnixMicro()
			})
			return nil
		}}, nil
	}
	return nil, fmt.Errorf("there is no type %s", name)
}

// texts is a call of f that makes a text of a text.
func (f *Func) texts(do func(string) (string, error)) *Call {
	t := value.Type{Kind: value.Text}
	return &Call{Func: f, Params: []value.Type{t}, Result: t, eval: func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		return try1(args[0].Strs, args[0].step(), out.Strs, n, sel, do)
	}}
}

// fitted returns s if it has at most n characters, blanks at its end left out.
func fitted(s string, n int, cut bool, name string) (string, error) {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s, nil
	}
	at := 0
	for range n {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	if !cut && strings.TrimRight(s[at:], " ") != "" {
		return "", fmt.Errorf("%s has %d characters, too many for %s", value.Quote(s), utf8.RuneCountInString(s), name)
	}
	return s[:at], nil
}

// uuid returns the usual form of a UUID, of any form that PostgreSQL reads.
func uuid(s string) (string, error) {
	bad := fmt.Errorf("%s is not a UUID (a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11)", value.Quote(s))
	t := s
	if strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") {
		t = t[1 : len(t)-1]
	}
	hex := make([]byte, 0, 36)
	digits := 0
	for i := 0; i < len(t); i++ {
		c := t[i]
		if c == '-' {
			if digits == 0 || digits%4 != 0 || digits == 32 || t[i-1] == '-' {
				return "", bad
			}
			continue
		}
		switch {
		case '0' <= c && c <= '9' || 'a' <= c && c <= 'f':
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		default:
			return "", bad
		}
		if digits++; digits > 32 {
			return "", bad
		}
		hex = append(hex, c)
		if digits == 8 || digits == 12 || digits == 16 || digits == 20 {
			hex = append(hex, '-')
		}
	}
	if digits != 32 {
		return "", bad
	}
	return string(hex), nil
}

// Checked returns a call that gives its first argument, of type t, unless its second, a
// condition, is false: then it is an error that says what the condition is.
func Checked(t value.Type, broken error) *Call {
	f := &Func{Name: "checked", Category: Operator, nullable: true, partial: true}
	return &Call{Func: f, Params: []value.Type{t, {Kind: value.Boolean}}, Result: t, eval: func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		cond := args[1]
		for _, i := range fullSel(n, sel) {
			if !cond.IsNull(int(i)) && !cond.At(int(i)).Bool() {
				return broken
			}
		}
		return copyRows(out, args[0], n, fullSel(n, sel))
	}}
}
