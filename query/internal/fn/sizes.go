package fn

import (
	"math/big"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// sizeUnits are the units of pg_size_pretty, with what a size may be at most to be given in one:
// below 10 kB in bytes, below 20 MB in kB and so on, so that there are two digits or more.
var sizeUnits = []struct {
	name string
	most int64
	bits uint // to shift by to the next unit, of which halves are kept
}{{"bytes", 10 * 1024, 9}, {"kB", 20*1024 - 1, 10}, {"MB", 20*1024 - 1, 10}, {"GB", 20*1024 - 1, 10}, {"TB", 20*1024 - 1, 10}, {"PB", 0, 0}}

// prettySize is pg_size_pretty of a number of bytes, as PostgreSQL has it: halves are rounded away from 0,
// what is below a half has been cut off before.
func prettySize(args []value.Value) (value.Value, error) {
	text := args[0].String()
	whole, _, _ := strings.Cut(text, ".")
	size, ok := new(big.Int).SetString(whole, 10)
	if !ok {
		return value.Value{}, nil
	}
	for i, u := range sizeUnits {
		if u.bits > 0 && size.CmpAbs(big.NewInt(u.most)) >= 0 {
			size.Quo(size, new(big.Int).Lsh(big.NewInt(1), u.bits))
			continue
		}
		if i > 0 {
			size.Add(size, big.NewInt(int64(size.Sign())))
			text = size.Quo(size, big.NewInt(2)).String()
		}
		return value.Str(text + " " + u.name), nil
	}
	return value.Value{}, nil
}
