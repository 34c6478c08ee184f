package storage_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/lupadb/lupa/storage"
	"github.com/lupadb/lupa/storage/text"
	"github.com/lupadb/lupa/storage/value"
)

// compareStore reports the first difference between a view and a model.
func compareStore(r *rand.Rand, v *storage.View, m *model) error {
	var names []string
	for _, d := range v.Tables() {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, m.names()) {
		return fmt.Errorf("tables %q, want %q", names, m.names())
	}
	for _, n := range names {
		t, err := v.Table(n)
		if err != nil {
			return err
		}
		if err := compareTable(r, t, m.tables[n]); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

func compareTable(r *rand.Rand, t *storage.Table, m *modelTable) error {
	d := t.Def()
	if len(d.Columns) != len(m.cols) || d.PrimaryKey != m.pk || len(d.Indexes) != len(m.indexes) {
		return fmt.Errorf("definition %+v, want %+v", d, m)
	}
	for i, c := range m.cols {
		if d.Columns[i].Name != c.name || d.Columns[i].Type != c.typ {
			return fmt.Errorf("column %+v, want %+v", d.Columns[i], c)
		}
	}
	if t.Rows() != uint64(len(m.rows)) || t.NextRow() != m.next {
		return fmt.Errorf("%d rows to number %d, want %d to %d", t.Rows(), t.NextRow(), len(m.rows), m.next)
	}
	if err := compareScan(r, t, m); err != nil {
		return fmt.Errorf("scan: %w", err)
	}
	if err := compareFetch(r, t, m); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	if m.pk >= 0 {
		if err := compareLookup(r, t, m); err != nil {
			return fmt.Errorf("lookup: %w", err)
		}
		if err := compareIndex(r, t, m, nil, &modelIndex{cols: []string{m.cols[m.pk].name}}); err != nil {
			return fmt.Errorf("primary key: %w", err)
		}
	}
	for _, x := range m.indexes {
		if x.words {
			if err := compareWords(r, t, m, d.Index(x.name), x.cols); err != nil {
				return fmt.Errorf("index %s: %w", x.name, err)
			}
			continue
		}
		if err := compareIndex(r, t, m, d.Index(x.name), &x); err != nil {
			return fmt.Errorf("index %s: %w", x.name, err)
		}
	}
	return compareStats(t, m)
}

// compareScan scans all columns, or some in any order, with or without a filter.
func compareScan(r *rand.Rand, t *storage.Table, m *modelTable) error {
	cols := r.Perm(len(m.cols))
	if r.IntN(2) == 0 {
		cols = cols[:r.IntN(len(cols)+1)]
	}
	opts := storage.ScanOptions{Columns: cols}
	want := m.rows
	switch r.IntN(3) {
	case 0:
		opts.Filter = new(storage.RowSet)
		want = nil
		dense := 1 + r.IntN(200)
		for n := range m.next {
			if r.IntN(dense) == 0 {
				opts.Filter.Add(n)
			}
		}
		for _, row := range m.rows {
			if opts.Filter.Has(row.number) {
				want = append(want, row)
			}
		}
	case 1:
		opts.FromBlock = uint32(r.IntN(int(t.Blocks()) + 1))
		opts.ToBlock = opts.FromBlock + 1 + uint32(r.IntN(3))
		want = nil
		for _, row := range m.rows {
			if b := uint32(row.number / storage.BlockRows); b >= opts.FromBlock && b < opts.ToBlock {
				want = append(want, row)
			}
		}
	}
	s := t.Scan(opts)
	defer s.Close()
	for {
		b, err := s.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if b.Count() == 0 {
			return fmt.Errorf("an empty batch")
		}
		each := func(i int) error {
			if len(want) == 0 {
				return fmt.Errorf("row %d is too many", b.Rows[i])
			}
			if b.Rows[i] != want[0].number {
				return fmt.Errorf("row %d, want %d", b.Rows[i], want[0].number)
			}
			for c, at := range cols {
				if got := b.Cols[c].Value(i); value.Compare(got, want[0].vals[at]) != 0 {
					return fmt.Errorf("row %d column %s: %v, want %v", b.Rows[i], m.cols[at].name, got, want[0].vals[at])
				}
			}
			want = want[1:]
			return nil
		}
		if b.Sel == nil {
			for i := range b.Len {
				if err := each(i); err != nil {
					return err
				}
			}
		}
		for _, i := range b.Sel {
			if err := each(int(i)); err != nil {
				return err
			}
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("ended before row %d", want[0].number)
	}
	return nil
}

func compareFetch(r *rand.Rand, t *storage.Table, m *modelTable) error {
	cols := r.Perm(len(m.cols))
	var rows []uint64
	var want []modelRow
	if len(m.rows) > 0 {
		near := r.IntN(len(m.rows))
		for range r.IntN(40) {
			i := r.IntN(len(m.rows))
			if r.IntN(2) == 0 {
				i = min(near+r.IntN(30), len(m.rows)-1)
			}
			rows, want = append(rows, m.rows[i].number), append(want, m.rows[i])
		}
	}
	b, err := t.Fetch(ctx, rows, cols)
	if err != nil {
		return err
	}
	for i, w := range want {
		for c, at := range cols {
			if got := b.Cols[c].Value(i); value.Compare(got, w.vals[at]) != 0 {
				return fmt.Errorf("row %d column %s: %v, want %v", w.number, m.cols[at].name, got, w.vals[at])
			}
		}
	}
	if n := uint64(r.IntN(int(m.next) + 2)); !slices.ContainsFunc(m.rows, func(row modelRow) bool { return row.number == n }) {
		if _, err := t.Fetch(ctx, []uint64{n}, cols); err == nil {
			return fmt.Errorf("row %d is not there, and was fetched", n)
		}
	}
	return nil
}

func compareLookup(r *rand.Rand, t *storage.Table, m *modelTable) error {
	taken := m.taken()[0]
	for range 20 {
		k := randomValue(r, m.cols[m.pk].typ, 3*keySpan, true)
		if len(m.rows) > 0 && r.IntN(2) == 0 {
			k = m.rows[r.IntN(len(m.rows))].vals[m.pk]
		}
		row, ok, err := t.Lookup(ctx, k)
		if err != nil {
			return err
		}
		if want, there := taken[modelKey(k)]; ok != there || ok && row != want {
			return fmt.Errorf("%v is row %d %v, want %d %v", k, row, ok, want, there)
		}
	}
	return nil
}

// compareWords looks for words, of which every text has one.
func compareWords(r *rand.Rand, t *storage.Table, m *modelTable, x *storage.IndexDef, cols []string) error {
	for range 4 {
		word := fmt.Sprintf("t%d", r.IntN(keySpan))
		if len(m.rows) > 0 && r.IntN(4) > 0 {
			if v := m.rows[r.IntN(len(m.rows))].vals[m.col(cols[0])]; !v.IsNull() {
				word = v.Str()
			}
		}
		q, err := t.TextQuery(ctx, x, nil, text.Word{Text: word})
		if err != nil {
			return err
		}
		got, err := q.Match(ctx)
		if err != nil {
			return err
		}
		var want []uint64
		for _, row := range m.rows {
			for _, c := range cols {
				if v := row.vals[m.col(c)]; !v.IsNull() && v.Str() == word {
					want = append(want, row.number)
					break
				}
			}
		}
		if rows := slices.Collect(got.All()); !slices.Equal(rows, want) {
			return fmt.Errorf("%s is in rows %v, want %v", word, rows, want)
		}
		if hits, _, err := q.Top(ctx, -1, nil); err != nil || len(hits) != len(want) {
			return fmt.Errorf("%s: %d rows have a score, want %d, %v", word, len(hits), len(want), err)
		}
	}
	return nil
}

// compareIndex asks for random ranges.
func compareIndex(r *rand.Rand, t *storage.Table, m *modelTable, x *storage.IndexDef, of *modelIndex) error {
	cols := of.cols
	at := make([]int, len(cols))
	for i, c := range cols {
		at[i] = m.col(c)
	}
	nullsLast := func(a, b value.Value) int {
		switch {
		case a.IsNull() && b.IsNull():
			return 0
		case a.IsNull():
			return 1
		case b.IsNull():
			return -1
		}
		return value.Compare(a, b)
	}
	for range 8 {
		var q storage.Range
		draw := func(i int) value.Value {
			if len(m.rows) > 0 && r.IntN(2) == 0 {
				return m.rows[r.IntN(len(m.rows))].vals[at[i]]
			}
			return randomValue(r, m.cols[at[i]].typ, keySpan, false)
		}
		for i := range r.IntN(len(cols) + 1) {
			q.Eq = append(q.Eq, draw(i))
		}
		next := -1
		if len(q.Eq) < len(cols) {
			next = at[len(q.Eq)]
			switch r.IntN(4) {
			case 0:
				if m.cols[next].typ.Kind == value.Text {
					q.Prefix = fmt.Sprintf("t%d", r.IntN(30))
				}
			case 1:
				q.Low, q.High = draw(len(q.Eq)), draw(len(q.Eq))
				q.LowOpen, q.HighOpen = r.IntN(2) == 0, r.IntN(2) == 0
			case 2:
				q.Low = draw(len(q.Eq))
			}
		}
		q.Reverse = r.IntN(2) == 0
		if r.IntN(3) == 0 {
			q.Limit = 1 + r.IntN(5)
		}
		var want []modelRow
		for _, row := range m.rows {
			in := of.takes(m, row.vals)
			for i, v := range q.Eq {
				in = in && nullsLast(row.vals[at[i]], v) == 0
			}
			if next >= 0 {
				v := row.vals[next]
				if !q.Low.IsNull() {
					c := nullsLast(v, q.Low)
					in = in && !v.IsNull() && (c > 0 || c == 0 && !q.LowOpen)
				}
				if !q.High.IsNull() {
					c := nullsLast(v, q.High)
					in = in && (c < 0 || c == 0 && !q.HighOpen)
				}
				if q.Prefix != "" {
					in = in && !v.IsNull() && len(v.Str()) >= len(q.Prefix) && v.Str()[:len(q.Prefix)] == q.Prefix
				}
			}
			if in {
				want = append(want, row)
			}
		}
		slices.SortStableFunc(want, func(a, b modelRow) int {
			for _, c := range at {
				if o := nullsLast(a.vals[c], b.vals[c]); o != 0 {
					return o
				}
			}
			return 0
		})
		if q.Reverse {
			slices.Reverse(want)
		}
		if q.Limit > 0 && len(want) > q.Limit {
			want = want[:q.Limit]
		}
		got, err := t.IndexScan(ctx, x, q)
		if err != nil {
			return err
		}
		var numbers []uint64
		for _, w := range want {
			numbers = append(numbers, w.number)
		}
		if !slices.Equal(got, numbers) {
			return fmt.Errorf("%+v: rows %v, want %v", q, got, numbers)
		}
	}
	return nil
}

// compareStats checks that no live value is outside the bounds.
func compareStats(t *storage.Table, m *modelTable) error {
	for c, col := range m.cols {
		st, err := t.Stats(ctx, c)
		if err != nil {
			return err
		}
		distinct, nulls := map[string]bool{}, uint64(0)
		for _, row := range m.rows {
			v := row.vals[c]
			if v.IsNull() {
				nulls++
				continue
			}
			distinct[modelKey(v)] = true
			if !st.Min.IsNull() && (value.Compare(v, st.Min) < 0 || value.Compare(v, st.Max) > 0) {
				return fmt.Errorf("%s: %v is outside %v to %v", col.name, v, st.Min, st.Max)
			}
		}
		clean := uint64(len(m.rows)) == m.next
		if clean && col.typ.Kind != value.Vector && st.Nulls != nulls {
			return fmt.Errorf("%s: %d NULLs, want %d", col.name, st.Nulls, nulls)
		}
		if n := len(distinct); clean && col.typ.Kind != value.Vector && n > 0 && (float64(st.Distinct) < 0.8*float64(n)-2 || float64(st.Distinct) > 1.2*float64(n)+2) {
			return fmt.Errorf("%s: %d distinct values, want about %d", col.name, st.Distinct, n)
		}
	}
	return nil
}
