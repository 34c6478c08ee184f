package source

import (
	"slices"
	"strings"
	"unicode"

	"github.com/lupadb/lupa/storage/value"
)

// kindGuess finds the narrowest type that all texts of a column can be read as.
type kindGuess struct {
	seen int
	not  [value.Vector + 1]bool // kinds that are ruled out
	dim  int                    // of vectors
}

// stopped returns why a file should not be looked at any longer.
func (o *Options) stopped() error {
	if o.Stop == nil {
		return nil
	}
	return o.Stop()
}

// see takes in one field.
func (g *kindGuess) see(s, null string) {
	if s == null || s == "" {
		return
	}
	g.seen++
	if !g.not[value.Boolean] && !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
		g.not[value.Boolean] = true
	}
	if !g.not[value.Integer] && !plainInteger(s) {
		g.not[value.Integer] = true
	}
	if !g.not[value.Real] && !plainReal(s) {
		g.not[value.Real] = true
	}
	if !g.not[value.Timestamp] {
		if _, err := value.ParseTimestamp(s); err != nil || len(s) < len("2006-01-02") {
			g.not[value.Timestamp] = true
		}
	}
	if !g.not[value.Vector] {
		v, err := value.ParseVector(nil, s)
		if err != nil || g.seen > 1 && len(v) != g.dim || len(v) > value.MaxDim {
			g.not[value.Vector] = true
		}
		g.dim = len(v)
	}
}

// plainInteger reports whether s is how an integer is printed: numbers with
// leading zeros or a plus are rather names, and not to be changed.
func plainInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' {
		return false
	}
	_, err := value.ParseInt(s)
	return err == nil && digits[0] != '+' && strings.TrimSpace(s) == s
}

func plainReal(s string) bool {
	switch s {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') ||
		len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return false
	}
	if !strings.ContainsAny(s, ".eE") && !plainInteger(s) {
		return false // an integer too large: a name more likely
	}
	_, err := value.ParseReal(s)
	return err == nil && strings.TrimSpace(s) == s
}

// typ is the type all fields so far can be read as.
func (g *kindGuess) typ() value.Type {
	if g.seen > 0 {
		for _, k := range []value.Kind{value.Boolean, value.Integer, value.Real, value.Timestamp} {
			if !g.not[k] {
				return value.Type{Kind: k}
			}
		}
		if !g.not[value.Vector] {
			return value.Type{Kind: value.Vector, Dim: g.dim}
		}
	}
	return value.Type{Kind: value.Text}
}

// usualNames are names of columns that no row of data is likely to hold in their place.
var usualNames = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`id key index name title path file filename file_name filepath file_path image image_path image_url
		img photo picture url uri href link text caption captions label labels description desc category categories class tag tags
		keyword keywords date time datetime timestamp created_at updated_at year month day width height size author user username
		email city country language lang query prompt question answer score value vector embedding`) {
		m[n] = true
	}
	return m
}()

// missingWords stand for a value that is missing, in files of statistics.
var missingWords = []string{"na", "n/a", "nan", "null", "none", "nil", "missing", "inf", "-inf"}

// looksLikeHeader decides whether first is a line of names above the rows of
// sample: if it repeats a name in want, if a column is of numbers (times, ...)
// but for its first field, or if all its fields are written like names and one is a
// usual name or some column's other fields hardly ever are. Numbers may be among
// the names, as years are. The first field may be empty: so do tools write
// that number their rows; and so may be the last of lines that all end in a delimiter.
func looksLikeHeader(first []string, sample [][]string, want []string, null string) bool {
	named, wanted := 0, false
	for _, h := range first {
		h = strings.TrimSpace(h)
		if h != "" {
			named++
		}
		wanted = wanted || h != "" && slices.ContainsFunc(want, func(n string) bool { return strings.EqualFold(n, h) })
	}
	if wanted {
		return true
	}
	empty := func(i int) bool { // no row has anything in this column
		return !slices.ContainsFunc(sample, func(rec []string) bool { return i < len(rec) && rec[i] != "" && rec[i] != null })
	}
	numbers := 0
	for i, h := range first {
		h = strings.TrimSpace(h)
		switch {
		case h == "" && i == 0 && named > 0 && named == len(first)-1:
			continue // numbers of rows, as pandas writes them, have no name
		case h == "" && i == len(first)-1 && named > 0 && empty(i):
			continue
		case h == "" || len(h) > 64 || slices.Contains(missingWords, strings.ToLower(h)):
			return false
		}
		if _, err := value.ParseReal(h); err == nil {
			numbers++
		}
	}
	likeNames, shaped, typed := numbers < named, false, false
	for i, h := range first {
		h = strings.TrimSpace(h)
		if _, err := value.ParseReal(h); err == nil || h == "" {
			continue
		}
		var g kindGuess
		alike, total := 0, 0
		for _, rec := range sample {
			if i < len(rec) {
				g.see(rec[i], null)
				if rec[i] == h {
					likeNames = false // a name that comes back is data
				}
				total++
				if nameLike(rec[i]) {
					alike++
				}
			}
		}
		if k := g.typ().Kind; k != value.Text && g.seen > 0 {
			g.see(h, null)
			typed = typed || g.typ().Kind == value.Text
		}
		if !nameLike(h) {
			likeNames = false
		}
		lower := strings.ToLower(h)
		if usualNames[lower] || strings.HasSuffix(lower, "_id") {
			shaped = true
		}
		if total > 0 && alike*50 <= total && numbers == 0 {
			shaped = true
		}
	}
	return typed && (numbers == 0 || likeNames) || likeNames && shaped
}

// nameLike reports whether s is written like the name of a column: a letter or
// underscore, then letters, digits and underscores; or several such words that all begin
// with a capital.
func nameLike(s string) bool {
	words := strings.Split(s, " ")
	for _, w := range words {
		for i, c := range w {
			if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
				return false
			}
			if i == 0 && len(words) > 1 && !unicode.IsUpper(c) {
				return false
			}
		}
		if w == "" {
			return false
		}
	}
	return true
}
