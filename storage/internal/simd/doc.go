// Package simd holds the inner loops of vector search, in assembly for amd64 and arm64
// and in portable Go for the rest, with equal results to the last bit.
//
// # Summation order
//
// Sums over a vector are carried in Lanes accumulators of float64: element i
// goes to accumulator i mod Lanes, in order of i. At the end accumulator j is
// added to j+8, then the sums j to j+4, j+2 and j+1 (see reduce). The product
// of two float32 has 48 significant bits and is exact in float64, so it does not
// matter whether a fused multiply-add is used in a dot product. The squares of
// differences in L2 and the products of DotWide are not exact: they are rounded
// before they are added, in assembly too.
//
// An accumulator starts as +0 and x + (-x) = +0, so none ever becomes -0, and
// padding with zeros changes no bit.
package simd
