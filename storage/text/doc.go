// Package text turns texts into the terms by which they are found: words by Unicode's rules
// (UAX 29), without case and accents, reduced to their stem by the Snowball stemmer of a
// language; scripts without spaces as pairs of characters; or, in the language trigram, every
// three characters. It also reads the queries of match() and bm25(), and cuts and marks texts
// for snippet() and highlight().
package text
