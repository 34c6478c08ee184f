package fn

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/lupadb/lupa/storage/value"
)

func toCharTime(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	for _, i := range fullSel(n, sel) {
		t := time.UnixMicro(args[0].Ints[int(i)*args[0].step()]).UTC()
		if out.Strs[i], err = formatTime(t, args[1].Strs[int(i)*args[1].step()]); err != nil {
			return err
		}
	}
	return nil
}

func toCharReal(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	for _, i := range fullSel(n, sel) {
		x := args[0].Reals[int(i)*args[0].step()]
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("to_char: %v has no digits", x)
		}
		digits := func(decs int) string { return strconv.FormatFloat(roundTo(math.Abs(x), int64(decs)), 'f', decs, 64) }
		if out.Strs[i], err = formatNumber(x < 0, digits, args[1].Strs[int(i)*args[1].step()]); err != nil {
			return err
		}
	}
	return nil
}

func toCharInt(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	for _, i := range fullSel(n, sel) {
		x := args[0].Ints[int(i)*args[0].step()]
		digits := func(decs int) string {
			s := strings.TrimPrefix(strconv.FormatInt(x, 10), "-")
			if decs > 0 {
				s += "." + strings.Repeat("0", decs)
			}
			return s
		}
		if out.Strs[i], err = formatNumber(x < 0, digits, args[1].Strs[int(i)*args[1].step()]); err != nil {
			return err
		}
	}
	return nil
}

func toCharNumeric(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
	for _, i := range fullSel(n, sel) {
		var x decimal
		value.ReadNumeric(args[0].Strs[int(i)*args[0].step()], &x)
		negative := x.Negative
		x.Negative = false
		digits := func(decs int) string {
			var y decimal
			y.Set(&x)
			rescale(&y, decs, true)
			return y.Text('f')
		}
		if out.Strs[i], err = formatNumber(negative, digits, args[1].Strs[int(i)*args[1].step()]); err != nil {
			return err
		}
	}
	return nil
}

// timeFields are the patterns of to_char, longer ones first.
var timeFields = []struct {
	name string
	f    func(t time.Time, fill bool) string
}{
	{"HH24", func(t time.Time, fill bool) string { return padded(t.Hour(), 2, fill) }},
	{"HH12", hour12}, {"HH", hour12},
	{"MI", func(t time.Time, fill bool) string { return padded(t.Minute(), 2, fill) }},
	{"SSSSS", func(t time.Time, fill bool) string { return strconv.Itoa(t.Hour()*3600 + t.Minute()*60 + t.Second()) }},
	{"SSSS", func(t time.Time, fill bool) string { return strconv.Itoa(t.Hour()*3600 + t.Minute()*60 + t.Second()) }},
	{"SS", func(t time.Time, fill bool) string { return padded(t.Second(), 2, fill) }},
	{"MS", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e6, 3, true) }},
	{"FF1", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:1] }},
	{"FF2", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:2] }},
	{"FF3", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:3] }},
	{"FF4", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:4] }},
	{"FF5", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:5] }},
	{"FF6", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true)[:6] }},
	{"US", func(t time.Time, fill bool) string { return padded(t.Nanosecond()/1e3, 6, true) }},
	{"AM", func(t time.Time, _ bool) string { return t.Format("PM") }}, {"PM", func(t time.Time, _ bool) string { return t.Format("PM") }},
	{"am", func(t time.Time, _ bool) string { return t.Format("pm") }}, {"pm", func(t time.Time, _ bool) string { return t.Format("pm") }},
	{"IYYY", func(t time.Time, fill bool) string { y, _ := t.ISOWeek(); return padded(y, 4, fill) }},
	{"IYY", func(t time.Time, fill bool) string { y, _ := t.ISOWeek(); return padded(y%1000, 3, fill) }},
	{"IY", func(t time.Time, fill bool) string { y, _ := t.ISOWeek(); return padded(y%100, 2, fill) }},
	{"Y,YYY", func(t time.Time, fill bool) string {
		return padded(t.Year()/1000, 1, fill) + "," + padded(t.Year()%1000, 3, true)
	}},
	{"YYYY", func(t time.Time, fill bool) string { return padded(t.Year(), 4, fill) }},
	{"YYY", func(t time.Time, fill bool) string { return padded(t.Year()%1000, 3, fill) }},
	{"YY", func(t time.Time, fill bool) string { return padded(t.Year()%100, 2, fill) }},
	{"Y", func(t time.Time, fill bool) string { return strconv.Itoa(t.Year() % 10) }},
	{"MONTH", func(t time.Time, fill bool) string { return named(strings.ToUpper(t.Month().String()), fill) }},
	{"Month", func(t time.Time, fill bool) string { return named(t.Month().String(), fill) }},
	{"month", func(t time.Time, fill bool) string { return named(strings.ToLower(t.Month().String()), fill) }},
	{"MON", func(t time.Time, _ bool) string { return strings.ToUpper(t.Format("Jan")) }},
	{"Mon", func(t time.Time, _ bool) string { return t.Format("Jan") }},
	{"mon", func(t time.Time, _ bool) string { return strings.ToLower(t.Format("Jan")) }},
	{"MM", func(t time.Time, fill bool) string { return padded(int(t.Month()), 2, fill) }},
	{"DAY", func(t time.Time, fill bool) string { return named(strings.ToUpper(t.Weekday().String()), fill) }},
	{"Day", func(t time.Time, fill bool) string { return named(t.Weekday().String(), fill) }},
	{"day", func(t time.Time, fill bool) string { return named(strings.ToLower(t.Weekday().String()), fill) }},
	{"DY", func(t time.Time, _ bool) string { return strings.ToUpper(t.Format("Mon")) }},
	{"Dy", func(t time.Time, _ bool) string { return t.Format("Mon") }},
	{"dy", func(t time.Time, _ bool) string { return strings.ToLower(t.Format("Mon")) }},
	{"IDDD", func(t time.Time, fill bool) string {
		_, w := t.ISOWeek()
		return padded((w-1)*7+int(t.Weekday()+6)%7+1, 3, fill)
	}},
	{"DDD", func(t time.Time, fill bool) string { return padded(t.YearDay(), 3, fill) }},
	{"DD", func(t time.Time, fill bool) string { return padded(t.Day(), 2, fill) }},
	{"ID", func(t time.Time, _ bool) string { return strconv.Itoa(int(t.Weekday()+6)%7 + 1) }},
	{"D", func(t time.Time, _ bool) string { return strconv.Itoa(int(t.Weekday()) + 1) }},
	{"IW", func(t time.Time, fill bool) string { _, w := t.ISOWeek(); return padded(w, 2, fill) }},
	{"WW", func(t time.Time, fill bool) string { return padded((t.YearDay()-1)/7+1, 2, fill) }},
	{"W", func(t time.Time, _ bool) string { return strconv.Itoa((t.Day()-1)/7 + 1) }},
	{"Q", func(t time.Time, _ bool) string { return strconv.Itoa(int(t.Month()-1)/3 + 1) }},
	{"J", func(t time.Time, _ bool) string {
		return strconv.FormatInt(floorTo(t.UnixMicro(), day)/day+2440588, 10)
	}},
	{"CC", func(t time.Time, fill bool) string { return padded((t.Year()+99)/100, 2, fill) }},
	{"RM", func(t time.Time, fill bool) string { return roman(t.Month(), fill) }},
	{"rm", func(t time.Time, fill bool) string { return strings.ToLower(roman(t.Month(), fill)) }},
	{"A.D.", constant("A.D.")}, {"B.C.", constant("A.D.")}, {"a.d.", constant("a.d.")}, {"b.c.", constant("a.d.")},
	{"AD", constant("AD")}, {"BC", constant("AD")}, {"ad", constant("ad")}, {"bc", constant("ad")},
	{"A.M.", func(t time.Time, _ bool) string { return dotted(t.Format("PM")) }}, {"P.M.", func(t time.Time, _ bool) string { return dotted(t.Format("PM")) }},
	{"a.m.", func(t time.Time, _ bool) string { return dotted(t.Format("pm")) }}, {"p.m.", func(t time.Time, _ bool) string { return dotted(t.Format("pm")) }},
	{"TZH", constant("+00")}, {"TZM", constant("00")},
	{"TZ", constant("")},
	{"OF", constant("+00")},
	{"I", func(t time.Time, _ bool) string { y, _ := t.ISOWeek(); return strconv.Itoa(y % 10) }},
}

// constant is a pattern that gives the same for every time.
func constant(s string) func(time.Time, bool) string {
	return func(time.Time, bool) string { return s }
}

// roman is a month in Roman numerals.
func roman(m time.Month, fill bool) string {
	s := [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}[m-1]
	if !fill {
		return s
	}
	return fmt.Sprintf("%-4s", s)
}

// dotted puts a point behind each of two letters.
func dotted(s string) string { return s[:1] + "." + s[1:] + "." }

func hour12(t time.Time, fill bool) string { return padded((t.Hour()+11)%12+1, 2, fill) }

func padded(n, digits int, fill bool) string {
	if !fill {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%0*d", digits, n)
}

// named pads the name of a month or day to nine characters.
func named(s string, fill bool) string {
	if !fill {
		return s
	}
	return fmt.Sprintf("%-9s", s)
}

// formatTime is to_char of a time. FM before a pattern leaves out zeros and blanks, what is
// in double quotes stands for itself.
func formatTime(t time.Time, f string) (string, error) {
	var b strings.Builder
	fill := true
	for len(f) > 0 {
		if f[0] == '"' {
			end := strings.IndexByte(f[1:], '"')
			if end < 0 {
				b.WriteString(f[1:])
				return b.String(), nil
			}
			b.WriteString(f[1 : 1+end])
			f = f[end+2:]
			continue
		}
		if strings.HasPrefix(f, "FM") || strings.HasPrefix(f, "fm") {
			fill = false
			f = f[2:]
			continue
		}
		found := false
		for _, field := range timeFields {
			n := len(field.name)
			if len(f) < n || f[:n] != field.name && !(strings.EqualFold(f[:n], field.name) && foldable(field.name)) {
				continue
			}
			if field.f == nil {
				return "", fmt.Errorf("to_char has no %s", field.name)
			}
			s := field.f(t, fill)
			f, fill, found = f[n:], true, true
			if len(f) >= 2 && (f[:2] == "TH" || f[:2] == "th") {
				s += ordinal(s, f[:2] == "TH")
				f = f[2:]
			}
			b.WriteString(s)
			break
		}
		if !found {
			b.WriteByte(f[0])
			f = f[1:]
		}
	}
	return b.String(), nil
}

// foldable reports whether a pattern may be written in small letters too: those that give
// digits.
func foldable(name string) bool {
	switch strings.ToUpper(name) {
	case "AM", "PM", "A.M.", "P.M.", "AD", "BC", "A.D.", "B.C.", "MONTH", "MON", "DAY", "DY", "RM":
		return false
	}
	return true
}

func ordinal(s string, upper bool) string {
	out := "th"
	if n := len(s); n < 2 || s[n-2] != '1' {
		switch s[n-1] {
		case '1':
			out = "st"
		case '2':
			out = "nd"
		case '3':
			out = "rd"
		}
	}
	if upper {
		return strings.ToUpper(out)
	}
	return out
}

// formatNumber is to_char of a number, of which digits gives the absolute value rounded to so
// many decimals: 9 and 0 are digits, . or D the point, , or G commas,
// S and MI a sign, FM leaves out blanks.
func formatNumber(negative bool, digitsOf func(decs int) string, f string) (string, error) {
	if s, ok := romanNumber(negative, digitsOf, f); ok {
		return s, nil
	}
	whole := f
	trim := false
	if len(f) >= 2 && strings.EqualFold(f[:2], "FM") {
		trim, f = true, f[2:]
	}
	var ints, decs int
	point, zeros := false, -1
	signFirst, signLast, minusLast := false, false, false
	var shape []byte
	for i := 0; i < len(f); i++ {
		c := f[i]
		switch {
		case c == '9' || c == '0':
			if minusLast || signLast {
				return "", badNumber(whole)
			}
			if point {
				decs++
			} else {
				if c == '0' && zeros < 0 {
					zeros = ints
				}
				ints++
			}
			shape = append(shape, c)
		case c == '.' || c == 'D' || c == 'd':
			if point {
				return "", badNumber(whole)
			}
			point = true
			shape = append(shape, '.')
		case c == ',' || c == 'G' || c == 'g':
			shape = append(shape, ',')
		case c == 'S' || c == 's':
			if len(shape) == 0 && !signFirst {
				signFirst = true
			} else {
				signLast = true
			}
		case strings.HasPrefix(strings.ToUpper(f[i:]), "MI"):
			minusLast = true
			i++
		default:
			return "", badNumber(whole)
		}
	}
	digits := digitsOf(decs)
	number, fraction, _ := strings.Cut(digits, ".")
	if strings.Trim(digits, "0.") == "" {
		negative = false
	}
	if number == "0" {
		number = ""
	}
	over := len(number) > ints
	lead := ints - len(number)
	var b strings.Builder
	k, started, lastDec := 0, false, 0
	for i, c := range []byte(fraction) { // FM drops zeros of 9s at the end
		if c != '0' {
			lastDec = i + 1
		}
	}
	d := 0
	for i, c := range shape {
		switch c {
		case '.':
			if number == "" && zeros < 0 && !started && decs == 0 {
				started = true
			}
			b.WriteByte('.')
			started = true
		case ',':
			if started {
				b.WriteByte(',')
			} else if !trim {
				b.WriteByte(' ')
			}
		default:
			if d > 0 || strings.IndexByte(string(shape[:i]), '.') >= 0 { // behind the point
				if over {
					b.WriteByte('#')
				} else if d < lastDec || !trim || c == '0' || strings.IndexByte(string(shape[i:]), '0') >= 0 {
					b.WriteByte(fraction[d])
				}
				d++
				continue
			}
			switch {
			case over:
				b.WriteByte('#')
				started = true
			case k >= lead:
				b.WriteByte(number[k-lead])
				started = true
			case zeros >= 0 && k >= zeros:
				b.WriteByte('0')
				started = true
			case k == ints-1 && (!point || trim && decs > 0 && lastDec == 0 && !strings.Contains(string(shape[i:]), "0")): // a zero by itself
				b.WriteByte('0')
				started = true
			case !trim:
				b.WriteByte(' ')
			}
			k++
		}
	}
	s := b.String()
	sign := ""
	switch {
	case negative:
		sign = "-"
	case signFirst || signLast:
		sign = "+"
	case !trim:
		sign = " "
	}
	switch {
	case signLast || minusLast:
		if minusLast && sign == "+" {
			sign = ""
		}
		s += sign
	default: // right before the first digit
		at := len(s) - len(strings.TrimLeft(s, " "))
		s = s[:at] + sign + s[at:]
	}
	return s, nil
}

func badNumber(f string) error {
	return fmt.Errorf("to_char does not know the pattern %s: numbers take 9, 0, a point, commas, S, MI and FM, or RN alone", value.Quote(f))
}
