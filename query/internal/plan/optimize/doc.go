// Package optimize improves logical plans. Each rule has a file; rules.go lists them in the
// order in which they are applied, after flatten.go has removed what stands between nodes and
// decorrelate.go has found how subqueries find their rows. Rules know the plan, the catalog
// and statistics (Facts), nothing else: they open no files and run nothing.
package optimize
