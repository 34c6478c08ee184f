package fn

import (
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// RegexpSplit returns the parts of a text between the matches of a regular expression: (text, pattern [, flags]).
// Of a NULL there are none.
func RegexpSplit(args []value.Value) ([]value.Value, error) {
	for _, a := range args {
		if a.IsNull() {
			return nil, nil
		}
	}
	flags := ""
	if len(args) > 2 {
		flags = args[2].Str()
	}
	var m matcher
	re, err := m.compile(args[1].Str(), flags)
	if err != nil {
		return nil, err
	}
	var out []value.Value
	for _, p := range re.Split(args[0].Str(), -1) {
		out = append(out, value.Str(p))
	}
	return out, nil
}

// StringParts returns the parts of a text between separators, its characters where the separator is NULL:
// (text, separator [, null]). A part that is null is a NULL.
func StringParts(args []value.Value) ([]value.Value, error) {
	if args[0].IsNull() || args[0].Str() == "" {
		return nil, nil
	}
	parts := []string{args[0].Str()}
	switch {
	case args[1].IsNull():
		parts = strings.Split(args[0].Str(), "")
	case args[1].Str() != "":
		parts = strings.Split(args[0].Str(), args[1].Str())
	}
	var out []value.Value
	for _, p := range parts {
		v := value.Str(p)
		if len(args) > 2 && !args[2].IsNull() && p == args[2].Str() {
			v = value.Value{}
		}
		out = append(out, v)
	}
	return out, nil
}
