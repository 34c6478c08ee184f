package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const scanSig = "func(codes *byte, crumbs, nibbles, tiles int, table *byte, out *int32)"

// scanAVX2 counts quads. Sums of a quad fit int16: its four groups add at most
// 4*4*2*3*127 of crumbs, and 4*2*2*15*127 = 30,480 of nibbles.
func scanAVX2() {
	TEXT("scanAVX2", NOSPLIT, scanSig)
	Doc("scanAVX2 is scanGo; crumbs and nibbles are quads.")
	Pragma("noescape")
	codes := Load(Param("codes"), GP64())
	counts := []reg.Register{Load(Param("crumbs"), GP64()), Load(Param("nibbles"), GP64())}
	tiles := Load(Param("tiles"), GP64())
	table := Load(Param("table"), GP64())
	out := Load(Param("out"), GP64())
	crumbs, halves := YMM(), YMM()
	dup32(0x03030303, crumbs)
	dup32(0x0f0f0f0f, halves)
	acc32 := ymms(4) // rows 0-7 high, low digit, rows 8-15 high, low
	loop("tile", tiles, func() {
		zeroY(acc32...)
		tab := GP64()
		MOVQ(table, tab)
		for kind, name := range []string{"crumbs", "nibbles"} {
			mask, bits := crumbs, 2
			if name == "nibbles" {
				mask, bits = halves, 4
			}
			quads := GP64()
			MOVQ(counts[kind], quads)
			loop(name, quads, func() {
				acc16 := ymms(4)
				zeroY(acc16...)
				left := GP64()
				MOVQ(U64(4), left)
				Label(name + "_group")
				c := ymms(2)
				VMOVDQU(Mem{Base: codes}, c[0])
				VMOVDQU(Mem{Base: codes, Disp: 32}, c[1])
				parts := 8 / bits
				for part := range parts {
					var w []reg.VecVirtual // high digit, low digit
					for d := range 2 {
						r := YMM()
						VPBROADCASTD(Mem{Base: tab, Disp: 8*part + 4*d}, r)
						w = append(w, r)
					}
					for half := range 2 {
						t := YMM()
						VPAND(mask, c[half], t)
						if part < parts-1 {
							VPSRLD(Imm(uint64(bits)), c[half], c[half])
						}
						for d, digit := range w {
							p := t
							if d == 0 {
								p = YMM()
							}
							VPMADDUBSW(digit, t, p)
							a := acc16[2*half+d]
							VPADDW(p, a, a)
						}
					}
				}
				ADDQ(Imm(64), codes)
				ADDQ(Imm(uint64(8*parts)), tab)
				DECQ(left)
				JNZ(LabelRef(name + "_group"))
				ones := YMM() // made here: there are 16 registers without AVX-512, and all are in use above
				dup32(0x00010001, ones)
				for i := range acc16 {
					VPMADDWD(ones, acc16[i], acc16[i])
					VPADDD(acc16[i], acc32[i], acc32[i])
				}
			})
		}
		for half := range 2 {
			VPSLLD(Imm(7), acc32[2*half], acc32[2*half])
			VPADDD(acc32[2*half], acc32[2*half+1], acc32[2*half+1])
			VMOVDQU(acc32[2*half+1], Mem{Base: out, Disp: 32 * half})
		}
		ADDQ(Imm(64), out)
	})
	VZEROUPPER()
	RET()
}

func scanVNNI() {
	TEXT("scanVNNI", NOSPLIT, scanSig)
	Doc("scanVNNI is scanGo; crumbs and nibbles are groups.")
	Pragma("noescape")
	codes := Load(Param("codes"), GP64())
	counts := []reg.Register{Load(Param("crumbs"), GP64()), Load(Param("nibbles"), GP64())}
	tiles := Load(Param("tiles"), GP64())
	table := Load(Param("table"), GP64())
	out := Load(Param("out"), GP64())
	crumbs, halves := dupZ(0x03030303), dupZ(0x0f0f0f0f)
	acc := make([]reg.VecVirtual, 8) // high, low digit
	for i := range acc {
		acc[i] = ZMM()
	}
	loop("tile", tiles, func() {
		for _, a := range acc {
			VPXORD(a, a, a)
		}
		tab := GP64()
		MOVQ(table, tab)
		for kind, name := range []string{"crumbs", "nibbles"} {
			mask, bits := crumbs, 2
			if name == "nibbles" {
				mask, bits = halves, 4
			}
			parts := 8 / bits
			groups := GP64()
			MOVQ(counts[kind], groups)
			loop(name, groups, func() {
				c := ZMM()
				VMOVDQU32(Mem{Base: codes}, c)
				PREFETCHT0(Mem{Base: codes, Disp: 4096})
				for part := range parts {
					t := ZMM()
					if part == 0 {
						VPANDD(mask, c, t)
					} else {
						VPSRLD(Imm(uint64(bits*part)), c, t)
						VPANDD(mask, t, t)
					}
					for d := range 2 {
						dpbusdBcst(Mem{Base: tab, Disp: 8*part + 4*d}, t, acc[2*part+d])
					}
				}
				ADDQ(Imm(64), codes)
				ADDQ(Imm(uint64(8*parts)), tab)
			})
		}
		for d := range 2 {
			VPADDD(acc[2+d], acc[d], acc[d])
			VPADDD(acc[6+d], acc[4+d], acc[4+d])
			VPADDD(acc[4+d], acc[d], acc[d])
		}
		VPSLLD(Imm(7), acc[0], acc[0])
		VPADDD(acc[0], acc[1], acc[1])
		VMOVDQU32(acc[1], Mem{Base: out})
		ADDQ(Imm(64), out)
	})
	VZEROUPPER()
	RET()
}

// planVNNI takes two tiles at a time. It leaves a crumb where it is in its byte, so that
// part k of a group counts 4^k times too much, and has an accumulator of its own, which is
// shifted back in the end; a nibble goes with the crumb of the same place. At MaxWidth
// the largest sum, of 128 groups of four nibbles times 16, is 2.01e9: below 2^31.
func planVNNI() {
	TEXT("planVNNI", NOSPLIT, "func(codes *byte, stride, pairs int, plan *int64, table *byte, out *int32)")
	Doc("planVNNI is scanGo for pairs of tiles of stride bytes, by a plan.")
	Pragma("noescape")
	codes := Load(Param("codes"), GP64())
	stride := Load(Param("stride"), GP64())
	pairs := Load(Param("pairs"), GP64())
	plan := Load(Param("plan"), GP64())
	table := Load(Param("table"), GP64())
	out := Load(Param("out"), GP64())
	masks := map[string][]reg.VecVirtual{ // of the parts
		"crumbs":  {dupZ(0x03030303), dupZ(0x0c0c0c0c), dupZ(0x30303030), dupZ(0xc0c0c0c0)},
		"nibbles": {dupZ(0x0f0f0f0f), nil, dupZ(0xf0f0f0f0), nil},
	}
	var acc [2][4]reg.VecVirtual // by tile and part
	for t := range acc {
		for k := range acc[t] {
			acc[t][k] = ZMM()
		}
	}
	loop("pair", pairs, func() {
		other, next, p, tab, levels := GP64(), GP64(), GP64(), GP64(), GP64()
		LEAQ(Mem{Base: codes, Index: stride, Scale: 1}, other)
		LEAQ(Mem{Base: codes, Index: stride, Scale: 2}, next)
		MOVQ(plan, p)
		MOVQ(table, tab)
		MOVQ(Mem{Base: p}, levels)
		ADDQ(Imm(8), p)
		for _, a := range acc {
			for _, r := range a {
				VPXORD(r, r, r)
			}
		}
		loop("level", levels, func() {
			shift := XMM()
			VMOVQ(Mem{Base: p}, shift)
			for _, a := range acc {
				for _, r := range a {
					VPSLLD(shift, r, r)
				}
			}
			counts := map[string]reg.Register{"crumbs": GP64(), "nibbles": GP64()}
			MOVQ(Mem{Base: p, Disp: 8}, counts["crumbs"])
			MOVQ(Mem{Base: p, Disp: 16}, counts["nibbles"])
			ADDQ(Imm(24), p)
			for _, kind := range []string{"crumbs", "nibbles"} {
				loop(kind, counts[kind], func() {
					at := GP64()
					MOVQ(Mem{Base: p}, at)
					ADDQ(Imm(8), p)
					var c [2]reg.VecVirtual
					for t, base := range []reg.Register{codes, other} {
						c[t] = ZMM()
						VMOVDQU32(Mem{Base: base, Index: at, Scale: 1}, c[t])
					}
					digits := 0
					for k, mask := range masks[kind] {
						if mask == nil {
							continue
						}
						w := ZMM()
						VPBROADCASTD(Mem{Base: tab, Disp: digits}, w)
						for t := range acc {
							m := ZMM()
							VPANDD(mask, c[t], m)
							dpbusd(w, m, acc[t][k])
						}
						digits += 4
					}
					ADDQ(Imm(uint64(digits)), tab)
				})
			}
		})
		for t, a := range acc {
			for k := 1; k < 4; k++ {
				VPSRAD(Imm(uint64(2*k)), a[k], a[k])
			}
			VPADDD(a[1], a[0], a[0])
			VPADDD(a[3], a[2], a[2])
			VPADDD(a[2], a[0], a[0])
			VMOVDQU32(a[0], Mem{Base: out, Disp: 64 * t})
		}
		MOVQ(next, codes)
		ADDQ(Imm(128), out)
	})
	VZEROUPPER()
	RET()
}

// planAVX2 takes two tiles at a time, and up to four groups before it adds the 16 bits of
// their sums, which fit as in scanAVX2, to 32.
func planAVX2() {
	TEXT("planAVX2", NOSPLIT, "func(codes *byte, stride, pairs int, plan *int64, table *byte, out *int32)")
	Doc("planAVX2 is scanGo for pairs of tiles of stride bytes, by a plan.")
	Pragma("noescape")
	codes := Load(Param("codes"), GP64())
	stride := Load(Param("stride"), GP64())
	pairs := Load(Param("pairs"), GP64())
	plan := Load(Param("plan"), GP64())
	table := Load(Param("table"), GP64())
	out := Load(Param("out"), GP64())
	ones := YMM()
	dup32(0x00010001, ones)
	acc32 := ymms(4) // by tile and half
	loop("pair", pairs, func() {
		next, p, tab, levels := GP64(), GP64(), GP64(), GP64()
		LEAQ(Mem{Base: codes, Index: stride, Scale: 2}, next)
		MOVQ(plan, p)
		MOVQ(table, tab)
		MOVQ(Mem{Base: p}, levels)
		ADDQ(Imm(8), p)
		zeroY(acc32...)
		loop("level", levels, func() {
			shift := XMM()
			VMOVQ(Mem{Base: p}, shift)
			for _, r := range acc32 {
				VPSLLD(shift, r, r)
			}
			counts := map[string]reg.Register{"crumbs": GP64(), "nibbles": GP64()}
			MOVQ(Mem{Base: p, Disp: 8}, counts["crumbs"])
			MOVQ(Mem{Base: p, Disp: 16}, counts["nibbles"])
			ADDQ(Imm(24), p)
			for _, kind := range []string{"crumbs", "nibbles"} {
				bits, every := 2, uint32(0x03030303)
				if kind == "nibbles" {
					bits, every = 4, 0x0f0f0f0f
				}
				mask := YMM()
				dup32(every, mask)
				TESTQ(counts[kind], counts[kind])
				JZ(LabelRef(kind + "_done"))
				Label(kind)
				acc16 := ymms(4)
				zeroY(acc16...)
				left := GP64()
				MOVQ(U64(4), left)
				CMPQ(counts[kind], left)
				CMOVQLT(counts[kind], left)
				SUBQ(left, counts[kind])
				Label(kind + "_group")
				at := GP64()
				MOVQ(Mem{Base: p}, at)
				ADDQ(Imm(8), p)
				ADDQ(codes, at)
				w := ymms(8 / bits)
				for part, r := range w {
					VPBROADCASTD(Mem{Base: tab, Disp: 4 * part}, r)
				}
				ADDQ(Imm(uint64(4*len(w))), tab)
				for i, a := range acc16 {
					c := YMM()
					m := Mem{Base: at, Disp: 32 * (i % 2)}
					if i > 1 {
						m.Index, m.Scale = stride, 1
					}
					VMOVDQU(m, c)
					for part, digits := range w {
						t := YMM()
						VPAND(mask, c, t)
						if part < len(w)-1 {
							VPSRLD(Imm(uint64(bits)), c, c)
						}
						VPMADDUBSW(digits, t, t)
						VPADDW(t, a, a)
					}
				}
				DECQ(left)
				JNZ(LabelRef(kind + "_group"))
				for i, a := range acc16 {
					VPMADDWD(ones, a, a)
					VPADDD(a, acc32[i], acc32[i])
				}
				TESTQ(counts[kind], counts[kind])
				JNZ(LabelRef(kind))
				Label(kind + "_done")
			}
		})
		for i, r := range acc32 {
			VMOVDQU(r, Mem{Base: out, Disp: 32 * i})
		}
		MOVQ(next, codes)
		ADDQ(Imm(128), out)
	})
	VZEROUPPER()
	RET()
}

const rowsSig = "func(plane *byte, width int, rows *uint16, n int, table *byte, out *int32)"

// rowPrologue loads the parameters.
func rowPrologue() (plane, width, rows, n, table, out reg.Register) {
	return Load(Param("plane"), GP64()), Load(Param("width"), GP64()), Load(Param("rows"), GP64()),
		Load(Param("n"), GP64()), Load(Param("table"), GP64()), Load(Param("out"), GP64())
}

// rowEnds computes the last of n rows, and how many times 32 bytes a row has.
func rowEnds(width, rows, n reg.Register) (last, parts reg.GPVirtual) {
	last = GP64()
	LEAQ(Mem{Base: rows, Index: n, Scale: 2, Disp: -2}, last)
	parts = GP64()
	MOVQ(width, parts)
	SHRQ(Imm(5), parts)
	return last, parts
}

// rowStart points a register at the bytes of the next row.
func rowStart(plane, width, rows reg.Register, last reg.GPVirtual) reg.GPVirtual {
	at := GP64()
	// Rows are far apart: fetch the one eight ahead, or the last one again.
	MOVQ(rows, at)
	ADDQ(Imm(16), at)
	CMPQ(at, last)
	CMOVQHI(last, at)
	MOVWLZX(Mem{Base: at}, at.As32())
	IMULQ(width, at)
	for line := 0; line < 192; line += 64 {
		PREFETCHT0(Mem{Base: plane, Index: at, Scale: 1, Disp: line})
	}
	MOVWLZX(Mem{Base: rows}, at.As32())
	IMULQ(width, at)
	ADDQ(plane, at)
	return at
}

func rowsAVX2() {
	TEXT("rowsAVX2", NOSPLIT, rowsSig)
	Doc("rowsAVX2 is rowsGo.")
	Pragma("noescape")
	plane, width, rows, n, table, out := rowPrologue()
	mask, ones := YMM(), YMM()
	dup32(0x03030303, mask)
	dup32(0x00010001, ones)
	last, parts := rowEnds(width, rows, n)
	loop("row", n, func() {
		at := rowStart(plane, width, rows, last)
		acc := ymms(2)
		zeroY(acc...)
		tab, left := GP64(), GP64()
		MOVQ(table, tab)
		MOVQ(parts, left)
		Label("part")
		c := YMM()
		VMOVDQU(Mem{Base: at}, c)
		sums := ymms(2)
		for crumb := range 4 {
			t := YMM()
			VPAND(mask, c, t)
			if crumb < 3 {
				VPSRLD(Imm(2), c, c)
			}
			for d := range 2 {
				m := Mem{Base: tab, Disp: 32 * (2*crumb + d)}
				if crumb == 0 {
					VPMADDUBSW(m, t, sums[d])
					continue
				}
				p := YMM()
				VPMADDUBSW(m, t, p)
				VPADDW(p, sums[d], sums[d])
			}
		}
		for d := range 2 {
			VPMADDWD(ones, sums[d], sums[d])
			VPADDD(sums[d], acc[d], acc[d])
		}
		ADDQ(Imm(32), at)
		ADDQ(U32(256), tab)
		DECQ(left)
		JNZ(LabelRef("part"))
		VPSLLD(Imm(7), acc[0], acc[0])
		VPADDD(acc[0], acc[1], acc[1])
		horizontal(acc[1], out)
		ADDQ(Imm(2), rows)
		ADDQ(Imm(4), out)
	})
	VZEROUPPER()
	RET()
}

// horizontal stores the sum of the eight int32 of v.
func horizontal(v reg.VecVirtual, out reg.Register) {
	x := XMM()
	VEXTRACTI128(Imm(1), v, x)
	lo := v.AsX()
	VPADDD(x, lo, lo)
	VPSHUFD(Imm(0x4e), lo, x)
	VPADDD(x, lo, lo)
	VPSHUFD(Imm(0xb1), lo, x)
	VPADDD(x, lo, lo)
	VMOVD(lo, Mem{Base: out})
}

func rowsVNNI() {
	TEXT("rowsVNNI", NOSPLIT, rowsSig)
	Doc("rowsVNNI is rowsGo.")
	Pragma("noescape")
	plane, width, rows, n, table, out := rowPrologue()
	mask := YMM()
	dup32(0x03030303, mask)
	last, parts := rowEnds(width, rows, n)
	loop("row", n, func() {
		at := rowStart(plane, width, rows, last)
		acc := ymms(4)
		zeroY(acc...)
		tab, left := GP64(), GP64()
		MOVQ(table, tab)
		MOVQ(parts, left)
		Label("part")
		c := YMM()
		VMOVDQU(Mem{Base: at}, c)
		for crumb := range 4 {
			t := YMM()
			VPAND(mask, c, t)
			if crumb < 3 {
				VPSRLD(Imm(2), c, c)
			}
			for d := range 2 {
				dpbusd(Mem{Base: tab, Disp: 32 * (2*crumb + d)}, t, acc[2*(crumb%2)+d])
			}
		}
		ADDQ(Imm(32), at)
		ADDQ(U32(256), tab)
		DECQ(left)
		JNZ(LabelRef("part"))
		VPADDD(acc[2], acc[0], acc[0])
		VPADDD(acc[3], acc[1], acc[1])
		VPSLLD(Imm(7), acc[0], acc[0])
		VPADDD(acc[0], acc[1], acc[1])
		horizontal(acc[1], out)
		ADDQ(Imm(2), rows)
		ADDQ(Imm(4), out)
	})
	VZEROUPPER()
	RET()
}

// As in package simd.
const (
	stretchShift = 17
	stretchBase  = 125 * 64
)

// bounds computes in the same order of operations as boundsGo, without fused
// multiply-adds: bit for bit the same.
func bounds() {
	TEXT("boundsAVX2", NOSPLIT, "func(dots *int32, stretch, ra, rb *byte, words int, p, ub *float32, mask *uint64)")
	Doc("boundsAVX2 is boundsGo for words*64 rows.")
	Pragma("noescape")
	dots := Load(Param("dots"), GP64())
	stretch := Load(Param("stretch"), GP64())
	ra := Load(Param("ra"), GP64())
	rb := Load(Param("rb"), GP64())
	words := Load(Param("words"), GP64())
	p := Load(Param("p"), GP64())
	ub := Load(Param("ub"), GP64())
	mask := Load(Param("mask"), GP64())
	par := ymms(6) // Base, Scale, A, B, Cut, Offset
	for i, r := range par {
		VBROADCASTSS(Mem{Base: p, Disp: 4 * i}, r)
	}
	lowest := YMM()
	dup32(stretchBase, lowest)
	loop("word", words, func() {
		bits, shift := GP64(), GP64()
		XORQ(bits, bits)
		MOVQ(U64(8), shift)
		Label("eight")
		v, t := YMM(), YMM()
		VCVTDQ2PS(Mem{Base: dots}, v)
		VMULPS(par[1], v, v)
		VADDPS(par[5], v, v)
		VPMOVZXBD(Mem{Base: stretch}, t)
		VPADDD(lowest, t, t)
		VPSLLD(Imm(stretchShift), t, t)
		VMULPS(t, v, v)
		VADDPS(par[0], v, v)
		VPMOVZXBD(Mem{Base: ra}, t)
		VCVTDQ2PS(t, t)
		VMULPS(par[2], t, t)
		VADDPS(t, v, v)
		VPMOVZXBD(Mem{Base: rb}, t)
		VCVTDQ2PS(t, t)
		VMULPS(par[3], t, t)
		VADDPS(t, v, v)
		VMOVUPS(v, Mem{Base: ub})
		VCMPPS(Imm(29), par[4], v, t) // v >= cut, false for NaN, ordered quiet
		m := GP64()
		VMOVMSKPS(t, m.As32())
		SHLQ(Imm(56), m)
		SHRQ(Imm(8), bits)
		ORQ(m, bits)
		ADDQ(Imm(32), dots)
		ADDQ(Imm(8), stretch)
		ADDQ(Imm(8), ra)
		ADDQ(Imm(8), rb)
		ADDQ(Imm(32), ub)
		DECQ(shift)
		JNZ(LabelRef("eight"))
		MOVQ(bits, Mem{Base: mask})
		ADDQ(Imm(8), mask)
	})
	VZEROUPPER()
	RET()
}
