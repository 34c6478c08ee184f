//go:build !noparquet

package source

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// lz4Raw decompresses LZ4_RAW pages into the buffer that it is given, which has their
// size. The library's own codec (parquet-go 0.32.0) allocates another one when the
// buffer is shorter than three times the compressed page, and its reader then goes on
// with the one that nothing was written to: pages come back as zeros, or as what an
// earlier page has left (issue 608 there).
type lz4Raw struct{ compress.Codec }

func (c lz4Raw) Decode(dst, src []byte) ([]byte, error) {
	if len(dst) == 0 {
		return nil, errors.New("the size of an LZ4_RAW page is not known")
	}
	n, err := lz4.UncompressBlock(src, dst)
	if err == nil && n != len(dst) {
		err = fmt.Errorf("an LZ4_RAW page has %d bytes of %d", n, len(dst))
	}
	return dst[:n], err
}

// mendLZ4 gives the columns of a file that are compressed by LZ4_RAW a codec that works.
// The field is not exported, so it is set by its name; an error says that the library
// has changed and must be looked at again.
func mendLZ4(c *parquet.Column) error {
	for _, k := range c.Columns() {
		if err := mendLZ4(k); err != nil {
			return err
		}
	}
	codec := c.Compression()
	if codec == nil || codec.CompressionCodec() != format.Lz4Raw {
		return nil
	}
	f := reflect.ValueOf(c).Elem().FieldByName("compression")
	if !f.IsValid() || f.Type() != reflect.TypeFor[compress.Codec]() {
		return errors.New("pages compressed by LZ4_RAW can't be read; write the file with ZSTD or SNAPPY")
	}
	*(*compress.Codec)(unsafe.Pointer(f.UnsafeAddr())) = lz4Raw{codec}
	return nil
}
