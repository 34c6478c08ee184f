// Command gen writes the assembly of package simd: run `go generate` there.
//
// All vector instructions are VEX or EVEX encoded (a legacy SSE instruction among
// them would cost a state transition each time), loads need no alignment, and
// every function ends with VZEROUPPER.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	floats()
	scanAVX2()
	scanVNNI()
	planVNNI()
	planAVX2()
	rowsAVX2()
	rowsVNNI()
	bounds()
	multiply()
	quantize()
	sumSquares()
	scaleRows()
	halves()
	Generate()
}

func ymms(n int) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = YMM()
	}
	return r
}

func zeroY(r ...reg.VecVirtual) {
	for _, v := range r {
		VPXOR(v, v, v)
	}
}

// loop runs body while n, counted down by one, is not zero; n may be zero.
func loop(name string, n reg.Register, body func()) {
	TESTQ(n, n)
	JZ(LabelRef(name + "_done"))
	Label(name)
	body()
	DECQ(n)
	JNZ(LabelRef(name))
	Label(name + "_done")
}

// dup32 fills a register with a 32 bit constant.
func dup32(c uint32, dst reg.VecVirtual) {
	r := GP32()
	MOVL(U32(c), r)
	x := XMM()
	VMOVD(r, x)
	VPBROADCASTD(x, dst)
}

// dupZ returns a register of 512 bits filled with a 32 bit constant.
func dupZ(c uint32) reg.VecVirtual {
	m, r := ZMM(), GP32()
	MOVL(U32(c), r)
	VPBROADCASTD(r, m)
	return m
}

// dpbusd is VPDPBUSD dst += u8(code) . s8(m32 broadcast), which avo lacks.
func dpbusdBcst(m Mem, code, dst reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode: "VPDPBUSD", Suffixes: []string{"BCST"}, Operands: []Op{m, code, dst},
		Inputs: []Op{m, code, dst}, Outputs: []Op{dst}, ISA: []string{"AVX512VNNI"},
	})
}

func dpbusd(m Op, code, dst reg.VecVirtual) {
	Instruction(&ir.Instruction{
		Opcode: "VPDPBUSD", Operands: []Op{m, code, dst},
		Inputs: []Op{m, code, dst}, Outputs: []Op{dst}, ISA: []string{"AVX512VNNI"},
	})
}
