package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// floats writes the sums over float32 vectors: 16 lanes of float64 in four
// registers, see the package comment for the order of summation.
func floats() {
	sum("dotAVX2", "dotAVX2 adds q[i]*x[i] over chunks*16 elements of x and, unless tail is nil, 16 of tail.", 1,
		func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual) {
			VFMADD231PD(q, x, acc[0])
		})
	sum("dotWideAVX2", "dotWideAVX2 is dotAVX2 for any q: the product is rounded before it is added.", 1,
		func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual) {
			VMULPD(q, x, x)
			VADDPD(x, acc[0], acc[0])
		})
	sum("dotNormAVX2", "dotNormAVX2 is dotAVX2, and x[i]*x[i] besides.", 2,
		func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual) {
			VFMADD231PD(q, x, acc[0])
			VFMADD231PD(x, x, acc[1])
		})
	sum("l2AVX2", "l2AVX2 adds (q[i]-x[i])^2, the square rounded before it is added.", 1,
		func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual) {
			VSUBPD(q, x, x)
			VMULPD(x, x, x)
			VADDPD(x, acc[0], acc[0])
		})
	var abs reg.VecVirtual
	prologue = func() {
		abs = YMM()
		VPCMPEQD(abs, abs, abs)
		VPSRLQ(Imm(1), abs, abs)
	}
	sum("l1AVX2", "l1AVX2 adds |q[i]-x[i]|.", 1,
		func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual) {
			VSUBPD(q, x, x)
			VANDPD(abs, x, x)
			VADDPD(x, acc[0], acc[0])
		})
	prologue = nil
}

var prologue func()

func sum(name, doc string, results int, step func(q Mem, x reg.VecVirtual, acc []reg.VecVirtual)) {
	sig := "func(q *float64, x *byte, chunks int, tail *byte) float64"
	if results == 2 {
		sig = "func(q *float64, x *byte, chunks int, tail *byte) (dot, norm float64)"
	}
	TEXT(name, NOSPLIT, sig)
	Doc(doc)
	Pragma("noescape")
	q := Load(Param("q"), GP64())
	x := Load(Param("x"), GP64())
	n := Load(Param("chunks"), GP64())
	tail := Load(Param("tail"), GP64())
	acc := make([][]reg.VecVirtual, 4)
	for i := range acc {
		acc[i] = ymms(results)
		zeroY(acc[i]...)
	}
	if prologue != nil {
		prologue()
	}
	chunk := func(x reg.Register) {
		for i := range acc {
			v := YMM()
			VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
			step(Mem{Base: q, Disp: 32 * i}, v, acc[i])
		}
	}
	loop("chunk", n, func() {
		chunk(x)
		ADDQ(Imm(64), x)
		ADDQ(Imm(128), q)
	})
	TESTQ(tail, tail)
	JZ(LabelRef("reduce"))
	chunk(tail)
	Label("reduce")
	for r := range results {
		VADDPD(acc[2][r], acc[0][r], acc[0][r])
		VADDPD(acc[3][r], acc[1][r], acc[1][r])
		VADDPD(acc[1][r], acc[0][r], acc[0][r])
		hi := XMM()
		VEXTRACTF128(Imm(1), acc[0][r], hi)
		lo := acc[0][r].AsX()
		VADDPD(hi, lo, lo)
		VPERMILPD(Imm(1), lo, hi)
		VADDSD(hi, lo, lo)
	}
	VZEROUPPER()
	if results == 1 {
		Store(acc[0][0].AsX(), ReturnIndex(0))
	} else {
		Store(acc[0][0].AsX(), Return("dot"))
		Store(acc[0][1].AsX(), Return("norm"))
	}
	RET()
}

// halves widens 16 float16 at a time with what AVX2 has of integers, since F16C is a flag of
// its own: exponent and fraction, moved to a float32's place, are 2^-112 of the number.
func halves() {
	TEXT("halvesAVX2", NOSPLIT, "func(x *byte, n int, y *float32)")
	Doc("halvesAVX2 is halvesGo for n times 16 finite numbers.")
	Pragma("noescape")
	x := Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	y := Load(Param("y"), GP64())
	abs, scale := YMM(), YMM()
	dup32(0x7fff, abs)
	dup32(0x77800000, scale)
	loop("group", n, func() {
		for half := range 2 {
			h, v := YMM(), YMM()
			VPMOVZXWD(Mem{Base: x, Disp: 16 * half}, h)
			VPAND(abs, h, v)
			VPSRLD(Imm(15), h, h)
			VPSLLD(Imm(13), v, v)
			VPSLLD(Imm(31), h, h)
			VMULPS(scale, v, v)
			VPOR(h, v, v)
			VMOVUPS(v, Mem{Base: y, Disp: 32 * half})
		}
		ADDQ(Imm(32), x)
		ADDQ(Imm(64), y)
	})
	VZEROUPPER()
	RET()
}
