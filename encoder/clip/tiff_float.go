package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Samples that are fractions: 1 is white, as in files of ImageMagick, Photoshop and darktable.
// Programs that compute write levels up to 255, or 65535, as fractions too; they are
// recognised by most samples being above 1.

// floating reports that samples are fractions, and refuses those of a kind that is not known.
func (x *tiffPixels) floating() (bool, error) {
	formats := x.t.ints(x.dir, tiffSampleFormat)
	float := len(formats) > 0 && formats[0] == 3
	for _, f := range formats {
		switch {
		case f == 3 != float:
			return false, errors.New("unsupported: samples of different kinds")
		case f == 2:
			return false, errors.New("unsupported: samples with a sign")
		case f != 1 && f != 3 && f != 4:
			return false, fmt.Errorf("unsupported: samples of kind %d", f)
		}
	}
	return float, nil
}

// fractions appends the samples of a row of a segment to x.values; what undoes differences has
// been done. They are stored from the highest byte on where big is set.
func (x *tiffPixels) fractions(src []byte, w, samples, at, step int, big bool) {
	size := x.bits / 8
	var b [8]byte
	for i := range w * samples {
		copy(b[:], src[i*size:][:size])
		if !big && x.t.order == binary.LittleEndian {
			for j, k := 0, size-1; j < k; j, k = j+1, k-1 {
				b[j], b[k] = b[k], b[j]
			}
		}
		var v float32
		switch size {
		case 2:
			v = half(binary.BigEndian.Uint16(b[:]))
		case 3:
			v = small24(uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]))
		case 4:
			v = math.Float32frombits(binary.BigEndian.Uint32(b[:]))
		case 8:
			v = float32(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
		}
		x.values[at+i*step] = v
	}
}

// half is a number of 16 bits: 5 of the exponent.
func half(h uint16) float32 { return narrow(uint32(h>>15), uint32(h>>10&31), uint32(h&1023), 5, 10) }

// small24 is a number of 24 bits: 7 of the exponent.
func small24(v uint32) float32 { return narrow(v>>23, v>>16&127, v&0xffff, 7, 16) }

func narrow(sign, exponent, fraction uint32, ebits, fbits int) float32 {
	bias := 1<<(ebits-1) - 1
	v := math.Ldexp(float64(fraction), -fbits)
	switch exponent {
	case 0:
		v = math.Ldexp(v, 1-bias)
	case 1<<ebits - 1:
		if fraction != 0 {
			return float32(math.NaN())
		}
		v = math.Inf(1)
	default:
		v = math.Ldexp(1+v, int(exponent)-bias)
	}
	if sign != 0 {
		v = -v
	}
	return float32(v)
}

// unshuffle undoes predictor 3 in a row: differences of bytes, of which the highest of all
// samples come first, then the next ones.
func unshuffle(row, out []byte, size, samples int) {
	for i := samples; i < len(row); i++ {
		row[i] += row[i-samples]
	}
	n := len(row) / size
	for i := range n {
		for k := range size {
			out[i*size+k] = row[k*n+i]
		}
	}
}

// levels makes x.pix of x.values.
func (x *tiffPixels) levels() {
	most, above := float32(0), 0
	for i, v := range x.values {
		if i%x.samples >= x.colour { // alpha, at most 1
			continue
		}
		if v > 1 && v <= math.MaxFloat32 {
			above++
			most = max(most, v)
		}
	}
	white := float32(1)
	if above > len(x.values)/x.samples*x.colour/2 {
		switch {
		case most <= 255:
			white = 255
		case most <= 65535:
			white = 65535
		default:
			white = most
		}
	}
	x.pix = make([]byte, len(x.values))
	for i, v := range x.values {
		to := white
		if i%x.samples >= x.colour {
			to = 1
		}
		switch v /= to; {
		case v >= 1:
			x.pix[i] = 255
		case v > 0: // not of NaN
			x.pix[i] = byte(float32(v*255) + 0.5)
		}
	}
	x.values = nil
}
