// Package mcp lets assistants search a store: it serves tools and resources by the Model Context
// Protocol.
package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/lupadb/lupa/db"
	"github.com/lupadb/lupa/db/web"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const (
	defaultRows = 10
	mostRows    = 100
	mostShown   = 10 // pictures in one answer
	shownSize   = 320
)

const instructions = `This server searches tables of pictures and texts by meaning. describe tells what there is; search finds rows
for a phrase; similar finds rows like rows; query runs any SELECT of Lupa's SQL. In SQL the score of a phrase in the vector
column clip is clip_sim('a wolf'), and ORDER BY clip_sim('a wolf') LIMIT 5 puts the best first. Nothing can be changed.`

type searchArgs struct {
	Phrase   string              `json:"phrase" jsonschema:"what to find, in words: 'a wolf in the snow'"`
	Avoid    []string            `json:"avoid,omitempty" jsonschema:"phrases that rows should be unlike"`
	Table    string              `json:"table,omitempty" jsonschema:"the table; by default the first that has an encoder"`
	Column   string              `json:"column,omitempty" jsonschema:"its vector column; by default the first"`
	Equal    map[string][]string `json:"equal,omitempty" jsonschema:"only rows whose column has one of these values, by column"`
	Least    map[string]string   `json:"least,omitempty" jsonschema:"only rows whose column is at least this, by column"`
	Most     map[string]string   `json:"most,omitempty" jsonschema:"only rows whose column is at most this, by column"`
	K        int                 `json:"k,omitempty" jsonschema:"how many rows, at most 100; default 10"`
	Pictures bool                `json:"pictures,omitempty" jsonschema:"send small pictures of the first 10 rows too"`
}

type similarArgs struct {
	Like     []string `json:"like" jsonschema:"primary keys of rows to be like"`
	Unlike   []string `json:"unlike,omitempty" jsonschema:"primary keys of rows to be unlike"`
	Phrase   string   `json:"phrase,omitempty" jsonschema:"words that the rows should be like as well"`
	Table    string   `json:"table,omitempty" jsonschema:"the table; by default the first that has an encoder"`
	Column   string   `json:"column,omitempty" jsonschema:"its vector column; by default the first"`
	K        int      `json:"k,omitempty" jsonschema:"how many rows, at most 100; default 10"`
	Pictures bool     `json:"pictures,omitempty" jsonschema:"send small pictures of the first 10 rows too"`
}

type queryArgs struct {
	SQL   string `json:"sql" jsonschema:"one statement that reads, such as SELECT id, clip_sim('a wolf') AS score FROM photos ORDER BY score LIMIT 5"`
	Limit int    `json:"limit,omitempty" jsonschema:"rows to send of its answer, at most 100; default 100"`
}

type noArgs struct{}

const tableURI = "lupa://table/"

// Serve answers requests on in until it ends or ctx is done. It closes neither stream.
func Serve(ctx context.Context, h *web.Handler, version string, in io.Reader, out io.Writer) error {
	input := &ending{Reader: in}
	err := NewServer(h, version).Run(ctx, &mcp.IOTransport{Reader: input, Writer: nopCloser{out}})
	if input.ended.Load() {
		return nil // however the server puts it
	}
	return err
}

// ending is a reader that knows whether its input has ended.
type ending struct {
	io.Reader
	ended atomic.Bool
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err == io.EOF {
		e.ended.Store(true)
	}
	return n, err
}

func (*ending) Close() error { return nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// NewServer returns a server with the tools search, similar, describe and query, and a resource for
// each table.
func NewServer(h *web.Handler, version string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "lupa", Title: "Lupa", Version: version}, &mcp.ServerOptions{Instructions: instructions})
	reads := &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(bool)}
	mcp.AddTool(s, &mcp.Tool{Name: "search", Description: "Find rows, such as pictures, by a phrase: the best first, with scores", Annotations: reads},
		func(ctx context.Context, _ *mcp.CallToolRequest, a searchArgs) (*mcp.CallToolResult, any, error) {
			if strings.TrimSpace(a.Phrase) == "" {
				return nil, nil, errors.New("phrase is empty: say in words what to find")
			}
			p := url.Values{"q": {a.Phrase}, "minus": a.Avoid}
			for col, all := range a.Equal {
				p["eq."+col] = all
			}
			for col, v := range a.Least {
				p.Set("min."+col, v)
			}
			for col, v := range a.Most {
				p.Set("max."+col, v)
			}
			return find(ctx, h, p, a.Table, a.Column, a.K, a.Pictures)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "similar", Description: "Find rows like others, named by their primary keys", Annotations: reads},
		func(ctx context.Context, _ *mcp.CallToolRequest, a similarArgs) (*mcp.CallToolResult, any, error) {
			if len(a.Like)+len(a.Unlike) == 0 {
				return nil, nil, errors.New("like is empty: give primary keys, such as those that search answered with")
			}
			p := url.Values{"like": a.Like, "unlike": a.Unlike}
			if a.Phrase != "" {
				p.Set("q", a.Phrase)
			}
			return find(ctx, h, p, a.Table, a.Column, a.K, a.Pictures)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "describe", Description: "The tables, their columns and how many rows they have", Annotations: reads},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, any, error) {
			t, err := h.Tables(ctx)
			if err != nil {
				return nil, nil, err
			}
			return text(map[string]any{"tables": t})
		})
	mcp.AddTool(s, &mcp.Tool{Name: "query", Description: "Run one statement that reads, in Lupa's SQL (PostgreSQL's, with scores such as clip_sim('a wolf'))", Annotations: reads},
		func(ctx context.Context, _ *mcp.CallToolRequest, a queryArgs) (*mcp.CallToolResult, any, error) {
			answer, err := h.Query(ctx, a.SQL, "", rows(a.Limit, mostRows))
			if err != nil {
				return nil, nil, explained(err, a.SQL)
			}
			return text(table(answer))
		})
	read := func(ctx context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return readTable(ctx, h, r.Params.URI)
	}
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "table", URITemplate: tableURI + "{name}", MIMEType: "application/json",
		Description: "The columns of a table, and its first rows"}, read)
	if tables, err := h.Tables(context.Background()); err == nil {
		for _, t := range tables {
			s.AddResource(&mcp.Resource{Name: t.Name, URI: tableURI + url.PathEscape(t.Name), MIMEType: "application/json",
				Description: fmt.Sprintf("table %s, %d rows", t.Name, t.Rows)}, read)
		}
	}
	return s
}

// readTable answers with a table's columns and its first rows.
func readTable(ctx context.Context, h *web.Handler, uri string) (*mcp.ReadResourceResult, error) {
	name, err := url.PathUnescape(strings.TrimPrefix(uri, tableURI))
	if err != nil {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	tables, err := h.Tables(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(tables, func(t web.Table) bool { return t.Name == name })
	if i < 0 {
		return nil, mcp.ResourceNotFoundError(uri)
	}
	first, err := h.Search(ctx, url.Values{"table": {name}, "k": {"5"}}, nil)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(map[string]any{"table": tables[i], "first_rows": table(first)["rows"]})
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: uri, MIMEType: "application/json", Text: string(b)}}}, err
}

func rows(k, def int) int { return min(max(1, cmp.Or(k, def)), mostRows) }

// find runs a search and puts its rows, and perhaps their pictures, in an answer.
func find(ctx context.Context, h *web.Handler, p url.Values, tableName, column string, k int, pictures bool) (*mcp.CallToolResult, any, error) {
	p.Set("k", strconv.Itoa(rows(k, defaultRows)))
	p.Set("table", tableName)
	p.Set("column", column)
	answer, err := h.Search(ctx, p, nil)
	if err != nil {
		return nil, nil, explained(err, "")
	}
	result, _, err := text(table(answer))
	if err != nil || !pictures {
		return result, nil, err
	}
	for i, r := range answer.Rows[:min(len(answer.Rows), mostShown)] {
		if r.Picture == nil {
			continue
		}
		if data, err := h.Thumbnail(ctx, r.Picture, shownSize); err == nil {
			result.Content = append(result.Content, &mcp.TextContent{Text: fmt.Sprintf("row %d: %s", i+1, cmp.Or(r.Key, r.Picture.Name))},
				&mcp.ImageContent{Data: data, MIMEType: "image/jpeg"})
		}
	}
	return result, nil, nil
}

// table is an answer as assistants read it best: each row with the names of its columns.
func table(a *web.Answer) map[string]any {
	all := make([]map[string]any, len(a.Rows))
	for i, r := range a.Rows {
		row := map[string]any{}
		for c, v := range r.Values {
			row[a.Columns[c].Name] = v
		}
		if r.Picture != nil {
			row["picture"] = cmp.Or(r.Picture.Path, r.Picture.Full)
		}
		all[i] = row
	}
	return map[string]any{"statement": a.Statement, "rows": all, "more": a.More}
}

func text(v any) (*mcp.CallToolResult, any, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: b.String()}}}, nil, err
}

// explained is an error with what helps to write the statement right.
func explained(err error, sql string) error {
	var parse *db.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	s := parse.Msg
	if lines := strings.Split(sql, "\n"); sql != "" && parse.Line >= 1 && parse.Line <= len(lines) {
		s += fmt.Sprintf("\n%s\n%s^", lines[parse.Line-1], strings.Repeat(" ", max(0, parse.Column-1)))
	}
	if parse.Hint != "" {
		s += "\n" + parse.Hint
	}
	return errors.New(s)
}
