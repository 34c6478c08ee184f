package parse

import "strings"

// Nearest returns the candidate that word is most likely a misspelling of, in
// any case of letters, or "" if none is near.
func Nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	n := len([]rune(word))
	best, least := "", 0
	for _, c := range candidates {
		folded := strings.ToLower(c)
		limit := min(n, len([]rune(folded)))
		switch {
		case folded == word:
			return c
		case limit < 3:
			continue
		case limit < 6:
			limit = 1
		case limit < 12:
			limit = 2
		default:
			limit = 3
		}
		if d := distance(word, folded); d <= limit && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// didYouMean returns a hint naming the nearest candidate, or otherwise.
func didYouMean(word string, candidates []string, otherwise string) string {
	if c := Nearest(word, candidates); c != "" {
		return "did you mean " + c + "?"
	}
	return otherwise
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before := make([]int, len(y)+1) // the row before last, of which swaps count
	last := make([]int, len(y)+1)
	row := make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
