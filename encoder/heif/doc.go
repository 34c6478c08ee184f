// Package heif makes package clip, and so every encoder, read HEIC and AVIF files: the
// pictures of telephones. It is imported for that alone:
//
//	import _ "github.com/lupadb/lupa/encoder/heif"
//
// The decoders are libheif with libde265 and libavif with aom (LGPL and BSD), compiled to
// WebAssembly by gen2brain's modules heic and avif and run by wazero: no C compiler is
// needed, and damaged files can't harm the program. They add about 6 MB to it, and are
// compiled when the first picture needs them, in half a second. A picture takes
// some three times as long as with libheif itself, whose code for the processor's vectors
// WebAssembly does not have. Without the
// build tag nodynamic these modules also look for a libheif and libavif of the system when
// the program starts; those are not used. Where they can't be compiled (see decode.go) the
// package is empty, and HEIC and AVIF are refused.
package heif
