// Package fn holds the functions and operators of the language, what they mean
// for whole columns at a time, and the evaluation of expressions over batches.
//
// Every function and operator is one entry of the table in table.go: name,
// accepted types, body, one line of documentation and an example that the
// tests run. Bodies work on columns: n slots, of which those in a selection
// count (nil = all). A slot outside of the selection never raises an error.
//
// Nothing here keeps state between calls but an Expr, which owns the memory its
// results live in: one Expr must not be evaluated by two goroutines at once
// (Clone it).
package fn
