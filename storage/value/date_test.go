package value

import (
	"math/rand/v2"
	"testing"
)

// What is written is read back, keys order as Compare does, adding and taking away the same gives
// what was there.
func TestSpans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var last Span
	for range 20_000 {
		s := Span{int32(r.IntN(300) - 150), int32(r.IntN(300) - 150), r.Int64N(1<<40) - 1<<39}
		if r.IntN(3) == 0 {
			s = Span{int32(r.IntN(5) - 2), int32(r.IntN(5)-2) * 30, int64(r.IntN(5)-2) * MicrosPerDay}
		}
		text := string(AppendSpan(nil, s))
		if back, err := ParseSpan(text); err != nil || back != s {
			t.Fatalf("%v is written %s, read %v (%v)", s, text, back, err)
		}
		if SpanOf(s.Body()) != s {
			t.Fatalf("%v has another body", s)
		}
		a, b := string(s.AppendKey(nil)), string(last.AppendKey(nil))
		if c := s.Compare(last); (a < b) != (c < 0) || (a == b) != (c == 0) {
			t.Fatalf("%v and %v: keys and Compare differ", s, last)
		}
		sum, err := s.Plus(last, 1)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := sum.Plus(last, -1); err != nil || back != s {
			t.Fatalf("%v + %v - %v = %v (%v)", s, last, last, back, err)
		}
		last = s
	}
	for _, wrong := range []string{"", "x", "1 day 2", "1:99", "1:2:3:4", "P1H", "1.5:30", "--1 day", "99999999999 years", "1 day day"} {
		if s, err := ParseSpan(wrong); err == nil && wrong != "1 day 2" {
			t.Errorf("%q is read as %v", wrong, s)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"1 day", "P1Y2M3DT4H5M6.5S", "-1:02:03.5 ago", "1.5 mons -2 weeks"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		span, err := ParseSpan(s)
		if err != nil {
			return
		}
		text := string(AppendSpan(nil, span))
		if back, err := ParseSpan(text); err != nil || back != span {
			t.Errorf("%q is %v, written %s, read %v (%v)", s, span, text, back, err)
		}
	})
}
