// Package hint finds the name somebody probably meant.
package hint

import (
	"fmt"
	"strings"
)

// Nearest returns the candidate with the fewest letters inserted, deleted,
// changed or swapped against name, in any case, if they are few for its length
// (a third, rounded up, but not all of them); otherwise "". The first of equals wins.
func Nearest(name string, candidates []string) string {
	return Within(name, candidates, min((len(name)+2)/3, len(name)-1))
}

// Within is Nearest with at most the given number of changes.
func Within(name string, candidates []string, changes int) string {
	name = strings.ToLower(name)
	best, least := "", changes+1
	for _, c := range candidates {
		if d := distance(name, strings.ToLower(c), least); d < least {
			best, least = c, d
		}
	}
	return best
}

// Question returns `did you mean "width"?` for the nearest candidate, or "" if none is near.
func Question(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// DidYouMean is Question in parentheses, with a space before them.
func DidYouMean(name string, candidates []string) string {
	if q := Question(name, candidates); q != "" {
		return " (" + q + ")"
	}
	return ""
}

// OrAll is Question, or what there is, if those are few.
func OrAll(name string, candidates []string) string {
	switch q := Question(name, candidates); {
	case q != "" || len(candidates) == 0 || len(candidates) > 8:
		return q
	case len(candidates) == 1:
		return "there is " + candidates[0]
	}
	return "there are " + strings.Join(candidates, ", ")
}

// distance is the Damerau-Levenshtein distance (optimal string alignment) of a
// and b in bytes, or limit if it is not below that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, prev2[j-2]+1)
			}
			row[j] = d
		}
		prev2, prev, row = prev, row, prev2
	}
	return min(prev[len(b)], limit)
}
