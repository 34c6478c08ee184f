// Package simd has what takes most of the time of reading large pictures, in assembly
// where the processor has AVX2. Results are those of the callers' own Go code to the last bit,
// which they use else: arithmetic is of integers, and sums wrap as Go's do.
package simd

//go:generate sh -c "cd testdata/gen && go run . -out ../../simd_amd64.s -stubs ../../simd_amd64.go -pkg simd"
