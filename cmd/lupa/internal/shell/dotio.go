package shell

// Dot commands that read and write files and stores.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/query"
)

func (s *Shell) cmdOutput(_ context.Context, args []string) error {
	if len(args) > 1 {
		return usage(".output")
	}
	to := &sink{s.std.out, s.std.outFile, "stdout"}
	if len(args) == 1 && args[0] != "stdout" && args[0] != "-" {
		var err error
		if to, err = openSink(args[0]); err != nil {
			return err
		}
	}
	err := s.out.close()
	s.out = to
	return err
}

func (s *Shell) cmdOnce(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usage(".once")
	}
	to, err := openSink(args[0])
	if err != nil {
		return err
	}
	if s.once != nil {
		err = s.once.close()
	}
	s.once = to
	return err
}

func (s *Shell) cmdRead(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usage(".read")
	}
	if s.reading >= 20 {
		return errors.New(".read is nested too deeply; does the file read itself?")
	}
	s.reading++
	defer func() { s.reading-- }()
	return s.runFile(ctx, args[0])
}

func (s *Shell) cmdPrint(_ context.Context, args []string) error {
	return s.print(strings.Join(args, " ") + "\n")
}

// importReaders are the table functions that read a file of an extension.
var importReaders = map[string]string{
	".csv": "read_csv", ".tsv": "read_tsv", ".tab": "read_tsv", ".jsonl": "read_jsonl", ".ndjson": "read_jsonl",
	".parquet": "read_parquet", ".pq": "read_parquet", ".npy": "read_npy", ".fvecs": "read_fvecs",
}

// cmdImport is COPY, preceded by CREATE TABLE with the file's own columns and
// types where there is no such table yet.
func (s *Shell) cmdImport(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return usage(".import")
	}
	if err := s.needStore(); err != nil {
		return err
	}
	file, name := args[0], args[1]
	tables, err := s.conn.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if strings.EqualFold(t.Name, name) {
			return s.runStatement(ctx, fmt.Sprintf("COPY %s FROM %s", db.Quote(t.Name), query.QuoteText(file)))
		}
	}
	reader, ok := importReaders[strings.ToLower(filepath.Ext(file))]
	if !ok {
		return fmt.Errorf("%s: can't tell the format from its name; make the table and COPY it with (FORMAT ...)", file)
	}
	from := fmt.Sprintf("%s(%s)", reader, query.QuoteText(file))
	rows, err := s.conn.Query(ctx, "SELECT * FROM "+from+" LIMIT 1")
	if err != nil {
		return err
	}
	var defs []string
	for i, t := range rows.Types() {
		if t.Kind == db.Null {
			t.Kind = db.Text
		}
		defs = append(defs, db.Quote(rows.Columns()[i])+" "+t.String())
	}
	if err := rows.Close(); err != nil {
		return err
	}
	if err := s.runStatement(ctx, fmt.Sprintf("CREATE TABLE %s (%s)", db.Quote(name), strings.Join(defs, ", "))); err != nil {
		return err
	}
	err = s.runStatement(ctx, fmt.Sprintf("COPY %s FROM %s", db.Quote(name), query.QuoteText(file)))
	if err != nil && !s.conn.InTransaction() { // the next attempt is to make the table anew
		s.conn.Exec(context.WithoutCancel(ctx), "DROP TABLE "+db.Quote(name))
	}
	return err
}

func (s *Shell) cmdBackup(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return usage(".backup")
	}
	if err := s.needStore(); err != nil {
		return err
	}
	return s.runStatement(ctx, "BACKUP TO "+query.QuoteText(args[0]))
}

func (s *Shell) cmdOpen(ctx context.Context, args []string) error {
	readOnly := false
	if len(args) > 0 && (args[0] == "--readonly" || args[0] == "--read-only") {
		readOnly, args = true, args[1:]
	}
	if len(args) > 1 {
		return usage(".open")
	}
	dir := ":memory:"
	if len(args) == 1 {
		dir = args[0]
	}
	if dir == "gallery" && !exists(dir) {
		return s.openGallery(ctx)
	}
	// The directory that is open can't be opened a second time beside itself.
	if s.db != nil && sameFile(dir, s.store) {
		if err := s.closeStore(); err != nil {
			return err
		}
	}
	fresh := dir != ":memory:" && !exists(dir)
	if err := s.open(ctx, dir, readOnly, readOnly); err != nil {
		return err
	}
	if s.interactive && fresh {
		s.message("new store %s", dir)
	}
	return nil
}

func sameFile(a, b string) bool {
	x, err1 := filepath.Abs(a)
	y, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && x == y
}

func (s *Shell) cmdQuit(context.Context, []string) error {
	s.quit = true
	return nil
}
