package query

import "github.com/lupadb/lupa/query/internal/parse"

// tag names a statement by its first words.
func tag(t parse.Statement) string {
	switch t := t.(type) {
	case *parse.CreateTable:
		return "CREATE TABLE"
	case *parse.CreateView:
		return "CREATE VIEW"
	case *parse.DropView:
		return "DROP VIEW"
	case *parse.RenameView:
		return "ALTER VIEW"
	case *parse.Truncate:
		return "TRUNCATE TABLE"
	case *parse.Setting:
		return "SET"
	case *parse.ShowSetting:
		return "SHOW"
	case *parse.DropTable:
		return "DROP TABLE"
	case *parse.AlterTable:
		return "ALTER TABLE"
	case *parse.CreateIndex:
		return "CREATE INDEX"
	case *parse.CreateWatch:
		return "CREATE WATCH"
	case *parse.DropWatch:
		return "DROP WATCH"
	case *parse.Acknowledge:
		return "ACKNOWLEDGE"
	case *parse.ShowWatches:
		return "SHOW"
	case *parse.DropIndex:
		return "DROP INDEX"
	case *parse.Insert:
		return "INSERT"
	case *parse.Update:
		return "UPDATE"
	case *parse.Delete:
		return "DELETE"
	case *parse.Select:
		return "SELECT"
	case *parse.CopyFrom, *parse.CopyTo:
		return "COPY"
	case *parse.Explain:
		return "EXPLAIN"
	case *parse.Begin:
		return "BEGIN"
	case *parse.Commit:
		return "COMMIT"
	case *parse.Rollback:
		return "ROLLBACK"
	case *parse.Savepoint:
		return [...]string{"SAVEPOINT", "RELEASE", "ROLLBACK TO"}[t.What]
	case *parse.ShowTables:
		return "SHOW"
	case *parse.Describe:
		return "DESCRIBE"
	case *parse.Backup:
		return "BACKUP"
	case *parse.Check:
		return "CHECK"
	case *parse.Attach:
		return "ATTACH"
	case *parse.Detach:
		return "DETACH"
	case *parse.ShowDatabases:
		return "SHOW"
	case *parse.Vacuum:
		return "VACUUM"
	}
	return ""
}

// returnsRows reports whether running t gives rows.
func returnsRows(t parse.Statement) bool {
	switch t := t.(type) {
	case *parse.Select, *parse.Explain, *parse.ShowTables, *parse.ShowWatches, *parse.ShowDatabases, *parse.ShowSetting, *parse.Describe, *parse.Check:
		return true
	case *parse.Insert:
		return len(t.Returning) > 0
	case *parse.Update:
		return len(t.Returning) > 0
	case *parse.Delete:
		return len(t.Returning) > 0
	}
	return false
}

// readOnly reports whether t leaves the store as it is. BACKUP and COPY TO
// write files, not the store.
func readOnly(t parse.Statement) bool {
	switch t := t.(type) {
	case *parse.Select:
		return !parse.Changes(t) && !t.Lock
	case *parse.ShowTables, *parse.ShowWatches, *parse.ShowDatabases, *parse.ShowSetting, *parse.Setting, *parse.Savepoint, *parse.Describe, *parse.Check, *parse.Backup, *parse.CopyTo:
		return true
	case *parse.Explain:
		return !t.Analyze || readOnly(t.Statement)
	}
	return false
}

// elsewhereOnly reports whether t changes a table of an attached database, or which are
// attached, and nothing of the store.
func elsewhereOnly(t parse.Statement) bool {
	if table, ok := parse.ChangedTable(t); ok {
		return table.Database != ""
	}
	switch t := t.(type) {
	case *parse.CopyFrom:
		return t.Table.Database != ""
	case *parse.CreateTable:
		return t.Table.Database != ""
	case *parse.DropTable:
		return len(t.Tables) == 1 && t.Tables[0].Database != ""
	case *parse.Attach:
		return !t.Persist
	}
	return false
}
