package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lupadb/lupa/storage/value"
)

// Numbers go to the engine's form and back, and pgx reads the same in it.
func TestNumericForm(t *testing.T) {
	m := pgtype.NewMap()
	for _, s := range []string{"0", "0.00", "1", "-1", "12.50", "9999", "10000", "100000000", "0.0001", "0.00001", "-123456789.987654321", "12345678901234567890123456789012345678", "0.1000", "40000.0004"} {
		v, err := value.ParseNumeric(s)
		if err != nil {
			t.Fatal(err)
		}
		b := appendNumeric(nil, v)
		back, err := numericOf(b)
		if err != nil || back.String() != s {
			t.Errorf("%s comes back as %v, %v", s, back, err)
		}
		var n pgtype.Numeric
		if err := m.Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, b, &n); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		text, _ := n.Value()
		if got, err := value.ParseNumeric(text.(string)); err != nil || value.Compare(got, v) != 0 {
			t.Errorf("pgx reads %s as %v", s, text)
		}
	}
	for _, b := range [][]byte{nil, {0, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0xc0, 0, 0, 0}, {0, 0, 0x7f, 0xff, 0, 0, 0, 0}} {
		if v, err := numericOf(b); err == nil {
			t.Errorf("%x is read as %v", b, v)
		}
	}
}
