package simd

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The assembly does without what came with AVX-512: masks, registers of 64 bytes, and those
// above 15, for which the assembler takes an encoding that a processor without it refuses.
func TestAVX2Registers(t *testing.T) {
	asm, err := os.ReadFile("simd_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if r := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`).FindString(string(asm)); r != "" {
		t.Errorf("it uses %s", r)
	}
	if n := strings.Count(string(asm), "VZEROUPPER"); n != strings.Count(string(asm), "TEXT ") || n < 6 {
		t.Errorf("%d of %d functions end with VZEROUPPER", n, strings.Count(string(asm), "TEXT "))
	}
}
