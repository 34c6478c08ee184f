package value

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MicrosPerDay is the length of a day, which in UTC is always the same.
const MicrosPerDay = int64(24 * time.Hour / time.Microsecond)

// Bounds of a DATE: those of a TIMESTAMP, in days since 1970.
var (
	MinDate = FloorDays(MinTimestamp)
	MaxDate = FloorDays(MaxTimestamp)
)

// FloorDays returns the day since 1970 that microseconds since then lie in.
func FloorDays(us int64) int64 {
	d := us / MicrosPerDay
	if us%MicrosPerDay < 0 {
		d--
	}
	return d
}

// ParseDate reads a date, 2024-05-31, or a timestamp, whose time of day is left out.
func ParseDate(s string) (int64, error) {
	us, err := ParseTimestamp(s)
	if err != nil {
		return 0, fmt.Errorf("%s is not a date (%s)", Quote(s), timeHint(strings.TrimSpace(s), "2024-05-31"))
	}
	return FloorDays(us), nil
}

// AppendDate appends days since 1970 as "2006-01-02".
func AppendDate(dst []byte, days int64) []byte {
	return time.Unix(days*86400, 0).UTC().AppendFormat(dst, time.DateOnly)
}

func checkDate(days int64) error {
	if days < MinDate || days > MaxDate {
		return fmt.Errorf("day %d since 1970 is out of range for DATE (years 1 to 9999)", days)
	}
	return nil
}

// Span is the content of an INTERVAL. Months and days have no fixed length, so they are
// kept apart.
type Span struct {
	Months, Days int32
	Micros       int64
}

// spanBytes is the length of a Span in a Value and on the disk.
const spanBytes = 16

// SpanValue returns s as an INTERVAL.
func SpanValue(s Span) Value { return Value{kind: Interval, str: s.Body()} }

// Body returns s as a column of INTERVALs holds it: months, days and microseconds, big endian.
func (s Span) Body() string {
	var b [spanBytes]byte
	binary.BigEndian.PutUint32(b[:], uint32(s.Months))
	binary.BigEndian.PutUint32(b[4:], uint32(s.Days))
	binary.BigEndian.PutUint64(b[8:], uint64(s.Micros))
	return string(b[:])
}

// SpanOf is the inverse of Body; what is no body is the empty span.
func SpanOf(body string) Span {
	if len(body) != spanBytes {
		return Span{}
	}
	b := []byte(body)
	return Span{int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:])), int64(binary.BigEndian.Uint64(b[8:]))}
}

// Span returns the content of an INTERVAL.
func (v Value) Span() Span { return SpanOf(v.str) }

// Length returns the span in days of 24 hours and microseconds below a day, a month being 30
// days: that is what comparisons, equality and sorting go by, as in PostgreSQL.
func (s Span) Length() (days, micros int64) {
	d := FloorDays(s.Micros)
	return int64(s.Months)*30 + int64(s.Days) + d, s.Micros - d*MicrosPerDay
}

// AppendKey appends bytes that compare as the lengths of spans do.
func (s Span) AppendKey(b []byte) []byte {
	days, micros := s.Length()
	b = binary.BigEndian.AppendUint64(b, uint64(days)^1<<63)
	return binary.BigEndian.AppendUint64(b, uint64(micros))
}

// Compare orders spans by their lengths.
func (s Span) Compare(o Span) int {
	sd, su := s.Length()
	od, ou := o.Length()
	return cmp.Or(cmp.Compare(sd, od), cmp.Compare(su, ou))
}

var errSpan = fmt.Errorf("interval is out of range")

// Plus returns s + k*o, k being 1 or -1.
func (s Span) Plus(o Span, k int64) (Span, error) {
	if k < 0 && (o.Micros == math.MinInt64) {
		return s, errSpan
	}
	m, d, u := int64(s.Months)+k*int64(o.Months), int64(s.Days)+k*int64(o.Days), s.Micros+k*o.Micros
	if ku := k * o.Micros; (u > s.Micros) != (ku > 0) && ku != 0 {
		return s, errSpan
	}
	return spanOf(m, d, u)
}

func spanOf(months, days, micros int64) (Span, error) {
	if int64(int32(months)) != months || int64(int32(days)) != days {
		return Span{}, errSpan
	}
	return Span{int32(months), int32(days), micros}, nil
}

// Times returns s times f. A fraction of a month is days of it at 30 each, a fraction of a day
// its time.
func (s Span) Times(f float64) (Span, error) {
	months, days, micros := float64(float64(s.Months)*f), float64(float64(s.Days)*f), float64(float64(s.Micros)*f)
	return spanOfReals(months, days, micros)
}

// spanOfReals hands the fractions of months on to days and those of days to microseconds.
func spanOfReals(months, days, micros float64) (Span, error) {
	m := math.Trunc(months)
	rest := math.Round((months-m)*30*1e9) / 1e9 // without what binary fractions leave
	d := math.Trunc(days)
	part := math.Trunc(rest)
	us := micros + math.Round(float64((days-d+rest-part)*float64(MicrosPerDay)))
	d += part
	us = math.RoundToEven(us)
	if !(math.Abs(m) < 1<<31 && math.Abs(d) < 1<<31 && math.Abs(us) < 1<<63) {
		return Span{}, errSpan
	}
	return Span{int32(m), int32(d), int64(us)}, nil
}

// After returns the time us, microseconds since 1970, moved by k spans, k being 1 or -1:
// first by months, where the day is at most the last of the month, then by the rest.
func (s Span) After(us, k int64) (int64, error) {
	out := fmt.Errorf("timestamp is out of range (years 1 to 9999)")
	if s.Months != 0 {
		t := time.UnixMicro(us).UTC()
		y, m, d := t.Date()
		n := int64(y)*12 + int64(m) - 1 + k*int64(s.Months)
		if n < 12 || n >= 10000*12 {
			return 0, out
		}
		year, month := int(n/12), time.Month(n%12+1)
		d = min(d, time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day())
		us = time.Date(year, month, d, 0, 0, 0, 0, time.UTC).UnixMicro() + us - FloorDays(us)*MicrosPerDay
	}
	rest := float64(math.Abs(float64(float64(s.Days)*float64(MicrosPerDay)))) + math.Abs(float64(s.Micros))
	if rest > 1e18 {
		return 0, out
	}
	if us += k * (int64(s.Days)*MicrosPerDay + s.Micros); us < MinTimestamp || us > MaxTimestamp {
		return 0, out
	}
	return us, nil
}

// AppendSpan appends a span as PostgreSQL writes it: 1 year 2 mons 3 days 04:05:06.5.
func AppendSpan(dst []byte, s Span) []byte {
	at := len(dst)
	minus := false // the part before: a positive one after it has its sign
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if len(dst) > at {
			dst = append(dst, ' ')
		}
		if minus && n > 0 {
			dst = append(dst, '+')
		}
		minus = n < 0
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, ' ')
		if dst = append(dst, unit...); n != 1 {
			dst = append(dst, 's')
		}
	}
	part(int64(s.Months/12), "year")
	part(int64(s.Months%12), "mon")
	part(int64(s.Days), "day")
	if s.Micros == 0 && len(dst) > at {
		return dst
	}
	if len(dst) > at {
		dst = append(dst, ' ')
	}
	us := uint64(s.Micros)
	switch {
	case s.Micros < 0:
		us, dst = -us, append(dst, '-')
	case minus:
		dst = append(dst, '+')
	}
	dst = fmt.Appendf(dst, "%02d:%02d:%02d", us/3600e6, us/60e6%60, us/1e6%60)
	if f := us % 1e6; f > 0 {
		dst = append(dst, strings.TrimRight(fmt.Sprintf(".%06d", f), "0")...)
	}
	return dst
}

// spanUnits are the units of intervals: months, days or microseconds each.
var spanUnits = map[string]struct{ months, days, micros float64 }{
	"microsecond": {0, 0, 1}, "us": {0, 0, 1}, "usec": {0, 0, 1}, "millisecond": {0, 0, 1e3}, "ms": {0, 0, 1e3}, "msec": {0, 0, 1e3},
	"second": {0, 0, 1e6}, "s": {0, 0, 1e6}, "sec": {0, 0, 1e6}, "minute": {0, 0, 60e6}, "m": {0, 0, 60e6}, "min": {0, 0, 60e6},
	"hour": {0, 0, 3600e6}, "h": {0, 0, 3600e6}, "hr": {0, 0, 3600e6}, "day": {0, 1, 0}, "d": {0, 1, 0}, "week": {0, 7, 0}, "w": {0, 7, 0},
	"month": {1, 0, 0}, "mon": {1, 0, 0}, "year": {12, 0, 0}, "y": {12, 0, 0}, "yr": {12, 0, 0},
	"decade": {120, 0, 0}, "century": {1200, 0, 0}, "centurie": {1200, 0, 0}, "millennium": {12000, 0, 0}, "millennia": {12000, 0, 0},
}

// ParseSpan reads the forms of PostgreSQL: 1 year 2 months 3 days 04:05:06, 90 minutes, 1.5
// hours, -1 day +02:00, 3 days ago, and ISO 8601's P1Y2M3DT4H5M6S.
func ParseSpan(s string) (Span, error) {
	bad := fmt.Errorf("%s is not an interval (1 day 02:30:00, 90 minutes, P1DT2H)", Quote(s))
	t := strings.ToLower(strings.TrimSpace(s))
	t = strings.TrimSpace(strings.TrimPrefix(t, "@"))
	if t == "" {
		return Span{}, bad
	}
	var sum Span // of the parts: the fraction of each is handed on by itself
	add := func(n float64, unit string) bool {
		u, ok := spanUnits[unit]
		if !ok {
			u, ok = spanUnits[strings.TrimSuffix(unit, "s")]
		}
		m := float64(n * u.months)
		if u.months > 1 { // years: to whole months
			m = math.Round(m)
		}
		one, err := spanOfReals(m, float64(n*u.days), float64(n*u.micros))
		if err == nil {
			sum, err = sum.Plus(one, 1)
		}
		return ok && err == nil
	}
	if t[0] == 'p' || strings.HasPrefix(t, "-p") {
		sign := 1.0
		if t[0] == '-' {
			sign, t = -1, t[1:]
		}
		clock := false
		for t = t[1:]; t != ""; {
			if t[0] == 't' && !clock {
				clock, t = true, t[1:]
				continue
			}
			n, rest, ok := leadingNumber(t)
			if !ok || rest == "" {
				return Span{}, bad
			}
			unit, known := rest[:1], map[byte]string{'y': "y", 'm': "mon", 'w': "w", 'd': "d"}
			if clock {
				known = map[byte]string{'h': "h", 'm': "m", 's': "s"}
			}
			if !add(float64(sign*n), known[unit[0]]) {
				return Span{}, bad
			}
			t = rest[1:]
		}
		return sum, nil
	}
	ago := false
	if before, ok := strings.CutSuffix(t, "ago"); ok {
		ago, t = true, strings.TrimSpace(before)
	}
	for some := false; t != "" || !some; some = true {
		n, rest, ok := leadingNumber(t)
		if !ok {
			return Span{}, bad
		}
		if strings.HasPrefix(rest, ":") {
			clock, after, _ := strings.Cut(t, " ")
			us, ok := parseClock(clock)
			if !ok {
				return Span{}, bad
			}
			var err error
			if sum, err = sum.Plus(Span{Micros: us}, 1); err != nil {
				return Span{}, bad
			}
			t = strings.TrimSpace(after)
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if end < 0 {
			end = len(rest)
		}
		unit := rest[:end]
		if unit == "" {
			if rest != "" {
				return Span{}, bad
			}
			unit = "s" // a number alone, or at the end, is seconds
		}
		if !add(n, unit) {
			return Span{}, bad
		}
		t = strings.TrimLeft(rest[end:], " ,")
	}
	if ago {
		return Span{}.Plus(sum, -1)
	}
	return sum, nil
}

// leadingNumber reads the decimal number at the start of s.
func leadingNumber(s string) (n float64, rest string, ok bool) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, s[end:], err == nil && end > 0
}

// parseClock reads [-]04:05[:06.5] as microseconds.
func parseClock(s string) (int64, bool) {
	sign := int64(1)
	if s[0] == '-' {
		sign = -1
	}
	parts := strings.Split(strings.TrimLeft(s[:1], "+-")+s[1:], ":")
	if len(parts) > 3 {
		return 0, false
	}
	us := int64(0)
	for i, unit := range []int64{3600e6, 60e6}[:min(2, len(parts))] {
		n, err := strconv.ParseUint(parts[i], 10, 31)
		if err != nil || i > 0 && n > 59 {
			return 0, false
		}
		us += int64(n) * unit
	}
	if len(parts) == 3 {
		n, rest, ok := leadingNumber(parts[2])
		if !ok || rest != "" || !(n >= 0 && n < 60) || parts[2][0] == '+' || parts[2][0] == '-' {
			return 0, false
		}
		us += int64(math.RoundToEven(n * 1e6))
	}
	return sign * us, true
}

func checkSpan(body string) error {
	if len(body) != spanBytes {
		return fmt.Errorf("an interval of %d bytes", len(body))
	}
	return nil
}
