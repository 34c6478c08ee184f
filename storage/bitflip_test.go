package storage_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/lupadb/lupa/storage"
)

// The place of a flipped bit follows from the difference of two checksums.
func TestFlippedBit(t *testing.T) {
	table := crc32.MakeTable(crc32.Castagnoli)
	r := rand.New(rand.NewPCG(1, 12))
	for range 500 {
		b := make([]byte, 1+r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		was := crc32.Checksum(b, table)
		at, bit := r.IntN(len(b)), r.IntN(8)
		b[at] ^= 1 << bit
		gotAt, gotBit, ok := storage.FlippedBit(was^crc32.Checksum(b, table), int64(len(b)))
		if !ok || gotAt != int64(at) || gotBit != bit {
			t.Fatalf("bit %d of byte %d of %d: found bit %d of byte %d, %v", bit, at, len(b), gotBit, gotAt, ok)
		}
		b[r.IntN(len(b))] ^= 0x5a // more than one
		if at, bit, ok := storage.FlippedBit(was^crc32.Checksum(b, table), int64(len(b))); ok {
			t.Fatalf("bit %d of byte %d, where more were flipped", bit, at)
		}
	}
	if _, _, ok := storage.FlippedBit(0, 100); ok {
		t.Error("a bit was flipped where nothing differs")
	}
}

// CHECK names the bit that was flipped in a table file, wherever it is, and puts no blame on
// a bit when more is wrong.
func TestCheckNamesTheBit(t *testing.T) {
	mem := vfs.NewMem()
	s := newPhotos(t, "db", &storage.Options{FS: mem}, 5000, 16)
	check(t, s.Close())
	r := rand.New(rand.NewPCG(2, 12))
	names, err := mem.List("db")
	check(t, err)
	named := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		info, err := mem.Stat("db/" + name)
		check(t, err)
		// In front of what is read when the store is opened.
		span := info.Size() - 4096
		for i := 0; i < 12 && span > 0; i++ {
			fs := copyOf(t, mem)
			at, bits := r.Int64N(span), byte(1)<<r.IntN(8)
			if i%4 == 3 {
				bits ^= 1 << r.IntN(8)
			}
			f, err := fs.OpenReadWrite("db/"+name, vfs.WriteCategoryUnspecified)
			check(t, err)
			var b [1]byte
			_, err = f.ReadAt(b[:], at)
			check(t, err)
			was := b[0]
			b[0] ^= bits
			_, err = f.WriteAt(b[:], at)
			check(t, err)
			check(t, f.Close())
			s := must[*storage.Store](t)(storage.Open("db", &storage.Options{FS: fs, ReadOnly: true}))
			var found []string
			check(t, s.Check(ctx, func(p storage.Problem) { found = append(found, p.String()) }))
			check(t, s.Close())
			said := fmt.Sprintf("byte %d was %#02x and is %#02x", at, was, b[0])
			all := strings.Join(found, "\n")
			switch one := bits&(bits-1) == 0; {
			case bits == 0:
			case one && !strings.Contains(all, said):
				t.Errorf("want %q of %s among\n%s", said, name, all)
			case !one && strings.Contains(all, "one bit was flipped"):
				t.Errorf("two bits were flipped in %s, and it says\n%s", name, all)
			case one:
				named++
			}
		}
	}
	if named == 0 {
		t.Error("no bit was named")
	}
}
