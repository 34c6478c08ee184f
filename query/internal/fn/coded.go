package fn

import "github.com/lupadb/lupa/storage/value"

// coded computes the function once for each different text, where a single argument is read as such and
// the others are the same for all rows. It reports false where that can't be, or does not pay.
func (c *Call) coded(ctx *Ctx, args []Arg, n int, sel []int32, out *value.Column) (bool, error) {
	if c.Func.volatile || c.Func.nullable || c.Result.Kind == value.Vector {
		return false, nil
	}
	at := -1
	for i, a := range args {
		switch {
		case a.Const:
			if a.Null(0) {
				return false, nil
			}
		case at >= 0 || !a.coded(n, sel):
			return false, nil
		default:
			at = i
		}
	}
	if at < 0 {
		return false, nil
	}
	of := args[at]
	if c.Func.partial && (sel != nil || of.Nulls != nil) {
		return false, nil // it might fail for a text that counts in no row
	}
	values := value.Column{Type: of.Type, Strs: of.Values, Joined: of.Joined}
	own := append([]Arg(nil), args...)
	own[at] = Arg{Column: &values}
	var res value.Column
	resize(&res, c.Result, len(of.Values))
	if err := c.eval(ctx, own, len(of.Values), nil, &res); err != nil {
		return true, err
	}
	codes := of.Codes[:n]
	switch c.Result.Kind {
	case value.Boolean:
		spread(out.Bools, res.Bools, codes)
	case value.Integer, value.Timestamp, value.Date:
		spread(out.Ints, res.Ints, codes)
	case value.Real:
		spread(out.Reals, res.Reals, codes)
	case value.Text, value.JSON, value.Blob, value.Interval, value.Numeric:
		spread(out.Strs, res.Strs, codes)
	}
	if of.Nulls != nil {
		orNulls(out, of.Nulls, n)
	}
	if res.Nulls != nil {
		for i, k := range codes {
			if res.Nulls.Get(int(k)) {
				setNull(out, i, n)
			}
		}
	}
	return true, nil
}

// spread gives each row what its text has.
func spread[T any](out, of []T, codes []uint16) {
	for i, c := range codes {
		out[i] = of[c]
	}
}
