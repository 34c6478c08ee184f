// Package vector defines the measures between vectors and computes them.
//
// There is one summation order for each measure, described at package simd:
// a score is the same to the last bit whether it comes from an exact search, a
// brute-force scan, an expression in a SELECT list, assembly or portable Go.
// Products of two float32 are exact in float64, and sums are carried in
// float64, so that nothing overflows, whatever finite float32 come in.
package vector
