// Package plan turns a syntax tree into a Plan, which is made once and run many times. What
// is here is the seam to package query; the work is done by stages, each in a directory, and each
// may import those before it:
//
//   - logical has the nodes and expressions of plans, one file a node.
//   - compile makes expressions executable over batches.
//   - bind gives names and types their meaning: syntax becomes nodes and expressions.
//   - optimize improves plans, one rule a file. It reads the catalog and statistics.
//   - build makes operators of package exec from nodes.
//   - run has the Plan, and a Run of it with the values it needs.
//   - statement has one file for each kind of statement, and joins the stages for it.
//
// A Plan depends on the statement, the kinds of its arguments and the definitions of its
// tables, and is immutable. What has another value in every run is a slot of it: see package
// logical for slots, package run for how they are found.
package plan
