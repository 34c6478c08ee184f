package logical

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// Key is equal for expressions that have equal values in every row.
func (e *Expr) Key() string {
	var b strings.Builder
	e.writeKey(&b)
	return b.String()
}

func (e *Expr) writeKey(b *strings.Builder) {
	fmt.Fprintf(b, "%d", e.Op)
	switch e.Op {
	case OpColumn:
		fmt.Fprintf(b, ":%p", e.Column)
		return
	case OpConst:
		if e.Value.Kind() == value.Vector {
			b.WriteString(":v")
			var bits [4]byte
			for _, x := range e.Value.Vec() {
				binary.LittleEndian.PutUint32(bits[:], math.Float32bits(x))
				b.Write(bits[:])
			}
		} else {
			fmt.Fprintf(b, ":%d:%d:%q", e.Type.Kind, e.Value.Kind(), e.Value.String())
		}
		return
	case OpSlot:
		fmt.Fprintf(b, ":s%d", e.Slot.N)
		return
	case OpCall:
		fmt.Fprintf(b, ":%s", e.Call.Func.Name)
	case OpCast:
		fmt.Fprintf(b, ":%v", e.Type)
	case OpScore:
		fmt.Fprintf(b, ":%v", e.Measure)
	case OpText, OpImage:
		fmt.Fprintf(b, ":%q,%v", e.Encoding.Name, e.Document)
	case OpCurve:
		fmt.Fprintf(b, ":%d,%d", e.Stored.Table.Def().ID, e.Stored.Ord)
	case OpSum:
		fmt.Fprintf(b, ":%v,%v,%v", e.Weights, e.Unit, e.Mean)
	case OpSubquery, OpInQuery, OpExists:
		fmt.Fprintf(b, ":%p,%v", e.Query, e.Not)
	case OpIn: // the set is that of the arguments, or of a subquery
		fmt.Fprintf(b, ":%v", e.Not)
		if e.Slot != nil {
			fmt.Fprintf(b, ":s%d", e.Slot.N)
		}
	case OpWords:
		fmt.Fprintf(b, ":%s,%s", e.Words.Func, e.Words.Index)
	case OpOver:
		fmt.Fprintf(b, ":%s,%v,%v", e.Over.Func, e.Over.K, e.Over.Lambda)
	case OpWindow:
		w := e.Window
		fmt.Fprintf(b, ":%s,%d,%d,%d,%d,%d,%d", w.Call.Func.Name, w.Frame.Unit, w.Frame.StartKind, w.Frame.EndKind, w.Frame.Exclude, len(w.Args), len(w.Partition))
		if a := w.Aggregate; a != nil {
			fmt.Fprintf(b, ",%v,%v,%d", a.Arg != nil, a.Filter != nil, len(a.More))
		}
		for _, k := range w.Order {
			fmt.Fprintf(b, ",%v", k.Order)
		}
		for _, x := range w.Parts() {
			b.WriteByte(';')
			x.writeKey(b)
		}
	case OpAgg:
		fmt.Fprintf(b, ":%s,%v,%v", e.Aggregate.Call.Func.Name, e.Aggregate.Distinct, e.Aggregate.Call.Orders)
		if e.Aggregate.Arg != nil {
			b.WriteByte('(')
			e.Aggregate.Arg.writeKey(b)
			b.WriteByte(')')
		}
		for _, x := range e.Aggregate.More {
			b.WriteByte(';')
			x.writeKey(b)
		}
		if e.Aggregate.Filter != nil {
			b.WriteByte('|')
			e.Aggregate.Filter.writeKey(b)
		}
	}
	b.WriteByte('(')
	for i, a := range e.Args {
		if i > 0 {
			b.WriteByte(',')
		}
		a.writeKey(b)
	}
	b.WriteByte(')')
}
