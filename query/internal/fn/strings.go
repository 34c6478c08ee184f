package fn

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/value"
)

// maxText bounds what a function may build in one row.
const maxText = 256 << 20

// text1 is a kernel of one text.
func text1(f func(string) string) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		map1(args[0].Strs, args[0].step(), out.Strs, n, sel, f)
		return nil
	}
}

// text2 is a kernel of two texts.
func text2(f func(a, b string) string) kernel {
	return func(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
		a, b := args[0], args[1]
		each(n, sel, func(i int) { out.Strs[i] = f(a.Strs[i*a.step()], b.Strs[i*b.step()]) })
		return nil
	}
}

func lengthKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Strs, args[0].step(), out.Ints, n, sel, func(s string) int64 { return int64(utf8.RuneCountInString(s)) })
	return nil
}

func bytesKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	map1(args[0].Strs, args[0].step(), out.Ints, n, sel, func(s string) int64 { return int64(len(s)) })
	return nil
}

func trimSpaces(s string) string  { return strings.Trim(s, " ") }
func ltrimSpaces(s string) string { return strings.TrimLeft(s, " ") }
func rtrimSpaces(s string) string { return strings.TrimRight(s, " ") }

// fileName is the part of a path behind its last slash (or backslash).
func fileName(s string) string { return s[strings.LastIndexAny(s, `/\`)+1:] }

// runeOffset returns the byte offset of character k of s, from 0, or len(s).
func runeOffset(s string, k int64) int {
	if k >= int64(len(s)) {
		return len(s)
	}
	at := 0
	for ; k > 0 && at < len(s); k-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// substring returns count characters from character from, counted from 1, which
// may lie before the start; count < 0 is to the end.
func substring(s string, from, count int64) string {
	skip := max(from, -math.MaxInt64) - 1
	if count >= 0 && skip < 0 {
		count = max(0, count+skip)
	}
	skip = max(skip, 0)
	s = s[runeOffset(s, skip):]
	if count >= 0 {
		s = s[:runeOffset(s, count)]
	}
	return s
}

func substrKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	for _, i := range fullSel(n, sel) {
		count := int64(-1)
		if len(args) == 3 {
			if count = args[2].Ints[int(i)*args[2].step()]; count < 0 {
				return fmt.Errorf("substr: the length can't be negative (%d)", count)
			}
		}
		out.Strs[i] = substring(args[0].Strs[int(i)*args[0].step()], args[1].Ints[int(i)*args[1].step()], count)
	}
	return nil
}

func replaceKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	s, from, to := args[0], args[1], args[2]
	for _, i := range fullSel(n, sel) {
		i := int(i)
		text, old, repl := s.Strs[i*s.step()], from.Strs[i*from.step()], to.Strs[i*to.step()]
		if old == "" {
			out.Strs[i] = text
			continue
		}
		if len(repl) > len(old) && len(text)+strings.Count(text, old)*(len(repl)-len(old)) > maxText {
			return fmt.Errorf("replace: the result is longer than %d bytes", maxText)
		}
		out.Strs[i] = strings.ReplaceAll(text, old, repl)
	}
	return nil
}

// splitPart is field number k of s, from 1, or from -1 backwards.
func splitPartKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	s, sep, num := args[0], args[1], args[2]
	for _, i := range fullSel(n, sel) {
		i := int(i)
		k := num.Ints[i*num.step()]
		if k == 0 {
			return fmt.Errorf("split_part: fields are counted from 1 (or from -1 backwards), not 0")
		}
		text, by := s.Strs[i*s.step()], sep.Strs[i*sep.step()]
		parts := []string{text}
		if by != "" {
			parts = strings.Split(text, by)
		}
		if k < 0 {
			k += int64(len(parts)) + 1
		}
		out.Strs[i] = ""
		if k >= 1 && k <= int64(len(parts)) {
			out.Strs[i] = parts[k-1]
		}
	}
	return nil
}

func strposKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	s, part := args[0], args[1]
	each(n, sel, func(i int) {
		text := s.Strs[i*s.step()]
		at := strings.Index(text, part.Strs[i*part.step()])
		if at >= 0 {
			at = utf8.RuneCountInString(text[:at]) + 1
		} else {
			at = 0
		}
		out.Ints[i] = int64(at)
	})
	return nil
}

func startsWithKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	s, part := args[0], args[1]
	each(n, sel, func(i int) { out.Bools[i] = strings.HasPrefix(s.Strs[i*s.step()], part.Strs[i*part.step()]) })
	return nil
}

// inferConcat is ||: two texts, a text and anything that has a text form, or two
// blobs.
func inferConcat(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	a, b := args[0].Type, args[1].Type
	text := value.Type{Kind: value.Text}
	blob := value.Type{Kind: value.Blob}
	isText := func(t value.Type) bool { return t.Kind == value.Text }
	vec := func(x ArgType) bool { return x.Type.Kind == value.Vector || x.Type.Kind == value.Text && x.Literal }
	switch {
	case (a.Kind == value.Vector || b.Kind == value.Vector) && vec(args[0]) && vec(args[1]):
		return inferConcatVectors(args)
	case a.Kind == value.JSON && (b.Kind == value.JSON || args[1].Literal) || b.Kind == value.JSON && args[0].Literal:
		t := value.Type{Kind: value.JSON}
		return []value.Type{t, t}, t, joinJSON, nil
	case a.Kind == value.Blob && b.Kind == value.Blob,
		a.Kind == value.Blob && b.Kind == value.Null, a.Kind == value.Null && b.Kind == value.Blob:
		return []value.Type{blob, blob}, blob, text2(func(a, b string) string { return a + b }), nil
	case (isText(a) || a.Kind == value.Null) && (isText(b) || b.Kind == value.Null):
		return []value.Type{text, text}, text, text2(func(a, b string) string { return a + b }), nil
	case isText(a) && b.Kind != value.Blob || isText(b) && a.Kind != value.Blob:
		return []value.Type{a, b}, text, concatKernel, nil
	}
	return nil, text, nil, fmt.Errorf("|| joins texts, not %v and %v; CAST(... AS TEXT) makes a text", a, b)
}

// inferConcatVectors is || of two vectors; one that is written as a text has the
// dimension that it turns out to have.
func inferConcatVectors(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	params := []value.Type{{Kind: value.Vector, Dim: args[0].Type.Dim}, {Kind: value.Vector, Dim: args[1].Type.Dim}}
	t := value.Type{Kind: value.Vector}
	if params[0].Dim > 0 && params[1].Dim > 0 {
		t.Dim = params[0].Dim + params[1].Dim
	}
	if t.Dim > value.MaxDim {
		return nil, t, nil, fmt.Errorf("|| would make a vector of %d dimensions; %d are possible", t.Dim, value.MaxDim)
	}
	return params, t, concatVectors, nil
}

func concatVectors(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	x, y := args[0], args[1]
	dim := x.Type.Dim + y.Type.Dim
	if dim > value.MaxDim {
		return fmt.Errorf("|| would make a vector of %d dimensions; %d are possible", dim, value.MaxDim)
	}
	if out.Type.Dim != dim {
		out.Type.Dim, out.Vecs = dim, grow(out.Vecs, n*dim)
	}
	each(n, sel, func(i int) {
		if x.IsNull(i) || y.IsNull(i) {
			return
		}
		at := out.Vecs[i*dim : (i+1)*dim]
		copy(at[copy(at, x.At(i).Vec()):], y.At(i).Vec())
	})
	return nil
}

// inferConcatCall is concat(...), which takes anything and skips NULL.
func inferConcatCall(args []ArgType) ([]value.Type, value.Type, kernel, error) {
	params := make([]value.Type, len(args))
	for i, a := range args {
		params[i] = a.Type
	}
	return params, value.Type{Kind: value.Text}, concatKernel, nil
}

func concatKernel(_ *Ctx, args []Arg, n int, sel []int32, out *value.Column) error {
	var buf []byte
	each(n, sel, func(i int) {
		buf = buf[:0]
		for _, a := range args {
			if v := a.At(i); !v.IsNull() {
				buf = v.AppendText(buf)
			}
		}
		out.Strs[i] = string(buf)
	})
	return nil
}
