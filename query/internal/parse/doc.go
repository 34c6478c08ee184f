// Package parse turns the text of the query language into syntax trees.
//
// Parse, ParseAll and Split are the ways in. Every node of a tree knows where
// in the source it began and prints itself as text that parses to the same
// tree again. Trees hold names and literals as written; what they mean is for
// the planner. Nothing of the grammar's machinery is visible in them.
//
// The grammar is participle's (grammar.go and the files of the statements); plain
// queries are read without it, into its structs (plain.go).
package parse
