package fn

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// matcher compiles regular expressions, RE2's, the same one once.
type matcher struct {
	pattern, flags string
	re             *regexp.Regexp
}

// compile returns the expression; flags are PostgreSQL's letters that RE2 knows, "g" being
// the caller's.
func (m *matcher) compile(pattern, flags string) (*regexp.Regexp, error) {
	if m.re != nil && m.pattern == pattern && m.flags == flags {
		return m.re, nil
	}
	// As in PostgreSQL, a point means newlines too and ^ and $ the ends of the text.
	on := map[rune]bool{'s': true}
	for _, f := range flags {
		switch f {
		case 'i':
			on['i'] = true
		case 'c':
			delete(on, 'i')
		case 'n', 'm':
			on['m'] = true
			delete(on, 's')
		case 's':
			on['s'] = true
			delete(on, 'm')
		case 'p':
			delete(on, 's')
		case 'w':
			on['m'] = true
		case 'g':
		default:
			return nil, fmt.Errorf("there is no flag %q of a regular expression; i, c, n, s and g are", f)
		}
	}
	var letters strings.Builder
	for _, f := range "ims" {
		if on[f] {
			letters.WriteRune(f)
		}
	}
	prefix := ""
	if letters.Len() > 0 {
		prefix = "(?" + letters.String() + ")"
	}
	re, err := regexp.Compile(prefix + pattern)
	if err != nil {
		return nil, fmt.Errorf("%s is not a regular expression (RE2): %s", value.Quote(pattern), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	m.pattern, m.flags, m.re = pattern, flags, re
	return re, nil
}

// regexKernel is ~ and its kin.
func regexKernel(flags string, not bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var m matcher
		s, p := args[0], args[1]
		for _, i := range fullSel(n, sel) {
			re, err := m.compile(p.Strs[int(i)*p.step()], flags)
			if err != nil {
				return err
			}
			out.Bools[i] = re.MatchString(s.Strs[int(i)*s.step()]) != not
		}
		return nil
	}
}

// flagsOf returns the flags of row i, argument k if there is one.
func flagsOf(args []Arg, k, i int) string {
	if len(args) <= k {
		return ""
	}
	return args[k].Strs[i*args[k].step()]
}

func regexLikeKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var m matcher
	for _, i := range fullSel(n, sel) {
		i := int(i)
		re, err := m.compile(args[1].Strs[i*args[1].step()], flagsOf(args, 2, i))
		if err != nil {
			return err
		}
		out.Bools[i] = re.MatchString(args[0].Strs[i*args[0].step()])
	}
	return nil
}

// matchesWanted is how many matches the flags ask for: one, or with g all (-1).
func matchesWanted(flags string) int {
	if strings.Contains(flags, "g") {
		return -1
	}
	return 1
}

// regexReplaceKernel is regexp_replace(text, pattern, to [, flags]): the first match, with
// the flag g all. In to, \1 to \9 are groups and \& is the match.
func regexReplaceKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var m matcher
	for _, i := range fullSel(n, sel) {
		i := int(i)
		flags := flagsOf(args, 3, i)
		re, err := m.compile(args[1].Strs[i*args[1].step()], flags)
		if err != nil {
			return err
		}
		s, to := args[0].Strs[i*args[0].step()], args[2].Strs[i*args[2].step()]
		most := matchesWanted(flags)
		var b strings.Builder
		last := 0
		for _, at := range re.FindAllStringSubmatchIndex(s, most) {
			b.WriteString(s[last:at[0]])
			expandGroups(&b, to, s, at)
			last = at[1]
			if b.Len() > maxText {
				return tooLong("regexp_replace")
			}
		}
		b.WriteString(s[last:])
		out.Strs[i] = b.String()
	}
	return nil
}

func expandGroups(b *strings.Builder, to, s string, at []int) {
	for k := 0; k < len(to); k++ {
		if to[k] != '\\' || k+1 == len(to) {
			b.WriteByte(to[k])
			continue
		}
		k++
		group := -1
		switch c := to[k]; {
		case c == '&':
			group = 0
		case '1' <= c && c <= '9':
			group = int(c - '0')
		case c == '\\':
			b.WriteByte('\\')
			continue
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
			continue
		}
		if 2*group+1 < len(at) && at[2*group] >= 0 {
			b.WriteString(s[at[2*group]:at[2*group+1]])
		}
	}
}

// groupsOf is a match as an array: its groups, or the match where there are none.
func groupsOf(s string, at []int) []value.Value {
	from := 2
	if len(at) == 2 {
		from = 0
	}
	var out []value.Value
	for k := from; k < len(at); k += 2 {
		if at[k] < 0 {
			out = append(out, value.Value{})
		} else {
			out = append(out, value.Str(s[at[k]:at[k+1]]))
		}
	}
	return out
}

// regexMatchKernel is regexp_match, NULL without a match, and with all regexp_matches,
// whose flag g gives an array of all matches.
func regexMatchKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var m matcher
	for _, i := range fullSel(n, sel) {
		i := int(i)
		flags := flagsOf(args, 2, i)
		re, err := m.compile(args[1].Strs[i*args[1].step()], flags)
		if err != nil {
			return err
		}
		s := args[0].Strs[i*args[0].step()]
		most := matchesWanted(flags)
		found := re.FindAllStringSubmatchIndex(s, most)
		if found == nil {
			setNull(out, i, n)
			out.Strs[i] = ""
			continue
		}
		var rows []value.Value
		for _, at := range found {
			one, err := buildArray(groupsOf(s, at))
			if err != nil {
				return err
			}
			rows = append(rows, value.RawJSON(one))
		}
		if out.Strs[i] = rows[0].Str(); most < 0 {
			if out.Strs[i], err = buildArray(rows); err != nil {
				return err
			}
		}
	}
	return nil
}

// regexSubstrKernel is substring(text from pattern): the first group, or the match.
func regexSubstrKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var m matcher
	for _, i := range fullSel(n, sel) {
		i := int(i)
		re, err := m.compile(args[1].Strs[i*args[1].step()], "")
		if err != nil {
			return err
		}
		s := args[0].Strs[i*args[0].step()]
		at := re.FindStringSubmatchIndex(s)
		if at == nil {
			setNull(out, i, n)
			out.Strs[i] = ""
			continue
		}
		g := groupsOf(s, at)[0]
		if out.Strs[i] = g.Str(); g.IsNull() {
			setNull(out, i, n)
		}
	}
	return nil
}
