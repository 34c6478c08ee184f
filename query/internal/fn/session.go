package fn

import "github.com/lupadb/lupa/storage/value"

// constantKernel gives the same text in every row.
func constantKernel(s string) func(*Ctx, []Arg, int, []int32, *value.Column) error {
	return func(_ *Ctx, _ []Arg, n int, sel []int32, out *value.Column) error {
		each(n, sel, func(i int) { out.Strs[i] = s })
		return nil
	}
}
