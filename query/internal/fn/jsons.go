package fn

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/lupadb/lupa/storage/value"
)

// jsonKernel is -> and, with text, ->>: the member of an object by name or the
// element of an array by number (from 0, negative from the end); NULL if there
// is none.
func jsonKernel(byName, text bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		doc, key := args[0], args[1]
		for _, i := range fullSel(n, sel) {
			i := int(i)
			raw := doc.Strs[i*doc.step()]
			var found json.RawMessage
			var err error
			if byName {
				found, err = member(raw, key.Strs[i*key.step()])
			} else {
				found, err = element(raw, key.Ints[i*key.step()])
			}
			if err != nil {
				return err
			}
			found = bytes.TrimSpace(found)
			if found == nil || text && string(found) == "null" {
				setNull(out, i, n)
				out.Strs[i] = ""
				continue
			}
			out.Strs[i] = string(found)
			if text && found[0] == '"' {
				if err := json.Unmarshal(found, &out.Strs[i]); err != nil {
					return fmt.Errorf("%s is not valid JSON", value.Quote(raw))
				}
			}
		}
		return nil
	}
}

func member(doc, name string) (json.RawMessage, error) {
	trimmed := bytes.TrimSpace([]byte(doc))
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(trimmed, &m); err != nil {
		return nil, fmt.Errorf("%s is not valid JSON", value.Quote(doc))
	}
	return m[name], nil
}

func element(doc string, at int64) (json.RawMessage, error) {
	trimmed := bytes.TrimSpace([]byte(doc))
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return nil, nil
	}
	var a []json.RawMessage
	if err := json.Unmarshal(trimmed, &a); err != nil {
		return nil, fmt.Errorf("%s is not valid JSON", value.Quote(doc))
	}
	if at < 0 {
		at += int64(len(a))
	}
	if at < 0 || at >= int64(len(a)) {
		return nil, nil
	}
	return a[at], nil
}
