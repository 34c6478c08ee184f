package shell

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// parseParam reads the value of a parameter as it is typed: 'text' in quotes,
// 3, 0.5, [1, 0], true, false, null; everything else is text as it stands.
func parseParam(s string) (db.Value, error) {
	t := strings.TrimSpace(s)
	switch strings.ToLower(t) {
	case "null":
		return db.Value{}, nil
	case "true":
		return value.Bool(true), nil
	case "false":
		return value.Bool(false), nil
	}
	switch {
	case t == "":
		return value.Str(s), nil
	case len(t) >= 2 && t[0] == '\'' && t[len(t)-1] == '\'':
		return value.Str(strings.ReplaceAll(t[1:len(t)-1], "''", "'")), nil
	case t[0] == '[' && t[len(t)-1] == ']':
		return parseVector(t)
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return value.Int(n), nil
	}
	if c := t[len(t)-1]; c >= '0' && c <= '9' || c == '.' { // not "inf", not "nan"
		if f, err := strconv.ParseFloat(t, 64); err == nil && !math.IsInf(f, 0) && !strings.ContainsAny(t, "xX_") {
			return value.Float(f), nil
		}
	}
	return value.Str(s), nil
}

func parseVector(t string) (db.Value, error) {
	var v []float32
	for _, x := range strings.Split(t[1:len(t)-1], ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(x), 32)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return db.Value{}, fmt.Errorf("%q is not a number", strings.TrimSpace(x))
		}
		v = append(v, float32(f))
	}
	return value.Vec(v), nil
}
