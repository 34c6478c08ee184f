// Package value holds the data model shared by storage and execution: a single
// Value with its Kind, and Batches of up to BatchSize rows in columns.
package value
