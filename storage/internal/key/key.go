package key

import "encoding/binary"

// Families of keys within a table.
const (
	Columns    = 'c'
	Pages      = 'v'
	Codes      = 'q'
	Tombstones = 'x'
	Tail       = 'r'
	Primary    = 'k'
	Index      = 'i'
	Meta       = 'm'
	Counters   = 'n'
	Stats      = 's'
	Asked      = 'a'
	Background = 'b'
)

// OfColumn are the families whose keys go on with a column's id: all that is kept of a column, but
// for its indexes.
var OfColumn = []byte{Columns, Pages, Codes, Meta, Stats, Asked, Background}

// Keys of the store itself.
var (
	Format     = []byte{0, 0, 0, 0, 'f'}
	Generation = []byte{0, 0, 0, 0, 'g'}
	Commits    = []byte{0, 0, 0, 0, 'c'}
)

// Schemas is the prefix of all tables' schemas.
func Schemas() []byte { return []byte{0, 0, 0, 0, 't'} }

// Schema is the key of a table's schema.
func Schema(name string) []byte { return append(Schemas(), name...) }

// Prompts is the prefix of the vectors of texts.
func Prompts() []byte { return []byte{0, 0, 0, 0, 'p'} }

// Watches is the prefix of what all watches have to tell.
func Watches() []byte { return []byte{0, 0, 0, 0, 'w'} }

// Watch appends the prefix of what a watch has to tell.
func Watch(dst []byte, watch uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0, 'w'), watch)
}

// Note appends the key of what a watch has to tell of a row of a commit.
func Note(dst []byte, watch uint32, commit, row uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(Watch(dst, watch), commit), row)
}

// Table appends the prefix of all keys of a table.
func Table(dst []byte, table uint32) []byte { return binary.BigEndian.AppendUint32(dst, table) }

// Family appends the prefix of one family of a table's keys.
func Family(dst []byte, table uint32, family byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, table), family)
}

// Of appends the prefix of a family's keys for one column or index.
func Of(dst []byte, table uint32, family byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32(Family(dst, table, family), id)
}

// Numbered appends the key of a column's block or page.
func Numbered(dst []byte, table uint32, family byte, id, n uint32) []byte {
	return binary.BigEndian.AppendUint32(Of(dst, table, family, id), n)
}

// Plane appends the prefix of one plane of a column's codes.
func Plane(dst []byte, table, column uint32, plane byte) []byte {
	return append(Of(dst, table, Codes, column), plane)
}

// Code appends the key of one plane of a block's codes.
func Code(dst []byte, table, column uint32, plane byte, block uint32) []byte {
	return binary.BigEndian.AppendUint32(Plane(dst, table, column, plane), block)
}

// Tombstone appends the key of a block's tombstones.
func Tombstone(dst []byte, table, block uint32) []byte {
	return binary.BigEndian.AppendUint32(Family(dst, table, Tombstones), block)
}

// Row appends the key of a tail row.
func Row(dst []byte, table uint32, row uint64) []byte {
	return binary.BigEndian.AppendUint64(Family(dst, table, Tail), row)
}

// Number returns the block, page or column number that ends a key.
func Number(k []byte) uint32 {
	if len(k) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(k[len(k)-4:])
}

// RowNumber returns the row number that ends a tail row's or an index's key.
func RowNumber(k []byte) uint64 {
	if len(k) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k[len(k)-8:])
}

// Split takes the key of a column's block, or of a block's tombstones, apart; ok is false for
// any other. Tombstones are of no column.
func Split(k []byte) (table uint32, family byte, column, block uint32, ok bool) {
	if len(k) < 9 {
		return
	}
	table, family = binary.BigEndian.Uint32(k), k[4]
	switch {
	case family == Columns && len(k) == 13:
		return table, family, binary.BigEndian.Uint32(k[5:]), binary.BigEndian.Uint32(k[9:]), true
	case family == Tombstones && len(k) == 9:
		return table, family, 0, binary.BigEndian.Uint32(k[5:]), true
	}
	return
}

// AppendEnd appends what End returns.
func AppendEnd(dst, prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			dst = append(dst, prefix[:i+1]...)
			dst[len(dst)-1]++
			return dst
		}
	}
	return dst
}

// End returns the smallest key greater than all that start with prefix, nil
// when there is none. The result is a new slice.
func End(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			e := append([]byte(nil), prefix[:i+1]...)
			e[i]++
			return e
		}
	}
	return nil
}
