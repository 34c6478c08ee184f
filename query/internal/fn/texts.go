package fn

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// textInt is a kernel of a text and an integer.
func textInt(f func(s string, n int64) (string, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
		for _, i := range fullSel(n, sel) {
			if out.Strs[i], err = f(args[0].Strs[int(i)*args[0].step()], args[1].Ints[int(i)*args[1].step()]); err != nil {
				return err
			}
		}
		return nil
	}
}

// leftText is the first n characters, or all but the last -n.
func leftText(s string, n int64) (string, error) {
	if n < 0 {
		n = max(0, int64(utf8.RuneCountInString(s))+max(n, -math.MaxInt64))
	}
	return s[:runeOffset(s, n)], nil
}

// rightText is the last n characters, or all but the first -n.
func rightText(s string, n int64) (string, error) {
	if n < 0 {
		return s[runeOffset(s, -max(n, -math.MaxInt64)):], nil
	}
	return s[runeOffset(s, max(0, int64(utf8.RuneCountInString(s))-n)):], nil
}

func repeatText(s string, n int64) (string, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if n > maxText/int64(len(s)) {
		return "", tooLong("repeat")
	}
	return strings.Repeat(s, int(n)), nil
}

func reverseText(s string) string {
	b := make([]byte, len(s))
	at := len(b)
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		at -= size
		copy(b[at:], s[i:i+size])
		i += size
	}
	return string(b)
}

// padKernel is lpad and, with right, rpad: to so many characters, cut off at the end if
// there are more.
func padKernel(right bool) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		for _, i := range fullSel(n, sel) {
			i := int(i)
			s, size, fill := args[0].Strs[i*args[0].step()], args[1].Ints[i*args[1].step()], " "
			if len(args) == 3 {
				fill = args[2].Strs[i*args[2].step()]
			}
			have := int64(utf8.RuneCountInString(s))
			if size = max(size, 0); size <= have || fill == "" {
				out.Strs[i] = s[:runeOffset(s, size)]
				continue
			}
			if size > maxText/4 {
				return tooLong("lpad and rpad")
			}
			runes := []rune(fill)
			var pad strings.Builder
			for k := range size - have {
				pad.WriteRune(runes[k%int64(len(runes))])
			}
			if right {
				out.Strs[i] = s + pad.String()
			} else {
				out.Strs[i] = pad.String() + s
			}
		}
		return nil
	}
}

// inferConcatWS is concat_ws(separator, ...), which skips NULL.
func inferConcatWS(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	t := value.Type{Kind: value.Text}
	if len(args) == 0 {
		return nil, t, nil, errors.New("concat_ws needs a separator: concat_ws(separator, x, ...)")
	}
	params := make([]value.Type, len(args))
	for i, a := range args {
		params[i] = a.Type
	}
	params[0] = t
	if k := args[0].Type.Kind; k != value.Text && k != value.Null {
		return nil, t, nil, fmt.Errorf("the separator of concat_ws is a text, not %v", args[0].Type)
	}
	return params, t, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		var buf []byte
		for _, i := range fullSel(n, sel) {
			sep := args[0].At(int(i))
			if sep.IsNull() {
				setNull(out, int(i), n)
				out.Strs[i] = ""
				continue
			}
			buf = buf[:0]
			first := true
			for _, a := range args[1:] {
				v := a.At(int(i))
				if v.IsNull() {
					continue
				}
				if !first {
					buf = append(buf, sep.Str()...)
				}
				first = false
				if buf = v.AppendText(buf); len(buf) > maxText {
					return tooLong("concat_ws")
				}
			}
			out.Strs[i] = string(buf)
		}
		return nil
	}, nil
}

func truncReal(x float64) (float64, error) { return math.Trunc(x), nil }

// truncTo cuts off all but so many decimals. It works on the decimal digits, so that trunc(0.29, 2) is 0.29 and not 0.28.
func truncTo(x float64, digits int64) float64 {
	if x-x != 0 || digits > 300 {
		return x
	}
	if digits < -308 {
		return 0
	}
	if digits < 0 {
		p := math.Pow10(int(-digits))
		return float64(math.Trunc(x/p) * p)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if dot := strings.IndexByte(s, '.'); dot >= 0 && int64(len(s)-dot-1) > digits {
		s = s[:dot+1+int(digits)]
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return x
	}
	return f
}

func randomKernel(_ *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
	each(n, sel, func(i int) { out.Reals[i] = rand.Float64() })
	return nil
}

func md5Text(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func sha256Bytes(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:])
}

// text2try is a kernel of two texts that can fail.
func text2try(f func(a, b string) (string, error)) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) (err error) {
		for _, i := range fullSel(n, sel) {
			if out.Strs[i], err = f(args[0].Strs[int(i)*args[0].step()], args[1].Strs[int(i)*args[1].step()]); err != nil {
				return err
			}
		}
		return nil
	}
}

func noEncoding(name string) error {
	return fmt.Errorf("there is no encoding %s; hex, base64 and escape are", value.Quote(name))
}

func encodeBytes(s, as string) (string, error) {
	switch strings.ToLower(as) {
	case "hex":
		return hex.EncodeToString([]byte(s)), nil
	case "base64": // in lines of 76 characters
		all := base64.StdEncoding.EncodeToString([]byte(s))
		var b strings.Builder
		for len(all) > 76 {
			b.WriteString(all[:76])
			b.WriteByte('\n')
			all = all[76:]
		}
		b.WriteString(all)
		return b.String(), nil
	case "escape":
		var b strings.Builder
		for _, c := range []byte(s) {
			switch {
			case c == '\\':
				b.WriteString(`\\`)
			case c == 0 || c >= 0x80:
				fmt.Fprintf(&b, `\%03o`, c)
			default:
				b.WriteByte(c)
			}
		}
		return b.String(), nil
	}
	return "", noEncoding(as)
}

func decodeBytes(s, as string) (string, error) {
	switch strings.ToLower(as) {
	case "hex":
		b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil {
			return "", fmt.Errorf("decode: %s are not pairs of hexadecimal digits", value.Quote(s))
		}
		return string(b), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
		if err != nil {
			return "", fmt.Errorf("decode: %s is not base64", value.Quote(s))
		}
		return string(b), nil
	case "escape":
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '\\' {
				b.WriteByte(s[i])
				continue
			}
			if strings.HasPrefix(s[i:], `\\`) {
				b.WriteByte('\\')
				i++
				continue
			}
			if i+4 > len(s) {
				return "", fmt.Errorf("decode: a backslash is followed by another one or by three octal digits")
			}
			c, err := strconv.ParseUint(s[i+1:i+4], 8, 8)
			if err != nil {
				return "", fmt.Errorf("decode: a backslash is followed by another one or by three octal digits")
			}
			b.WriteByte(byte(c))
			i += 3
		}
		return b.String(), nil
	}
	return "", noEncoding(as)
}

// inferFormat is format(text, ...), which takes anything.
func inferFormat(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	t := value.Type{Kind: value.Text}
	if len(args) == 0 || args[0].Type.Kind != value.Text && args[0].Type.Kind != value.Null {
		return nil, t, nil, errors.New("format needs a text: format('%s is %s', a, b)")
	}
	params := make([]value.Type, len(args))
	for i, a := range args {
		params[i] = a.Type
	}
	params[0] = t
	return params, t, func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		row := make([]value.Value, len(args)-1)
		for _, i := range fullSel(n, sel) {
			f := args[0].At(int(i))
			if f.IsNull() {
				setNull(out, int(i), n)
				out.Strs[i] = ""
				continue
			}
			for k, a := range args[1:] {
				row[k] = a.At(int(i))
			}
			var err error
			if out.Strs[i], err = formatText(f.Str(), row); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// formatText fills in %s, %I (a name) and %L (a literal), each with a place n$, a minus
// and a width in between.
func formatText(f string, args []value.Value) (string, error) {
	var b strings.Builder
	next := 0
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		i++
		if i < len(f) && f[i] == '%' {
			b.WriteByte('%')
			continue
		}
		digits := func() int {
			from := i
			for i < len(f) && digitByte(f[i]) {
				i++
			}
			n, err := strconv.Atoi(f[from:i])
			if err != nil {
				return -1
			}
			return n
		}
		place, width, left := -1, 0, false
		if n := digits(); n >= 0 && i < len(f) && f[i] == '$' {
			place = n - 1
			i++
		} else if n >= 0 {
			width = n
		}
		if i < len(f) && f[i] == '-' {
			left = true
			i++
			if n := digits(); n >= 0 {
				width = n
			}
		} else if n := digits(); n >= 0 {
			width = n
		}
		if i >= len(f) {
			return "", errors.New("format: the text ends within a %; %% stands for a single one")
		}
		if place < 0 {
			place = next
		}
		if next = place + 1; place >= len(args) {
			return "", errors.New("format: there are too few arguments")
		}
		v := args[place]
		var s string
		switch f[i] {
		case 's':
			if !v.IsNull() {
				s = v.String()
			}
		case 'I':
			if v.IsNull() {
				return "", errors.New("format: NULL is not a name")
			}
			if s = v.String(); !plainName(s) {
				s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
			}
		case 'L':
			if s = "NULL"; !v.IsNull() {
				s = "'" + strings.ReplaceAll(v.String(), "'", "''") + "'"
			}
		default:
			return "", fmt.Errorf("format: there is no %%%c; %%s, %%I and %%L are", f[i])
		}
		if width > maxText {
			return "", tooLong("format")
		}
		pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
		if left {
			b.WriteString(s + pad)
		} else {
			b.WriteString(pad + s)
		}
		if b.Len() > maxText {
			return "", tooLong("format")
		}
	}
	return b.String(), nil
}

func digitByte(c byte) bool { return '0' <= c && c <= '9' }

// plainName reports whether a name needs no quotes.
func plainName(s string) bool {
	for i, c := range []byte(s) {
		if !(c == '_' || 'a' <= c && c <= 'z' || i > 0 && digitByte(c)) {
			return false
		}
	}
	return s != ""
}
