// Package compile makes expressions executable: those of package logical become expressions
// of package fn over batches whose columns are where a Layout says. Binding uses it to
// compute what is constant, building for everything else.
package compile
