// Package build makes the operators of package exec that do what a logical plan says: a file
// for each node with more to it than a line in Builder.build. A Builder is asked for
// expressions, not columns, so that each operator reads what is needed above it and no more;
// columns that few rows need are fetched last.
//
// What all operators of one run share is the State, which package run gives values.
package build
