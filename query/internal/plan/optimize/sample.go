package optimize

import (
	"slices"
	"unsafe"

	"github.com/lupadb/lupa/query/internal/fn"
	"github.com/lupadb/lupa/query/internal/plan/compile"
	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/value"
)

// sampledFrom is the number of rows from which on a table has a sample: of small ones statistics tell
// enough.
const sampledFrom = 500

// sampledKept splits conditions on the rows of a node into those that were tried on samples of the
// tables that they are about, and the others. part is what the former keep.
func (f *Facts) sampledKept(n logical.Node, conds []*logical.Expr) (part float64, rest []*logical.Expr) {
	part = 1
	var scans []*logical.Scan
	tried := map[*logical.Scan][]*logical.Expr{}
	for _, c := range conds {
		scan := f.sampleFor(n, c)
		if scan == nil {
			rest = append(rest, c)
			continue
		}
		if tried[scan] == nil {
			scans = append(scans, scan)
		}
		tried[scan] = append(tried[scan], c)
	}
	for _, scan := range scans {
		p, ok := f.tried(scan, tried[scan])
		if !ok {
			rest = append(rest, tried[scan]...)
			continue
		}
		part = float64(part * p)
	}
	return part, rest
}

// sampleFor is the scan that all columns of a condition are of, where its table has a sample; else nil.
func (f *Facts) sampleFor(n logical.Node, e *logical.Expr) (scan *logical.Scan) {
	for c := range logical.ColumnsOf(e) {
		s := logical.ScanFor(n, c)
		if s == nil || scan != nil && s != scan {
			return nil
		}
		scan = s
	}
	if scan == nil || scan.Table.Rows() < sampledFrom || e.Unstable() {
		return nil
	}
	return scan
}

// tried estimates which part of the rows of a table conditions keep by trying them on a sample of it.
func (f *Facts) tried(scan *logical.Scan, conds []*logical.Expr) (part float64, ok bool) {
	key := triedOn{scan.Table, string(unsafe.Slice((*byte)(unsafe.Pointer(&conds[0])), len(conds)*int(unsafe.Sizeof(conds[0]))))}
	if p, known := f.known.tried[key]; known {
		return p, p >= 0
	}
	part = f.try(scan, conds)
	if f.known.tried == nil {
		f.known.tried = map[triedOn]float64{}
	}
	f.known.tried[key], f.known.conds = part, append(f.known.conds, conds)
	return part, part >= 0
}

// triedOn are conditions on a table, by where they are in memory.
type triedOn struct {
	table *storage.Table
	conds string
}

// try is tried, -1 where it can't be told.
func (f *Facts) try(scan *logical.Scan, conds []*logical.Expr) float64 {
	known := make([]*logical.Expr, len(conds))
	for i, c := range conds {
		var ok bool
		if known[i], ok = f.fixed(c); !ok {
			return -1
		}
	}
	set := logical.ColumnsOf(known...)
	var ords []int
	lay := compile.NewLayout(nil)
	for c := range set {
		ords = append(ords, c.Ord)
		lay.At[c] = c.Ord
	}
	slices.Sort(ords)
	rows, err := scan.Table.Sample(f.Ctx, ords)
	if err != nil || rows.Len == 0 || slices.ContainsFunc(ords, func(i int) bool { return rows.Cols[i] == nil }) {
		return -1
	}
	ctx := &fn.Ctx{Context: f.Ctx}
	sel := value.Positions(rows.Len)
	for _, c := range known {
		x, err := compile.CompileExpr(lay, c, nil)
		if err != nil {
			return -1
		}
		if sel, err = fn.Select(ctx, x, rows, sel, nil); err != nil {
			return -1
		}
		if len(sel) == 0 {
			break
		}
	}
	part := float64(len(sel)) / float64(rows.Len)
	if len(sel) > fewTried {
		return part
	}
	// Of what few rows or none tell, statistics know more, as far as that is likely.
	by := f.keptByStats(scan, conds)
	if len(sel) == 0 {
		return min(by, noneTried/float64(rows.Len))
	}
	return min(max(by, part/fewTried), part*fewTried)
}

const (
	fewTried  = 3    // rows of a sample tell nothing certain
	noneTried = 0.08 // rows are meant where none is found, as far from none as from one
)

// fixed returns a condition with the values that are known for what is fixed in it; ok is false where
// it is more than values and functions of them.
func (f *Facts) fixed(e *logical.Expr) (_ *logical.Expr, ok bool) {
	ok = true
	out := e.Rewrite(func(x *logical.Expr) *logical.Expr {
		switch x.Op {
		case logical.OpConst, logical.OpColumn:
			return x
		case logical.OpSlot:
			c, known, err := f.Peek(x)
			ok = ok && known && err == nil && logical.IsConst(c)
			return c
		case logical.OpIn:
			ok = ok && x.Set != nil && x.Slot == nil
		case logical.OpCall:
			ok = ok && !x.Costly()
		case logical.OpAnd, logical.OpOr, logical.OpCase, logical.OpCoalesce, logical.OpCast:
		default:
			ok = false
		}
		if !ok {
			return x
		}
		return nil
	})
	return out, ok
}
