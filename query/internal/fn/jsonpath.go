package fn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// containsKernel is @> and, with flip, <@.
func containsKernel(flip bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		if flip {
			args = []Arg{args[1], args[0]}
		}
		var docs [2]jsonDoc
		for _, i := range fullSel(n, sel) {
			var vs [2]any
			for k, a := range args {
				var err error
				if vs[k], err = docs[k].of(a, int(i)); err != nil {
					return err
				}
			}
			out.Bools[i] = jsonContains(vs[0], vs[1], true)
		}
		return nil
	}
}

// jsonDoc decodes an argument, a constant once.
type jsonDoc struct {
	done bool
	v    any
}

func (d *jsonDoc) of(a Arg, i int) (any, error) {
	if d.done && a.Const {
		return d.v, nil
	}
	doc := a.Strs[i*a.step()]
	v, err := decodeJSON(doc)
	if err != nil {
		return nil, notJSON(doc)
	}
	d.v, d.done = v, true
	return v, nil
}

// jsonContains reports whether a holds b, as JSONB's @> does: objects by their members,
// arrays by their elements whatever the order, and at the top an array a single value.
func jsonContains(a, b any, top bool) bool {
	switch b := b.(type) {
	case map[string]any:
		m, ok := a.(map[string]any)
		for k, x := range b {
			y, there := m[k]
			ok = ok && there && jsonContains(y, x, false)
		}
		return ok
	case []any:
		list, ok := a.([]any)
		for _, x := range b {
			found := false
			for _, y := range list {
				found = found || jsonContains(y, x, false)
			}
			ok = ok && found
		}
		return ok
	}
	if list, ok := a.([]any); ok && top {
		for _, y := range list {
			if jsonContains(y, b, false) {
				return true
			}
		}
		return false
	}
	switch a.(type) {
	case map[string]any, []any:
		return false
	}
	return bytes.Equal(appendJSONValue(nil, a), appendJSONValue(nil, b))
}

// hasKeyKernel is json ? text: whether it is a member's name, an element or the text itself.
func hasKeyKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var doc jsonDoc
	for _, i := range fullSel(n, sel) {
		v, err := doc.of(args[0], int(i))
		if err != nil {
			return err
		}
		key := args[1].Strs[int(i)*args[1].step()]
		out.Bools[i] = hasKey(v, key)
	}
	return nil
}

// hasKey reports whether a name is that of a member, or an element.
func hasKey(v any, key string) (found bool) {
	switch v := v.(type) {
	case string:
		found = v == key
	case map[string]any:
		_, found = v[key]
	case []any:
		for _, x := range v {
			s, ok := x.(string)
			found = found || ok && s == key
		}
	}
	return found
}

// jsonPath reads a path: a JSON array of names and numbers, or PostgreSQL's '{a,0}'.
func jsonPath(s string) ([]string, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") {
		return arrayLiteral(s)
	}
	v, err := decodeJSON(s)
	list, ok := v.([]any)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is not a path; write '{a,b,0}' or ARRAY['a', 'b', '0']", value.Quote(s))
	}
	path := make([]string, len(list))
	for i, x := range list {
		switch x := x.(type) {
		case string:
			path[i] = x
		case json.Number:
			path[i] = string(x)
		default:
			return nil, fmt.Errorf("a path is made of names and numbers, not of %s", article(typeOfJSON(x)))
		}
	}
	return path, nil
}

// arrayLiteral reads the elements of PostgreSQL's '{a,"b c",NULL}'; NULL is the text NULL.
func arrayLiteral(s string) ([]string, error) {
	bad := fmt.Errorf("%s is not an array; write '{a,b}' or ARRAY['a', 'b']", value.Quote(s))
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, bad
	}
	rest := strings.TrimSpace(s[1 : len(s)-1])
	out := []string{}
	for rest != "" {
		var e strings.Builder
		if rest[0] == '"' {
			k := 1
			for ; k < len(rest) && rest[k] != '"'; k++ {
				if rest[k] == '\\' && k+1 < len(rest) {
					k++
				}
				e.WriteByte(rest[k])
			}
			if k == len(rest) {
				return nil, bad
			}
			rest = strings.TrimSpace(rest[k+1:])
			out = append(out, e.String())
			if rest == "" {
				break
			}
			if rest[0] != ',' {
				return nil, bad
			}
		} else {
			end := strings.IndexByte(rest, ',')
			if end < 0 {
				end = len(rest)
			}
			word := strings.TrimSpace(rest[:end])
			if word == "" || strings.ContainsAny(word, `{}"\`) {
				return nil, bad
			}
			out = append(out, word)
			if rest = rest[end:]; rest == "" {
				break
			}
		}
		if rest = strings.TrimSpace(rest[1:]); rest == "" {
			return nil, bad
		}
	}
	return out, nil
}

// pathKernel is #> and, with text, #>>.
func pathKernel(text bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			i := int(i)
			path, err := jsonPath(args[1].Strs[i*args[1].step()])
			if err != nil {
				return err
			}
			raw := json.RawMessage(args[0].Strs[i*args[0].step()])
			for _, step := range path {
				doc := string(raw)
				if at, numErr := strconv.ParseInt(step, 10, 64); numErr == nil && strings.HasPrefix(strings.TrimSpace(doc), "[") {
					raw, err = element(doc, at)
				} else {
					raw, err = member(doc, step)
				}
				if err != nil {
					return err
				}
				if raw == nil {
					break
				}
			}
			raw = bytes.TrimSpace(raw)
			if raw == nil || len(raw) == 0 || text && string(raw) == "null" {
				setNull(out, i, n)
				out.Strs[i] = ""
				continue
			}
			out.Strs[i] = string(raw)
			if text && raw[0] == '"' {
				if err := json.Unmarshal(raw, &out.Strs[i]); err != nil {
					return notJSON(string(raw))
				}
			}
		}
		return nil
	}
}

// setKernel is jsonb_set(target, path, new [, create]).
func setKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		at := func(k int) string { return args[k].Strs[int(i)*args[k].step()] }
		path, err := jsonPath(at(1))
		if err != nil {
			return err
		}
		doc, err := decodeJSON(at(0))
		if err != nil {
			return notJSON(at(0))
		}
		v, err := decodeJSON(at(2))
		if err != nil {
			return notJSON(at(2))
		}
		switch doc.(type) {
		case map[string]any, []any:
		default:
			return errors.New("jsonb_set: there is no path in a single value")
		}
		create := len(args) < 4 || args[3].Bools[int(i)*args[3].step()]
		if doc, err = setPath(doc, path, v, create); err != nil {
			return err
		}
		out.Strs[i] = string(appendJSONB(nil, doc))
	}
	return nil
}

func setPath(doc any, path []string, v any, create bool) (any, error) {
	set := pathChange{name: "jsonb_set",
		member: func(m map[string]any, key string) error {
			if _, there := m[key]; there || create {
				m[key] = v
			}
			return nil
		},
		element: func(list []any, at int) []any {
			switch {
			case at >= 0 && at < len(list):
				list[at] = v
			case create && at < 0:
				return append([]any{v}, list...)
			case create:
				return append(list, v)
			}
			return list
		},
	}
	return set.at(doc, path)
}

// pathChange is what a function does at the end of a path.
type pathChange struct {
	name    string                                   // of the function
	member  func(m map[string]any, key string) error // the object may lack the key
	element func(list []any, at int) []any           // at may be outside of the list
}

// at changes a document where a path leads, and returns it. A path that breaks off
// before its last step changes nothing.
func (c *pathChange) at(doc any, path []string) (any, error) {
	if len(path) == 0 {
		return doc, nil
	}
	step, rest := path[0], path[1:]
	switch doc := doc.(type) {
	case map[string]any:
		if len(rest) == 0 {
			return doc, c.member(doc, step)
		}
		part, there := doc[step]
		if !there {
			return doc, nil
		}
		part, err := c.at(part, rest)
		doc[step] = part
		return doc, err
	case []any:
		at, err := strconv.Atoi(step)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not an index of an array", c.name, value.Quote(step))
		}
		if at < 0 {
			at += len(doc)
		}
		if len(rest) == 0 {
			return c.element(doc, at), nil
		}
		if at < 0 || at >= len(doc) {
			return doc, nil
		}
		doc[at], err = c.at(doc[at], rest)
		return doc, err
	}
	return doc, nil
}
