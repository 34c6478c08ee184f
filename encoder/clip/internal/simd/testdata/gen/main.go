// Command gen writes the assembly of package simd: run `go generate` there.
//
// All vector instructions are VEX encoded, loads need no alignment, and every function
// ends with VZEROUPPER.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	across()
	down()
	sums()
	spread()
	toRGB()
	inverse()
	Generate()
}

// loop runs body while n, counted down by one, is not zero; n is not zero at first.
func loop(name string, n reg.Register, body func()) {
	Label(name)
	body()
	DECQ(n)
	JNZ(LabelRef(name))
}

func broadcast(c int32) reg.VecVirtual {
	r, x, y := GP32(), XMM(), YMM()
	MOVL(U32(uint32(c)), r)
	VMOVD(r, x)
	VPBROADCASTD(x, y)
	return y
}

func zero() reg.VecVirtual {
	y := YMM()
	VPXOR(y, y, y)
	return y
}

// fraction is how many bits of a weight are behind the point.
const fraction = 22

func across() {
	TEXT("acrossAVX2", NOSPLIT, "func(dst, red, green, blue *byte, first, w *int32, chunks, n int)")
	Doc("acrossAVX2 writes n pixels: of each plane the sums of 8*chunks samples from first[i] on times weights.")
	Pragma("noescape")
	dst := Load(Param("dst"), GP64())
	planes := []reg.Register{Load(Param("red"), GP64()), Load(Param("green"), GP64()), Load(Param("blue"), GP64())}
	first, w := Load(Param("first"), GP64()), Load(Param("w"), GP64())
	n := Load(Param("n"), GP64())
	rounding := broadcast(1 << (fraction - 1))
	at, k := GP64(), GP64()
	chunks := GP64()
	Load(Param("chunks"), chunks)
	loop("pixel", n, func() {
		MOVLQSX(Mem{Base: first}, at)
		acc := []reg.VecVirtual{zero(), zero(), zero()}
		MOVQ(chunks, k)
		loop("chunk", k, func() {
			weights := YMM()
			VMOVDQU(Mem{Base: w}, weights)
			for c := range 3 {
				v := YMM()
				VPMOVZXBD(Mem{Base: planes[c], Index: at, Scale: 1}, v)
				VPMULLD(weights, v, v)
				VPADDD(v, acc[c], acc[c])
			}
			ADDQ(Imm(32), w)
			ADDQ(Imm(8), at)
		})
		rg, bb, all, high := YMM(), YMM(), YMM(), XMM()
		VPHADDD(acc[1], acc[0], rg)
		VPHADDD(acc[2], acc[2], bb)
		VPHADDD(bb, rg, all)
		VEXTRACTI128(Imm(1), all, high)
		low := all.AsX()
		VPADDD(high, low, low)
		VPADDD(rounding.AsX(), low, low)
		VPSRAD(Imm(fraction), low, low)
		VPACKSSDW(low, low, low)
		VPACKUSWB(low, low, low)
		VMOVD(low, Mem{Base: dst})
		ADDQ(Imm(3), dst)
		ADDQ(Imm(4), first)
	})
	VZEROUPPER()
	RET()
}

func down() {
	TEXT("downAVX2", NOSPLIT, "func(dst, rows *byte, stride int, w *int32, taps, chunks int)")
	Doc("downAVX2 writes 32*chunks bytes: the sums of those of taps rows times a weight each.")
	Pragma("noescape")
	dst, rows := Load(Param("dst"), GP64()), Load(Param("rows"), GP64())
	stride := Load(Param("stride"), GP64())
	w := Load(Param("w"), GP64())
	taps, chunks := Load(Param("taps"), GP64()), Load(Param("chunks"), GP64())
	rounding := broadcast(1 << (fraction - 1))
	order := YMM()
	VMOVDQU(words("order", []uint32{0, 4, 1, 5, 2, 6, 3, 7}), order)
	src, weight, k := GP64(), GP64(), GP64()
	loop("chunk", chunks, func() {
		acc := make([]reg.VecVirtual, 4)
		for i := range acc {
			acc[i] = YMM()
			VMOVDQA(rounding, acc[i])
		}
		MOVQ(rows, src)
		MOVQ(w, weight)
		MOVQ(taps, k)
		loop("tap", k, func() {
			c := YMM()
			VPBROADCASTD(Mem{Base: weight}, c)
			for i := range acc {
				v := YMM()
				VPMOVZXBD(Mem{Base: src, Disp: 8 * i}, v)
				VPMULLD(c, v, v)
				VPADDD(v, acc[i], acc[i])
			}
			ADDQ(stride, src)
			ADDQ(Imm(4), weight)
		})
		for i := range acc {
			VPSRAD(Imm(fraction), acc[i], acc[i])
		}
		VPACKSSDW(acc[1], acc[0], acc[0])
		VPACKSSDW(acc[3], acc[2], acc[2])
		VPACKUSWB(acc[2], acc[0], acc[0])
		VPERMD(acc[0], order, acc[0])
		VMOVDQU(acc[0], Mem{Base: dst})
		ADDQ(Imm(32), dst)
		ADDQ(Imm(32), rows)
	})
	VZEROUPPER()
	RET()
}

func sums() {
	TEXT("sumsAVX2", NOSPLIT, "func(dst *uint16, near, far *byte, chunks int)")
	Doc("sumsAVX2 writes 3*near + far of 16*chunks samples.")
	Pragma("noescape")
	dst, near, far := Load(Param("dst"), GP64()), Load(Param("near"), GP64()), Load(Param("far"), GP64())
	chunks := Load(Param("chunks"), GP64())
	loop("chunk", chunks, func() {
		a, b, t := YMM(), YMM(), YMM()
		VPMOVZXBW(Mem{Base: near}, a)
		VPMOVZXBW(Mem{Base: far}, b)
		VPADDW(a, a, t)
		VPADDW(t, a, a)
		VPADDW(b, a, a)
		VMOVDQU(a, Mem{Base: dst})
		ADDQ(Imm(16), near)
		ADDQ(Imm(16), far)
		ADDQ(Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

func spread() {
	TEXT("spreadAVX2", NOSPLIT, "func(dst *byte, s *uint16, even, odd, shift, chunks int)")
	Doc("spreadAVX2 writes two bytes for each of the 16*chunks values from s[1] on: three parts of it and one of its neighbour.")
	Pragma("noescape")
	dst, s := Load(Param("dst"), GP64()), Load(Param("s"), GP64())
	bias := func(name string) reg.VecVirtual {
		r, x, y := Load(Param(name), GP64()), XMM(), YMM()
		VMOVQ(r, x)
		VPBROADCASTW(x, y)
		return y
	}
	even, odd := bias("even"), bias("odd")
	r, shift := Load(Param("shift"), GP64()), XMM()
	VMOVQ(r, shift)
	chunks := Load(Param("chunks"), GP64())
	loop("chunk", chunks, func() {
		v, e, o := YMM(), YMM(), YMM()
		VMOVDQU(Mem{Base: s, Disp: 2}, v)
		VPADDW(v, v, e)
		VPADDW(e, v, v)
		VPADDW(Mem{Base: s}, v, e)
		VPADDW(Mem{Base: s, Disp: 4}, v, o)
		VPADDW(even, e, e)
		VPADDW(odd, o, o)
		VPSRLW(shift, e, e)
		VPSRLW(shift, o, o)
		VPSLLW(Imm(8), o, o)
		VPOR(e, o, o)
		VMOVDQU(o, Mem{Base: dst})
		ADDQ(Imm(32), s)
		ADDQ(Imm(32), dst)
	})
	VZEROUPPER()
	RET()
}

func toRGB() {
	TEXT("toRGBAVX2", NOSPLIT, "func(red, green, blue, y, cb, cr *byte, chunks int)")
	Doc("toRGBAVX2 converts 16*chunks pixels.")
	Pragma("noescape")
	var p []reg.Register
	for _, name := range []string{"red", "green", "blue", "y", "cb", "cr"} {
		p = append(p, Load(Param(name), GP64()))
	}
	chunks := Load(Param("chunks"), GP64())
	pair := func(low, high int) reg.VecVirtual { return broadcast(int32(uint32(high)<<16 | uint32(low)&0xffff)) }
	// Factors are times 2^16, those above a half without their whole part.
	half := pair(128, 128)
	one := pair(1, 1)
	red, blue := pair(26345, 26345), pair(-14942, -14942)
	green, rounding := pair(-22554, 18734), broadcast(1<<15)
	at := GP64()
	XORQ(at, at)
	loop("chunk", chunks, func() {
		y, u, v := YMM(), YMM(), YMM()
		for i, d := range []reg.VecVirtual{y, u, v} {
			VPMOVZXBW(Mem{Base: p[3+i], Index: at, Scale: 1}, d)
		}
		VPSUBW(half, u, u)
		VPSUBW(half, v, v)
		put := func(c int, t reg.VecVirtual) {
			high := XMM()
			VEXTRACTI128(Imm(1), t, high)
			VPACKUSWB(high, t.AsX(), high)
			VMOVDQU(high, Mem{Base: p[c], Index: at, Scale: 1})
		}
		// Half of a product's upper word, rounded.
		times := func(x, factor reg.VecVirtual) reg.VecVirtual {
			t := YMM()
			VPADDW(x, x, t)
			VPMULHW(factor, t, t)
			VPADDW(one, t, t)
			VPSRAW(Imm(1), t, t)
			return t
		}
		t := times(v, red)
		VPADDW(v, t, t)
		VPADDW(y, t, t)
		put(0, t)
		t = times(u, blue)
		VPADDW(u, t, t)
		VPADDW(u, t, t)
		VPADDW(y, t, t)
		put(2, t)
		low, high := YMM(), YMM()
		VPUNPCKLWD(v, u, low)
		VPUNPCKHWD(v, u, high)
		for _, t := range []reg.VecVirtual{low, high} {
			VPMADDWD(green, t, t)
			VPADDD(rounding, t, t)
			VPSRAD(Imm(16), t, t)
		}
		VPACKSSDW(high, low, low)
		VPSUBW(v, low, low)
		VPADDW(y, low, low)
		put(1, low)
		ADDQ(Imm(16), at)
	})
	VZEROUPPER()
	RET()
}

// words is a constant in memory.
func words(name string, values []uint32) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(4*i, U32(v))
	}
	return m
}

// inverse is the transform of package jpeg, eight columns, then eight rows, at a time.
func inverse() {
	constants := map[int32]Mem{}
	for _, c := range []int32{2446, 4433, 9633, 12299, 16819, 25172, -3196, -7373, -15137, -16069, -20995, 6270} {
		name := fmt.Sprintf("c%d", c)
		if c < 0 {
			name = fmt.Sprintf("minus%d", -c)
		}
		v := make([]uint32, 8)
		for i := range v {
			v[i] = uint32(c)
		}
		constants[c] = words(name, v)
	}
	rounding := func(name string, c uint32) Mem { return words(name, []uint32{c, c, c, c, c, c, c, c}) }
	first, second := rounding("round11", 1<<10), rounding("round18", 128<<18+1<<17)
	squares := GLOBL("squares", RODATA|NOPTR)
	for i := range 32 {
		j := i % 16
		DATA(i, U8(j%4*4+j/4))
	}

	TEXT("inverseAVX2", NOSPLIT, "func(k *int32, dst *byte, stride int)")
	Doc("inverseAVX2 writes 8 rows of 8 samples.")
	Pragma("noescape")
	k, dst, stride := Load(Param("k"), GP64()), Load(Param("dst"), GP64()), Load(Param("stride"), GP64())

	mul := func(c int32, x reg.VecVirtual) reg.VecVirtual {
		t := YMM()
		VPMULLD(constants[c], x, t)
		return t
	}
	add := func(a, b reg.VecVirtual) reg.VecVirtual {
		t := YMM()
		VPADDD(a, b, t)
		return t
	}
	sub := func(a, b reg.VecVirtual) reg.VecVirtual { // a - b
		t := YMM()
		VPSUBD(b, a, t)
		return t
	}
	pass := func(r []reg.VecVirtual, round Mem, shift uint64) []reg.VecVirtual {
		z := mul(4433, add(r[2], r[6]))
		t2, t3 := add(z, mul(-15137, r[6])), add(z, mul(6270, r[2]))
		t0, t1 := add(r[0], r[4]), sub(r[0], r[4])
		for _, t := range []reg.VecVirtual{t0, t1} {
			VPSLLD(Imm(13), t, t)
			VPADDD(round, t, t)
		}
		e := []reg.VecVirtual{add(t0, t3), add(t1, t2), sub(t1, t2), sub(t0, t3)}
		z3, z4 := add(r[7], r[3]), add(r[5], r[1])
		z5 := mul(9633, add(z3, z4))
		z3, z4 = add(z5, mul(-16069, z3)), add(z5, mul(-3196, z4))
		z1, z2 := mul(-7373, add(r[7], r[1])), mul(-20995, add(r[5], r[3]))
		o := []reg.VecVirtual{
			add(mul(12299, r[1]), add(z1, z4)), add(mul(25172, r[3]), add(z2, z3)),
			add(mul(16819, r[5]), add(z2, z4)), add(mul(2446, r[7]), add(z1, z3)),
		}
		out := make([]reg.VecVirtual, 8)
		for i := range 4 {
			out[i], out[7-i] = add(e[i], o[i]), sub(e[i], o[i])
			VPSRAD(Imm(shift), out[i], out[i])
			VPSRAD(Imm(shift), out[7-i], out[7-i])
		}
		return out
	}
	r := make([]reg.VecVirtual, 8)
	for i := range r {
		r[i] = YMM()
		VMOVDQU(Mem{Base: k, Disp: 32 * i}, r[i])
	}
	r = transpose(pass(r, first, 11))
	r = pass(r, second, 18)
	// Bytes: four samples of a row in each word, then its other four beside them.
	mask := YMM()
	VMOVDQU(squares, mask)
	quarter := func(r []reg.VecVirtual) reg.VecVirtual {
		a, b := YMM(), YMM()
		VPACKSSDW(r[1], r[0], a)
		VPACKSSDW(r[3], r[2], b)
		VPACKUSWB(b, a, a)
		VPSHUFB(mask, a, a)
		return a
	}
	a, b := quarter(r[:4]), quarter(r[4:])
	low, high := YMM(), YMM() // rows 0, 1, 4, 5 and 2, 3, 6, 7
	VPUNPCKLDQ(b, a, low)
	VPUNPCKHDQ(b, a, high)
	lower, upper := XMM(), XMM()
	VEXTRACTI128(Imm(1), low, lower)
	VEXTRACTI128(Imm(1), high, upper)
	for _, x := range []reg.Register{low.AsX(), high.AsX(), lower, upper} {
		VMOVQ(x, Mem{Base: dst})
		VPEXTRQ(Imm(1), x, Mem{Base: dst, Index: stride, Scale: 1})
		LEAQ(Mem{Base: dst, Index: stride, Scale: 2}, dst)
	}
	VZEROUPPER()
	RET()
}

func transpose(r []reg.VecVirtual) []reg.VecVirtual {
	pairs := make([]reg.VecVirtual, 8) // words of two rows side by side
	for i := 0; i < 8; i += 2 {
		pairs[i], pairs[i+1] = YMM(), YMM()
		VPUNPCKLDQ(r[i+1], r[i], pairs[i])
		VPUNPCKHDQ(r[i+1], r[i], pairs[i+1])
	}
	fours := make([]reg.VecVirtual, 8) // of four
	for i := 0; i < 8; i += 4 {
		for h := range 2 {
			fours[i+2*h], fours[i+2*h+1] = YMM(), YMM()
			VPUNPCKLQDQ(pairs[i+2+h], pairs[i+h], fours[i+2*h])
			VPUNPCKHQDQ(pairs[i+2+h], pairs[i+h], fours[i+2*h+1])
		}
	}
	out := make([]reg.VecVirtual, 8)
	for i := range 4 {
		out[i], out[4+i] = YMM(), YMM()
		VPERM2I128(Imm(0x20), fours[4+i], fours[i], out[i])
		VPERM2I128(Imm(0x31), fours[4+i], fours[i], out[4+i])
	}
	return out
}
