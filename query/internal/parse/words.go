package parse

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// reservedWords cannot be names of tables and columns unless quoted. The list
// is PostgreSQL's as far as the language has the words.
var reservedWords = wordSet(`ALL AND AS ASC BETWEEN CASE CAST CREATE CROSS
	DEFAULT DESC DISTINCT ELSE END EXCEPT EXISTS FALSE FETCH FOR FROM FULL
	GROUP HAVING ILIKE IN INNER INTERSECT INTO IS ISNULL JOIN LEFT LIKE LIMIT NATURAL NOT
	NOTNULL NULL OFFSET ON OR ORDER OUTER PRIMARY RETURNING RIGHT SELECT SET TABLE
	THEN TO TRUE UNION UNIQUE USING VALUES WHEN WHERE WITH`)

// plainWords have a meaning in some place but stay usable as names everywhere.
var plainWords = wordSet(`ABORT ACCURACY ACTION ADD ALTER ALWAYS ANALYZE APPROX APPROXIMATE ATTACH BACKUP BEGIN
	BY CASCADE CHECK COLUMN CONSTRAINT CONTINUE CURRENT DATA EXCLUDE FOLLOWING FOREIGN GENERATED GROUPS IDENTITY LATERAL NO REFERENCES
	OTHERS OVER PARTITION PRECEDING QUALIFY RANGE TIES UNBOUNDED WINDOW
	DATABASE DATABASES DETACH PERSIST RELEASE RESTART RESTRICT SAVEPOINT TIME TRUNCATE TYPE VERBOSE VIEW REPLACE RECURSIVE ROLLUP CUBE GROUPING SETS ORDINALITY
	COMMIT CONFLICT COPY DELETE DESCRIBE DIMENSIONS DO DOCUMENT DROP ENCODER ESCAPE EXPLAIN EXTRACT FILTER FIRST
	FORCE IF INDEX INSERT KEY LAST NEXT NOTHING NULLS ONLY PRECISION QUERY READ REENCODE RENAME
	RETRAIN ROLLBACK ROW ROWS SHOW START TABLES TARGET TRANSACTION UNKNOWN UPDATE VACUUM VARIANT VARYING
	WITHIN WITHOUT WATCH WATCHES WORK WRITE ZONE ACKNOWLEDGE
	TEMP TEMPORARY LOCAL GLOBAL PRESERVE`)

// clauseWords are plain words that begin a clause behind FROM: no alias without AS.
var clauseWords = wordSet(`QUALIFY WINDOW`)

func clauseWord(word string) bool { return clauseWords[strings.ToUpper(word)] }

// Keywords returns the words of the grammar and the names of types, in upper
// case and sorted.
func Keywords() []string {
	words := map[string]bool{}
	maps.Copy(words, reservedWords)
	maps.Copy(words, plainWords)
	for t := range typeNames {
		words[t] = true
	}
	return slices.Sorted(maps.Keys(words))
}

// Reserved reports whether a word, in any case, is a name only in quotes.
func Reserved(word string) bool { return reservedWords[strings.ToUpper(word)] }

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// plainName reports whether a name can be written without quotes as far as its
// characters are concerned.
func plainName(s string) bool {
	for i, r := range s {
		if !nameStart(r) && (i == 0 || !nameRest(r)) {
			return false
		}
	}
	return s != ""
}

func nameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }
func nameRest(r rune) bool {
	return nameStart(r) || r == '$' || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
}

// unquote returns the name a word or a quoted name writes.
func unquote(text string) string {
	if strings.HasPrefix(text, `"`) {
		return strings.ReplaceAll(text[1:len(text)-1], `""`, `"`)
	}
	return text
}
