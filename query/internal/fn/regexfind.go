package fn

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// matchesFrom finds all matches from character start on. What comes before still counts for ^ and \b.
func matchesFrom(re *regexp.Regexp, s string, start int64) [][]int {
	if start <= 1 {
		return re.FindAllStringSubmatchIndex(s, -1)
	}
	from := 0
	for ; start > 1; start-- {
		if from == len(s) {
			return nil
		}
		_, size := utf8.DecodeRuneInString(s[from:])
		from += size
	}
	pattern := re.String()
	if !strings.Contains(pattern, "^") && !strings.Contains(pattern, `\b`) && !strings.Contains(pattern, `\B`) && !strings.Contains(pattern, `\A`) {
		all := re.FindAllStringSubmatchIndex(s[from:], -1)
		for _, at := range all {
			for i := range at {
				if at[i] >= 0 {
					at[i] += from
				}
			}
		}
		return all
	}
	var out [][]int
	for _, at := range re.FindAllStringSubmatchIndex(s, -1) {
		if at[0] >= from {
			out = append(out, at)
		}
	}
	return out
}

// regexNth finds the match that the arguments of regexp_substr and regexp_instr ask for: text, pattern,
// start, which match, perhaps whether its end is asked for, flags and group. at is nil if there is none.
func regexNth(name string, end bool) func(args []Arg, n int, sel []int32, f func(i int, s string, at []int, behind bool)) error {
	return func(args []Arg, n int, sel []int32, f func(i int, s string, at []int, behind bool)) error {
		flags := 4
		if end {
			flags = 5
		}
		return regexEach(args, flags, n, sel, func(i int, re *regexp.Regexp, s string) error {
			number := func(k int, otherwise int64) int64 {
				if len(args) <= k {
					return otherwise
				}
				return args[k].Ints[i*args[k].step()]
			}
			start, which, group, behind := number(2, 1), number(3, 1), number(flags+1, 0), int64(0)
			if end {
				behind = number(4, 0)
			}
			switch {
			case start < 1:
				return fmt.Errorf("%s counts characters from 1, not %d", name, start)
			case which < 1:
				return fmt.Errorf("%s counts matches from 1, not %d", name, which)
			case behind != 0 && behind != 1:
				return fmt.Errorf("%s takes 0 for where a match begins and 1 for what is behind it, not %d", name, behind)
			case group < 0:
				return fmt.Errorf("%s counts groups from 0, not %d", name, group)
			}
			all := matchesFrom(re, s, start)
			if which > int64(len(all)) || 2*group >= int64(len(all[which-1])) {
				f(i, s, nil, false)
				return nil
			}
			at := all[which-1][2*group : 2*group+2]
			if at[0] < 0 {
				at = nil
			}
			f(i, s, at, behind == 1)
			return nil
		})
	}
}

func regexPart(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return regexNth("regexp_substr", false)(args, n, sel, func(i int, s string, at []int, _ bool) {
		if out.Strs[i] = ""; at == nil {
			setNull(out, i, n)
			return
		}
		out.Strs[i] = s[at[0]:at[1]]
	})
}

func regexPlace(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return regexNth("regexp_instr", true)(args, n, sel, func(i int, s string, at []int, behind bool) {
		switch {
		case at == nil:
			out.Ints[i] = 0
		case behind:
			out.Ints[i] = int64(utf8.RuneCountInString(s[:at[1]])) + 1
		default:
			out.Ints[i] = int64(utf8.RuneCountInString(s[:at[0]])) + 1
		}
	})
}

// prefixes are the signatures with the first least arguments, with one more, and so on.
func prefixes(all kinds, least int, result value.Kind, eval kernel) (sigs []sig) {
	for n := least; n <= len(all); n++ {
		sigs = append(sigs, sig{all[:n:n], result, eval, false})
	}
	return sigs
}
