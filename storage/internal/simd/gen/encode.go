package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// multiply is the inner loop of a matrix product: six rows of the transform times
// 16 vectors, twelve accumulators.
func multiply() {
	TEXT("multiplyAVX2", NOSPLIT, "func(a, x *float32, n int, y *float32)")
	Doc("multiplyAVX2 is multiplyGo.")
	Pragma("noescape")
	a := Load(Param("a"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	y := Load(Param("y"), GP64())
	acc := ymms(12)
	zeroY(acc...)
	loop("element", n, func() {
		w, p := YMM(), YMM()
		for i := range 6 {
			VBROADCASTSS(Mem{Base: a, Disp: 4 * i}, w)
			VMULPS(Mem{Base: x}, w, p)
			VADDPS(p, acc[2*i], acc[2*i])
			VMULPS(Mem{Base: x, Disp: 32}, w, w)
			VADDPS(w, acc[2*i+1], acc[2*i+1])
		}
		ADDQ(Imm(24), a)
		ADDQ(Imm(64), x)
	})
	for i, r := range acc {
		m := Mem{Base: y, Disp: 32 * i}
		VADDPS(m, r, r)
		VMOVUPS(r, m)
	}
	VZEROUPPER()
	RET()
}

// quantize takes 16 slots of 16 rows at a time, rows in lanes.
func quantize() {
	TEXT("quantizeAVX2", NOSPLIT, "func(y *float32, slots *byte, n int, out *uint32)")
	Doc("quantizeAVX2 is quantizeGo.")
	Pragma("noescape")
	y := Load(Param("y"), GP64())
	slots := Load(Param("slots"), GP64())
	n := Load(Param("n"), GP64())
	out := Load(Param("out"), GP64())
	three, zero := YMM(), YMM()
	dup32(0x40400000, three)
	zeroY(zero)
	loop("group", n, func() {
		word := ymms(2)
		zeroY(word...)
		left := GP64()
		MOVQ(U64(16), left)
		Label("slot")
		at := GP64()
		MOVL(Mem{Base: slots}, at.As32())
		SHLQ(Imm(6), at)
		ADDQ(y, at)
		low, step, inv := YMM(), YMM(), YMM()
		VBROADCASTSS(Mem{Base: slots, Disp: 8}, low)
		VBROADCASTSS(Mem{Base: slots, Disp: 12}, step)
		VBROADCASTSS(Mem{Base: slots, Disp: 16}, inv)
		for half := range 2 {
			v, c, t := YMM(), YMM(), YMM()
			m := Mem{Base: at, Disp: 32 * half}
			VMOVUPS(m, v)
			VSUBPS(low, v, c) // c = (v - low) * inv
			VMULPS(inv, c, c)
			VROUNDPS(Imm(8), c, c)
			VMAXPS(zero, c, c)
			VMINPS(three, c, c)
			VMULPS(step, c, t)
			VSUBPS(low, v, v)
			VSUBPS(t, v, v)
			VMOVUPS(v, m)
			VCVTPS2DQ(c, c)
			shift(c, slots, word[half])
		}
		ADDQ(Imm(20), slots)
		DECQ(left)
		JNZ(LabelRef("slot"))
		VMOVDQU(word[0], Mem{Base: out})
		VMOVDQU(word[1], Mem{Base: out, Disp: 32})
		ADDQ(Imm(64), out)
	})
	VZEROUPPER()
	RET()
}

// shift ors c, moved left by the slot's shift, into word.
func shift(c reg.VecVirtual, slots reg.Register, word reg.VecVirtual) {
	s := XMM()
	VMOVD(Mem{Base: slots, Disp: 4}, s)
	VPSLLD(s, c, c)
	VPOR(c, word, word)
}

func sumSquares() {
	TEXT("sumSquaresAVX2", NOSPLIT, "func(y *float32, n int, out *float32)")
	Doc("sumSquaresAVX2 is sumSquaresGo.")
	Pragma("noescape")
	y := Load(Param("y"), GP64())
	n := Load(Param("n"), GP64())
	out := Load(Param("out"), GP64())
	acc := ymms(2)
	zeroY(acc...)
	loop("dim", n, func() {
		for i := range acc {
			v := YMM()
			VMOVUPS(Mem{Base: y, Disp: 32 * i}, v)
			VMULPS(v, v, v)
			VADDPS(v, acc[i], acc[i])
		}
		ADDQ(Imm(64), y)
	})
	for i := range acc {
		VMOVUPS(acc[i], Mem{Base: out, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}

func scaleRows() {
	TEXT("scaleRowsAVX2", NOSPLIT, "func(y *float32, n int, f *float32)")
	Doc("scaleRowsAVX2 multiplies n times 16 elements of y by those of f.")
	Pragma("noescape")
	y := Load(Param("y"), GP64())
	n := Load(Param("n"), GP64())
	f := Load(Param("f"), GP64())
	factors := ymms(2)
	for i := range factors {
		VMOVUPS(Mem{Base: f, Disp: 32 * i}, factors[i])
	}
	loop("dim", n, func() {
		for i := range factors {
			v := YMM()
			VMULPS(Mem{Base: y, Disp: 32 * i}, factors[i], v)
			VMOVUPS(v, Mem{Base: y, Disp: 32 * i})
		}
		ADDQ(Imm(64), y)
	})
	VZEROUPPER()
	RET()
}
