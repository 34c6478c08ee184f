package web

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/storage/value"
)

// facetAnswer tells what a column holds among the rows that are left by the other
// conditions: its most frequent values, or how its numbers or times are spread.
type facetAnswer struct {
	Column string        `json:"column"`
	Kind   string        `json:"kind"` // "values" or "range"
	Min    any           `json:"min,omitempty"`
	Max    any           `json:"max,omitempty"`
	Values []facetBucket `json:"values"`
	More   bool          `json:"more"` // values that are not told
}

type facetBucket struct {
	Value any   `json:"value"` // of a range: where it begins
	Rows  int64 `json:"rows"`
}

const (
	facetValues  = 30
	facetBuckets = 24
)

func (h *Handler) facet(r *http.Request) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badRequest{err}
	}
	t, err := h.table(r.Context(), r.Form.Get("table"))
	if err != nil {
		return nil, err
	}
	c := column(&t, r.Form.Get("column"))
	if c == nil {
		return nil, badf("%s has no column %q", t.Name, r.Form.Get("column"))
	}
	where, err := conditions(&t, r.Form)
	if err != nil {
		return nil, err
	}
	col, from := db.Quote(c.Name), db.Quote(t.Name)
	where = append(where, col+" IS NOT NULL")
	cond := strings.Join(where, " AND ")
	a := &facetAnswer{Column: c.Name, Kind: "values", Values: []facetBucket{}}
	var buckets string
	switch c.Type.Kind {
	case value.Integer, value.Real, value.Timestamp:
		a.Kind = "range"
		var low, high db.Value
		if err := h.store.QueryRow(r.Context(), fmt.Sprintf("SELECT min(%s), max(%s) FROM %s WHERE %s", col, col, from, cond)).Scan(&low, &high); err != nil {
			return nil, err
		}
		if low.IsNull() {
			return a, nil
		}
		a.Min, a.Max = jsonValue(low), jsonValue(high)
		buckets = bucket(col, low, high)
	case value.Text, value.Boolean:
		buckets = col
	default:
		return nil, badf("values of %s can't be grouped", c.Type)
	}
	order, limit := "1", facetBuckets+2
	if a.Kind == "values" {
		order, limit = "2 DESC, 1", facetValues+1
	}
	rows, err := h.store.Query(r.Context(), fmt.Sprintf("SELECT %s AS value, count(*) AS n FROM %s WHERE %s GROUP BY 1 ORDER BY %s LIMIT %d", buckets, from, cond, order, limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v := rows.Values()
		if a.Kind == "values" && len(a.Values) == facetValues {
			a.More = true
			break
		}
		a.Values = append(a.Values, facetBucket{jsonValue(v[0]), v[1].Int()})
	}
	return a, rows.Err()
}

// bucket is an expression that puts values between two into a few groups, each named by the
// least value that it may have.
func bucket(col string, low, high db.Value) string {
	if low.Kind() == value.Timestamp {
		unit := "year"
		switch days := high.Time().Sub(low.Time()).Hours() / 24; {
		case days <= 31:
			unit = "day"
		case days <= 3*366:
			unit = "month"
		}
		return fmt.Sprintf("date_trunc('%s', %s)", unit, col)
	}
	if low.Kind() == value.Integer {
		// Without overflow: the difference of two integers may be larger than the largest.
		width := (uint64(high.Int())-uint64(low.Int()))/facetBuckets + 1
		if width == 1 {
			return col
		}
		return fmt.Sprintf("floor(CAST(%s AS REAL) / %d) * %d", col, width, width)
	}
	width := high.Float()/facetBuckets - low.Float()/facetBuckets
	if !(width > 0) || width > 1e300 {
		return col
	}
	return fmt.Sprintf("%v + floor((%s - %v) / %v) * %v", real(low.Float()), col, real(low.Float()), real(width), real(width))
}

// real is a number as a statement has it, also a negative one.
func real(f float64) string { return "(" + value.Float(f).String() + ")" }
