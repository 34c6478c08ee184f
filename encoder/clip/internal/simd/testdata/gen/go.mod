// The generator is a module of its own, so that programs that import Lupa
// don't depend on avo.
module github.com/lupadb/lupa/encoder/clip/internal/simd/testdata/gen

go 1.26.0

require github.com/mmcloughlin/avo v0.5.0

require (
	golang.org/x/mod v0.6.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
	golang.org/x/tools v0.2.0 // indirect
)
