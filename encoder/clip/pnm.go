package clip

import (
	"bytes"
	"errors"
	"image"
	"math"
)

// pnm is the header of a PBM, PGM, PPM or PAM file: P1 to P7.
type pnm struct {
	kind          byte // '1' to '7'
	depth         int  // of PAM, the levels of a pixel; alpha is the last of 2 or 4
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
	if p.kind == '7' {
		return p, p.readPAM(head)
	}
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

// readPAM reads the header of PAM: lines of a name and a value.
func (p *pnm) readPAM(head []byte) error {
	for range 64 {
		line, rest, ok := bytes.Cut(head[p.at:], []byte("\n"))
		if !ok {
			return errPNM
		}
		p.at = len(head) - len(rest)
		words := bytes.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if string(words[0]) == "ENDHDR" {
			if p.depth < 1 || p.depth > 4 || p.most < 1 || p.most > 65535 {
				return errPNM
			}
			return nil
		}
		to := map[string]*int{"WIDTH": &p.width, "HEIGHT": &p.height, "DEPTH": &p.depth, "MAXVAL": &p.most}[string(words[0])]
		if to == nil { // TUPLTYPE, which the depth tells
			continue
		}
		if len(words) != 2 {
			return errPNM
		}
		n, end, ok := pnmNumber(words[1], 0)
		if !ok || end != len(words[1]) {
			return errPNM
		}
		*to = n
	}
	return errPNM
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
	stored := channels // of a pixel, with alpha
	if p.kind == '7' {
		stored, channels = p.depth, []int{1, 1, 3, 3}[p.depth-1]
	}
	row := channels * p.width
	rest := data[p.at:]
	if p.kind != '4' && len(rest) < stored*p.width*p.height { // every level takes a byte at least
		return nil, errors.New("EOF")
	}
	out := make([]byte, row*p.height)
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
	case '5', '6', '7':
		wide := 1
		if p.most > 255 {
			wide = 2
		}
		if len(rest) < wide*stored*p.width*p.height {
			return nil, errors.New("EOF")
		}
		if stored == channels && wide == 1 && p.most == 255 {
			copy(out, rest)
			break
		}
		for i := range p.width * p.height {
			for c := range channels {
				at := wide * (stored*i + c)
				v := int(rest[at])
				if wide == 2 {
					v = v<<8 | int(rest[at+1])
				}
				out[channels*i+c] = pnmLevel(v, p.most)
			}
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
