// Package plan turns a syntax tree into a Plan, which is made once and run many times.
//
// A statement passes these stages, in this order; each has its files:
//
//   - bind (bind_*.go, select.go, from.go, order.go, union.go, with.go, vectors.go,
//     grouping.go, subquery.go, correlated.go; insert.go, update.go, copy.go, sources.go for
//     what is around a query): names and types become nodes (logical.go, nodes.go) and
//     expressions (expr.go). Definitions of tables and maintenance (table.go, admin.go,
//     show.go) become tasks.
//   - optimize (rules.go lists the rules, rule_*.go has one each; decorrelate.go): rules read
//     the catalog and statistics, nothing else.
//   - build (build_*.go, compile.go): nodes become operators of package exec, expressions
//     those of package fn.
//   - run (run.go): Plan.Start gives a Run, whose Root is read to its end.
//
// A Plan depends on the statement, the kinds of its arguments and the definitions of its
// tables, and is immutable. What has another value in every run is a slot (slots.go): an
// argument, a column of the query around a subquery, and what is computed of those alone;
// the vector of a text, a picture, the outcome of a subquery. Steps find the values when a
// run starts: casts first, so that wrong arguments are errors with a place, then all texts
// in one batch, then the rest in order. Something that fails where no row may ask for it,
// such as 1 / $1, fails where it is used. A subquery that depends on the row is a block
// of steps and a plan of its own, which are run again for other values.
//
// Where binding has to know a value (LIMIT, OFFSET, a weight of a vector sum, a text that is
// written as a vector, the name of a file) it asks constOf, and the plan is then for that
// value: Plan.Serves. A choice that depends on how many rows a range has is made by the run:
// exec.Lookup.Most. A plan is made anew when a table's definition is another one, or its
// size more than twice or less than half of what it was.
//
// A Run with its operators and their memory is kept by its Plan for the next run, where all
// operators can be reset (exec.Resetter). Plans that read files, load, or change
// definitions are for one run.
package plan
