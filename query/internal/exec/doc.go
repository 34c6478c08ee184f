// Package exec runs physical plans: operators, one a file, each handing batches of up to 1,024
// rows, by column, to the next. Where to start:
//
//   - operator.go has the interface, Operator, and what the operators of a statement share, Env.
//   - scan.go reads a table, by way of lookup.go where a key or an index finds its rows;
//     nearest.go searches for vectors; fetch.go adds columns to rows that were found.
//   - filter.go, project.go, sort.go, join.go, aggregate.go and their kin are the algebra.
//   - memory.go is the budget of a statement, spill.go and partitions.go what happens beyond it.
//   - insert.go, update.go and load.go write; task.go runs what gives no rows.
//
// An operator belongs to one goroutine; those that use several (a scan, a search, an aggregate)
// begin and end them within one call of Next. A batch is valid until the next one. Errors of
// the context come out as they are.
package exec
