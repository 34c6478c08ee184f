package jpeg

import "github.com/lupadb/lupa/encoder/clip/internal/simd"

// block is the coefficients of a block, row by row, times the quantisation.
type block [64]int32

// put writes the samples of a block: size x size of them, of which the lowest
// frequencies are enough. last is the place in zigzag order of the last
// coefficient that is not zero.
func (k *block) put(dst []byte, stride, size, last int) {
	if last == 0 || size == 1 {
		// The same as the transforms give; at size 1 the mean of the block.
		v := sample((k[0] + 4) >> 3)
		for y := range size {
			row := dst[y*stride:][:size]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	switch size {
	case 8:
		if !simd.Inverse((*[64]int32)(k), dst, stride) {
			k.transform8(dst, stride)
		}
	case 4:
		k.transform4(dst, stride)
	default:
		k.transform2(dst, stride)
	}
}

// sample moves a value by half the range and keeps it in a byte.
func sample(v int32) byte {
	v += 128
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// Cosines of Loeffler, Ligtenberg and Moschytz's transform (ICASSP 1989), times
// 2^13, as libjpeg rounds them.
const (
	c0298 = 2446
	c0390 = 3196
	c0541 = 4433
	c0765 = 6270
	c0899 = 7373
	c1175 = 9633
	c1501 = 12299
	c1847 = 15137
	c1961 = 16069
	c2053 = 16819
	c2562 = 20995
	c3072 = 25172
)

// transform8 is the inverse transform with all 64 coefficients: columns, with
// two bits of fraction kept, then rows. The order of roundings is that of
// libjpeg's accurate transform, so that samples are the same.
func (k *block) transform8(dst []byte, stride int) {
	for x := range 8 {
		c := k[x : x+57 : x+57]
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			v := (c[0]<<13 + 1024) >> 11 // c[0]<<2, and of what no picture has, what comes out below
			c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56] = v, v, v, v, v, v, v, v
			continue
		}
		z := (c[16] + c[48]) * c0541
		t2, t3 := z-c[48]*c1847, z+c[16]*c0765
		t0, t1 := (c[0]+c[32])<<13, (c[0]-c[32])<<13
		e0, e3, e1, e2 := t0+t3+1024, t0-t3+1024, t1+t2+1024, t1-t2+1024
		z1, z2, z3, z4 := c[56]+c[8], c[40]+c[24], c[56]+c[24], c[40]+c[8]
		z5 := (z3 + z4) * c1175
		z1, z2 = -z1*c0899, -z2*c2562
		z3, z4 = z5-z3*c1961, z5-z4*c0390
		o0, o1, o2, o3 := c[56]*c0298+z1+z3, c[40]*c2053+z2+z4, c[24]*c3072+z2+z3, c[8]*c1501+z1+z4
		c[0], c[56] = (e0+o3)>>11, (e0-o3)>>11
		c[8], c[48] = (e1+o2)>>11, (e1-o2)>>11
		c[16], c[40] = (e2+o1)>>11, (e2-o1)>>11
		c[24], c[32] = (e3+o0)>>11, (e3-o0)>>11
	}
	for y := range 8 {
		r := k[8*y : 8*y+8 : 8*y+8]
		out := dst[y*stride:][:8:8]
		z := (r[2] + r[6]) * c0541
		t2, t3 := z-r[6]*c1847, z+r[2]*c0765
		// 128 is added to every sample here.
		const half = 128<<18 + 1<<17
		t0, t1 := (r[0]+r[4])<<13+half, (r[0]-r[4])<<13+half
		e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2
		z1, z2, z3, z4 := r[7]+r[1], r[5]+r[3], r[7]+r[3], r[5]+r[1]
		z5 := (z3 + z4) * c1175
		z1, z2 = -z1*c0899, -z2*c2562
		z3, z4 = z5-z3*c1961, z5-z4*c0390
		o0, o1, o2, o3 := r[7]*c0298+z1+z3, r[5]*c2053+z2+z4, r[3]*c3072+z2+z3, r[1]*c1501+z1+z4
		out[0], out[7] = level((e0+o3)>>18), level((e0-o3)>>18)
		out[1], out[6] = level((e1+o2)>>18), level((e1-o2)>>18)
		out[2], out[5] = level((e2+o1)>>18), level((e2-o1)>>18)
		out[3], out[4] = level((e3+o0)>>18), level((e3-o0)>>18)
	}
}

func level(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// transform4 makes 4 x 4 samples of the lowest frequencies: the transform of four points, whose
// cosines of pi/8 are times 2^13. The fourth frequency of each axis, and the third of both,
// are left out: see keep.
func (k *block) transform4(dst []byte, stride int) {
	const c1, c3 = 7568, 3135 // cos and sin of pi/8
	var t [12]int32           // three columns
	for x := range 3 {
		a, b, c := k[x]*5793, k[8+x], k[16+x]*5793
		if x == 2 {
			c = 0
		}
		e0, e1 := a+c, a-c
		o0, o1 := b*c1, b*c3
		t[x], t[9+x] = (e0+o0+512)>>10, (e0-o0+512)>>10
		t[3+x], t[6+x] = (e1+o1+512)>>10, (e1-o1+512)>>10
	}
	for y := range 4 {
		r := t[3*y : 3*y+3 : 3*y+3]
		out := dst[y*stride:][:4:4]
		// Three bits of fraction so far, 13 of the cosines, and a factor of 4 for the
		// lengths of both transforms: half that of four points of each axis, and a
		// half of eight to four.
		const half = 128<<18 + 1<<17
		a, c := r[0]*5793+half, r[2]*5793
		e0, e1 := a+c, a-c
		o0, o1 := r[1]*c1, r[1]*c3
		out[0], out[3] = level((e0+o0)>>18), level((e0-o0)>>18)
		out[1], out[2] = level((e1+o1)>>18), level((e1-o1)>>18)
	}
}

// transform2 makes 2 x 2 samples of the 3 lowest frequencies.
func (k *block) transform2(dst []byte, stride int) {
	// The means of halves of a block, to the coefficients next to the constant one.
	a, b, c := k[0]+4+128<<3, k[1], k[8]
	dst[0], dst[1] = level((a+b+c)>>3), level((a-b+c)>>3)
	dst[stride], dst[stride+1] = level((a+b-c)>>3), level((a-b-c)>>3)
}
