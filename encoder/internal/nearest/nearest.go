// Package nearest finds the known words closest to a misspelt one.
package nearest

import (
	"slices"
	"strings"
)

// Of returns up to n of the known words that may have been meant by word,
// the most alike first: those within a third of its length in edits (two
// neighbouring letters swapped count as one), whatever their case.
func Of(word string, known []string, n int) []string {
	type candidate struct {
		word string
		cost int
	}
	w := []rune(strings.ToLower(word))
	limit := max(1, len(w)/3)
	var found []candidate
	for _, k := range known {
		if k == word {
			continue
		}
		if c := distance(w, []rune(strings.ToLower(k)), limit); c <= limit {
			found = append(found, candidate{k, c})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.cost - b.cost })
	var out []string
	for _, f := range found {
		if len(out) < n && !slices.Contains(out, f.word) {
			out = append(out, f.word)
		}
	}
	return out
}

// distance is the optimal string alignment distance of a and b, or some number
// above limit once it is sure to exceed that.
func distance(a, b []rune, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit {
			return limit + 1
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
