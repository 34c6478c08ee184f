// Command cycles prints, for the inner loop of every kernel, how many instructions it has on
// arm64 and on amd64, and how many cycles LLVM's models of some arm64 processors give it:
// what can be said about their speed without having one. It needs llvm-objdump and llvm-mca,
// of LLVM 17 or later (earlier ones take the Neoverses for a Cortex-A57).
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var suffix = flag.String("llvm", "-19", "suffix of LLVM's programs: -19 for llvm-mca-19")

var processors = []string{"apple-m1", "neoverse-n1", "neoverse-v1", "cortex-a72"}

// kernel is an inner loop: the loop-th of a function. A turn does per units on arm64, and as
// many times per as over says on amd64.
type kernel struct {
	what  string
	arm   string
	amd   string
	loop  int
	per   float64
	over  float64 // turns on amd64 for one on arm64
	unit  string
	scale float64 // units that the table gives
}

var kernels = []kernel{
	{"plane 1, one digit, crumbs", "planDOT", "planVNNI", 0, 128, 1, "64 bytes", 64},
	{"plane 1, one digit, nibbles", "planDOT", "planVNNI", 1, 128, 1, "64 bytes", 64},
	{"plane 1, two digits, crumbs", "scanDOT", "scanVNNI", 0, 64, 1, "64 bytes", 64},
	{"plane 1, two digits, nibbles", "scanDOT", "scanVNNI", 1, 64, 1, "64 bytes", 64},
	{"plane 1, crumbs", "scanNEON", "scanAVX2", 0, 32, .5, "64 bytes", 64},
	{"plane 1, nibbles", "scanNEON", "scanAVX2", 1, 32, .5, "64 bytes", 64},
	{"plane 2, rows", "rowsDOT", "rowsVNNI", 0, 32, 1, "64 bytes", 64},
	{"plane 2, rows", "rowsNEON", "rowsAVX2", 0, 32, 1, "64 bytes", 64},
	{"bounds", "boundsNEON", "boundsAVX2", 0, 16, 2, "16 rows", 16},
	{"transform", "multiplyNEON", "multiplyAVX2", 0, 96, 1, "96 products", 96},
	{"coding a slot", "quantizeNEON", "quantizeAVX2", 0, 16, 1, "16 rows", 16},
	{"sums of squares", "sumSquaresNEON", "sumSquaresAVX2", 0, 16, 1, "16 numbers", 16},
	{"scaling", "scaleRowsNEON", "scaleRowsAVX2", 0, 16, 1, "16 numbers", 16},
	{"inner product", "dotNEON", "dotAVX2", 0, 16, 1, "16 numbers", 16},
	{"inner product, rounded", "dotWideNEON", "dotWideAVX2", 0, 16, 1, "16 numbers", 16},
	{"cosine", "dotNormNEON", "dotNormAVX2", 0, 16, 1, "16 numbers", 16},
	{"L2", "l2NEON", "l2AVX2", 0, 16, 1, "16 numbers", 16},
	{"L1", "l1NEON", "l1AVX2", 0, 16, 1, "16 numbers", 16},
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "lupa-cycles-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binaries := map[string]string{}
	for _, arch := range []string{"arm64", "amd64"} {
		binaries[arch] = filepath.Join(dir, arch)
		cmd := exec.Command("go", "test", "-c", "-o", binaries[arch], "./storage/internal/simd")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	fmt.Printf("| kernel | | amd64, its instructions | arm64 | %s |\n|---|---|---|---|%s\n", strings.Join(processors, " | "), strings.Repeat("---|", len(processors)))
	for _, k := range kernels {
		arm, err := innerLoop(binaries["arm64"], k.arm, k.loop)
		if err != nil {
			return err
		}
		amd, err := innerLoop(binaries["amd64"], k.amd, k.loop)
		if err != nil {
			return err
		}
		times := k.scale / k.per
		fmt.Printf("| %s, %s | %s | %.4g (%s) | %.4g |", k.what, k.arm, k.unit, float64(len(amd))*k.over*times, k.amd, float64(len(arm))*times)
		for _, p := range processors {
			if strings.HasSuffix(k.arm, "DOT") && p == "cortex-a72" {
				fmt.Print(" - |") // it has no SDOT
				continue
			}
			cycles, err := model(arm, p)
			if err != nil {
				return err
			}
			fmt.Printf(" %.1f |", cycles*times)
		}
		fmt.Println()
	}
	return nil
}

var (
	line   = regexp.MustCompile(`^\s*([0-9a-f]+):\s+(?:(?:[0-9a-f]{2} )+|[0-9a-f]{8})\s+(.*)$`)
	branch = regexp.MustCompile(`^(?:cbnz?|cbz|tbnz|tbz|b\.?\w*|j\w+)\s.*?(0x[0-9a-f]+)`)
)

// innerLoop returns the instructions of the n-th loop of a function that has none inside.
func innerLoop(binary, function string, n int) ([]string, error) {
	out, err := exec.Command("llvm-objdump"+*suffix, "-d", "--mattr=+dotprod,+avx512vnni", "--disassemble-symbols=github.com/lupadb/lupa/storage/internal/simd."+function+".abi0", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("llvm-objdump%s: %w", *suffix, err)
	}
	var at []uint64
	var text []string
	last := -1 // the end of the loop before
	for l := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimRight(l, "\n"))
		if m == nil {
			continue
		}
		address, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			return nil, err
		}
		at, text = append(at, address), append(text, strings.Split(m[2], " <")[0])
		b := branch.FindStringSubmatch(text[len(text)-1])
		if b == nil {
			continue
		}
		target, err := strconv.ParseUint(b[1], 0, 64)
		if err != nil {
			return nil, err
		}
		if target >= address {
			continue
		}
		from := len(at) - 1
		for from > 0 && at[from] > target {
			from--
		}
		if from > last {
			if n--; n < 0 {
				return text[from:], nil
			}
		}
		last = len(at) - 1
	}
	return nil, errors.New("no such loop in " + function)
}

// model returns the cycles of a turn of a loop that is not waiting for memory.
func model(loop []string, processor string) (float64, error) {
	const turns = 200
	cmd := exec.Command("llvm-mca"+*suffix, "-mtriple=aarch64", "-mcpu="+processor, "-mattr=+dotprod", fmt.Sprint("-iterations=", turns))
	end := regexp.MustCompile(`0x[0-9a-f]+$`).ReplaceAllString(loop[len(loop)-1], "#0") // an address that llvm-mca can take
	cmd.Stdin = strings.NewReader(strings.Join(loop[:len(loop)-1], "\n") + "\n" + end)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("llvm-mca%s: %w\n%s", *suffix, err, complaints.String())
	}
	m := regexp.MustCompile(`Total Cycles:\s+(\d+)`).FindSubmatch(out)
	if m == nil {
		return 0, errors.New("llvm-mca has not said how many cycles")
	}
	total, err := strconv.ParseFloat(string(m[1]), 64)
	return total / turns, err
}
