package fn

import (
	"fmt"
	"strings"
	"time"

	"github.com/lupadb/lupa/storage/value"
)

// Dates are days, timestamps microseconds, intervals bodies of value.Span.

// dayInt is a DATE moved by days; the date is argument at.
func dayInt(at int, sign int64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		d, k := args[at], args[1-at]
		for _, i := range fullSel(n, sel) {
			x := k.Ints[int(i)*k.step()]
			if x < -1<<31 || x > 1<<31 {
				return fmt.Errorf("date is out of range (years 1 to 9999)")
			}
			days := d.Ints[int(i)*d.step()] + sign*x
			if days < value.MinDate || days > value.MaxDate {
				return fmt.Errorf("date is out of range (years 1 to 9999)")
			}
			out.Ints[i] = days
		}
		return nil
	}
}

// daysBetween is DATE - DATE.
func daysBetween(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	a, b := args[0], args[1]
	for _, i := range fullSel(n, sel) {
		out.Ints[i] = a.Ints[int(i)*a.step()] - b.Ints[int(i)*b.step()]
	}
	return nil
}

// timeBetween is TIMESTAMP - TIMESTAMP: days of 24 hours, and time.
func timeBetween(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	a, b := args[0], args[1]
	for _, i := range fullSel(n, sel) {
		us := a.Ints[int(i)*a.step()] - b.Ints[int(i)*b.step()]
		out.Strs[i] = value.Span{Days: int32(us / value.MicrosPerDay), Micros: us % value.MicrosPerDay}.Body()
	}
	return nil
}

// moved is TIMESTAMP plus or minus INTERVAL; the time is argument at.
func moved(at int, sign int64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
		t, s := args[at], args[1-at]
		for _, i := range fullSel(n, sel) {
			if out.Ints[i], err = value.SpanOf(s.Strs[int(i)*s.step()]).After(t.Ints[int(i)*t.step()], sign); err != nil {
				return err
			}
		}
		return nil
	}
}

// spans is a kernel of one interval.
func spans(f func(value.Span) (value.Span, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		return try1(args[0].Strs, args[0].step(), out.Strs, n, sel, func(s string) (string, error) {
			r, err := f(value.SpanOf(s))
			return r.Body(), err
		})
	}
}

// spans2 is a kernel of two intervals.
func spans2(sign int64) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		for _, i := range fullSel(n, sel) {
			r, err := value.SpanOf(a.Strs[int(i)*a.step()]).Plus(value.SpanOf(b.Strs[int(i)*b.step()]), sign)
			if err != nil {
				return err
			}
			out.Strs[i] = r.Body()
		}
		return nil
	}
}

// spanTimes multiplies an interval, which is argument at, by a number, or divides it.
func spanTimes(at int, divide bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		s, k := args[at], args[1-at]
		for _, i := range fullSel(n, sel) {
			f := k.Reals[int(i)*k.step()]
			if divide {
				if f == 0 {
					return errDivision
				}
				f = 1 / f
			}
			r, err := value.SpanOf(s.Strs[int(i)*s.step()]).Times(f)
			if err != nil {
				return err
			}
			out.Strs[i] = r.Body()
		}
		return nil
	}
}

// between is age(a, b): years, months and days as a calendar counts them.
func between(a, b int64) value.Span {
	if a < b {
		s := between(b, a)
		return value.Span{Months: -s.Months, Days: -s.Days, Micros: -s.Micros}
	}
	ta, tb := time.UnixMicro(a).UTC(), time.UnixMicro(b).UTC()
	ya, ma, da := ta.Date()
	yb, mb, db := tb.Date()
	months := (ya-yb)*12 + int(ma) - int(mb)
	days := da - db
	us := (a - value.FloorDays(a)*value.MicrosPerDay) - (b - value.FloorDays(b)*value.MicrosPerDay)
	if us < 0 {
		us += value.MicrosPerDay
		days--
	}
	if days < 0 { // the days of the earlier month
		days += time.Date(yb, mb+1, 0, 0, 0, 0, 0, time.UTC).Day()
		months--
	}
	return value.Span{Months: int32(months), Days: int32(days), Micros: us}
}

func ageKernel(c *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	today := value.FloorDays(c.Now.UnixMicro()) * value.MicrosPerDay
	for _, i := range fullSel(n, sel) {
		a := args[len(args)-1].Ints[int(i)*args[len(args)-1].step()]
		if len(args) == 1 {
			out.Strs[i] = between(today, a).Body()
		} else {
			out.Strs[i] = between(args[0].Ints[int(i)*args[0].step()], a).Body()
		}
	}
	return nil
}

// extractSpan is extract from an interval.
func extractSpan(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		i := int(i)
		f, err := field("extract", args[0].Strs[i*args[0].step()], spanFields)
		if err != nil {
			return err
		}
		s := value.SpanOf(args[1].Strs[i*args[1].step()])
		years, months, us := s.Months/12, s.Months%12, s.Micros
		switch f {
		case "epoch":
			out.Reals[i] = float64(float64(years)*365.25*86400) + float64(float64(months)*30*86400) + float64(float64(s.Days)*86400) + float64(us)/1e6
		case "microsecond":
			out.Reals[i] = float64(us % 60e6)
		case "millisecond":
			out.Reals[i] = float64(us%60e6) / 1e3
		case "second":
			out.Reals[i] = float64(us%60e6) / 1e6
		case "minute":
			out.Reals[i] = float64(us / 60e6 % 60)
		case "hour":
			out.Reals[i] = float64(us / 3600e6)
		case "day":
			out.Reals[i] = float64(s.Days)
		case "month":
			out.Reals[i] = float64(months)
		case "quarter":
			out.Reals[i] = float64(months/3 + 1)
		case "year":
			out.Reals[i] = float64(years)
		case "decade":
			out.Reals[i] = float64(years / 10)
		case "century":
			out.Reals[i] = float64(years / 100)
		}
	}
	return nil
}

var spanFields = []string{"microsecond", "millisecond", "second", "minute", "hour", "day", "month", "quarter", "year", "decade", "century", "epoch"}

// makeDate is make_date(year, month, day).
func makeDate(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		y, m, d := args[0].Ints[int(i)*args[0].step()], args[1].Ints[int(i)*args[1].step()], args[2].Ints[int(i)*args[2].step()]
		if y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > int64(time.Date(int(y), time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day()) {
			return fmt.Errorf("there is no date %d-%02d-%02d", y, m, d)
		}
		out.Ints[i] = time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC).Unix() / 86400
	}
	return nil
}

func currentDate(c *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
	day := value.FloorDays(c.Now.UnixMicro())
	each(n, sel, func(i int) { out.Ints[i] = day })
	return nil
}

// dateBin is date_bin(stride, time, origin).
func dateBin(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		s := value.SpanOf(args[0].Strs[int(i)*args[0].step()])
		days, us := s.Length()
		if s.Months != 0 {
			return fmt.Errorf("date_bin: months have no fixed length; date_trunc('month', t) truncates to months")
		}
		if days < 0 || days == 0 && us == 0 || days > 1e6 {
			return fmt.Errorf("date_bin: a stride must be longer than 0 and at most a million days")
		}
		t, origin := args[1].Ints[int(i)*args[1].step()], args[2].Ints[int(i)*args[2].step()]
		out.Ints[i] = origin + floorTo(t-origin, days*value.MicrosPerDay+us)
		if out.Ints[i] < value.MinTimestamp {
			return fmt.Errorf("timestamp is out of range (years 1 to 9999)")
		}
	}
	return nil
}

// inZone is AT TIME ZONE: the clock time in a zone, or back the time of a clock time.
func inZone(back bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		name := ""
		var zone *time.Location
		for _, i := range fullSel(n, sel) {
			if s := args[0].Strs[int(i)*args[0].step()]; zone == nil || s != name {
				var err error
				if zone, err = zoneNamed(s); err != nil {
					return err
				}
				name = s
			}
			us := args[1].Ints[int(i)*args[1].step()]
			t := time.UnixMicro(us).UTC()
			if back {
				us = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone).UnixMicro()
			} else {
				_, offset := t.In(zone).Zone()
				us += int64(offset) * 1e6
			}
			if us < value.MinTimestamp || us > value.MaxTimestamp {
				return fmt.Errorf("timestamp is out of range (years 1 to 9999)")
			}
			out.Ints[i] = us
		}
		return nil
	}
}

// zoneNamed returns a zone by its name in the IANA database, or of an offset such as +02:00.
func zoneNamed(s string) (*time.Location, error) {
	bad := fmt.Errorf("there is no time zone %s (Europe/Berlin, UTC, +02:00)", value.Quote(s))
	t := strings.TrimSpace(s)
	if t == "" || strings.EqualFold(t, "local") {
		return nil, bad
	}
	if strings.EqualFold(t, "utc") || strings.EqualFold(t, "gmt") || strings.EqualFold(t, "z") {
		return time.UTC, nil
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if at, err := time.Parse(layout, t); err == nil {
			_, offset := at.Zone()
			return time.FixedZone(t, offset), nil
		}
	}
	zone, err := time.LoadLocation(t)
	if err != nil {
		return nil, bad
	}
	return zone, nil
}

// sumSpanAgg is sum or avg of intervals.
type sumSpanAgg struct {
	avg  bool
	n    []int64
	sums []value.Span
}

func (a *sumSpanAgg) Type() value.Type { return value.Type{Kind: value.Interval} }
func (a *sumSpanAgg) Bytes() int64     { return int64(24 * cap(a.n)) }
func (a *sumSpanAgg) Resize(n int)     { a.n, a.sums = extend(a.n, n), extend(a.sums, n) }

func (a *sumSpanAgg) Add(arg Arg, groups []int32, n int, sel []int32) (err error) {
	eachValue(arg, groups, n, sel, func(i, g int) {
		s, over := a.sums[g].Plus(value.SpanOf(arg.Strs[i]), 1)
		if over != nil && err == nil {
			err = over
		}
		a.sums[g] = s
		a.n[g]++
	})
	return err
}

func (a *sumSpanAgg) Merge(other Aggregator, to []int32) (err error) {
	o := other.(*sumSpanAgg)
	for g, s := range o.sums {
		if o.n[g] == 0 {
			continue
		}
		k := target(to, g)
		if a.sums[k], err = a.sums[k].Plus(s, 1); err != nil {
			return err
		}
		a.n[k] += o.n[g]
	}
	return nil
}

func (a *sumSpanAgg) Result(from, upto int, out *value.Column) (err error) {
	out.Reset(a.Type())
	for g := from; g < upto; g++ {
		if a.n[g] == 0 {
			out.Append(g-from, value.Value{})
			continue
		}
		s := a.sums[g]
		if a.avg {
			if s, err = s.Times(1 / float64(a.n[g])); err != nil {
				return err
			}
		}
		out.Append(g-from, value.SpanValue(s))
	}
	return nil
}

// justify brings days into months and hours into days, all of one sign.
func justify(s value.Span) (value.Span, error) {
	days, us := int64(s.Months)*30+int64(s.Days)+s.Micros/value.MicrosPerDay, s.Micros%value.MicrosPerDay
	switch {
	case days > 0 && us < 0:
		days, us = days-1, us+value.MicrosPerDay
	case days < 0 && us > 0:
		days, us = days+1, us-value.MicrosPerDay
	}
	return value.Span{Months: int32(days / 30), Days: int32(days % 30), Micros: us}, nil
}
