package fn

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// patternEntries are functions of regular expressions, and those that read texts by a pattern.
func patternEntries() []*Func {
	ints := func(n int) kinds {
		out := make(kinds, n)
		for i := range out {
			out[i] = integer
		}
		return out
	}
	spans := &Func{Name: "make_interval", Syntax: "make_interval(years, months, weeks, days, hours, minutes, seconds)", Doc: "an interval; what is left out at the end is 0", Example: "make_interval(0, 1, 0, 2)", Gives: "1 mon 2 days", partial: true}
	for n := range 7 {
		spans.sigs = append(spans.sigs, sig{ints(n), interval, makeInterval, false})
	}
	spans.sigs = append(spans.sigs, sig{append(ints(6), realKind), interval, makeInterval, false})
	return []*Func{
		{Name: "regexp_count", Syntax: "regexp_count(text, pattern [, start [, flags]])", Doc: "how often a regular expression matches, from character start on", Example: "regexp_count('banana', 'an')", Gives: "2", partial: true,
			sigs: []sig{{kinds{text, text}, integer, regexCount, false}, {kinds{text, text, integer}, integer, regexCount, false}, {kinds{text, text, integer, text}, integer, regexCount, false}}},
		{Name: "regexp_substr", Syntax: "regexp_substr(text, pattern [, start [, which [, flags [, group]]]])", Doc: "match of a regular expression, the first one from character start on or another; NULL without one", Example: "regexp_substr('a12b3', '[0-9]+')", Gives: "12", partial: true,
			sigs: prefixes(kinds{text, text, integer, integer, text, integer}, 2, text, regexPart)},
		{Name: "regexp_instr", Syntax: "regexp_instr(text, pattern [, start [, which [, end [, flags [, group]]]]])", Doc: "number of the character where a regular expression matches, or with end 1 of that behind; 0 without a match", Example: "regexp_instr('käfer', 'f')", Gives: "3", partial: true,
			sigs: prefixes(kinds{text, text, integer, integer, integer, text, integer}, 2, integer, regexPlace)},
		{Name: "regexp_split_to_array", Syntax: "regexp_split_to_array(text, pattern [, flags])", Doc: "parts of a text between matches as a JSON array; regexp_split_to_table gives rows", Example: `regexp_split_to_array('a1b22c', '[0-9]+')`, Gives: `["a", "b", "c"]`, partial: true,
			sigs: []sig{{kinds{text, text}, jsonKind, regexSplitArray, false}, {kinds{text, text, text}, jsonKind, regexSplitArray, false}}},
		spans,
		{Name: "make_timestamp", Syntax: "make_timestamp(year, month, day, hour, minute, seconds)", Doc: "a time", Example: "make_timestamp(2024, 5, 31, 12, 30, 1.5)", Gives: "2024-05-31 12:30:01.5", partial: true,
			sigs: []sig{{append(ints(5), realKind), timestamp, makeTimestamp, false}}},
		{Name: "to_date", Syntax: "to_date(text, pattern)", Doc: "date of a text, read by a pattern of to_char", Example: "to_date('31.05.2024', 'DD.MM.YYYY')", Gives: "2024-05-31", partial: true,
			sigs: []sig{{kinds{text, text}, date, toDateKernel, false}}},
		{Name: "to_number", Syntax: "to_number(text, pattern)", Doc: "number of a text, read by a pattern of to_char", Example: "to_number('-12,345.6', 'S99G999D9')", Gives: "-12345.6", partial: true,
			sigs: []sig{{kinds{text, text}, numeric, toNumberKernel, false}}},
		{Name: "convert_to", Syntax: "convert_to(text, 'UTF8')", Doc: "bytes of a text", Example: "encode(convert_to('ä', 'UTF8'), 'hex')", Gives: "c3a4", partial: true,
			sigs: []sig{{kinds{text, text}, blob, textsTry(func(a []string) (string, error) { return a[0], utf8Named(a[1]) }), false}}},
		{Name: "convert_from", Syntax: "convert_from(blob, 'UTF8')", Doc: "text of bytes", Example: "convert_from(X'c3a4', 'UTF8')", Gives: "ä", partial: true,
			sigs: []sig{{kinds{blob, text}, text, textsTry(func(a []string) (string, error) {
				if !utf8.ValidString(a[0]) {
					return "", errors.New("convert_from: the bytes are no text of UTF8")
				}
				return a[0], utf8Named(a[1])
			}), false}}},
		{Name: "pg_size_pretty", Syntax: "pg_size_pretty(bytes)", Doc: "a number of bytes in kB, MB, GB, TB or PB", Example: "pg_size_pretty(12345678901)", Gives: "11 GB",
			sigs: []sig{{kinds{integer}, text, strictRow(prettySize), false}, {kinds{numeric}, text, strictRow(prettySize), false}}},
		{Name: "justify_hours", Syntax: "justify_hours(i)", Doc: "with 24 hours as a day", Example: "justify_hours('27:00:00')", Gives: "1 day 03:00:00", partial: true,
			sigs: []sig{{kinds{interval}, interval, justifyHours, false}}},
		{Name: "justify_days", Syntax: "justify_days(i)", Doc: "with 30 days as a month", Example: "justify_days('35 days')", Gives: "1 mon 5 days", partial: true,
			sigs: []sig{{kinds{interval}, interval, justifyDays, false}}},
		{Name: "hex", Syntax: "hex(text or blob)", Doc: "bytes in hexadecimal digits", Example: "hex('az')", Gives: "617A",
			sigs: []sig{{kinds{text}, text, text1(upperHex), false}, {kinds{blob}, text, text1(upperHex), false}}},
		{Name: "pg_typeof", Syntax: "pg_typeof(x)", Doc: "type of a value, as a text; also typeof", Example: "pg_typeof(1)", Gives: "INTEGER", nullable: true,
			infer: func(args []ArgType) ([]value.Type, value.Type, kernel, error) {
				t := value.Type{Kind: text}
				if len(args) != 1 {
					return nil, t, nil, fmt.Errorf("pg_typeof takes one value, not %d", len(args))
				}
				name := args[0].Type.String()
				if args[0].Type.Kind == value.Null {
					name = "NULL"
				}
				return []value.Type{args[0].Type}, t, constantKernel(name), nil
			}},
		{Name: "version", Syntax: "version()", Doc: "name and version of this program", Example: "starts_with(version(), 'Lupa ')", Gives: "true",
			sigs: []sig{{kinds{}, text, constantKernel("Lupa 0.1.0"), false}}},
	}
}

func upperHex(s string) string { return fmt.Sprintf("%X", s) }

// regexEach calls f with the expression of argument 1 and the text of argument 0 of each row.
func regexEach(args []Arg, flags, n int, sel []int32, f func(i int, re *regexp.Regexp, s string) error) error {
	var m matcher
	for _, i := range fullSel(n, sel) {
		i := int(i)
		re, err := m.compile(args[1].Strs[i*args[1].step()], flagsOf(args, flags, i))
		if err == nil {
			err = f(i, re, args[0].Strs[i*args[0].step()])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func regexCount(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return regexEach(args, 3, n, sel, func(i int, re *regexp.Regexp, s string) error {
		if len(args) > 2 {
			start := args[2].Ints[i*args[2].step()]
			if start < 1 {
				return fmt.Errorf("regexp_count counts characters from 1, not %d", start)
			}
			out.Ints[i] = int64(len(matchesFrom(re, s, start)))
			return nil
		}
		out.Ints[i] = int64(len(re.FindAllStringIndex(s, -1)))
		return nil
	})
}

// utf8Named refuses encodings other than UTF-8.
func utf8Named(name string) error {
	switch strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(name)) {
	case "UTF8", "UNICODE":
		return nil
	}
	return fmt.Errorf("texts are UTF8 here, and nothing converts them to or from %s", name)
}

func regexSplitArray(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return regexEach(args, 2, n, sel, func(i int, re *regexp.Regexp, s string) error {
		var parts []value.Value
		for _, p := range re.Split(s, -1) {
			parts = append(parts, value.Str(p))
		}
		v, err := arrayOf(parts)
		out.Strs[i] = v.Str()
		return err
	})
}

func makeInterval(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		var x [6]int64
		seconds := 0.0
		for k, a := range args {
			if k == len(x) {
				if seconds = a.Reals[int(i)*a.step()]; !(math.Abs(seconds) <= 1<<40) {
					return fmt.Errorf("make_interval: %v seconds are out of range", seconds)
				}
				break
			}
			if x[k] = a.Ints[int(i)*a.step()]; x[k] > 1<<30 || x[k] < -1<<30 {
				return fmt.Errorf("make_interval: %d is out of range", x[k])
			}
		}
		s, err := (value.Span{}).Plus(value.Span{Months: int32(x[1])}, 1)
		for _, part := range []struct {
			of value.Span
			n  int64
		}{{value.Span{Months: 12}, x[0]}, {value.Span{Days: 7}, x[2]}, {value.Span{Days: 1}, x[3]}, {value.Span{Micros: 3600e6}, x[4]}, {value.Span{Micros: 60e6}, x[5]}, {value.Span{Micros: 1}, int64(math.RoundToEven(seconds * 1e6))}} {
			if err == nil {
				s, err = s.Plus(part.of, part.n)
			}
		}
		if err != nil {
			return err
		}
		out.Strs[i] = s.Body()
	}
	return nil
}

func makeTimestamp(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		var x [5]int64
		for k := range x {
			x[k] = args[k].Ints[int(i)*args[k].step()]
		}
		t, err := clock(x[0], x[1], x[2], x[3], x[4], args[5].Reals[int(i)*args[5].step()])
		if err != nil {
			return err
		}
		out.Ints[i] = t
	}
	return nil
}

// clock is a time in microseconds since 1970.
func clock(y, mo, d, h, mi int64, s float64) (int64, error) {
	if y < 1 || y > 9999 || mo < 1 || mo > 12 || d < 1 || d > int64(time.Date(int(y), time.Month(mo)+1, 0, 0, 0, 0, 0, time.UTC).Day()) ||
		h < 0 || h > 24 || mi < 0 || mi > 59 || !(s >= 0 && s <= 60) || h == 24 && (mi > 0 || s > 0) {
		return 0, fmt.Errorf("there is no time %d-%02d-%02d %02d:%02d:%v", y, mo, d, h, mi, s)
	}
	us := time.Duration(float64(s*1e6)+0.5) * time.Microsecond
	return time.Date(int(y), time.Month(mo), int(d), int(h), int(mi), 0, 0, time.UTC).Add(us).UnixMicro(), nil
}

func justifyHours(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	return justified(args, n, sel, out, func(s value.Span) value.Span {
		days, us := carried(int64(s.Days), s.Micros, value.MicrosPerDay)
		return value.Span{Months: s.Months, Days: int32(days), Micros: us}
	})
}

func justifyDays(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	return justified(args, n, sel, out, func(s value.Span) value.Span {
		months, days := carried(int64(s.Months), int64(s.Days), 30)
		return value.Span{Months: int32(months), Days: int32(days), Micros: s.Micros}
	})
}

// carried makes of per units of small one of large, so that both have one sign.
func carried(large, small, per int64) (int64, int64) {
	large, small = large+small/per, small%per
	switch {
	case large > 0 && small < 0:
		return large - 1, small + per
	case large < 0 && small > 0:
		return large + 1, small - per
	}
	return large, small
}

func justified(args []Arg, n int, sel []int32, out *value.Column, f func(value.Span) value.Span) error {
	for _, i := range fullSel(n, sel) {
		out.Strs[i] = f(value.SpanOf(args[0].Strs[int(i)*args[0].step()])).Body()
	}
	return nil
}

// toTimestampText is to_timestamp(text, pattern).
func toTimestampText(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	for _, i := range fullSel(n, sel) {
		if out.Ints[i], err = readTime(args[0].Strs[int(i)*args[0].step()], args[1].Strs[int(i)*args[1].step()]); err != nil {
			return fmt.Errorf("to_timestamp: %w", err)
		}
	}
	return nil
}

func toDateKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		us, err := readTime(args[0].Strs[int(i)*args[0].step()], args[1].Strs[int(i)*args[1].step()])
		if err != nil {
			return fmt.Errorf("to_date: %w", err)
		}
		out.Ints[i] = value.FloorDays(us)
	}
	return nil
}

// readFields are the fields of a pattern that a time is read by, longer ones first, and how many digits they have.
var readFields = []struct {
	name   string
	digits int // 0: a word
}{{"HH24", 2}, {"HH12", 2}, {"HH", 2}, {"MI", 2}, {"SS", 2}, {"MS", 3}, {"US", 6}, {"YYYY", 4}, {"YY", 2}, {"MONTH", 0}, {"MON", 0}, {"MM", 2}, {"DDD", 3}, {"DD", 2}, {"AM", 0}, {"PM", 0}}

// readTime reads a time by a pattern of to_char, in microseconds since 1970. What the pattern does not have is that
// of the first moment of the year 1.
func readTime(s, pattern string) (int64, error) {
	bad := func() error {
		return fmt.Errorf("%s does not fit the pattern %s", value.Quote(s), value.Quote(pattern))
	}
	y, mo, d, doy, h, mi, sec, us := int64(1), int64(1), int64(1), int64(0), int64(0), int64(0), int64(0), int64(0)
	half, twelve := "", false
	rest := s
	for p := pattern; p != ""; {
		if strings.HasPrefix(p, "FM") || strings.HasPrefix(p, "TM") {
			p = p[2:]
			continue
		}
		if p[0] == '"' {
			text, after, _ := strings.Cut(p[1:], `"`)
			for range utf8.RuneCountInString(text) {
				_, size := utf8.DecodeRuneInString(rest)
				rest = rest[size:]
			}
			p = after
			continue
		}
		at := -1
		for i, f := range readFields {
			if len(p) >= len(f.name) && strings.EqualFold(p[:len(f.name)], f.name) {
				at = i
				break
			}
		}
		if at < 0 {
			r, size := utf8.DecodeRuneInString(p)
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return 0, fmt.Errorf("the pattern %s has %q, which can't be read; YYYY, YY, MM, MON, MONTH, DD, DDD, HH24, HH12, MI, SS, MS, US and AM are", value.Quote(pattern), string(r))
			}
			p = p[size:]
			if r, size := utf8.DecodeRuneInString(rest); size > 0 && !unicode.IsLetter(r) && !unicode.IsDigit(r) && (r != '-' && r != '+' || p != "") {
				rest = rest[size:]
			}
			continue
		}
		f := readFields[at]
		p = p[len(f.name):]
		rest = strings.TrimLeft(rest, " \t\n")
		if f.digits == 0 {
			n := 0
			for n < len(rest) && unicode.IsLetter(rune(rest[n])) {
				n++
			}
			word := strings.ToLower(rest[:n])
			if f.name == "AM" || f.name == "PM" {
				if word != "am" && word != "pm" {
					return 0, bad()
				}
				half = word
			} else {
				found := int64(0)
				for m := time.January; m <= time.December; m++ {
					name := strings.ToLower(m.String())
					if f.name == "MON" && len(word) >= 3 && name[:3] == word[:3] {
						found, n = int64(m), 3
					} else if word == name {
						found = int64(m)
					}
				}
				if found == 0 {
					return 0, bad()
				}
				mo = found
			}
			rest = rest[n:]
			continue
		}
		n := 0
		for n < len(rest) && n < f.digits && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		x, err := strconv.ParseInt(rest[:n], 10, 64)
		if err != nil {
			return 0, bad()
		}
		rest = rest[n:]
		switch f.name {
		case "YYYY":
			y = x
		case "YY":
			if y = 2000 + x; x >= 70 {
				y = 1900 + x
			}
		case "MM":
			mo = x
		case "DD":
			d = x
		case "DDD":
			doy = x
		case "HH24":
			h = x
		case "HH", "HH12":
			if h, twelve = x, true; x < 1 || x > 12 {
				return 0, bad()
			}
		case "MI":
			mi = x
		case "SS":
			sec = x
		default: // MS and US are decimals
			for ; n < f.digits; n++ {
				x *= 10
			}
			for range 6 - f.digits {
				x *= 10
			}
			us = x
		}
	}
	switch {
	case half == "pm" && h < 12:
		h += 12
	case h == 12 && (half == "am" || half == "" && twelve):
		h = 0
	}
	if doy > 0 {
		day := time.Date(int(y), 1, int(doy), 0, 0, 0, 0, time.UTC)
		if int64(day.Year()) != y {
			return 0, bad()
		}
		mo, d = int64(day.Month()), int64(day.Day())
	}
	t, err := clock(y, mo, d, h, mi, float64(sec))
	return t + us, err
}

// digitsBy reads a number by a pattern: each 9 or 0 takes a digit, D or a point takes the point, G or
// a comma takes a comma, and L one sign of a currency, where they come next; what the pattern has no
// place for is left out. The sign may stand before or behind, or be angle brackets.
func digitsBy(s, pattern string) string {
	var b strings.Builder
	if strings.ContainsAny(s, "-<") {
		b.WriteByte('-')
	}
	s = strings.TrimLeft(s, " +-<")
	for _, p := range pattern {
		if s == "" {
			break
		}
		r, size := utf8.DecodeRuneInString(s)
		switch digit := r >= '0' && r <= '9'; {
		case (p == '9' || p == '0') && digit, (p == 'D' || p == '.') && r == '.':
			b.WriteRune(r)
		case (p == 'G' || p == ',') && r == ',', strings.ContainsRune("L$€£", p) && !digit && r != '.':
		default:
			continue
		}
		s = strings.TrimLeft(s[size:], " +-")
	}
	return b.String()
}

// toNumberKernel is to_number.
func toNumberKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		s, pattern := args[0].Strs[int(i)*args[0].step()], args[1].Strs[int(i)*args[1].step()]
		if strings.Trim(strings.ToUpper(pattern), "09.,DGSLMIPRTHFB+- $€£%") != "" {
			return fmt.Errorf("to_number: the pattern %s may have 9, 0, D, G, S, MI, L, a point and commas", value.Quote(pattern))
		}
		text := digitsBy(s, strings.ToUpper(pattern))
		if strings.Trim(text, "-.") == "" {
			return fmt.Errorf("to_number: %s has no digits", value.Quote(s))
		}
		v, err := value.ParseNumeric(text)
		if err != nil {
			return err
		}
		out.Strs[i] = v.Str()
	}
	return nil
}
