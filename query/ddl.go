package query

import (
	"fmt"
	"strings"

	"github.com/lupadb/lupa/query/internal/parse"
	"github.com/lupadb/lupa/storage"
)

// TableSQL returns the statements that make an empty table like def: CREATE
// TABLE with a column a line, then its CREATE INDEX statements, each ended by a
// semicolon and a new line.
func TableSQL(def *storage.TableDef) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", parse.Quote(def.Name))
	for i := range def.Columns {
		c := &def.Columns[i]
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n  %s %s", parse.Quote(c.Name), c.Type)
		switch {
		case i == def.PrimaryKey:
			b.WriteString(" PRIMARY KEY")
		case c.NotNull:
			b.WriteString(" NOT NULL")
		}
		if c.Default != "" {
			b.WriteString(" DEFAULT " + c.Default)
		}
		if c.Encoder != "" {
			b.WriteString(" ENCODER " + parse.QuoteEncoder(c.Encoder))
		}
	}
	b.WriteString("\n);\n")
	for _, ix := range def.Indexes {
		unique := ""
		if ix.Unique {
			unique = "UNIQUE "
		}
		fmt.Fprintf(&b, "CREATE %sINDEX %s ON %s (", unique, parse.Quote(ix.Name), parse.Quote(def.Name))
		for i, id := range ix.Columns {
			if i > 0 {
				b.WriteString(", ")
			}
			if pos := def.ColumnID(id); pos >= 0 {
				b.WriteString(parse.Quote(def.Columns[pos].Name))
			}
		}
		b.WriteString(");\n")
	}
	return b.String()
}
