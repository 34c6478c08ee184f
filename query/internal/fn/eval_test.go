package fn

import (
	"strings"
	"testing"
)

// Values as PostgreSQL gives them, where it has the function.
func TestValues(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"7 / 2", "3"}, {"-7 / 2", "-3"}, {"-7 % 2", "-1"}, {"7.0 / 2", "3.5"}, {"5.5 % 2", "1.5"}, {"2 * 1.5", "3"},
		{"1 + NULL", "NULL"}, {"NULL / 0", "NULL"}, {"9223372036854775807 - 1", "9223372036854775806"},
		{"-(-9223372036854775807 - 1 + 1)", "9223372036854775807"}, {"abs(-2.5)", "2.5"}, {"mod(-7, 3)", "-1"},
		{"round(2.5)", "3"}, {"round(-2.5)", "-3"}, {"round(1234.5678, 2)", "1234.57"}, {"round(1250, -2)", "1300"}, {"round(7)", "7"},
		{"floor(-0.5)", "-1"}, {"ceil(-0.5)", "-0"}, {"sqrt(2) * sqrt(2) > 1.99", "true"}, {"power(2, -1)", "0.5"},
		{"NULL AND false", "false"}, {"NULL AND true", "NULL"}, {"NULL OR true", "true"}, {"NULL OR false", "NULL"}, {"NOT NULL", "NULL"},
		{"NULL = NULL", "NULL"}, {"1 = 1.0", "true"}, {"'2' = 2", "true"}, {"1 IN (2, NULL)", "NULL"}, {"1 IN (1, NULL)", "true"},
		{"1 NOT IN (2, NULL)", "NULL"}, {"NULL IN (1)", "NULL"}, {"2 BETWEEN 1 AND 3", "true"}, {"2 NOT BETWEEN NULL AND 1", "true"},
		{"1 IN (1.0, 2.5)", "true"}, {"'b' IN ('a', 'b')", "true"},
		{"NULL IS NOT DISTINCT FROM NULL", "true"}, {"1 IS DISTINCT FROM 2", "true"}, {"NULL IS TRUE", "false"}, {"false IS NOT TRUE", "true"},
		{"CASE WHEN 1 = 2 THEN 1/0 ELSE 5 END", "5"}, {"CASE 3 WHEN 1 THEN 'a' WHEN 3 THEN 'c' END", "c"}, {"CASE WHEN NULL THEN 1 END", "NULL"},
		{"CASE WHEN true THEN 1 ELSE 2.5 END", "1"}, {"coalesce(NULL, 1, 1/0)", "1"}, {"coalesce(NULL, NULL)", "NULL"},
		{"nullif(1, 1)", "NULL"}, {"nullif(1, NULL)", "1"}, {"greatest(1, NULL, 2.5)", "2.5"}, {"least(NULL, NULL)", "NULL"},
		{"greatest('a', 'b')", "b"},
		{"substr('castle', 0, 3)", "ca"}, {"substr('castle', -5, 7)", "c"}, {"substr('castle', 4)", "tle"}, {"substr('Käfer', 2, 1)", "ä"},
		{"substr('castle', 100)", ""}, {"substr('castle', -9223372036854775807, 9223372036854775807)", ""},
		{"length('')", "0"}, {"length(X'00ff')", "2"}, {"upper('käfer')", "KÄFER"}, {"trim('xxaxx', 'x')", "a"}, {"ltrim('  a ')", "a "},
		{"replace('aaa', 'a', 'bb')", "bbbbbb"}, {"replace('aaa', '', 'x')", "aaa"}, {"split_part('a/b/c', '/', -1)", "c"}, {"split_part('a', '/', 2)", ""},
		{"file_name('/x/y.jpg')", "y.jpg"}, {"file_name('y.jpg')", "y.jpg"}, {"file_name('x/')", ""}, {"file_name('')", ""}, {`file_name('c:\x\y.jpg')`, "y.jpg"},
		{"strpos('Käfer', 'f')", "3"}, {"concat('a', NULL, 1.5, true)", "a1.5true"}, {"concat(NULL)", ""},
		{"'a' || NULL", "NULL"}, {"'a' || 1", "a1"}, {"1.5 || 'x'", "1.5x"}, {"X'41' || X'42'", `\x4142`},
		{"'abc' LIKE 'a_c'", "true"}, {"'abc' LIKE 'a'", "false"}, {"'a%c' LIKE 'a\\%c'", "true"}, {"'abc' LIKE 'a\\%c'", "false"},
		{"'a%c' LIKE 'a!%c' ESCAPE '!'", "true"}, {"'ABC' LIKE 'abc'", "false"}, {"'ABC' ILIKE 'aB_'", "true"}, {"'' LIKE '%'", "true"}, {"'' LIKE ''", "true"},
		{"'' LIKE '_'", "false"}, {"'ä' LIKE '_'", "true"}, {"'xaybz' LIKE '%a%b%'", "true"}, {"'ab' LIKE '%ab%ab%'", "false"}, {"NULL LIKE '%'", "NULL"},
		{"'x' NOT LIKE 'x'", "false"}, {"'a\\b' LIKE 'a\\b' ESCAPE ''", "true"},
		{"CAST('12' AS INTEGER)", "12"}, {"CAST(' 12 ' AS INTEGER)", "12"}, {"CAST(2.5 AS INTEGER)", "2"}, {"CAST(3.5 AS INTEGER)", "4"}, {"CAST(-2.5 AS INTEGER)", "-2"},
		{"CAST(0 AS BOOLEAN)", "false"}, {"CAST(true AS INTEGER)", "1"}, {"CAST('yes' AS BOOLEAN)", "true"}, {"CAST(1e20 AS TEXT)", "1e+20"}, {"CAST(0.1 AS TEXT)", "0.1"},
		{"CAST(true AS TEXT)", "true"}, {"CAST('[1, 2.5]' AS VECTOR(2))", "[1,2.5]"}, {"CAST('[1,2]' AS VECTOR)", "[1,2]"}, {"CAST([1, 2] AS TEXT)", "[1,2]"},
		{"CAST('\\x4142' AS BLOB)", "\\x4142"}, {"CAST('[1,2]' AS JSON) -> 1", "2"}, {"CAST('12' AS JSON)::INTEGER", "12"}, {"CAST('[1,2]' AS JSON)::VECTOR(2)", "[1,2]"},
		{"CAST('null' AS JSON)::INTEGER", "NULL"}, {"CAST('\"x\"' AS JSON)::TEXT", "\"x\""},
		{`JSON '{"a":{"b":"x"}}' -> 'a' ->> 'b'`, "x"}, {`JSON '{"a":null}' ->> 'a'`, "NULL"}, {`JSON '{"a":null}' -> 'a'`, "null"}, {`JSON '{"a":1}' -> 'b'`, "NULL"},
		{`JSON '[1,2,3]' ->> -1`, "3"}, {`JSON '[1]' -> 'a'`, "NULL"}, {`JSON '{"a":1}' -> 0`, "NULL"}, {`'{"a":1}' ->> 'a'`, "1"}, {`JSON '{"a":"\u00e4"}' ->> 'a'`, "ä"},
		{"TIMESTAMP '2024-05-31 12:30:00' > '2024-05-31'", "true"}, {"CAST('2024-05-31T12:30:00.5+02:00' AS TIMESTAMP)", "2024-05-31 10:30:00.5"},
		{"date_trunc('week', TIMESTAMP '2024-06-02 10:00')", "2024-05-27 00:00:00"}, {"date_trunc('year', TIMESTAMP '1969-06-02')", "1969-01-01 00:00:00"},
		{"date_trunc('hour', TIMESTAMP '1969-12-31 23:59:59.9')", "1969-12-31 23:00:00"}, {"date_trunc('decade', TIMESTAMP '1999-06-02')", "1990-01-01 00:00:00"},
		{"date_trunc('century', TIMESTAMP '2000-06-02')", "1901-01-01 00:00:00"}, {"date_trunc('quarter', TIMESTAMP '2000-06-02')", "2000-04-01 00:00:00"},
		{"extract(second FROM TIMESTAMP '2024-05-31 12:30:15.25')", "15.25"}, {"extract(dow FROM TIMESTAMP '2024-06-02')", "0"}, {"extract(isodow FROM TIMESTAMP '2024-06-02')", "7"},
		{"extract(epoch FROM TIMESTAMP '1970-01-02')", "86400"}, {"extract(week FROM TIMESTAMP '2021-01-03')", "53"}, {"extract(doy FROM TIMESTAMP '2024-12-31')", "366"},
		{"extract(month FROM TIMESTAMP '2024-05-31')", "5"}, {"to_timestamp(0.5)", "1970-01-01 00:00:00.5"}, {"now()", "2024-05-31 12:30:00"},
		{"[1, 2] + [3, 4]", "[4,6]"}, {"[1, 2] - [3, 4]", "[-2,-2]"}, {"2 * [1, 2]", "[2,4]"}, {"[1, 2] * 0.5", "[0.5,1]"}, {"[2, 4] / 2", "[1,2]"}, {"-([1, 2])", "[-1,-2]"},
		{"[1, 2] = [1, 2]", "true"}, {"[1, 2] < [1, 3]", "true"}, {"l2_norm([0, 0])", "0"}, {"l2_normalize([0, 0])", "[0,0]"}, {"similarity([0, 0], [1, 0])", "NULL"},
		{"cosine_distance([0, 0], [1, 0])", "NULL"}, {"[1, 2] <#> [3, 4]", "-11"}, {"vector(1, NULL)", "NULL"}, {"[1, 0] <=> NULL", "NULL"},
		{"CAST('NaN' AS REAL) = CAST('NaN' AS REAL)", "true"}, {"CAST('NaN' AS REAL) > 1e308", "true"}, {"greatest(CAST('NaN' AS REAL), 1)", "NaN"}, {"-0.0 = 0.0", "true"},
		{"CAST('Infinity' AS REAL) + 1", "Infinity"},
	} {
		v, err := eval(c.src)
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
		} else if v.String() != c.want {
			t.Errorf("%s = %v, want %s", c.src, v, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"1 / 0", "division by zero"}, {"1 % 0", "division by zero"}, {"1.0 / 0", "division by zero"}, {"[1] / 0", "division by zero"},
		{"9223372036854775807 + 1", "9223372036854775807 + 1 is out of range for INTEGER"}, {"-9223372036854775808 - 1", "out of range"},
		{"9223372036854775807 * 2", "out of range"}, {"-9223372036854775808 / -1", "out of range"}, {"abs(-9223372036854775808)", "out of range"},
		{"-(-9223372036854775808)", "out of range"}, {"1e308 * 10", "out of range for REAL"}, {"exp(1000)", "out of range for REAL"},
		{"CAST(1e30 AS INTEGER)", "1e+30 is out of range for INTEGER"}, {"CAST('abc' AS INTEGER)", `"abc" is not an integer`}, {"CAST('1.5' AS INTEGER)", `"1.5" is not an integer`},
		{"CAST('9223372036854775808' AS INTEGER)", "out of range"}, {"CAST('x' AS REAL)", `"x" is not a number`}, {"CAST('0x10' AS REAL)", "not a number"},
		{"CAST('maybe' AS BOOLEAN)", `"maybe" is not a boolean`}, {"CAST('2024-13-01' AS TIMESTAMP)", `"2024-13-01" is not a timestamp`}, {"CAST('{' AS JSON)", "not valid JSON"},
		{"CAST('[1,2]' AS VECTOR(3))", "vector has 2 dimensions, 3 expected"}, {"CAST([1,2] AS VECTOR(3))", "2 dimensions, 3 expected"}, {"CAST('[1,x]' AS VECTOR)", `"x" is not a finite number`},
		{"CAST(1 AS TIMESTAMP)", "INTEGER can't be cast to TIMESTAMP"}, {"CAST(1 AS BLOB)", "INTEGER can't be cast to BLOB"},
		{"1 = true", "INTEGER and BOOLEAN can't be compared"}, {"lower('a') = 1", "TEXT and INTEGER can't be compared; cast one: CAST(... AS INTEGER)"},
		{"lower('a') + 1", "+ does not apply to TEXT and INTEGER; cast the text: CAST(... AS INTEGER)"}, {"'abc' + 1", `"abc" is not an integer`},
		{"now() * now()", "* does not apply to TIMESTAMP and TIMESTAMP"}, {"true + 1", "+ does not apply to BOOLEAN and INTEGER"},
		{"[1, 2] + [1]", "+: vectors of 2 and of 1 dimensions can't be combined"}, {"similarity([1, 2], [1])", "vectors of 2 and of 1 dimensions"},
		{"lenght('x')", `no function "lenght" (did you mean "length"?)`}, {"length(1)", "length does not take (INTEGER); it is length(TEXT) or length(BLOB)"}, {"round()", "round needs arguments: round(x [, digits])"},
		{"substr('abc', 1, -1)", "can't be negative"}, {"split_part('a', 'b', 0)", "counted from 1"}, {"'a' LIKE 'a\\'", "ends with the escape character"},
		{"'a' LIKE 'a' ESCAPE 'xy'", "one character"}, {"date_trunc('mnth', now())", `no field "mnth" (did you mean "month"?)`}, {"extract(fortnight FROM now())", "no field"},
		{"CASE WHEN true THEN 1 ELSE now() END", "CASE: INTEGER and TIMESTAMP can't be combined"}, {"CASE WHEN 1 THEN 2 END", "WHEN needs a condition, not INTEGER"},
		{"coalesce(1, 'x')", `"x" is not an integer`}, {"1 AND true", "AND needs conditions on both sides, not INTEGER"}, {"sqrt(-1)", "negative"}, {"ln(0)", "positive"},
		{"power(0, -1)", "division by zero"}, {"'a' || X'00'", "|| joins texts, not TEXT and BLOB"}, {"sum(1)", "sum is an aggregate"}, {"vector('a')", "element 1 of the vector is TEXT"},
		{"3e38 * [2]", "element 1 of the resulting vector is out of range"}, {"vector(1e300)", "element 1 of the vector is 1e+300"}, {"to_timestamp(1e18)", "out of range for TIMESTAMP"},
	} {
		v, err := eval(c.src)
		if err == nil {
			t.Errorf("%s = %v, want error %q", c.src, v, c.want)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, want %q", c.src, err, c.want)
		}
	}
}
