// Package bind gives the names and types of a statement their meaning: what the parser has
// read becomes nodes and expressions of package logical. Binder.Query does so for queries,
// Insert, Update and Delete for statements that write.
//
// It reads the catalog, opens encoders to know that they are there, and of files what their
// columns are; nothing is run. An argument is known by its kind: it becomes a slot. Where a
// value has to be known (LIMIT, OFFSET, a weight of a vector sum, a text that is written as a
// vector, the name of a file) ConstOf looks at it, and the plan is then for that value.
//
// Names are found by a scope (scope.go), expressions bound by Binder.Expr (expr.go and
// the files it names), vectors by what stands beside them (vectors.go).
package bind
