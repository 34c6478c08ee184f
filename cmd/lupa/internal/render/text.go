package render

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
	"github.com/rivo/uniseg"
)

// Text returns v as programs read it: everything there, nothing shortened. NULL
// is the empty text; the modes tell it apart.
func Text(v value.Value) string {
	if v.IsNull() {
		return ""
	}
	return v.String()
}

const (
	screenText   = 60 // columns of a text on a screen before it is cut
	screenDigits = 6  // decimals of a real on a screen
)

// shown returns v as people read it in one line: control characters visible,
// and, if the output is a screen, long numbers, texts and vectors shortened.
func shown(v value.Value, o *Options) string {
	if !o.Screen {
		if v.Kind() == value.Null {
			return o.Null
		}
		return quoteLikeNull(Visible(Text(v)), v, o)
	}
	switch v.Kind() {
	case value.Null:
		return o.Null
	case value.Real:
		return shortReal(v.Float())
	case value.Blob:
		s := v.Str()
		if len(s) <= 16 {
			return Text(v)
		}
		return `\x` + hex.EncodeToString([]byte(s[:8])) + fmt.Sprintf("… (%s bytes)", thousands(len(s)))
	case value.Vector:
		x := v.Vec()
		if len(x) <= 4 {
			return string(appendShortVector(nil, x))
		}
		b := appendShortVector(nil, x[:3])
		return string(b[:len(b)-1]) + fmt.Sprintf(", … %d]", len(x))
	case value.Text, value.JSON:
		s := v.Str()
		if len(s) > 16*screenText { // the rest can't show, so don't measure it
			s = cutBytes(s, 16*screenText)
		}
		return quoteLikeNull(Shorten(Visible(s), screenText), v, o)
	default:
		return Text(v)
	}
}

func appendShortVector(b []byte, v []float32) []byte {
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, strconv.FormatFloat(float64(x), 'g', 3, 32)...)
	}
	return append(b, ']')
}

// quoteLikeNull puts quotes around a text that would be taken for NULL.
func quoteLikeNull(s string, v value.Value, o *Options) string {
	if s == o.Null && v.Kind() == value.Text {
		return "'" + s + "'"
	}
	return s
}

// shortReal writes f with at most six decimals, or six digits where it is tiny
// or huge.
func shortReal(f float64) string {
	s := string(value.AppendReal(nil, f))
	_, decimals, _ := strings.Cut(s, ".")
	if len(decimals) <= screenDigits {
		return s
	}
	if a := math.Abs(f); a < 1e-3 || a >= 1e15 {
		return strconv.FormatFloat(f, 'g', screenDigits, 64)
	}
	s = strings.TrimRight(strconv.FormatFloat(f, 'f', screenDigits, 64), "0")
	if s[len(s)-1] == '.' {
		s += "0"
	}
	return s
}

// Visible replaces what could act on a terminal or break a line (control
// characters, text direction overrides, bytes that aren't UTF-8) by an escape
// that one can read.
func Visible(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case acts(r):
			b.WriteString(escapeRune(r))
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// acts reports whether a terminal might do something else than draw r.
func acts(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == 0x200d || r == 0xfe0f: // joiners within emoji
		return false
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return true // direction marks and overrides
	case r == 0x2028 || r == 0x2029 || r == 0xfeff:
		return true
	case r >= 0xe0000 && r <= 0xe007f: // tags
		return false
	}
	return unicode.Is(unicode.Cs, r)
}

func escapeRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// VisibleWriter makes control characters visible in text lines that are written to a
// terminal. Newlines and tabs stay.
func VisibleWriter(w io.Writer) io.Writer { return &escapeWriter{w: w} }

// escapeWriter is the writer of VisibleWriter.
type escapeWriter struct {
	w    io.Writer
	part []byte // the beginning of a character whose end comes with the next Write
}

func (e *escapeWriter) Write(p []byte) (int, error) {
	s := string(append(e.part, p...))
	cut := len(s)
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if c := s[len(s)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRuneInString(s[len(s)-n:]) {
				cut = len(s) - n
			}
			break
		}
	}
	e.part = []byte(s[cut:])
	s = s[:cut]
	var b strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			b.WriteString(Visible(s))
			break
		}
		b.WriteString(Visible(s[:i]))
		b.WriteByte(s[i])
		s = s[i+1:]
	}
	if _, err := io.WriteString(e.w, b.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Width is the number of terminal columns s takes.
func Width(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// Shorten cuts s to at most n columns, between characters as one sees them,
// ending in "…" where something is missing.
func Shorten(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	used, rest, state, end := 0, s, -1, 0
	for len(rest) > 0 {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+w > n-1 {
			break
		}
		used += w
		end += len(cluster)
	}
	return s[:end] + "…"
}

// cutBytes returns at most n bytes of s, not splitting a character.
func cutBytes(s string, n int) string {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func pad(n int) string {
	const blanks = "                                                                "
	if n <= 0 {
		return ""
	}
	if n <= len(blanks) {
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// thousands writes n with commas, 1,981,161.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rightAligned reports whether values of the kind are numbers.
func rightAligned(k value.Kind) bool {
	return k == value.Integer || k == value.Real || k == value.Numeric
}
