package text_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/lupadb/lupa/storage/text"
)

func parts(s string, chunks []text.Chunk) (out []string) {
	for _, c := range chunks {
		out = append(out, s[c.From:c.To])
	}
	return out
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		in            string
		size, overlap int
		want          string
	}{
		{"", 3, 1, ""},
		{" \n\t ", 3, 1, ""},
		{"one", 3, 1, "one"},
		{"one two three", 3, 1, "one two three"},
		{"one two three four", 3, 0, "one two three|four"},
		{"one two three four five", 3, 1, "one two three|three four five"},
		{"one two three four five six", 3, 1, "one two three|three four five|five six"},
		{`  He said: "the wolf (grey) is here". `, 3, 0, `He said: "the|wolf (grey) is|here".`},
		{"it's 3.14, isn't it?", 2, 0, "it's 3.14,|isn't it?"},
		{"!!! ???", 2, 0, "!!! ???"},
		{"foo !!! bar", 1, 0, "foo|!!! bar"},
		{"foo-bar", 1, 0, "foo-|bar"},
		{"狼は雪の中", 2, 0, "狼は|雪の|中"},
		{"a\x00b \xff\xfe c", 1, 0, "a\x00|b|\xff\xfe c"},
	} {
		if got := strings.Join(parts(c.in, text.Chunks(c.in, c.size, c.overlap)), "|"); got != c.want {
			t.Errorf("%q by %d, %d: %q, want %q", c.in, c.size, c.overlap, got, c.want)
		}
	}
}

// randomText is of words, signs, spaces and letters of many scripts.
func randomText(r *rand.Rand) string {
	bits := []string{"wolf", "snow", "it's", "3.14", " ", " ", " ", "\n", "\u00a0", "!", "\"", "(", "狼", "ひ", "é", "e\u0301", "👩‍👩‍👧", "\xff", "สวัสดี", "한국", strings.Repeat("x", 40), "\u200d", "_", "a.b"}
	var b strings.Builder
	for range r.IntN(60) {
		b.WriteString(bits[r.IntN(len(bits))])
	}
	return b.String()
}

// Nothing but spaces is lost between chunks, no character is cut, and chunks are as large as was
// said, whatever the text and what it is counted in.
func TestChunksLoseNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		s := randomText(r)
		size := 1 + r.IntN(6)
		overlap := r.IntN(size)
		count := func(s string) (int, error) { return 2 + (len(s)+3)/4, nil } // tokens of four bytes, and two around
		chunks, by := text.Chunks(s, size, overlap), "words"
		if i%2 == 1 {
			by = "tokens"
			size += 3
			overlap = r.IntN(size)
			var err error
			if chunks, err = text.ChunksOf(s, size, overlap, count); err != nil {
				t.Fatal(err)
			}
		}
		at, last := 0, text.Chunk{From: -1}
		for _, c := range chunks {
			where := fmt.Sprintf("%q by %d %s, %d: %v", s, size, by, overlap, chunks)
			if c.From <= last.From || c.To <= last.To || c.From >= c.To || c.From > at && strings.TrimFunc(s[at:c.From], unicode.IsSpace) != "" {
				t.Fatal(where)
			}
			for _, cut := range []int{c.From, c.To} {
				if cut < len(s) && !utf8.RuneStart(s[cut]) {
					t.Fatal(where)
				}
			}
			if n, _ := count(s[c.From:c.To]); by == "tokens" && n > size && utf8.RuneCountInString(s[c.From:c.To]) > 1 {
				t.Fatalf("%d tokens: %s", n, where)
			}
			at, last = c.To, c
		}
		if strings.TrimFunc(s[at:], unicode.IsSpace) != "" {
			t.Fatalf("%q: the end is missing: %v", s, chunks)
		}
	}
}
