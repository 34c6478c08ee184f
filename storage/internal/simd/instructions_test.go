package simd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The encodings of neon_arm64.h are the instructions that its comments name.
func TestInstructions(t *testing.T) {
	header, err := os.ReadFile("neon_arm64.h")
	if err != nil {
		t.Fatal(err)
	}
	define := regexp.MustCompile(`(?m)^#define (\w+)\((.*)\) WORD \$(\(.*\)) // (.*)$`)
	macros := define.FindAllStringSubmatch(string(header), -1)
	if n := strings.Count(string(header), "#define"); n != len(macros) || n < 20 {
		t.Fatalf("%d definitions, of which %d are understood", n, len(macros))
	}
	var words []string
	var want []string
	for _, m := range macros {
		for try := range 4 {
			expression, text := m[3], m[4]
			for k, name := range strings.Split(m[2], ", ") {
				value := []int{0, 31, 9, 22}[(try+k)%4]
				if name == "i" {
					value = []int{1, 3, 2, 3}[try]
				}
				expression = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(expression, fmt.Sprint(value))
				text = strings.ReplaceAll(text, "{"+name+"}", fmt.Sprint(value))
			}
			v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expression)
			if err != nil {
				t.Fatalf("%s: %v", m[1], err)
			}
			word, _ := constant.Uint64Val(v.Value)
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], uint32(word))
			words = append(words, fmt.Sprintf("0x%x 0x%x 0x%x 0x%x", b[0], b[1], b[2], b[3]))
			want = append(want, text)
		}
	}
	llvm := slices.IndexFunc([]string{"llvm-mc", "llvm-mc-14"}, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if llvm < 0 {
		t.Skip("needs llvm-mc (Debian: apt-get install llvm)")
	}
	cmd := exec.Command([]string{"llvm-mc", "llvm-mc-14"}[llvm], "--disassemble", "--triple=aarch64", "--mattr=+dotprod,+i8mm")
	cmd.Stdin = strings.NewReader(strings.Join(words, "\n"))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 {
			got = append(got, strings.Join(f, " "))
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions, want %d:\n%s", len(got), len(want), out)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s is %q, want %q", words[i], got[i], want[i])
		}
	}
}

// Kernels for AVX2 do without what came with AVX-512: masks, registers of 64 bytes, and those
// above 15, for which the assembler takes an encoding that a processor without it refuses. Where
// tests run there mostly is AVX-512.
func TestAVX2Registers(t *testing.T) {
	asm, err := os.ReadFile("simd_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	later := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`)
	kernels := 0
	for _, f := range strings.Split(string(asm), "\nTEXT ·")[1:] {
		name, body, _ := strings.Cut(f, "(SB)")
		if !strings.HasSuffix(name, "AVX2") {
			continue
		}
		kernels++
		if r := later.FindString(body); r != "" {
			t.Errorf("%s uses %s", name, r)
		}
	}
	if kernels < 10 {
		t.Errorf("only %d kernels are looked at", kernels)
	}
}
