package shell

import "strings"

// keywords colour and complete statements. The language accepts most of them as
// names, too, so they aren't taken from its list of reserved words.
var keywords = strings.Fields(`
	ADD ALL ALTER ANALYZE AND AS ASC BACKUP BEGIN BETWEEN BY CASE CAST CHECK COLUMN COMMIT CONFLICT COPY CREATE
	DEFAULT DELETE DESC DESCRIBE DISTINCT DO DROP ELSE ENCODER END ESCAPE EXISTS EXPLAIN FALSE FIRST FORMAT FROM
	GROUP HAVING IF ILIKE IN INDEX INSERT INTO IS KEY LAST LIKE LIMIT NOT NOTHING NULL NULLS OFFSET ON OR ORDER
	PRIMARY RENAME RETURNING ROLLBACK SELECT SET SHOW TABLE TABLES THEN TO TRUE UNIQUE UPDATE VACUUM VALUES WHEN WHERE
	INTEGER BIGINT REAL TEXT BOOLEAN TIMESTAMP BLOB JSON VECTOR`)

var keywordSet = func() map[string]bool {
	m := map[string]bool{}
	for _, k := range keywords {
		m[k] = true
	}
	return m
}()

func isKeyword(word string) bool { return keywordSet[strings.ToUpper(word)] }
