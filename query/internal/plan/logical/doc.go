// Package logical has what a statement means, before anything is said of how it is done:
// nodes (scan, filter, join, search...) and the expressions they compute. A node says what
// its columns, inputs and expressions are (node.go); whoever walks plans needs no more, so
// that a new kind of node is a file here, a case in package build and the rules it needs.
//
// Columns and expressions are identities and never change; rules make new ones. Nodes are
// changed in place by rules, as long as their plan is not shared.
//
// A part of a statement that has one value in every row of a run, but not in every run, is
// a slot (slot.go): an argument, a column of the query around a subquery, and what is
// computed of those alone; the vector of a text, a picture, the outcome of a subquery. A
// subquery that depends on the row is a Block of steps and a plan of its own, which are run
// again for other values (subquery.go).
package logical
