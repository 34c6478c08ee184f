// Package wire reads the fields of protobuf messages: of ONNX graphs and of SentencePiece's
// models, of which a few fields each are needed.
package wire

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged is what bytes give that are no message.
var ErrDamaged = errors.New("malformed protocol buffer")

// Each calls f for the fields of a message in memory, in their order. n is the value of a
// number; b holds the bytes of what has a length, and is nil otherwise. b is part of m.
func Each(m []byte, f func(field int, n uint64, b []byte) error) error {
	for len(m) > 0 {
		tag, k := binary.Uvarint(m)
		if k <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return ErrDamaged
		}
		m = m[k:]
		var n uint64
		var b []byte
		switch tag & 7 {
		case 0:
			if n, k = binary.Uvarint(m); k <= 0 {
				return ErrDamaged
			}
			m = m[k:]
		case 1:
			if len(m) < 8 {
				return ErrDamaged
			}
			n, m = binary.LittleEndian.Uint64(m), m[8:]
		case 5:
			if len(m) < 4 {
				return ErrDamaged
			}
			n, m = uint64(binary.LittleEndian.Uint32(m)), m[4:]
		case 2:
			if n, k = binary.Uvarint(m); k <= 0 || n > uint64(len(m)-k) {
				return ErrDamaged
			}
			b = m[k : k+int(n)]
			m = m[k+int(n):]
		default:
			return ErrDamaged
		}
		if err := f(int(tag>>3), n, b); err != nil {
			return err
		}
	}
	return nil
}
