package storage

import (
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A checksum tells more than that something is wrong: two byte strings of the same length
// that differ in one bit have checksums whose difference depends on the place of that bit
// alone. So the place is found without trying: CHECK says what would mend a file.

// flipMost is the size of files up to which the place of a bit follows from the difference:
// CRC-32C repeats itself after 2^31 - 1 bits.
const flipMost = 1<<28 - 1

// flippedBit returns the bit that two strings of size bytes differ in, if it is one, by the
// difference of their CRC-32C (the exclusive or): the byte, and the bit from the lowest on.
func flippedBit(difference uint32, size int64) (at int64, bit int, ok bool) {
	if difference == 0 || size > flipMost {
		return 0, 0, false
	}
	// That of the last bit is the polynomial; each bit before it is one step further.
	d := uint32(crc32.Castagnoli)
	for at = size - 1; at >= 0; at-- {
		for bit = 7; bit >= 0; bit-- {
			if d == difference {
				return at, bit, true
			}
			low := d & 1
			d = d>>1 ^ crc32.Castagnoli*low
		}
	}
	return 0, 0, false
}

// whatMends returns what would mend a table file that has the size it was written with, and
// another checksum: "" unless it is a single bit.
func (e fileEntry) whatMends(fs vfs.FS, dir, name string) string {
	if e.kind != kindWhole || !strings.HasSuffix(name, ".sst") || e.size > flipMost {
		return ""
	}
	fs = plainFS(fs)
	b, err := readAll(fs, fs.PathJoin(dir, name))
	if err != nil || int64(len(b)) != e.size {
		return ""
	}
	at, bit, ok := flippedBit(crc32.Checksum(b, crcTable)^e.sum, e.size)
	if !ok {
		return ""
	}
	// Damage of another kind looks like one bit now and then; then the blocks of the file
	// don't have their checksums.
	b[at] ^= 1 << bit
	t := readTable(b)
	defer t.close()
	if !t.sound || t.lost > 0 {
		return ""
	}
	return fmt.Sprintf("; one bit was flipped: byte %d was %#02x and is %#02x", at, b[at], b[at]^1<<bit)
}
