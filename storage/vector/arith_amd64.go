package vector

import "github.com/viterin/vek/vek32"

// vek has assembly for amd64 only, and what it depends on does not build on riscv64.

func add(dst, a, b []float32)                { vek32.Add_Into(dst, a, b) }
func sub(dst, a, b []float32)                { vek32.Sub_Into(dst, a, b) }
func addTo(sum, x []float32)                 { vek32.Add_Inplace(sum, x) }
func scale(dst, x []float32, factor float32) { vek32.MulNumber_Into(dst, x, factor) }
