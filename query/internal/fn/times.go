package fn

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/lupadb/lupa/query/internal/hint"
	"github.com/lupadb/lupa/storage/value"
)

func nowKernel(c *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
	us := c.Now.UnixMicro()
	each(n, sel, func(i int) { out.Ints[i] = us })
	return nil
}

var truncFields = []string{"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century", "millennium"}

// field returns the unit a user wrote, plural or not, in any case.
func field(who, s string, known []string) (string, error) {
	f := strings.ToLower(strings.TrimSpace(s))
	for _, k := range known {
		if f == k || f == k+"s" {
			return k, nil
		}
	}
	return "", fmt.Errorf("%s: no field %q%s; there are %s", who, s, hint.DidYouMean(s, known), strings.Join(known, ", "))
}

// TakesField reports whether the first argument of a function is the name of a field of
// a timestamp.
func TakesField(function string) bool { return function == "extract" || function == "date_trunc" }

// CheckField returns an error if a function does not know a field of a timestamp
// by that name; it is nil for functions that take none.
func CheckField(function, name string) error {
	var err error
	switch function {
	case "extract":
		_, err = field(function, name, extractFields)
	case "date_trunc":
		_, err = field(function, name, truncFields)
	}
	return err
}

func dateTruncKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		i := int(i)
		f, err := field("date_trunc", args[0].Strs[i*args[0].step()], truncFields)
		if err != nil {
			return err
		}
		out.Ints[i] = dateTrunc(f, args[1].Ints[i*args[1].step()])
	}
	return nil
}

// dateTruncZone is date_trunc('day', t, zone): the time at which clocks in the zone show the start.
// Within an hour that clocks show twice, what is cut off is the time since its start.
func dateTruncZone(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	name := ""
	var zone *time.Location
	for _, i := range fullSel(n, sel) {
		i := int(i)
		f, err := field("date_trunc", args[0].Strs[i*args[0].step()], truncFields)
		if err != nil {
			return err
		}
		if s := args[2].Strs[i*args[2].step()]; zone == nil || s != name {
			if zone, err = zoneNamed(s); err != nil {
				return err
			}
			name = s
		}
		us := args[1].Ints[i*args[1].step()]
		_, offset := time.UnixMicro(us).In(zone).Zone()
		clock := us + int64(offset)*1e6
		start := dateTrunc(f, clock)
		switch f {
		case "microsecond", "millisecond", "second", "minute", "hour":
			us -= clock - start
		default:
			t := time.UnixMicro(start).UTC()
			us = time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone).UnixMicro()
		}
		if us < value.MinTimestamp || us > value.MaxTimestamp {
			return errors.New("timestamp is out of range (years 1 to 9999)")
		}
		out.Ints[i] = us
	}
	return nil
}

var spanTruncFields = []string{"microsecond", "millisecond", "second", "minute", "hour", "day", "month", "quarter", "year", "decade", "century", "millennium"}

// truncSpan is date_trunc of an interval: its parts below a field go.
func truncSpan(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		i := int(i)
		f, err := field("date_trunc of an interval", args[0].Strs[i*args[0].step()], spanTruncFields)
		if err != nil {
			return err
		}
		s := value.SpanOf(args[1].Strs[i*args[1].step()])
		if months := map[string]int32{"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}[f]; months > 0 {
			s = value.Span{Months: s.Months / months * months}
		} else if step := map[string]int64{"microsecond": 1, "millisecond": 1e3, "second": 1e6, "minute": 60e6, "hour": 3600e6}[f]; step > 0 {
			s.Micros = s.Micros / step * step
		} else {
			s.Micros = 0 // days
		}
		out.Strs[i] = s.Body()
	}
	return nil
}

// floorTo rounds us down to a multiple of step microseconds.
func floorTo(us, step int64) int64 {
	r := us % step
	if r < 0 {
		r += step
	}
	return us - r
}

const day = int64(24 * time.Hour / time.Microsecond)

func dateTrunc(f string, us int64) int64 {
	switch f {
	case "microsecond":
		return us
	case "millisecond":
		return floorTo(us, 1000)
	case "second":
		return floorTo(us, 1e6)
	case "minute":
		return floorTo(us, 60e6)
	case "hour":
		return floorTo(us, 3600e6)
	case "day":
		return floorTo(us, day)
	case "week": // 1970-01-01 was a Thursday; weeks start on Monday
		return floorTo(us+3*day, 7*day) - 3*day
	}
	y, m, _ := time.UnixMicro(us).UTC().Date()
	switch f {
	case "quarter":
		m = (m-1)/3*3 + 1
	case "year":
		m = 1
	case "decade":
		y, m = y-mod(y, 10), 1
	case "century":
		y, m = y-mod(y-1, 100), 1
	case "millennium":
		y, m = y-mod(y-1, 1000), 1
	}
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
}

func mod(a, b int) int { return (a%b + b) % b }

var extractFields = []string{"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "isoyear", "decade", "century", "dow", "isodow", "doy", "epoch", "julian"}

func extractKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		i := int(i)
		f, err := field("extract", args[0].Strs[i*args[0].step()], extractFields)
		if err != nil {
			return err
		}
		out.Reals[i] = extract(f, args[1].Ints[i*args[1].step()])
	}
	return nil
}

func extract(f string, us int64) float64 {
	t := time.UnixMicro(us).UTC()
	second := us - floorTo(us, 60e6) // microseconds within the minute
	switch f {
	case "epoch":
		return float64(us) / 1e6
	case "julian":
		return float64(floorTo(us, day)/day+2440588) + float64(us-floorTo(us, day))/float64(day)
	case "microsecond":
		return float64(second)
	case "millisecond":
		return float64(second) / 1e3
	case "second":
		return float64(second) / 1e6
	case "minute":
		return float64(t.Minute())
	case "hour":
		return float64(t.Hour())
	case "day":
		return float64(t.Day())
	case "week":
		_, w := t.ISOWeek()
		return float64(w)
	case "isoyear":
		y, _ := t.ISOWeek()
		return float64(y)
	case "month":
		return float64(t.Month())
	case "quarter":
		return float64((t.Month()-1)/3 + 1)
	case "year":
		return float64(t.Year())
	case "decade":
		return math.Floor(float64(t.Year()) / 10)
	case "century":
		return math.Ceil(float64(t.Year()) / 100)
	case "dow":
		return float64(t.Weekday())
	case "isodow":
		return float64((t.Weekday()+6)%7 + 1)
	}
	return float64(t.YearDay()) // doy
}

func toTimestampKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	return try1(args[0].Reals, args[0].step(), out.Ints, n, sel, func(s float64) (int64, error) {
		us := math.Round(s * 1e6)
		if !(us >= float64(value.MinTimestamp) && us <= float64(value.MaxTimestamp)) {
			return 0, fmt.Errorf("to_timestamp: %v seconds is out of range for TIMESTAMP (years 1 to 9999)", s)
		}
		return int64(us), nil
	})
}
