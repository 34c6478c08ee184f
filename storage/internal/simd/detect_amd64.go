package simd

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

func detect() int {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return portable
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512VNNI:
		return vnni
	}
	return avx2
}

func slotBytes(s []Slot) *byte { return (*byte)(unsafe.Pointer(&s[0])) }

// floatBytes is the first byte of x: every float32 is aligned for bytes, and amd64
// stores them as files have them, little-endian.
func floatBytes(x []float32) *byte { return (*byte)(unsafe.Pointer(unsafe.SliceData(x))) }
