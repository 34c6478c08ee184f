package onnx

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// processor names the kind of processor as far as it matters to products of integers of 8
// bits: without VNNI their sums are clipped to 16 bits, with it they are not.
func processor() string {
	kind := ""
	switch {
	case cpu.X86.HasAVX512VNNI:
		kind = " avx512-vnni"
	case cpu.X86.HasAVXVNNI:
		kind = " avx-vnni"
	case cpu.X86.HasAVX512BW:
		kind = " avx512"
	case cpu.X86.HasAVX2:
		kind = " avx2"
	case cpu.ARM64.HasI8MM:
		kind = " i8mm"
	case cpu.ARM64.HasASIMDDP:
		kind = " dotprod"
	}
	return runtime.GOARCH + kind
}
