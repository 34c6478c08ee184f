package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// readNpy reads a C-order matrix of float16, float32 or float64, batch rows at a time.
func readNpy(path string, batch int, f func(rows []float32, dim int) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<20)
	head := make([]byte, 10)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	header := make([]byte, binary.LittleEndian.Uint16(head[8:]))
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	h := string(header)
	shape := strings.Split(h[strings.Index(h, "(")+1:strings.Index(h, ")")], ",")
	n, err := strconv.Atoi(strings.TrimSpace(shape[0]))
	if err != nil {
		return err
	}
	dim, err := strconv.Atoi(strings.TrimSpace(shape[1]))
	if err != nil {
		return err
	}
	size := map[bool]int{strings.Contains(h, "<f2"): 2, strings.Contains(h, "<f4"): 4, strings.Contains(h, "<f8"): 8}[true]
	if size == 0 || strings.Contains(h, "'fortran_order': True") {
		return fmt.Errorf("%s: %s", path, h)
	}
	raw := make([]byte, batch*dim*size)
	out := make([]float32, batch*dim)
	for n > 0 {
		m := min(n, batch)
		if _, err := io.ReadFull(r, raw[:m*dim*size]); err != nil {
			return err
		}
		for i := range out[:m*dim] {
			switch size {
			case 2:
				out[i] = half(binary.LittleEndian.Uint16(raw[2*i:]))
			case 4:
				out[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
			case 8:
				out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
			}
		}
		if err := f(out[:m*dim], dim); err != nil {
			return err
		}
		n -= m
	}
	return nil
}

func readAll(path string) (rows [][]float32, err error) {
	err = readNpy(path, 256, func(b []float32, dim int) error {
		for i := range len(b) / dim {
			rows = append(rows, append([]float32{}, b[i*dim:(i+1)*dim]...))
		}
		return nil
	})
	return rows, err
}

// half widens a float16.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		f := float32(frac) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// toHalf rounds to the nearest float16; |f| < 60000.
func toHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	a := math.Float32frombits(b &^ (1 << 31))
	if a < 0x1p-14 {
		return sign | uint16(math.RoundToEven(float64(a)*0x1p24))
	}
	u := math.Float32bits(a)
	u += 0xfff + u>>13&1
	return sign | uint16(u>>13-112<<10)
}

func npyHeader(n, dim int) []byte {
	h := fmt.Sprintf("{'descr': '<f2', 'fortran_order': False, 'shape': (%d, %d), }", n, dim)
	h += strings.Repeat(" ", 63-(len(h)+10)%64) + "\n"
	return append(binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(h))), h...)
}
