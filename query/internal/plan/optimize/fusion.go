package optimize

import (
	"slices"

	"github.com/lupadb/lupa/query/internal/plan/logical"
	"github.com/lupadb/lupa/storage/value"
	"github.com/lupadb/lupa/storage/vector"
)

// fusion finds, below a Sort with a limit by several scores, the rows that can get in by
// bounds of them. The Sort computes the scores for those.
func fusion(f *Facts, n logical.Node) (logical.Node, error) {
	s, ok := n.(*logical.Sort)
	if ok {
		firstOfMMR(s)
	}
	if !ok || s.Count < 0 || s.Count+s.Offset > fusionMost || s.Count+s.Offset == 0 || len(s.On) > 0 || len(s.Keys) == 0 || s.Keys[0].Order.NullsFirst {
		return n, nil
	}
	in := s.In
	ranks, _ := in.(*logical.Ranks)
	if ranks != nil {
		in = ranks.In
	}
	mmr := ranks.MMR(s.Keys[0])
	scan, ok := in.(*logical.Scan)
	if !ok || scan.Search != nil || scan.Lookup != nil && scan.Lookup.Fusion != nil {
		return n, nil
	}
	b := &fuser{x: &logical.Fusion{Count: s.Count + s.Offset}, scan: scan, ranks: ranks}
	switch {
	case mmr != nil:
		// What there is no index for is bounded, too: how near rows are to each other.
		v := mmr.Args[1]
		b.x.Sum = mmr.Args[0]
		if len(ranks.Items) > 1 || v.Op != logical.OpColumn || !slices.Contains(scan.Cols, v.Column) || !b.sum(b.x.Sum, 1) {
			return n, nil
		}
		b.x.MMR = &logical.MMR{Vector: v.Column, Lambda: mmr.Over.Lambda}
	case ranks != nil && len(ranks.Items) == 1 && ranks.Items[0].Over.Func == "rrf":
		if !s.Keys[0].Order.Desc || !b.rrf(s.Keys[0].Expr) {
			return n, nil
		}
	default:
		by := 1.0
		if !s.Keys[0].Order.Desc {
			by = -1
		}
		if b.x.Sum = s.Keys[0].Expr; !b.sum(b.x.Sum, by) || b.indexed == 0 {
			return n, nil
		}
		if by < 0 {
			neg, err := logical.CallRows("-", b.x.Sum.Pos, b.x.Sum)
			if err != nil {
				return n, nil
			}
			b.x.Sum = neg
		}
		if ranks != nil && len(b.norms) < len(ranks.Items) {
			return n, nil // another one needs all rows
		}
	}
	if err := b.among(f); err != nil {
		return nil, err
	}
	scan.Lookup = &logical.Lookup{Fusion: b.x, Text: s.Keys[0].Text}
	scan.Rows = min(scan.Rows, float64(4*b.x.Count))
	return s, nil
}

// firstOfMMR tells an mmr below a Sort how many rows are wanted: it compares all rows with each.
func firstOfMMR(s *logical.Sort) {
	ranks, ok := s.In.(*logical.Ranks)
	if ok && s.Count >= 0 && len(s.On) == 0 && len(s.Keys) > 0 && ranks.MMR(s.Keys[0]) != nil {
		ranks.First, ranks.Count = s.Keys[0].Expr.Column, s.Count+s.Offset
	}
}

// fusionMost is the number of rows beyond which all are scored.
const fusionMost = 10000

// fuser takes an expression apart.
type fuser struct {
	x       *logical.Fusion
	scan    *logical.Scan
	ranks   *logical.Ranks
	indexed int               // terms that codes or a full-text index serve
	norms   []*logical.Column // columns of normalize
	times   []*logical.Expr   // what multiplies the part at hand, and
	over    []*logical.Expr   // divides it
}

// among lets the rows of the scan's conditions be the candidates.
func (b *fuser) among(f *Facts) error {
	scan := b.scan
	if len(scan.Filters) == 0 && scan.Lookup == nil {
		return nil
	}
	among, err := rangeSearch(f, &logical.Scan{Table: scan.Table, Cols: scan.Cols, Filters: scan.Filters, Lookup: scan.Lookup, Rows: scan.Rows})
	if err == nil {
		among, err = searchAmong(f, among)
	}
	if err != nil {
		return err
	}
	b.x.Among, scan.Filters = among, nil
	return nil
}

// plain reports whether e is made of columns of the scan other than vectors, and takes no query.
func (b *fuser) plain(e *logical.Expr) bool {
	if e.Unstable() || e.Costly() || e.Uses(logical.OpScore) || e.Uses(logical.OpWords) || e.Uses(logical.OpSubquery) || e.Uses(logical.OpExists) || e.Uses(logical.OpInQuery) {
		return false
	}
	for c := range logical.ColumnsOf(e) {
		if c.Type.Kind == value.Vector || !slices.Contains(b.scan.Cols, c) {
			return false
		}
	}
	return true
}

// rrf takes a rrf by which rows are sorted.
func (b *fuser) rrf(e *logical.Expr) bool {
	if e.Op != logical.OpColumn || e.Column != b.ranks.Outs[0] {
		return false
	}
	o := b.ranks.Items[0]
	b.x.K = o.Over.K
	for i, a := range o.Args {
		if !b.term(a, 1, nil, "") {
			return false
		}
		t := &b.x.Terms[len(b.x.Terms)-1]
		t.Low = o.Over.Low[i]
	}
	return b.indexed > 0
}

// sum adds the terms of e, times by; false where there is one that can't be bounded.
func (b *fuser) sum(e *logical.Expr, by float64) bool {
	if e.Op == logical.OpConst && len(b.times)+len(b.over) == 0 {
		c, ok := numberOf(e)
		b.x.Rest += float64(by * c)
		return ok
	}
	if e.Op == logical.OpColumn && b.ranks != nil {
		if i := slices.Index(b.ranks.Outs, e.Column); i >= 0 {
			o := b.ranks.Items[i]
			if o.Over.Func != "normalize" {
				return false
			}
			if !slices.Contains(b.norms, e.Column) {
				b.norms = append(b.norms, e.Column)
			}
			return b.term(o.Args[0], by, e.Column, o.Text)
		}
	}
	if e.Op == logical.OpCall && e.Type.Kind == value.Real {
		switch args := e.Args; e.Call.Func.Name {
		case "+", "-":
			sign := by
			if e.Call.Func.Name == "-" {
				sign = -by
			}
			if len(args) == 1 {
				return b.sum(args[0], sign)
			}
			return b.sum(args[0], by) && b.sum(args[1], sign)
		case "*":
			x, y := args[0], args[1]
			if logical.Fixed(y) {
				x, y = y, x
			}
			if c, ok := numberOf(x); ok {
				return b.sum(y, float64(by*c))
			}
			if logical.Fixed(x) {
				defer func(n int) { b.times = b.times[:n] }(len(b.times))
				b.times = append(b.times, x)
				return b.sum(y, by)
			}
		case "/":
			if c, ok := numberOf(args[1]); ok && c != 0 {
				return b.sum(args[0], by/c)
			}
			if logical.Fixed(args[1]) && args[1].Op == logical.OpSlot {
				defer func(n int) { b.over = b.over[:n] }(len(b.over))
				b.over = append(b.over, args[1])
				return b.sum(args[0], by)
			}
		}
	}
	return b.term(e, by, nil, "")
}

// term adds one score.
func (b *fuser) term(e *logical.Expr, by float64, norm *logical.Column, text string) bool {
	switch e.Op {
	case logical.OpScore:
		if e.Measure.Metric != vector.Cosine || e.Measure.Negate || !logical.Searchable(b.scan, e) {
			return false
		}
		b.indexed++
	case logical.OpWords:
		if !logical.WordsOf(b.scan, e, "bm25") {
			return false
		}
		b.indexed++
	default:
		if e.Type.Kind != value.Real && e.Type.Kind != value.Timestamp || !b.plain(e) {
			return false
		}
	}
	b.x.Terms = append(b.x.Terms, logical.FusionTerm{Expr: e, By: by, Times: slices.Clone(b.times), Over: slices.Clone(b.over), Norm: norm, Text: text})
	return true
}

func numberOf(e *logical.Expr) (float64, bool) {
	if e.Op == logical.OpCast && e.Type.Kind == value.Real {
		return numberOf(e.Args[0])
	}
	if e.Op != logical.OpConst {
		return 0, false
	}
	switch e.Value.Kind() {
	case value.Integer:
		return float64(e.Value.Int()), true
	case value.Real:
		return e.Value.Float(), true
	}
	return 0, false
}
