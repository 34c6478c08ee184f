package clip

import (
	"errors"
	"image"
	"math"
)

// pnm is the header of a PBM, PGM or PPM file: P1 to P6.
type pnm struct {
	kind          byte // '1' to '6'
	width, height int
	most          int // the level that is white
	at            int // where the pixels begin
}

var errPNM = errors.New("the header makes no sense")

// readPNM reads the header, of which head has the beginning.
func readPNM(head []byte) (p pnm, err error) {
	if len(head) < 3 || head[0] != 'P' {
		return p, errPNM
	}
	p.kind, p.at, p.most = head[1], 2, 1
	for _, to := range []*int{&p.width, &p.height, &p.most} {
		if to == &p.most && (p.kind == '1' || p.kind == '4') {
			break
		}
		n, at, ok := pnmNumber(head, p.at)
		if !ok {
			return p, errPNM
		}
		*to, p.at = n, at
	}
	if p.kind > '3' || p.most > 1 {
		p.at++ // one space
	}
	if p.most < 1 || p.most > 65535 || p.at > len(head) {
		return p, errPNM
	}
	return p, nil
}

// pnmNumber reads a number after spaces and comments.
func pnmNumber(b []byte, at int) (n, end int, ok bool) {
	for at < len(b) && (b[at] <= ' ' || b[at] == '#') {
		if b[at] == '#' {
			for at < len(b) && b[at] != '\n' {
				at++
			}
			continue
		}
		at++
	}
	start := at
	for at < len(b) && b[at] >= '0' && b[at] <= '9' && at-start < 9 {
		n = 10*n + int(b[at]-'0')
		at++
	}
	return n, at, at > start
}

// decodePNM makes levels of 0 to 255 of those of the file, rounded as Pillow does it.
func decodePNM(data []byte) (*Picture, error) {
	p, err := readPNM(data)
	if err != nil {
		return nil, err
	}
	channels := 1
	if p.kind == '3' || p.kind == '6' {
		channels = 3
	}
	row := channels * p.width
	out := make([]byte, row*p.height)
	rest := data[p.at:]
	switch p.kind {
	case '4': // eight pixels a byte, 1 is black
		stride := (p.width + 7) / 8
		if len(rest) < stride*p.height {
			return nil, errors.New("EOF")
		}
		for y := range p.height {
			for x := range p.width {
				if rest[y*stride+x/8]>>(7-x%8)&1 == 0 {
					out[y*row+x] = 255
				}
			}
		}
	case '5', '6':
		wide := 1
		if p.most > 255 {
			wide = 2
		}
		if len(rest) < wide*len(out) {
			return nil, errors.New("EOF")
		}
		for i := range out {
			v := int(rest[wide*i])
			if wide == 2 {
				v = v<<8 | int(rest[2*i+1])
			}
			out[i] = pnmLevel(v, p.most)
		}
	default: // written as text
		at := 0
		for i := range out {
			if p.kind == '1' { // digits need no space between them
				for at < len(rest) && rest[at] != '0' && rest[at] != '1' {
					at++
				}
				if at == len(rest) {
					return nil, errors.New("EOF")
				}
				out[i] = 255 * ('1' - rest[at])
				at++
				continue
			}
			v, end, ok := pnmNumber(rest, at)
			if !ok {
				return nil, errors.New("EOF")
			}
			out[i], at = pnmLevel(v, p.most), end
		}
	}
	if channels == 3 {
		return fromRGB(p.width, p.height, out), nil
	}
	return FromImage(&image.Gray{Pix: out, Stride: p.width, Rect: image.Rect(0, 0, p.width, p.height)}), nil
}

func pnmLevel(v, most int) byte {
	v = min(v, most)
	if most == 255 {
		return byte(v)
	}
	return byte(math.RoundToEven(float64(float64(v)/float64(most)) * 255))
}
