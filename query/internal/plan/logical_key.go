package plan

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/storage/value"
)

// key is equal for expressions that have equal values in every row.
func (e *expr) key() string {
	var b strings.Builder
	e.writeKey(&b)
	return b.String()
}

func (e *expr) writeKey(b *strings.Builder) {
	fmt.Fprintf(b, "%d", e.op)
	switch e.op {
	case opColumn:
		fmt.Fprintf(b, ":%p", e.col)
		return
	case opConst:
		if e.val.Kind() == value.Vector {
			fmt.Fprintf(b, ":v%p,%d", &e.val.Vec()[0], len(e.val.Vec()))
		} else {
			fmt.Fprintf(b, ":%d:%d:%q", e.typ.Kind, e.val.Kind(), e.val.String())
		}
		return
	case opSlot:
		fmt.Fprintf(b, ":s%d", e.slot.n)
		return
	case opCall:
		fmt.Fprintf(b, ":%s", e.call.Func.Name)
	case opCast:
		fmt.Fprintf(b, ":%v", e.typ)
	case opScore:
		fmt.Fprintf(b, ":%v", e.measure)
	case opText, opImage:
		fmt.Fprintf(b, ":%q,%v", e.enc.name, e.document)
	case opSum:
		fmt.Fprintf(b, ":%v,%v", e.weights, e.unit)
	case opSubquery, opInQuery, opExists:
		fmt.Fprintf(b, ":%p,%v", e.query, e.not)
	case opIn: // the set is that of the arguments, or of a subquery
		fmt.Fprintf(b, ":%v", e.not)
		if e.slot != nil {
			fmt.Fprintf(b, ":s%d", e.slot.n)
		}
	case opAgg:
		fmt.Fprintf(b, ":%s,%v,%v", e.agg.call.Func.Name, e.agg.distinct, e.agg.call.Orders)
		if e.agg.arg != nil {
			b.WriteByte('(')
			e.agg.arg.writeKey(b)
			b.WriteByte(')')
		}
		for _, x := range e.agg.more {
			b.WriteByte(';')
			x.writeKey(b)
		}
		if e.agg.filter != nil {
			b.WriteByte('|')
			e.agg.filter.writeKey(b)
		}
	}
	b.WriteByte('(')
	for i, a := range e.args {
		if i > 0 {
			b.WriteByte(',')
		}
		a.writeKey(b)
	}
	b.WriteByte(')')
}
